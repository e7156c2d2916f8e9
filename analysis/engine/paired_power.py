"""Exact power of the tests of paired 0/1 outcomes: McNemar's test, and the score test of equivalence.

What a test sees of n units is how many were gained and how many were lost. Both are known in distribution once the
share of units that change and the difference of the proportions are: the number of changes is binomial, and so is the
number of gains among them. Power is the sum of their probabilities over all outcomes that the test rejects.

Reference: Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43,
1987, whose normal approximation it replaces; Tango, "Equivalence test and confidence interval for the difference in
proportions for the paired-sample design", Statistics in Medicine 17, 1998.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom

from analysis.engine.metric import FloatArray
from analysis.engine.paired_proportions import score_equivalence_p

# Numbers of changes that are less likely than this, on either side, are left out of a sum.
NEGLIGIBLE = 1e-9


def power_of_mcnemar(
    difference: float, rate_changed: float, units: int, alpha: float, *, adjusted_by: float = 1.0
) -> float:
    """Return the power of McNemar's exact test of paired 0/1 outcomes, which is their permutation test.

    Args:
        difference: true difference of the proportions: share of units gained minus share lost.
        rate_changed: share of units that change at all, gained or lost, at least |difference|.
        units: planned number of units.
        alpha: level of the two-sided test.
        adjusted_by: factor by which adjusting for other tests multiplies the p-value.

    Raises:
        ValueError: if the difference is larger than the share of units that change, or that share larger than 1.

    Examples:
        Of 500 units a tenth changes, three out of four for the worse:

        >>> round(power_of_mcnemar(-0.05, 0.1, 500, alpha=0.05), 3)
        0.941

        Nothing is gained, and each unit is lost with probability 0.02: six losses are needed.

        >>> round(power_of_mcnemar(-0.02, 0.02, 300, alpha=0.05), 3), round(float(binom.sf(5, 300, 0.02)), 3)
        (0.556, 0.556)
    """
    changes, weights, gain = _changes(difference, rate_changed, units)
    # The most changes of the rarer kind with which the test rejects; −1 where it rejects nothing.
    tail = alpha / adjusted_by / 2
    most = binom.ppf(tail, changes, 0.5)
    most = np.where(binom.cdf(most, changes, 0.5) > tail * (1 + 1e-12), most - 1, most)
    # Without a change there is nothing to reject.
    most = np.where(changes == 0, -1, most)
    rejected = binom.cdf(most, changes, gain) + binom.sf(changes - most - 1, changes, gain)
    return float(min(1.0, (weights * rejected).sum()))


def power_of_score_equivalence(
    difference: float, rate_changed: float, units: int, margin: float, alpha: float
) -> float:
    """Return the power of the score test of equivalence of paired 0/1 outcomes (`score_equivalence_p`).

    Args:
        difference: true difference of the proportions.
        rate_changed: share of units that change at all, at least |difference|.
        units: planned number of units.
        margin: equivalence margin, above 0.
        alpha: level of the test.

    Returns:
        0 below the number of units that could show equivalence at all (`smallest_units`).

    Raises:
        ValueError: as `power_of_mcnemar`.

    Examples:
        Equal proportions, of which one unit in twenty changes either way, within a margin of 0.02:

        >>> [round(power_of_score_equivalence(0.0, 0.05, n, 0.02, alpha=0.05), 2) for n in (148, 500, 1_000, 2_000)]
        [0.0, 0.23, 0.73, 0.98]
    """
    changes, weights, gain = _changes(difference, rate_changed, units)
    if margin >= 1:
        return 1.0
    # p rises with the net change, so that for each number of changes a largest number of gains is found by halving.
    even = np.ceil(changes / 2)
    accepted, refused = even - 1, changes + 1
    while np.any(refused - accepted > 1):
        middle = np.floor((accepted + refused) / 2)
        gained = np.clip(middle, even, changes)
        fits = score_equivalence_p(gained, changes - gained, units, margin) <= alpha
        open_still = refused - accepted > 1
        accepted = np.where(open_still & fits, middle, accepted)
        refused = np.where(open_still & ~fits, middle, refused)
    within = binom.cdf(accepted, changes, gain) - binom.cdf(changes - accepted - 1, changes, gain)
    return float((weights * np.where(accepted >= even, within, 0.0)).sum())


def detectable_by_mcnemar(
    rate_changed: float, units: int, alpha: float, *, power: float, adjusted_by: float = 1.0
) -> float:
    """Return the smallest difference of proportions that McNemar's exact test detects with a given power.

    Args:
        rate_changed: share of units that change, where the difference is smaller; a larger one changes its own share.
        units: planned number of units.
        alpha: level of the two-sided test.
        power: probability of a rejection.
        adjusted_by: factor by which adjusting for other tests multiplies the p-value.

    Returns:
        1 where not even a change of every unit is detected.

    Examples:
        >>> found = detectable_by_mcnemar(0.1, 500, 0.05, power=0.8)
        >>> round(found, 4), round(power_of_mcnemar(found, 0.1, 500, 0.05), 4)
        (0.0407, 0.8)
    """

    def lacking(difference: float) -> float:
        rate = max(rate_changed, difference)
        return power_of_mcnemar(difference, rate, units, alpha, adjusted_by=adjusted_by) - power

    return float(brentq(lacking, 0.0, 1.0, xtol=1e-6)) if lacking(1.0) > 0 else 1.0


def _changes(difference: float, rate_changed: float, units: int) -> tuple[FloatArray, FloatArray, float]:
    """Return numbers of changes, their probabilities, and the probability that a change is a gain."""
    if not abs(difference) <= rate_changed <= 1:
        raise ValueError(f"a difference of {difference} needs a share of units between it and 1, got {rate_changed}.")
    fewest, most = binom.ppf([NEGLIGIBLE, 1 - NEGLIGIBLE], units, rate_changed)
    changes: FloatArray = np.arange(fewest, most + 1)
    gain = (1 + difference / rate_changed) / 2 if rate_changed > 0 else 0.5
    return changes, np.asarray(binom.pmf(changes, units, rate_changed), dtype=np.float64), gain
