"""Bootstrap intervals against scipy, a leave-one-out loop, and known degenerate cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from analysis.engine.intervals import (
    Interval,
    Resampled,
    bca_interval,
    bootstrap_metrics,
    expanded_level,
    wilson_interval,
)
from analysis.engine.metric import Counts, FloatArray, jackknife_metrics


def scores(values: FloatArray) -> Counts:
    """One score per unit, so that the metric is their mean."""
    column = np.asarray(values, dtype=float)[:, None]
    return Counts(column, np.ones_like(column))


def interval_of(counts: Counts, replicates: FloatArray, level: float) -> Interval:
    expanded = expanded_level(level, counts.units) if counts.units > 1 else level
    return bca_interval(counts.value(), replicates, jackknife_metrics(counts), expanded)


def segmentation(seed: int, units: int = 9, categories: int = 4) -> Counts:
    generator = np.random.default_rng(seed)
    union = generator.integers(0, 20, size=(units, categories)).astype(float)
    # One class lives in a single image: leaving that image out removes the class from the mean.
    union[1:, 3] = 0
    union[0, 3] = 7
    return Counts(np.floor(union * generator.random((units, categories))), union)


@pytest.mark.parametrize("skew", ["normal", "lognormal"])
def test_bca_agrees_with_scipy_for_a_mean(skew: str) -> None:
    generator = np.random.default_rng(21)
    values = getattr(generator, skew)(size=60)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=40_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    counts = scores(values)
    replicates = bootstrap_metrics([counts], resamples=40_000, key=(2, "mean"))[:, 0]
    found = bca_interval(counts.value(), replicates, jackknife_metrics(counts), 0.95)
    assert found.method == "bca"
    # The standard error of a 2.5 % quantile of 40,000 is 1.3 % of the replicates' standard deviation.
    error = 5 * 0.013 * replicates.std()
    assert found.low == pytest.approx(expected.low, abs=error)
    assert found.high == pytest.approx(expected.high, abs=error)


def test_bca_equals_scipy_on_the_same_replicates() -> None:
    values = np.random.default_rng(22).exponential(size=25)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=3000, method="BCa", rng=3)
    counts = scores(values)
    ours = bca_interval(counts.value(), theirs.bootstrap_distribution, jackknife_metrics(counts), 0.95)
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=1e-10)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=1e-10)


def test_jackknife_leaves_out_one_unit_at_a_time() -> None:
    counts = segmentation(23)
    for unit, found in enumerate(jackknife_metrics(counts)):
        ratios = []
        for category in range(counts.categories):
            others = [i for i in range(counts.units) if i != unit]
            union = sum(counts.denominator[i, category] for i in others)
            if union > 0:
                ratios.append(sum(counts.numerator[i, category] for i in others) / union)
        assert found == pytest.approx(sum(ratios) / len(ratios), abs=1e-12)


def test_resamples_are_whole_units_in_all_conditions_at_once() -> None:
    # `changed` is `base` plus 0.25 for every unit, so the difference is 0.25 in every resample.
    base = np.random.default_rng(24).random(40) / 2
    replicates = bootstrap_metrics([scores(base), scores(base + 0.25)], resamples=500, key=(1, "pair"))
    assert replicates.shape == (500, 2)
    assert replicates[:, 0].std() > 0.01
    np.testing.assert_allclose(replicates[:, 1] - replicates[:, 0], 0.25, atol=1e-12)


def test_the_standard_deviation_of_replicates_is_the_standard_error() -> None:
    values = np.random.default_rng(25).normal(size=200)
    replicates = bootstrap_metrics([scores(values)], resamples=20_000, key=(1, "spread"))
    assert replicates.mean() == pytest.approx(values.mean(), abs=0.003)
    assert replicates.std() == pytest.approx(values.std() / math.sqrt(200), rel=0.03)


def test_delta_interval_respects_pairing() -> None:
    generator = np.random.default_rng(26)
    difficulty = generator.normal(scale=3, size=80)
    base, changed = difficulty, difficulty + generator.normal(0.3, 0.2, size=80)
    both = {"base": scores(base), "changed": scores(changed)}
    found = Resampled.of(both, resamples=4000, key=(1,)).interval({"changed": 1, "base": -1}, 0.95)
    # The t interval of the paired differences; an unpaired one would be 30 times as wide.
    differences = changed - base
    expected = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
    assert found.low == pytest.approx(expected.low, abs=0.01)
    assert found.high == pytest.approx(expected.high, abs=0.01)


@pytest.mark.parametrize("units", [5, 12, 40])
def test_expanded_interval_of_few_symmetric_values_is_the_t_interval(units: int) -> None:
    # Quantiles of a normal distribution, as symmetric as values can be.
    values = stats.norm.ppf((np.arange(units) + 0.5) / units)
    resampled = Resampled.of({"x": scores(values)}, resamples=200_000, key=(1, "t"))
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.8)
    found, plain = resampled.interval({"x": 1}, 0.8), resampled.plain_interval({"x": 1}, 0.8)
    # The t interval but for the shape of a sum of few values; without expansion five values miss it by a quarter.
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=0.03)
    assert plain.high < found.high


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("units", [7, 50, 5_000])
def test_expanded_level_turns_normal_percentiles_into_those_of_t(level: float, units: int) -> None:
    z = stats.norm.ppf((1 + expanded_level(level, units)) / 2)
    t = stats.t.ppf((1 + level) / 2, units - 1)
    assert z * math.sqrt((units - 1) / units) == pytest.approx(t, rel=1e-6)


def test_two_units_have_an_interval_as_wide_as_their_resamples() -> None:
    counts = scores(np.array([1.0, 3.0]))
    replicates = bootstrap_metrics([counts], resamples=200, key=(1,))[:, 0]
    found = interval_of(counts, replicates, 0.95)
    assert (found.low, found.high) == pytest.approx((1, 3))


@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
@pytest.mark.parametrize("trials", [1, 20, 5_000])
def test_wilsons_interval_is_that_of_statsmodels(trials: int, level: float) -> None:
    for successes in {0, 1, trials // 3, trials - 1, trials}:
        found = wilson_interval(successes, trials, level)
        expected = proportion_confint(successes, trials, alpha=1 - level, method="wilson")
        assert (found.low, found.high) == pytest.approx(expected, abs=1e-15)
        assert 0 <= found.low <= found.high <= 1


def test_coverage_of_wilsons_interval() -> None:
    generator = np.random.default_rng(27)
    sets = 2000
    covered = 0
    for _ in range(sets):
        counts = scores((generator.random(80) < 0.7).astype(float))
        interval = wilson_interval(int(counts.numerator.sum()), 80, 0.95)
        covered += interval.low <= 0.7 <= interval.high
    # Four standard errors of the share around 95 % are 2 points.
    assert 0.93 < covered / sets < 0.97


@pytest.mark.parametrize("block_bytes", [1, 20_000, 10**9])
def test_block_size_decides_nothing(block_bytes: int) -> None:
    counts = [segmentation(28), segmentation(29, categories=5)]
    expected = bootstrap_metrics(counts, resamples=77, key=(1, "blocks"))
    found = bootstrap_metrics(counts, resamples=77, key=(1, "blocks"), block_bytes=block_bytes)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("successes", "low", "high"), [(0, 0.0, 0.0713476), (50, 0.9286524, 1.0)])
def test_a_proportion_gets_wilsons_interval(successes: int, low: float, high: float) -> None:
    # z² / (n + z²) for 0 of 50, z = 1.959964: the score interval solved by hand.
    counts = scores((np.arange(50) < successes).astype(float))
    found = Resampled.of({"value": counts}, resamples=50, key=(1,)).interval({"value": 1}, 0.95)
    assert found.method == "wilson"
    assert found.low == pytest.approx(low, abs=1e-6)
    assert found.high == pytest.approx(high, abs=1e-6)


def test_no_variation_gives_zero_width() -> None:
    counts = scores(np.full(20, 0.3))
    replicates = bootstrap_metrics([counts], resamples=50, key=(1,))[:, 0]
    found = interval_of(counts, replicates, 0.95)
    assert (found.method, found.low, found.high) == ("constant", counts.value(), counts.value())


def test_an_estimate_outside_all_replicates_gets_the_percentile_interval() -> None:
    replicates = np.linspace(0.1, 0.2, 1001)
    found = bca_interval(0.05, replicates, np.array([0.04, 0.05, 0.07]), 0.9)
    assert found.method == "percentile"
    assert found.low == pytest.approx(0.105, abs=1e-9)
    assert found.high == pytest.approx(0.195, abs=1e-9)


def test_one_unit_has_no_interval() -> None:
    counts = scores(np.array([0.4]))
    found = interval_of(counts, np.full(10, 0.4), 0.95)
    assert found.method == "none"
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_resamples_without_anything_to_count_are_left_out() -> None:
    # One unit in three has points at all: 8 of 27 resamples miss it.
    counts = Counts(np.array([[1.0], [0.0], [0.0]]), np.array([[2.0], [0.0], [0.0]]))
    replicates = bootstrap_metrics([counts], resamples=400, key=(1,))[:, 0]
    # Four standard errors of the share.
    assert np.isnan(replicates).mean() == pytest.approx(8 / 27, abs=0.09)
    assert interval_of(counts, replicates, 0.95).low == 0.5


def test_refusals() -> None:
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        bca_interval(0.5, np.array([0.5, 0.6]), np.array([0.5, 0.6]), 95)
    with pytest.raises(ValueError, match="anything to count"):
        bca_interval(0.5, np.array([np.nan]), np.array([0.5, 0.6]), 0.95)
    with pytest.raises(ValueError, match="resamples must be at least 1"):
        bootstrap_metrics([scores(np.ones(3))], resamples=0, key=(1,))
    with pytest.raises(ValueError, match="the same units"):
        bootstrap_metrics([scores(np.ones(3)), scores(np.ones(2))], resamples=5, key=(1,))
