"""Two one-sided tests, their interval form, what is concluded, and the sample that would decide."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from analysis.engine.equivalence import conclusion, equivalence_tests, is_included
from analysis.engine.intervals import Interval, Resampled
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.sample_size import standard_deviation, units_to_decide


def p_of(pseudo_values: FloatArray, margin: float, draws: int = 9999) -> float:
    return equivalence_tests([pseudo_values], [margin], draws=draws, key=(1, "equivalence"))[0]


def test_identical_conditions_are_equivalent_at_the_smallest_p() -> None:
    assert p_of(np.zeros(100), 0.01) == 1 / 10_000


def test_a_difference_beyond_the_margin_is_not_equivalent() -> None:
    assert p_of(np.random.default_rng(1).normal(0.5, 1, size=100), 0.1) > 0.5


def test_sides_are_alike() -> None:
    pseudo_values = np.random.default_rng(2).normal(0.05, 0.3, size=90)
    # The same draws meet the mirrored data.
    assert p_of(pseudo_values, 0.1) == p_of(-pseudo_values, 0.1)
    assert 0.01 < p_of(pseudo_values, 0.1) < 0.5


def test_many_differences_in_one_call_are_those_of_single_calls() -> None:
    differences = list(np.random.default_rng(3).normal(0, 1, size=(230, 40)))
    together = equivalence_tests(differences, [0.2] * 230, draws=199, key=(1, "equivalence"))
    for place in (0, 99, 100, 229):
        assert together[place] == equivalence_tests([differences[place]], [0.2], draws=199, key=(1, "equivalence"))[0]


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
    ("low", "high", "included"), [(-0.5, 0.5, True), (-1.0, 0.5, False), (0.2, 1.1, False), (-3, -2, False)]
)
def test_interval_inclusion(low: float, high: float, included: bool) -> None:
    assert is_included(Interval(low, high, "bca"), 1.0) is included


@pytest.mark.parametrize(
    ("difference", "equivalence", "read"),
    [(0.2, 0.01, "equivalent"), (0.01, 0.2, "different"), (0.01, 0.01, "negligible"), (0.2, 0.2, "undecided")],
)
def test_conclusions(difference: float, equivalence: float, read: str) -> None:
    assert conclusion(difference, equivalence, 0.05) == read


@pytest.mark.parametrize("truth", [0.0, 0.02, 0.3])
def test_the_sample_that_would_decide_decides_four_times_in_five(truth: float) -> None:
    generator = np.random.default_rng(6)
    deviation, margin = 0.5, 0.15
    needed = units_to_decide(truth, deviation, margin, 0.05)
    assert needed is not None
    decided = 0
    for _ in range(600):
        sample = generator.normal(truth, deviation, size=needed)
        t = abs(sample.mean()) / (sample.std(ddof=1) / np.sqrt(needed))
        equivalent = ttost_paired(sample, np.zeros(needed), -margin, margin)[0] <= 0.05
        decided += bool(t > 1.96) if truth > margin else bool(equivalent)
    # Three standard errors of the share are 5 points.
    assert decided / 600 == pytest.approx(0.8, abs=0.06)


def test_a_stricter_test_needs_more_units() -> None:
    alone, stricter = (units_to_decide(0.1, 0.5, 0.05, 0.05, adjusted_by=by) for by in (1, 10))
    assert alone is not None and stricter is not None
    # (z(1 − α/2) + z(0.8))², the sample of a two-sided test, in the ratio of both levels.
    assert stricter / alone == pytest.approx((2.8070 + 0.8416) ** 2 / (1.9600 + 0.8416) ** 2, abs=0.03)
    # What lies within the margin may be decided by the test of equivalence, which nothing adjusts.
    within = [units_to_decide(0.0, 0.5, 0.05, 0.05, adjusted_by=by) for by in (1, 10)]
    assert within[0] == within[1]


def test_a_sample_of_clusters_is_told_in_units() -> None:
    alone = units_to_decide(0.02, 0.5, 0.15, 0.05)
    assert alone is not None
    assert units_to_decide(0.02, 0.5, 0.15, 0.05, units_each=2.5) == math.ceil(2.5 * alone)


def test_no_variation_leaves_nothing_to_say_of_more_units() -> None:
    assert units_to_decide(0.0, standard_deviation(np.zeros(10)), 0.01, 0.05) is None
    assert units_to_decide(0.3, standard_deviation(np.array([0.3])), 0.01, 0.05) is None
