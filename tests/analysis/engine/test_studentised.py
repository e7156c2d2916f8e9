"""Jackknife t, clusters, skewness, unseen units, and the choice of an interval, against independent computations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.engine.best_interval import best_interval, interval_method, warnings_of
from analysis.engine.contrasts import Contrast
from analysis.engine.equivalence import equivalence_p, smallest_equivalence_p
from analysis.engine.estimates import Estimate, estimate
from analysis.engine.medians import bootstrap_weights, median_interval, ratio_of_medians
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.metric_tests import jackknife_p, metric_contrast, metric_tests
from analysis.engine.multiplicity import max_t_within_families
from analysis.engine.sample_size import (
    detectable_difference,
    minimal_detectable_effect,
    power_of_difference,
    power_of_equivalence,
    uncertainty,
    units_to_decide_range,
)
from analysis.engine.simultaneous import simultaneous_level
from analysis.engine.studentised import (
    Studentised,
    corrected_statistic,
    effective_freedom,
    mirrored,
    studentised,
    studentised_bounds,
    uncorrected_statistic,
    upper_p,
    with_training,
)
from analysis.engine.unseen import bounded_bounds, bounded_upper_p

DELTA = {"changed": 1.0, "base": -1.0}


def scores(values: FloatArray) -> Counts:
    column = np.asarray(values, dtype=float)[:, None]
    return Counts(column, np.ones_like(column))


def delta(base: Counts, changed: Counts, cluster_sizes: FloatArray | None = None) -> Estimate:
    return estimate({"base": base, "changed": changed}, DELTA, cluster_sizes=cluster_sizes)


def masks(generator: np.random.Generator, units: int, classes: int = 4) -> tuple[Counts, Counts]:
    union = generator.integers(20, 60, size=(2, units, classes)).astype(float)
    base, changed = (Counts(generator.binomial(one.astype(int), 0.6).astype(float), one) for one in union)
    return base, changed


def test_jackknife_t_of_a_mean_is_the_paired_t_test() -> None:
    base, changed = np.random.default_rng(1).normal(size=(2, 30))
    of = studentised(delta(scores(base), scores(changed)), corrected=False)
    expected = stats.ttest_rel(changed, base)
    assert studentised_bounds(of, 0.95) == pytest.approx(tuple(expected.confidence_interval(0.95)), abs=1e-12)
    assert jackknife_p(delta(scores(base), scores(changed))) == pytest.approx(expected.pvalue, abs=1e-12)


def test_jackknife_of_a_ratio_is_the_published_one() -> None:
    # Eight patients: blood levels of a hormone with a new minus those with an old patch, and with the old one minus
    # those with a placebo (Efron and Tibshirani 1993, section 10.3; R, bootstrap, `patch`). Public course notes in R
    # print the estimate and its jackknife standard error as −0.0713061 and 0.1055278.
    changed = np.array([-1200, 2601, -2705, 1982, -1290, 351, -638, -2719], dtype=float)
    base = np.array([8406, 2342, 8187, 8459, 4795, 3516, 4796, 10238], dtype=float)
    counts = Counts(changed[:, None], base[:, None])
    found = estimate({"ratio": counts}, {"ratio": 1.0})
    assert found.value == pytest.approx(-0.0713061, abs=5e-8)
    assert studentised(found).standard_error == pytest.approx(0.1055278, abs=5e-8)


def test_jackknife_over_unequal_clusters_is_the_published_one() -> None:
    # Scores of 183 Californian schools in 15 districts of 1 to 37 schools (`apiclus1` of the R package survey): the
    # sum of api00 and the number of schools by district. The package's page example-summary.html prints the mean and
    # the standard error of its jackknife (JK1) as 644.169399 and 26.3294, with a finite population correction for 15 of
    # 757 districts.
    total = [9372, 22508, 2077, 8593, 11369, 1116, 551, 1888, 9111, 13761, 6386, 7359, 20394, 905, 2493]
    schools = np.array([13, 34, 4, 13, 16, 2, 1, 4, 12, 21, 9, 11, 37, 2, 4], dtype=float)
    counts = Counts(np.array(total, dtype=float)[:, None], schools[:, None])
    found = estimate({"api00": counts}, {"api00": 1.0}, cluster_sizes=schools)
    assert found.value == pytest.approx(644.169399, abs=5e-7)
    assert studentised(found).standard_error * math.sqrt(1 - 15 / 757) == pytest.approx(26.3294, abs=5e-5)
    # Districts of so unequal sizes leave far fewer degrees of freedom than the 14 that equal ones would.
    assert studentised(found).freedom == pytest.approx(by_simulated_variance(schools / schools.sum()), rel=0.03)
    assert best_interval(found, 0.95).method == "cluster t"


def by_simulated_variance(weights: FloatArray) -> float:
    """Degrees of freedom of the jackknife variance, from its mean and variance over normal cluster effects.

    The definition of Bell and McCaffrey 2002, without its algebra: 2 E(V)² / Var(V), where the hypothesis is that the
    effects of all clusters have one variance.
    """
    effects = np.random.default_rng(17).normal(size=(200_000, len(weights)))
    mean = effects @ weights
    without = (mean[:, None] - effects * weights) / (1 - weights)
    # Around the mean of all, and not around that of the replicates, as in the linear part of the jackknife.
    variances = ((without - mean[:, None]) ** 2).sum(axis=1)
    return float(2 * variances.mean() ** 2 / variances.var())


def test_heavy_tails_are_not_taken_for_skewness() -> None:
    # Means of 50 values with Student's t distribution, 3 degrees of freedom: true mean 0, and no skewness at all.
    values = np.random.default_rng(18).standard_t(3, size=(4_000, 50))
    hit = np.zeros(2)
    for one in values:
        of = studentised(Estimate(float(one.mean()), one, units=50, differing=50))
        low, high = studentised_bounds(of, 0.95)
        critical = stats.t.ppf(0.975, 49)
        corrected = [of.standard_error * uncorrected_statistic(sign * critical, of.skewness) for sign in (1, -1)]
        hit += [low <= 0 <= high, of.value - corrected[0] <= 0 <= of.value - corrected[1]]
    # The correction alone falls short by more than two percentage points.
    assert hit[0] / 4_000 == pytest.approx(0.95, abs=0.012)
    assert hit[1] / 4_000 < 0.935


def test_interval_of_a_median_holds_whatever_the_distribution() -> None:
    generator = np.random.default_rng(19)
    for units in (6, 21, 50):
        drawn = generator.lognormal(0.0, 1.0, size=(4_000, units))
        found = [median_interval(one, 0.95) for one in drawn]
        assert np.mean([one.low <= 1 <= one.high for one in found]) == pytest.approx(0.95, abs=0.015)
    # Without interpolation, where the binomial probability is the level itself: the 1st and the 6th of six values.
    values = generator.normal(size=6)
    found = median_interval(values, 1 - 2 / 2**6)
    assert (found.low, found.high) == pytest.approx((values.min(), values.max()))
    assert median_interval(values, 0.97).method == "none"


def test_jackknife_error_of_a_mean_iou_is_that_of_a_leave_one_out_loop() -> None:
    base, changed = masks(np.random.default_rng(2), 25)
    found = delta(base, changed)

    def value(kept: np.ndarray) -> float:
        iou = [one.numerator[kept].sum(axis=0) / one.denominator[kept].sum(axis=0) for one in (base, changed)]
        return float((iou[1] - iou[0]).mean())

    without = np.array([value(np.arange(25) != left_out) for left_out in range(25)])
    error = math.sqrt(24 / 25 * ((without - without.mean()) ** 2).sum())
    assert studentised(found).standard_error == pytest.approx(error, rel=1e-12)
    assert found.value == pytest.approx(value(np.arange(25)), abs=1e-15)


def test_cluster_t_of_equal_clusters_is_that_of_their_means() -> None:
    hits = np.random.default_rng(3).integers(0, 21, size=(2, 12)).astype(float)
    total = np.full((12, 1), 20.0)
    found = delta(*(Counts(one[:, None], total) for one in hits), cluster_sizes=np.full(12, 4.0))
    expected = stats.ttest_rel(hits[1] / 20, hits[0] / 20).confidence_interval(0.95)
    interval = best_interval(found, 0.95)
    assert (interval.low, interval.high) == pytest.approx(tuple(expected), abs=1e-12)
    assert interval.method == "cluster t"
    assert found.units == 48
    assert "12 clusters" in warnings_of(found)[0]


def test_jackknife_error_over_clusters_is_near_that_of_a_regression_with_clustered_errors() -> None:
    # statsmodels' error is corrected by G / (G − 1), the jackknife's by leaving out: alike for many clusters.
    generator = np.random.default_rng(4)
    clusters = np.repeat(np.arange(150), generator.integers(2, 9, size=150))
    differences = generator.normal(size=150)[clusters] + generator.normal(size=len(clusters))
    fit = sm.OLS(differences, np.ones(len(clusters))).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    ones = np.ones((len(clusters), 1))
    found = delta(
        Counts(0 * ones, ones).summed_over(clusters),
        Counts(differences[:, None], ones).summed_over(clusters),
        cluster_sizes=np.bincount(clusters).astype(float),
    )
    assert found.value == pytest.approx(float(fit.params[0]), abs=1e-12)
    assert studentised(found).standard_error == pytest.approx(float(fit.bse[0]), rel=0.02)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 30), st.integers(0, 1_000))
def test_effective_degrees_of_freedom_are_those_of_the_quadratic_form(clusters: int, seed: int) -> None:
    weights = np.random.default_rng(seed).lognormal(size=clusters)
    weights /= weights.sum()
    annihilator = np.eye(clusters) - np.outer(np.ones(clusters), weights)
    form = annihilator.T @ np.diag((weights / (1 - weights)) ** 2) @ annihilator
    # A quadratic form in normal effects has mean tr(M) and variance 2 tr(M²).
    expected = np.trace(form) ** 2 / np.trace(form @ form)
    # Where one cluster weighs nearly everything, the reference itself is a difference of two like numbers.
    closest = 1e-8 / float(1 - weights.max()) ** 2
    assert effective_freedom(weights) == pytest.approx(expected, rel=closest)
    assert effective_freedom(weights) <= clusters - 1 + closest
    assert effective_freedom(np.full(clusters, 1 / clusters)) == pytest.approx(clusters - 1)


@given(st.floats(-6, 6), st.floats(-0.9, 0.9))
def test_the_transformation_has_its_inverse(statistic: float, skewness: float) -> None:
    corrected = float(corrected_statistic(np.array(statistic), skewness))
    assert uncorrected_statistic(corrected, skewness) == pytest.approx(statistic, abs=1e-7)


def test_the_transformation_makes_skewed_means_normal() -> None:
    # A Monte-Carlo check of the tail that t gets wrong: means of 60 exponential values above their true mean.
    values = np.random.default_rng(5).exponential(size=(20_000, 60))
    deviations = values - values.mean(axis=1, keepdims=True)
    variance = (deviations**2).mean(axis=1)
    statistic = (values.mean(axis=1) - 1) / np.sqrt(variance / 59)
    skewness = (deviations**3).mean(axis=1) / variance**1.5 / math.sqrt(60)
    critical = stats.t.ppf(0.05, 59)
    corrected = np.array([corrected_statistic(t, a) for t, a in zip(statistic, skewness, strict=True)])
    assert abs(np.mean(statistic < critical) - 0.05) > 0.03
    assert abs(np.mean(corrected < critical) - 0.05) < 0.01


def test_training_widens_intervals_as_a_simulation_says() -> None:
    # Means over 100 units of one of many training runs, and the spread of four others.
    generator = np.random.default_rng(16)
    hit = []
    for _ in range(3_000):
        runs = generator.normal(0, 0.1, size=5)
        values = generator.normal(runs[0], 1.0, size=100)
        error = float(values.std(ddof=1)) / 10
        # A refit is scored on the same units, whose error it shares.
        refitted = values.mean() + runs[1:] - runs[0]
        low, high = studentised_bounds(with_training(Studentised(float(values.mean()), error, 99.0), refitted), 0.95)
        hit.append(low <= 0 <= high)
    assert np.mean(hit) == pytest.approx(0.95, abs=0.015)
    with pytest.raises(ValueError, match="two refits"):
        with_training(Studentised(0.0, 0.1, 9.0), np.zeros(1))


def test_bounds_are_where_the_one_sided_p_is_half_of_what_is_left() -> None:
    of = Studentised(0.1, 0.02, 37.0, skewness=0.25)
    low, high = studentised_bounds(of, 0.9)
    assert float(upper_p(of, np.array(low))) == pytest.approx(0.05, abs=1e-10)
    assert float(upper_p(mirrored(of), np.array(-high))) == pytest.approx(0.05, abs=1e-10)


@pytest.mark.parametrize("units", [5, 50, 298, 299, 2_000])
def test_no_change_in_n_units_is_as_likely_as_the_whole_margin_unseen(units: int) -> None:
    nothing = delta(scores(np.full(units, 0.7)), scores(np.full(units, 0.7)))
    assert equivalence_p(nothing, 0.01) == pytest.approx(0.99**units, rel=0.01)
    assert smallest_equivalence_p(nothing, 0.01) == pytest.approx(0.99**units)
    assert (equivalence_p(nothing, 0.01) <= 0.05) == (units >= 299)


def test_unseen_units_raise_p_and_never_lower_it() -> None:
    of = Studentised(0.0, 0.002, 199.0)
    bounded = [bounded_upper_p(of, -0.01, units=200, largest=largest) for largest in (0.02, 0.1, 1.0)]
    assert float(upper_p(of, np.array(-0.01))) <= bounded[0] < bounded[1] < bounded[2]
    # An estimate beyond the hypothesis is not helped.
    assert bounded_upper_p(of, 0.01, units=200, largest=1.0) == float(upper_p(of, np.array(0.01)))


def test_bounded_interval_is_where_the_bounded_p_is_half_of_what_is_left() -> None:
    of = Studentised(0.01, 0.004, 99.0, skewness=0.4)
    low, high = bounded_bounds(of, 0.95, units=100, largest=1.0)
    assert bounded_upper_p(of, low, units=100, largest=1.0) == pytest.approx(0.025, abs=1e-4)
    assert bounded_upper_p(mirrored(of), -high, units=100, largest=1.0) == pytest.approx(0.025, abs=1e-4)
    plain = studentised_bounds(of, 0.95)
    assert low <= plain[0] and plain[1] <= high


def test_equivalence_of_a_mean_is_the_paired_t_test_of_many_symmetric_differences() -> None:
    differences = np.random.default_rng(6).normal(0.05, 1, size=400)
    differences = np.r_[differences, 0.1 - differences]
    expected = max(
        stats.ttest_1samp(differences, -0.2, alternative="greater").pvalue,
        stats.ttest_1samp(differences, 0.2, alternative="less").pvalue,
    )
    assert equivalence_p(delta(scores(0 * differences), scores(differences)), 0.2) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("found", "method"),
    [
        (delta(scores(np.ones(9)), scores(np.ones(9))), "score"),
        (estimate({"x": scores(np.ones(9))}, {"x": 1.0}), "wilson"),
        (delta(scores(np.ones(1) / 2), scores(np.ones(1) / 3)), "none"),
        (delta(*masks(np.random.default_rng(7), 30)), "jackknife t"),
        (delta(scores(np.arange(9.0)), scores(np.arange(9.0) ** 2)), "skewness-corrected t"),
        (delta(scores(np.full(50, 0.5)), scores(np.r_[0.1, np.full(49, 0.5)])), "sparse"),
        (delta(*masks(np.random.default_rng(8), 6), cluster_sizes=np.full(6, 2.0)), "cluster t"),
        (delta(scores(np.ones(6)), scores(np.ones(6)), np.full(6, 2.0)), "sparse"),
    ],
)
def test_methods_are_chosen_by_the_data(found: Estimate, method: str) -> None:
    assert interval_method(found) == method
    interval = best_interval(found, 0.95)
    assert interval.method == method
    if method != "none":
        assert interval.low < interval.high
        assert interval.low <= found.value <= interval.high


def test_a_unit_that_decides_alone_leaves_no_interval() -> None:
    denominator = np.array([[4.0], [0.0], [0.0]])
    found = delta(Counts(denominator / 2, denominator), Counts(denominator / 4, denominator))
    assert interval_method(found) == "none"
    assert equivalence_p(found, 0.1) == jackknife_p(found) == 1.0


def test_classes_that_move_in_opposite_directions_do_not_move_the_metric() -> None:
    generator = np.random.default_rng(9)
    union = 100 + 900 * generator.random((80, 2)) ** 4
    base = Counts(0.5 * union, union)
    changed = Counts(0.5 * union + np.array([30.0, -30.0]) + generator.normal(0, 3, (80, 2)), union)
    contrast, found = Contrast.difference(base, changed), delta(base, changed)
    (of_metric,), _ = metric_tests([contrast], [found], draws=1999, key=(1, "opposite"))
    (of_labels,), _ = metric_tests([metric_contrast(contrast, found)], [found], draws=1999, key=(1, "opposite"))
    assert of_metric.statistic == pytest.approx(contrast.observed, abs=1e-12)
    assert of_metric.p >= of_labels.p
    assert of_metric.p == pytest.approx(jackknife_p(found), abs=0.05)


def test_linear_contrasts_are_tests_of_the_metric_already() -> None:
    generator = np.random.default_rng(10)
    base, changed = generator.normal(size=(2, 20))
    assert metric_contrast(contrast := Contrast.difference(scores(base), scores(changed)), delta(scores(base), scores(
        changed))) is contrast  # fmt: skip
    one, other = masks(generator, 20)
    with pytest.raises(ValueError, match="pseudo-values"):
        metric_contrast(Contrast.difference(one, other), delta(scores(base[:5]), scores(changed[:5])))
    with pytest.raises(ValueError, match="the contrast is"):
        metric_contrast(Contrast.difference(one, other), delta(other, one))


def test_max_t_keeps_the_p_of_the_metric() -> None:
    generator = np.random.default_rng(11)
    pairs = [masks(generator, 30) for _ in range(3)]
    contrasts = [Contrast.difference(*pair) for pair in pairs]
    results, drawn = metric_tests(contrasts, [delta(*pair) for pair in pairs], draws=199, key=(1, "max-T"))
    p = np.array([one.p for one in results])
    assert (max_t_within_families([drawn], ["f"] * 3, p) >= p).all()


def test_simultaneous_level_of_independent_estimates_is_sidaks() -> None:
    values = np.random.default_rng(12).normal(size=(20, 2_000))
    level = simultaneous_level([Estimate(0.0, one, units=2_000) for one in values], 0.95, draws=19_999, key=(1, "many"))
    assert level == pytest.approx(0.95 ** (1 / 20), abs=1e-3)


def test_simultaneous_level_without_variation_is_the_level() -> None:
    assert simultaneous_level([Estimate(0.0, np.zeros(9))], 0.95, draws=99, key=(1, "none")) == 0.95


def test_ratio_of_medians_has_one_estimand() -> None:
    generator = np.random.default_rng(13)
    base = generator.lognormal(size=60)
    changed = 0.9 * base * generator.lognormal(0, 0.2, size=60)
    weights = bootstrap_weights(60, resamples=999, key=(1, "ratio"))
    found = ratio_of_medians(base, changed, weights, 0.95)
    assert found.ratio == pytest.approx(np.median(changed) / np.median(base))
    # The interval at 1 − p just touches 1, and that of the inverse ratio is the inverse interval.
    at_p = ratio_of_medians(base, changed, weights, 1 - found.p).interval
    assert min(abs(at_p.low - 1), abs(at_p.high - 1)) < 1e-6
    inverse = ratio_of_medians(changed, base, weights, 0.95).interval
    assert (1 / inverse.high, 1 / inverse.low) == pytest.approx((found.interval.low, found.interval.high))
    with pytest.raises(ValueError, match="not positive"):
        ratio_of_medians(base - base.min(), changed, weights, 0.95)


@pytest.mark.parametrize("units", [20, 50, 500])
def test_the_detectable_difference_is_detected_with_the_power_asked_for(units: int) -> None:
    difference = detectable_difference(2 / math.sqrt(units), units - 1, 0.05)
    assert power_of_difference(difference, 2.0, units, alpha=0.05) == pytest.approx(0.8, abs=0.005)
    # statsmodels solves the noncentral t.
    effect = sm.stats.TTestPower().solve_power(nobs=units, alpha=0.05, power=0.8)
    assert difference / 2 == pytest.approx(effect, rel=0.01)


def test_no_change_does_not_promise_a_precision_of_zero() -> None:
    nothing = delta(scores(np.ones(200)), scores(np.ones(200)))
    effect = minimal_detectable_effect(nothing, 0.05)
    assert stats.binom.sf(5, 200, effect) == pytest.approx(0.8, abs=1e-6)
    assert minimal_detectable_effect(delta(scores(np.ones(4)), scores(np.ones(4))), 0.05) == 1.0


def test_power_of_equivalence_is_that_of_a_simulation() -> None:
    values = np.random.default_rng(14).normal(0.02, 0.5, size=(20_000, 400))
    error = values.std(axis=1, ddof=1) / 20
    equivalent = np.mean((np.abs(values.mean(axis=1)) + stats.norm.ppf(0.95) * error) < 0.1)
    assert power_of_equivalence(0.02, 0.5, 400, 0.1, alpha=0.05) == pytest.approx(equivalent, abs=0.01)


def test_units_to_decide_are_a_range_that_more_certainty_narrows() -> None:
    generator = np.random.default_rng(15)
    widths = []
    for units in (60, 600):
        values = generator.normal(0.2, 1, size=units)
        of = uncertainty(delta(scores(0 * values), scores(values)))
        assert of is not None
        found = units_to_decide_range(of, margin=0.05, alpha=0.05)
        assert found is not None and found.low <= found.high
        widths.append(found.high / found.low)
    assert widths[1] < widths[0]
    same = uncertainty(delta(scores(np.ones(50)), scores(np.ones(50))))
    assert same is not None
    nothing = units_to_decide_range(same, margin=0.01, alpha=0.05)
    assert nothing is not None and nothing.high >= 299
