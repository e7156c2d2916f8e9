"""Power and numbers of units, against all outcomes enumerated, simulated tests and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import power_proportions_2indep

from analysis.engine.equivalence import equivalence_p
from analysis.engine.estimates import Estimate, estimate
from analysis.engine.metric import Counts
from analysis.engine.metric_tests import jackknife_p
from analysis.engine.paired_power import detectable_by_mcnemar, power_of_mcnemar, power_of_score_equivalence
from analysis.engine.paired_proportions import score_equivalence_p
from analysis.engine.planning import PairedPlan, SpreadPlan, assumed_plan, pilot_spread, plans_from
from analysis.engine.sample_size import power_of_difference, power_of_equivalence, units_for

ALPHA = 0.05


def of_values(values: np.ndarray) -> Estimate:
    return Estimate(float(values.mean()), values, units=len(values), differing=len(values))


def outcomes(difference: float, rate: float, units: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every possible pair of gains and losses with its probability, written out without any shortcut."""
    gained, lost = (one.ravel() for one in np.meshgrid(np.arange(units + 1), np.arange(units + 1), indexing="ij"))
    possible = gained + lost <= units
    gained, lost = gained[possible], lost[possible]
    law = stats.multinomial(units, [(rate + difference) / 2, (rate - difference) / 2, 1 - rate])
    return gained, lost, law.pmf(np.stack([gained, lost, units - gained - lost], axis=1))


@pytest.mark.parametrize(
    ("difference", "rate", "units"), [(-0.05, 0.1, 120), (0.02, 0.02, 200), (0.0, 0.3, 80), (-0.3, 0.5, 40)]
)
def test_power_of_mcnemar_is_that_of_all_outcomes(difference: float, rate: float, units: int) -> None:
    gained, lost, probability = outcomes(difference, rate, units)
    likely = probability > 1e-13
    gained, lost, probability = gained[likely], lost[likely], probability[likely]
    p = np.array(
        [stats.binomtest(int(up), int(of)).pvalue for up, of in zip(gained, np.maximum(gained + lost, 1), strict=True)]
    )
    # Nothing that changed is no evidence.
    p = np.where(gained + lost == 0, 1.0, p)
    expected = probability[p <= ALPHA * (1 + 1e-12)].sum()
    assert power_of_mcnemar(difference, rate, units, ALPHA) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("difference", "rate", "units", "margin"),
    [
        *((0.0, 0.05, 300, 0.05), (0.01, 0.05, 300, 0.04), (0.0, 0.2, 200, 0.1), (-0.02, 0.3, 150, 0.12)),
        *((0.0, 0.01, 149, 0.02), (0.0, 0.01, 148, 0.02)),
    ],
)
def test_power_of_the_score_test_is_that_of_all_outcomes(
    difference: float, rate: float, units: int, margin: float
) -> None:
    gained, lost, probability = outcomes(difference, rate, units)
    expected = probability[score_equivalence_p(gained, lost, units, margin) <= ALPHA].sum()
    assert power_of_score_equivalence(difference, rate, units, margin, ALPHA) == pytest.approx(expected, abs=1e-7)


def test_power_of_paired_proportions_meets_the_normal_approximation() -> None:
    """Connor's approximation of McNemar's test, from the paper."""
    difference, rate, units = 0.03, 0.2, 4_000
    z = (difference * np.sqrt(units) - stats.norm.isf(ALPHA / 2) * np.sqrt(rate)) / np.sqrt(rate - difference**2)
    assert power_of_mcnemar(difference, rate, units, ALPHA) == pytest.approx(stats.norm.cdf(z), abs=0.01)
    # Changes of independent samples: a pair of them disagrees at p (1 − q) + q (1 − p).
    p, q = 0.5, 0.53
    independent = power_proportions_2indep(q - p, p, units, alpha=ALPHA).power
    assert power_of_mcnemar(q - p, p * (1 - q) + q * (1 - p), units, ALPHA) == pytest.approx(independent, abs=0.01)


