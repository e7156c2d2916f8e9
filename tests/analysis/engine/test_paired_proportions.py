"""Tango's score test and interval: published examples, a numerical likelihood, and the error rate in full."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import ndtr
from scipy.stats import binom, norm

from analysis.engine.metric import Counts
from analysis.engine.paired_proportions import (
    PairedChanges,
    discordant_needed,
    score_equivalence_p,
    score_interval,
    score_statistic,
    smallest_units,
)


@pytest.mark.parametrize(
    ("gained", "lost", "units", "level", "low", "high"),
    [
        # Published results to which the R package ratesci holds its own implementation (github.com/petelaud/ratesci,
        # tests/testthat/test3.R). Tango 1998, two examples:
        (9, 3, 32, 0.95, "-0.027", "0.390"),
        (0, 1, 44, 0.90, "-0.096", "0.037"),
        # Agresti and Min, Statistics in Medicine 24, 2005.
        (16, 8, 86, 0.95, "-0.020", "0.207"),
        # Fagerland, Lydersen and Laake 2014: airway hyper-responsiveness before and after stem cell transplantation.
        (1, 7, 21, 0.95, "-0.517", "-0.026"),
        # Tang et al. 2010, and Chang et al. 2024.
        (3, 1, 14, 0.95, "-0.1670", "0.4327"),
        (25, 2, 102, 0.95, "0.139", "0.321"),
        # Complete response before and after consolidation therapy, data of Cavo et al. 2012: the R package
        # contingencytables (github.com/ocbe-uio/contingencytables, tests/testthat/test-ch8.R).
        (6, 16, 161, 0.95, "-0.1240", "-0.0054"),
        # R, PropCIs 0.3, scoreci.mp(25, 28, 618, 0.90), which is of the second minus the first.
        (28, 25, 618, 0.90, "-0.0148", "0.0247"),
    ],
)
def test_intervals_are_the_published_ones(
    gained: int, lost: int, units: int, level: float, low: str, high: str
) -> None:
    digits = len(low.split(".")[1])
    found = score_interval(gained, lost, units, level)
    assert [f"{float(bound):.{digits}f}" for bound in found] == [low, high]
    assert [f"{bound:.{digits}f}" for bound in PairedChanges(gained, lost, units).interval(level)] == [low, high]


def test_the_test_of_equivalence_is_the_published_one() -> None:
    # Tango 1998: 43 of 44 pairs succeed under both, 1 is lost. His 90 % interval [−0.096, 0.037] just excludes −0.1.
    p = float(ndtr(-score_statistic(0, 1, 44, -0.1)))
    assert 0.04 < p < 0.05
    low = float(score_interval(0, 1, 44, 1 - 2 * p)[0])
    assert low == pytest.approx(-0.1, abs=1e-9)


def by_quartic(gained: int, lost: int, units: int, level: float) -> list[float]:
    """Bounds as roots of the quartic equation of Yang, Sun and Hardin.

    "A non-iterative implementation of Tango's score confidence interval for a paired difference of proportions",
    Statistics in Medicine 32, 2013; coefficients as on Agresti's page on matched pairs. Squaring the equation of the
    score adds roots, of which the smallest and the largest real one are the bounds.
    """
    g, n, d, s = norm.ppf((1 + level) / 2) ** 2, units, gained - lost, gained + lost
    coefficients = [
        n**2 * (n / g + 1) ** 2,
        -n * d * (n / g + 1) * (4 * n / g + 1),
        2 * n * d**2 * (3 * n / g + 2) / g - n**2 * (s / g + 1),
        n * d * (2 * s / g + 1) - d**3 * (4 * n / g + 1) / g,
        d**2 * (d**2 / g - s) / g,
    ]
    roots = np.roots(coefficients)
    real = roots.real[np.abs(roots.imag) < 1e-7]
    return [float(real.min()), float(real.max())]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 400), st.sampled_from([0.9, 0.95, 0.99]))
def test_bounds_are_roots_of_the_published_quartic(gained: int, lost: int, same: int, level: float) -> None:
    assume(gained != lost)
    found = [float(bound) for bound in score_interval(gained, lost, gained + lost + same, level)]
    assert found == pytest.approx(by_quartic(gained, lost, gained + lost + same, level), abs=1e-6)


def by_likelihood(gained: int, lost: int, units: int, difference: float) -> float:
    """The score statistic with the nuisance parameter found by a numerical search of the multinomial likelihood."""
    least, most = max(0.0, -difference), (1 - difference) / 2

    def minus_log_likelihood(q: float) -> float:
        terms = ((gained, q + difference), (lost, q), (units - gained - lost, 1 - 2 * q - difference))
        return -sum(count * math.log(max(p, 1e-300)) for count, p in terms if count)

    # The likelihood is concave in q.
    q = minimize_scalar(minus_log_likelihood, bounds=(least, most), method="bounded", options={"xatol": 1e-12}).x
    variance = units * (2 * q + difference - difference**2)
    return (gained - lost - units * difference) / math.sqrt(variance)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 60), st.floats(-0.9, 0.9).filter(lambda x: abs(x) > 1e-6))
def test_the_statistic_is_that_of_the_likelihood(gained: int, lost: int, same: int, difference: float) -> None:
    units = gained + lost + same
    expected = by_likelihood(gained, lost, units, difference)
    assert float(score_statistic(gained, lost, units, difference)) == pytest.approx(expected, rel=1e-3, abs=1e-3)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_bounds_are_where_the_statistic_is_critical(gained: int, lost: int, same: int, level: float) -> None:
    units = max(1, gained + lost + same)
    low, high = (float(bound) for bound in score_interval(gained, lost, units, level))
    assert -1 <= low < (gained - lost) / units < high <= 1 or abs(gained - lost) == units
    for bound, sign in ((low, 1), (high, -1)):
        if abs(bound) < 1 - 1e-9:
            assert float(ndtr(sign * score_statistic(gained, lost, units, bound))) == pytest.approx(
                (1 + level) / 2, abs=1e-6
            )
    assert PairedChanges(gained, lost, units).interval(level) == pytest.approx((low, high), abs=1e-9)
    mirrored = score_interval(lost, gained, units, level)
    assert [-float(bound) for bound in mirrored[::-1]] == pytest.approx([low, high], abs=1e-9)


def test_many_contrasts_in_one_call_are_those_of_single_calls() -> None:
    gained, lost, units = np.array([0, 3, 9]), np.array([2, 3, 0]), np.array([50, 60, 400])
    low, high = score_interval(gained, lost, units, 0.95)
    p = score_equivalence_p(gained, lost, units, 0.05)
    for place in range(3):
        one = int(gained[place]), int(lost[place]), int(units[place])
        assert (low[place], high[place]) == tuple(float(bound) for bound in score_interval(*one, 0.95))
        assert p[place] == float(score_equivalence_p(*one, 0.05))


@pytest.mark.parametrize("units", [20, 100, 268, 298, 299, 300, 500, 1_000])
@pytest.mark.parametrize("gain", [0.0, 0.001, 0.03])
def test_no_margin_of_a_hundredth_is_called_equivalent_in_more_than_five_percent(units: int, gain: float) -> None:
    # Every outcome of the trinomial, with its probability: the true difference is −0.01.
    loss = gain + 0.01
    gained, lost = np.meshgrid(
        np.arange(int(units * gain + 8 * math.sqrt(units * gain) + 12) if gain else 1),
        np.arange(int(units * loss + 8 * math.sqrt(units * loss) + 12)),
    )
    possible = gained + lost <= units
    probability = binom.pmf(lost, units, loss) * binom.pmf(gained, np.maximum(units - lost, 0), gain / (1 - loss))
    p = score_equivalence_p(gained, lost, units, 0.01)
    assert probability[possible].sum() == pytest.approx(1, abs=1e-6)
    assert (probability * (p <= 0.05))[possible].sum() <= 0.0505


@pytest.mark.parametrize(("margin", "alpha"), [(0.01, 0.05), (0.05, 0.05), (0.02, 0.01), (0.1, 0.2)])
def test_fewer_than_the_smallest_number_of_units_are_never_equivalent(margin: float, alpha: float) -> None:
    units = smallest_units(margin, alpha)
    assert (1 - margin) ** units <= alpha < (1 - margin) ** (units - 1)
    assert float(score_equivalence_p(0, 0, units - 1, margin)) > alpha


def test_discordant_needed_is_where_the_binomial_test_rejects() -> None:
    for alpha in (0.05, 0.01, 0.001):
        needed = discordant_needed(alpha)
        assert 2 * 0.5**needed <= alpha < 2 * 0.5 ** (needed - 1)


def test_changes_are_of_0_1_outcomes_only() -> None:
    ones = np.ones((3, 1))
    assert PairedChanges.of(Counts(ones, ones), Counts(0 * ones, ones)) == PairedChanges(0, 3, 3)
    assert PairedChanges.of(Counts(ones, ones), Counts(0.5 * ones, ones)) is None
    assert PairedChanges.of(Counts(ones, 2 * ones), Counts(ones, 2 * ones)) is None
