"""Tango's score test and interval: published examples, a numerical likelihood, and the error rate in full."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import ndtr
from scipy.stats import binom

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
        # Tango 1998, section 6.2: sleeping difficulties of marijuana users, data of Karacan et al. 1976.
        (9, 3, 32, 0.95, -0.027, 0.390),
        # Fagerland, Lydersen and Laake 2014: airway hyper-responsiveness, data of Bentur et al. 2009.
        (1, 7, 21, 0.95, -0.517, -0.026),
        # R, PropCIs 0.3-0, scoreci.mp(25, 28, 618, 0.90).
        (28, 25, 618, 0.90, -0.0148, 0.0247),
    ],
)
def test_intervals_are_the_published_ones(
    gained: int, lost: int, units: int, level: float, low: float, high: float
) -> None:
    digits = 4 if units == 618 else 3
    found = score_interval(gained, lost, units, level)
    assert [round(float(bound), digits) for bound in found] == [low, high]


def test_the_statistic_is_the_published_one() -> None:
    # Tango 1998, section 6.1: two treatments of contact lenses, 43 of 44 cured by both, non-inferiority margin 0.1.
    assert float(score_statistic(0, 1, 44, -0.1)) == pytest.approx(1.709, abs=5e-4)
    assert float(ndtr(-score_statistic(0, 1, 44, -0.1))) == pytest.approx(0.044, abs=5e-4)


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
