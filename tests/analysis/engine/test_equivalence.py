"""Two one-sided tests, what they conclude, and the sample that would decide."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from analysis.engine.best_interval import best_interval
from analysis.engine.equivalence import conclusion, equivalence_p, smallest_equivalence_p
from analysis.engine.estimates import Estimate, estimate
from analysis.engine.intervals import Resampled
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.sample_size import Uncertainty, uncertainty, units_to_decide_range
from analysis.engine.training import inclusion_p


def of(values: FloatArray, **more: object) -> Estimate:
    return Estimate(float(values.mean()), values, units=len(values), differing=len(values), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("units", "smallest"), [(5, 0.951), (50, 0.605), (298, 0.05003), (299, 0.04953)])
def test_identical_conditions_are_equivalent_as_far_as_their_units_show(units: int, smallest: float) -> None:
    """Five units were once equivalent with p = 0.03, and fifty with p = 1e-4."""
    ones = np.ones((units, 1))
    same = estimate({"a": Counts(ones, ones), "b": Counts(ones, ones)}, {"b": 1.0, "a": -1.0})
    for one in (same, of(np.zeros(units))):
        assert equivalence_p(one, 0.01) == pytest.approx(smallest, rel=5e-3)
        assert smallest_equivalence_p(one, 0.01) == pytest.approx(smallest, rel=5e-4)
    assert (conclusion(1.0, equivalence_p(same, 0.01), 0.05, smallest=smallest_equivalence_p(same, 0.01))
            == ("equivalent" if units == 299 else "not decidable"))  # fmt: skip


def test_a_difference_beyond_the_margin_is_not_equivalent() -> None:
    assert equivalence_p(of(np.random.default_rng(1).normal(0.5, 1, size=100)), 0.1) > 0.5


def test_sides_are_alike() -> None:
    values = np.random.default_rng(2).normal(0.05, 0.3, size=90)
    assert equivalence_p(of(values), 0.1) == equivalence_p(of(-values), 0.1)
    assert 0.01 < equivalence_p(of(values), 0.1) < 0.5


def test_refits_make_equivalence_harder_to_show_the_more_they_vary() -> None:
    values = np.random.default_rng(3).normal(0, 0.1, size=400)
    alone = equivalence_p(of(values, largest=0.1), 0.02)
    found = [
        equivalence_p(of(values, largest=0.1, refitted=spread * np.array([-1.0, 0.0, 1.0])), 0.02)
        for spread in (0, 0.005, 0.01)
    ]
    assert found[0] == pytest.approx(alone, rel=2e-2)
    assert alone < 0.001 < found[1] < 0.05 < found[2]


def test_inclusion_of_the_interval_is_the_test() -> None:
    values = np.random.default_rng(4).normal(0.004, 0.1, size=300)
    one = of(values)
    p = inclusion_p(partial(best_interval, one), one.value, 0.02)
    assert p == pytest.approx(equivalence_p(one, 0.02), rel=0.02)
    interval = best_interval(one, 1 - 2 * p)
    assert max(-interval.low, interval.high) == pytest.approx(0.02, rel=2e-3)


def test_pseudo_values_of_a_mean_are_the_differences() -> None:
    generator = np.random.default_rng(4)
    base, changed = generator.normal(size=(2, 30))
    ones = np.ones((30, 1))
    counts = {"base": Counts(base[:, None], ones), "changed": Counts(changed[:, None], ones)}
    resampled = Resampled.of(counts, resamples=10, key=(1,))
    np.testing.assert_allclose(resampled.pseudo_values({"changed": 1, "base": -1}), changed - base, atol=1e-10)


def test_pseudo_values_of_mean_iou_have_its_mean_and_standard_error() -> None:
    generator = np.random.default_rng(5)
    union = generator.integers(20, 60, size=(200, 4)).astype(float)
    counts = Counts(generator.binomial(union.astype(int), 0.6).astype(float), union)
    resampled = Resampled.of({"x": counts}, resamples=4000, key=(1,))
    pseudo_values = resampled.pseudo_values({"x": 1.0})
    assert pseudo_values.mean() == pytest.approx(counts.value(), abs=1e-12)
    assert pseudo_values.std(ddof=1) / np.sqrt(200) == pytest.approx(resampled.standard_error({"x": 1.0}), rel=0.06)


@pytest.mark.parametrize(
    ("difference", "equivalence", "read"),
    [(0.2, 0.01, "equivalent"), (0.01, 0.2, "different"), (0.01, 0.01, "negligible"), (0.2, 0.2, "undecided")],
)
def test_conclusions(difference: float, equivalence: float, read: str) -> None:
    assert conclusion(difference, equivalence, 0.05) == read


def known(difference: float, deviation: float, **more: float) -> Uncertainty:
    """What is known of a difference that no longer varies."""
    return Uncertainty(difference, difference, deviation, **more)


def needed(*args: float, adjusted_by: float = 1.0, **more: float) -> int:
    difference, deviation, margin = args
    found = units_to_decide_range(known(difference, deviation, **more), margin, 0.05, adjusted_by=adjusted_by)
    assert found is not None and found.low == found.high
    return found.low


@pytest.mark.parametrize("truth", [0.0, 0.02, 0.3])
def test_the_sample_that_would_decide_decides_four_times_in_five(truth: float) -> None:
    generator = np.random.default_rng(6)
    deviation, margin = 0.5, 0.15
    units = needed(truth, deviation, margin)
    decided = 0
    for _ in range(600):
        sample = generator.normal(truth, deviation, size=units)
        t = abs(sample.mean()) / (sample.std(ddof=1) / np.sqrt(units))
        equivalent = ttost_paired(sample, np.zeros(units), -margin, margin)[0] <= 0.05
        decided += bool(t > 1.96) if truth > margin else bool(equivalent)
    # Three standard errors of the share are 5 points.
    assert decided / 600 == pytest.approx(0.8, abs=0.06)


def test_a_stricter_test_needs_more_units() -> None:
    alone, stricter = (needed(0.1, 0.5, 0.05, adjusted_by=by) for by in (1, 10))
    # (z(1 − α/2) + z(0.8))², the sample of a two-sided test, in the ratio of both levels.
    assert stricter / alone == pytest.approx((2.8070 + 0.8416) ** 2 / (1.9600 + 0.8416) ** 2, abs=0.03)
    # What lies within the margin may be decided by the test of equivalence, which nothing adjusts.
    assert needed(0.0, 0.5, 0.05, adjusted_by=1) == needed(0.0, 0.5, 0.05, adjusted_by=10)


def test_a_sample_of_clusters_is_told_in_units() -> None:
    assert needed(0.02, 0.5, 0.15, each=2.5) == pytest.approx(2.5 * needed(0.02, 0.5, 0.15), abs=2.5)


def test_no_variation_leaves_what_so_few_units_cannot_show() -> None:
    assert needed(0.0, 0.0, 0.01) == 299
    assert uncertainty(Estimate(0.3, np.array([0.3]), units=1)) is None


def test_units_do_not_average_training_away() -> None:
    apart = [needed(0.0, 0.5, 0.05, training=spread) for spread in (0.0, 0.01)]
    assert apart[0] < apart[1]
    assert units_to_decide_range(known(0.0, 0.5, training=0.1), 0.05, 0.05) is None
