"""How many units would decide what the present sample leaves undecided, and what it could have detected."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betaincinv, chdtri, nctdtr, ndtr, ndtri, stdtrit

from analysis.engine.best_interval import best_interval
from analysis.engine.estimates import Estimate
from analysis.engine.paired_proportions import discordant_needed, smallest_units
from analysis.engine.roots import root_between
from analysis.engine.studentised import Studentised
from analysis.engine.training import trained
from analysis.engine.unseen import bounded_upper_p

# Probability with which a sample that is called large enough decides.
POWER = 0.8

# True differences within an interval for which the number of units is computed.
STEPS = 21

# Standard errors over whose distribution the power of a test of equivalence is averaged.
NODES = 5

# Noncentrality above which a t distribution is computed as a normal one.
FAR = 35.0

# More units than anyone plans.
LARGEST = 2**24


def _precision_for_equivalence(size: float, margin: float, alpha: float) -> float:
    """Return the inverse standard error with which both one-sided tests reject with power 0.8."""
    critical = float(ndtri(1 - alpha))

    def lacking(precision: float) -> float:
        near, far = (margin - size) * precision - critical, (margin + size) * precision - critical
        return float(ndtr(near) + ndtr(far)) - 1 - POWER

    # Enough for the nearer side with the error of both.
    enough = (critical + float(ndtri((1 + POWER) / 2))) / (margin - size)
    return root_between(lacking, 0.0, enough + 1e-9, tolerance=1e-12)


@dataclass(frozen=True)
class UnitsToDecide:
    """How many units would decide, for every true difference that the data leave open.

    Attributes:
        low: fewest units, at the true difference within the 90 % interval that is easiest to decide.
        high: most units, at the hardest.

    Examples:
        >>> UnitsToDecide(120, 900).low
        120
    """

    low: int
    high: int


@dataclass(frozen=True)
class Uncertainty:
    """What an estimate says of the true value, and of how much more units would say.

    Attributes:
        low, high: 90 % interval of the true value.
        deviation: standard deviation of the pseudo-values.
        training: standard deviation of the refits, which no number of units reduces; 0 where there are none.
        each: mean number of units per pseudo-value, above 1 where units are in clusters.
        largest: how far one unit can move its own contribution.
        rare: whether the interval is of few changes, whose spread the data may not show.

    Examples:
        >>> Uncertainty(-0.1, 0.3, deviation=1.0).each
        1.0
    """

    low: float
    high: float
    deviation: float
    training: float = 0.0
    each: float = 1.0
    largest: float = 1.0
    rare: bool = False


def uncertainty(estimate: Estimate) -> Uncertainty | None:
    """Return the uncertainty of an estimate; None where fewer than two units decide it.

    Examples:
        >>> found = uncertainty(Estimate(0.2, np.tile([-1.0, 1.0], 50) + 0.2, units=100, differing=100))
        >>> round(found.low, 3), round(found.high, 3), round(found.deviation, 3)
        (0.033, 0.367, 1.005)
    """
    if estimate.changes is None and not estimate.is_determined:
        return None
    interval = best_interval(replace(estimate, refitted=None), 0.9)
    return Uncertainty(
        low=interval.low,
        high=interval.high,
        deviation=float(estimate.finite.std(ddof=1)) if estimate.size > 1 else 0.0,
        training=0.0 if estimate.refitted is None else float(estimate.refitted.std(ddof=1)),
        each=estimate.units / estimate.size,
        largest=estimate.largest,
        rare=interval.method in ("score", "sparse"),
    )


def units_to_decide_range(
    of: Uncertainty, margin: float, alpha: float, *, adjusted_by: float = 1.0
) -> UnitsToDecide | None:
    """Return the range of units with which a test would decide with power 0.8, as far as the data say.

    One number would take the observed difference for the true one. Its own uncertainty makes the 5 to 95 % range of
    that number span a factor of 5 to 9, so the range is given: over the true differences within the estimate's 90 %
    interval, by the normal approximation.

    Args:
        of: of the signed sum.
        margin: equivalence margin, above 0.
        alpha: level of either test.
        adjusted_by: factor by which adjusting for other tests multiplied the p-value of the difference.

    Returns:
        Where nothing varied, the fewest units that can show equivalence. None where training varies so much that no
        number of units decides.

    Examples:
        >>> found = uncertainty(Estimate(0.2, np.tile([-1.0, 1.0], 50) + 0.2, units=100, differing=100))
        >>> units_to_decide_range(found, margin=0.5, alpha=0.05)
        UnitsToDecide(low=36, high=112)
    """
    # Fewer could not show equivalence without a single change.
    fewest = smallest_units(min(margin / of.largest, 0.999), alpha)
    needed: list[float] = []
    for difference in np.linspace(of.low, of.high, STEPS):
        size = abs(float(difference))
        # A mean of rare changes cannot be so large without their spread, though the data do not show it.
        hidden = math.sqrt(max(size * of.largest - size**2, 0.0)) if of.rare else 0.0
        deviation = max(of.deviation, hidden)
        ways = []
        if size > 0 and (deviation > 0 or size >= margin):
            critical = float(ndtri(1 - alpha / adjusted_by / 2) + ndtri(POWER))
            ways.append(of.each * _values_for(size / critical, deviation, of.training))
        if size < margin:
            precision = _precision_for_equivalence(size, margin, alpha)
            ways.append(max(fewest, of.each * _values_for(1 / precision, deviation, of.training)))
        needed.append(min(ways))
    if not math.isfinite(max(needed)):
        return None
    return UnitsToDecide(math.ceil(min(needed)), math.ceil(max(needed)))


def _values_for(error: float, deviation: float, training: float) -> float:
    """Return how many pseudo-values give a standard error, at least two; infinite where training alone exceeds it."""
    left = error**2 - training**2
    return max(2.0, deviation**2 / left) if left > 0 else math.inf


def detectable_difference(
    standard_error: float, freedom: float, alpha: float, *, power: float = POWER, adjusted_by: float = 1.0
) -> float:
    """Return the smallest true difference that a two-sided test detects with a given power (minimal detectable effect).

    It is (t₁₋α/₂ + t_power) standard errors, by the shifted t approximation to the noncentral t distribution.

    Reference: Bloom, "Minimum detectable effects: a simple way to report the statistical power of experimental
    designs", Evaluation Review 19, 1995.

    Args:
        standard_error: of the difference.
        freedom: degrees of freedom of the standard error.
        alpha: level of the test.
        power: probability of a rejection.
        adjusted_by: factor by which adjusting for other tests multiplied the p-value.

    Examples:
        About 2.8 standard errors for many units:

        >>> round(detectable_difference(0.01, 1e6, 0.05), 4)
        0.028
    """
    critical = float(stdtrit(freedom, 1 - alpha / adjusted_by / 2))
    return standard_error * (critical + float(stdtrit(freedom, power)))


def minimal_detectable_effect(
    estimate: Estimate, alpha: float, *, power: float = POWER, adjusted_by: float = 1.0
) -> float:
    """Return the minimal detectable effect of the test of an estimate, at its units and their spread.

    For paired 0/1 outcomes it is at least the share of changes, all of one kind, with which n units hold as many as
    McNemar's exact test needs with the given power, so that few or no changes do not promise a precision of 0.

    Args:
        estimate: the signed sum, with at least two pseudo-values.
        alpha: level of the test.
        power: probability of a rejection.
        adjusted_by: factor by which adjusting for other tests multiplied the p-value.

    Examples:
        Two hundred units, none of which changed, would have shown a loss of 4 % of all units:

        >>> from analysis.engine.paired_proportions import PairedChanges
        >>> nothing = Estimate(0.0, np.zeros(200), changes=PairedChanges(0, 0, 200), units=200)
        >>> round(minimal_detectable_effect(nothing, 0.05), 3)
        0.039
    """
    of = trained(estimate)
    found = detectable_difference(of.standard_error, of.freedom, alpha, power=power, adjusted_by=adjusted_by)
    if estimate.changes is None:
        return found
    needed = discordant_needed(alpha / adjusted_by)
    n = estimate.changes.units
    if n < needed:
        return 1.0
    # P(at least `needed` of n) = power, as a quantile of the beta distribution.
    return max(found, float(betaincinv(needed, n - needed + 1, power)))


def power_of_difference(
    difference: float,
    deviation: float,
    units: int,
    alpha: float,
    *,
    adjusted_by: float = 1.0,
    freedom: float | None = None,
    training: float = 0.0,
) -> float:
    """Return the power of a two-sided test of a difference with a planned number of units, by the noncentral t.

    Args:
        difference: true difference.
        deviation: standard deviation of the units' differences (pseudo-values): standard error × √units, above 0.
        units: planned number of units, at least 2.
        alpha: level of the test.
        adjusted_by: factor by which adjusting for other tests multiplies the p-value.
        freedom: degrees of freedom of the standard error; by default units − 1. Clusters have fewer.
        training: standard deviation over refits, which no number of units reduces; `freedom` is then of both.

    Examples:
        >>> round(power_of_difference(0.5, 1.0, 34, alpha=0.05), 2)
        0.81

        In seventeen clusters of two units each, whose standard error is the same:

        >>> round(power_of_difference(0.5, 1.0, 34, alpha=0.05, freedom=16), 2)
        0.78
    """
    freedom = units - 1 if freedom is None else freedom
    shift = abs(difference) / math.hypot(deviation / math.sqrt(units), training)
    critical = float(stdtrit(freedom, 1 - alpha / adjusted_by / 2))
    if shift > FAR:
        # Where the series of the noncentral t breaks down; it is all but normal there, or its power is 1.
        return float(ndtr(shift - critical))
    # The other side has next to no probability where its series breaks down.
    return float(1 - nctdtr(freedom, shift, critical) + np.nan_to_num(nctdtr(freedom, shift, -critical)))


def power_of_equivalence(
    difference: float,
    deviation: float,
    units: int,
    margin: float,
    alpha: float,
    *,
    largest: float = 1.0,
    freedom: float | None = None,
    training: float = 0.0,
) -> float:
    """Return the power of two one-sided tests with a planned number of units (`equivalence_p`, without skewness).

    It is the probability that the estimate, normal around the true difference, lies where the tests reject at its
    standard error, averaged over the distribution of that standard error. What so many units could not have shown
    (`bounded_upper_p`) is part of the tests, and costs power where the units hardly vary.

    Reference: Phillips, "Power of the two one-sided tests procedure in bioequivalence", Journal of Pharmacokinetics and
    Biopharmaceutics 18, 1990.

    Args:
        difference: true difference.
        deviation: standard deviation of the units' differences (pseudo-values): standard error × √units, above 0.
        units: planned number of units, at least 2.
        margin: equivalence margin, above 0.
        alpha: level of the tests.
        largest: how far one unit can move its own contribution.
        freedom: degrees of freedom of the standard error; by default units − 1. Clusters have fewer.
        training: standard deviation over refits, which no number of units reduces; `freedom` is then of both.

    Returns:
        0 below the number of units that could show equivalence at all (`smallest_units`).

    Examples:
        >>> round(power_of_equivalence(0.0, 0.1, 1_000, 0.01, alpha=0.05), 2)
        0.87
        >>> power_of_equivalence(0.0, 0.001, 298, 0.01, alpha=0.05)
        0.0
    """
    if units < smallest_units(min(margin / largest, 0.999), alpha):
        return 0.0
    freedom = units - 1 if freedom is None else freedom
    error = math.hypot(deviation / math.sqrt(units), training)
    # Gauss–Hermite: the standard error as a function of a normal score, which it nearly is a straight line of.
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    estimated = error * np.sqrt(chdtri(freedom, ndtr(-nodes)) / freedom)
    reach = np.array([_accepted_up_to(margin, one, freedom, units, largest, alpha) for one in estimated])
    within = ndtr((reach - difference) / error) - ndtr((-reach - difference) / error)
    return float((weights / weights.sum() * np.maximum(within, 0.0)).sum())


def _accepted_up_to(margin: float, error: float, freedom: float, units: int, largest: float, alpha: float) -> float:
    """Return the largest estimate, in size, that is equivalent at a standard error; −∞ where none is."""

    def excess(value: float) -> float:
        of = Studentised(value, error, freedom)
        return bounded_upper_p(of, -margin, units=units, largest=largest) - alpha

    if excess(0.0) > 0:
        return -math.inf
    # Without what is unseen, this is the answer; with it, less.
    plain = -margin + float(stdtrit(freedom, 1 - alpha)) * error
    return -root_between(excess, plain - 1e-9 * margin, 0.0, tolerance=1e-3 * margin)


def units_for(power_at: Callable[[int], float], power: float = POWER) -> int | None:
    """Return a number of units with which a power is reached, and without the last of which it is not.

    Tests of 0/1 outcomes are discrete, so their power rises in small steps down and larger ones up: a few units more
    can have slightly less of it. Above 1,000 units, the number is known to a thousandth.

    Args:
        power_at: number of units → power, rising but for such steps.
        power: asked for.

    Returns:
        None where `LARGEST` units do not reach it.

    Examples:
        A paired t test of half a standard deviation, in every textbook:

        >>> units_for(lambda units: power_of_difference(0.5, 1.0, units, alpha=0.05))
        34
    """
    low, high = 1, LARGEST
    while high - low > max(1, high // 1000):
        middle = min(max(math.isqrt(low * high), low + 1), high - 1)
        low, high = (low, middle) if power_at(middle) >= power else (middle, high)
    return high if high < LARGEST else None