@pytest.mark.parametrize(("effect", "units"), [(0.1, 20), (0.5, 34), (0.2, 300), (0.05, 10_000)])
def test_power_of_t_is_that_of_statsmodels(effect: float, units: int) -> None:
    theirs = sm.stats.TTestPower().power(effect, units, ALPHA)
    assert power_of_difference(effect, 1.0, units, ALPHA) == pytest.approx(theirs, abs=1e-6)


def test_power_is_a_probability_and_rises_for_any_units() -> None:
    found = [power_of_difference(0.01, 0.28, 2**step, ALPHA) for step in range(2, 24)]
    assert np.isfinite(found).all() and np.all(np.diff(found) >= -1e-9) and found[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(("difference", "deviation", "units"), [(0.0, 0.05, 400), (0.0, 0.1, 700), (0.004, 0.07, 600)])
def test_power_of_equivalence_is_that_of_the_test(difference: float, deviation: float, units: int) -> None:
    """The test allows for what units could not have shown: by t alone, the first case would have power 0.98."""
    generator = np.random.default_rng(21)
    values = generator.normal(difference, deviation, size=(600, units))
    shown = np.mean([equivalence_p(of_values(one), 0.01) <= ALPHA for one in values])
    expected = power_of_equivalence(difference, deviation, units, 0.01, ALPHA)
    assert shown == pytest.approx(expected, abs=3.5 * np.sqrt(0.25 / 600))


def test_power_of_equivalence_of_t_is_the_integral_of_few_clusters() -> None:
    generator = np.random.default_rng(22)
    clusters, error = 10, 0.2
    means = generator.normal(0, error, size=200_000)
    errors = error * np.sqrt(generator.chisquare(clusters - 1, size=200_000) / (clusters - 1))
    shown = np.mean(np.abs(means) + stats.t.isf(ALPHA, clusters - 1) * errors < 0.6)
    found = power_of_equivalence(0.0, error * np.sqrt(5_000), 5_000, 0.6, ALPHA, freedom=clusters - 1)
    assert found == pytest.approx(shown, abs=0.005)


def test_clusters_of_a_pilot_cost_what_simulated_clusters_cost() -> None:
    generator = np.random.default_rng(23)

    def clustered(clusters: int, shift: float) -> Estimate:
        effects = generator.normal(shift, 0.1, size=(clusters, 1)) + generator.normal(0, 0.3, size=(clusters, 10))
        ones = np.full((clusters, 1), 10.0)
        counts = {0: Counts(0 * ones, ones), 1: Counts(effects.sum(axis=1, keepdims=True), ones)}
        return estimate(counts, {1: 1.0, 0: -1.0}, cluster_sizes=np.full(clusters, 10.0))

    # A deviation as the truth has it: of ten units with one effect.
    plan = SpreadPlan(np.sqrt(10 * 0.1**2 + 0.3**2), freedom_each=0.1)
    tests = [jackknife_p(clustered(25, 0.06)) <= ALPHA for _ in range(1_500)]
    assert plan.power_of_difference(0.06, 250, ALPHA) == pytest.approx(np.mean(tests), abs=0.04)
    pilot = clustered(4_000, 0.0)
    spread = pilot_spread(pilot)
    assert spread is not None and spread.low < plan.deviation < spread.high
    shown = plans_from(pilot, spread).shown
    assert isinstance(shown, SpreadPlan)
    assert (shown.deviation, shown.freedom_each) == pytest.approx((plan.deviation, 0.1), rel=0.03)
    # The design effect of an intraclass correlation of 0.1.
    assumed = assumed_plan(deviation=np.sqrt(0.1), cluster_size=10, icc=0.1)
    assert isinstance(assumed, SpreadPlan) and assumed.deviation == pytest.approx(plan.deviation)


def test_the_range_of_a_pilot_holds_the_spread() -> None:
    """Of heavy-tailed scores, too: Bonett's interval allows for their kurtosis, chi square's would not."""
    generator = np.random.default_rng(24)
    held = {"rate": 0, "normal": 0, "heavy": 0}
    for _ in range(400):
        changed = generator.random(60) < 0.2
        pair = {0: Counts(np.ones((60, 1)), np.ones((60, 1))), 1: Counts(1.0 - changed[:, None], np.ones((60, 1)))}
        for name, of, truth in (
            ("rate", estimate(pair, {1: 1.0, 0: -1.0}), 0.2),
            ("normal", of_values(generator.normal(size=60)), 1.0),
            ("heavy", of_values(generator.exponential(size=60)), 1.0),
        ):
            spread = pilot_spread(of)
            assert spread is not None
            held[name] += spread.low <= truth <= spread.high
    assert held["rate"] / 400 == pytest.approx(0.9, abs=0.05)
    assert held["normal"] / 400 == pytest.approx(0.9, abs=0.05)
    assert held["heavy"] / 400 > 0.8


def test_a_pilot_without_a_change_promises_nothing() -> None:
    ones = np.ones((60, 1))
    for scale in (1.0, 0.5):
        same = Counts(scale * ones, ones)
        pilot = estimate({0: same, 1: same}, {1: 1.0, 0: -1.0})
        spread = pilot_spread(pilot)
        assert spread is not None and spread.low == spread.value == 0
        shown, _, highest = plans_from(pilot, spread)
        assert shown.power_of_equivalence(299, 0.01, ALPHA) > 0.99
        assert shown.power_of_equivalence(298, 0.01, ALPHA) == 0
        assert highest.power_of_equivalence(1_000, 0.01, ALPHA) < 0.1
        # A difference needs changes, whatever the pilot shows: of 0/1 outcomes as many as McNemar's test needs.
        assert shown.power_of_difference(0.01, 300, ALPHA) < 0.5
        effect = shown.detectable(300, ALPHA, 0.8)
        assert 0.02 < effect < 0.03
        assert shown.power_of_difference(effect, 300, ALPHA) == pytest.approx(0.8, abs=0.03)


def test_training_is_not_reduced_by_units() -> None:
    plan = SpreadPlan(0.3, refitted=(-0.01, 0.0, 0.01, 0.02))
    assert plan.at(10**7).standard_error > 0.012
    assert units_for(lambda units: plan.power_of_difference(0.01, units, ALPHA)) is None


@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_units_reach_the_power_and_fewer_do_not(power: float) -> None:
    solved = sm.stats.TTestPower().solve_power(effect_size=0.2, alpha=ALPHA, power=power)
    assert units_for(lambda units: power_of_difference(0.2, 1.0, units, ALPHA), power) == np.ceil(solved)
    paired = PairedPlan(0.1)
    found = units_for(lambda units: paired.power_of_difference(0.05, units, ALPHA), power)
    assert found is not None
    assert paired.power_of_difference(0.05, found, ALPHA) >= power
    assert paired.power_of_difference(0.05, round(0.9 * found), ALPHA) < power
    effect = paired.detectable(found, ALPHA, power)
    assert effect == pytest.approx(0.05, rel=0.03)


def test_more_tests_and_impossible_differences() -> None:
    assert power_of_mcnemar(0.05, 0.1, 500, ALPHA, adjusted_by=14) == power_of_mcnemar(0.05, 0.1, 500, ALPHA / 14)
    assert detectable_by_mcnemar(0.1, 500, ALPHA, power=0.8, adjusted_by=14) > detectable_by_mcnemar(
        0.1, 500, ALPHA, power=0.8
    )
    assert detectable_by_mcnemar(0.1, 4, ALPHA, power=0.8) == 1.0
    with pytest.raises(ValueError, match=r"difference of 0\.2 needs a share"):
        power_of_mcnemar(0.2, 0.1, 100, ALPHA)
    with pytest.raises(ValueError, match="either a rate"):
        assumed_plan(rate_changed=0.1, deviation=0.2)
