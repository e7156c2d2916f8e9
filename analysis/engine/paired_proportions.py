"""Paired 0/1 outcomes: Tango's score test and score interval of a difference of two proportions.

Of n units, some are gained (0 under the base, 1 under the change), some are lost (1, then 0), and the others are the
same. The difference of the proportions is (gained − lost) / n. A score test takes its variance from the hypothesis and
not from the data, so it has an answer where few units change, or none, and a Wald or bootstrap interval has no width.

All functions take arrays of gains, losses and units, one entry per contrast.

Reference: Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
design", Statistics in Medicine 17, 1998; Fagerland, Lydersen and Laake, "Recommended tests and confidence intervals for
paired binomial proportions", Statistics in Medicine 33, 2014, who recommend this interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, ndtr, ndtri

from analysis.engine.metric import Counts, FloatArray
from analysis.engine.roots import root_between

Number = TypeVar("Number", float, FloatArray)

# Far below every bound, which are about 1 / n from the observed difference.
JUST_ABOVE = 1e-12

# Halvings of the range of differences: bounds are known to 1e-13.
HALVINGS = 44


@dataclass(frozen=True)
class PairedChanges:
    """How many paired 0/1 outcomes change, and which way.

    Attributes:
        gained: units that fail under the base and succeed under the change.
        lost: units that succeed under the base and fail under the change.
        units: all units.

    Examples:
        >>> PairedChanges(gained=1, lost=4, units=100).difference
        -0.03
    """

    gained: int
    lost: int
    units: int

    @classmethod
    def of(cls, base: Counts, changed: Counts) -> PairedChanges | None:
        """Return the changes between two sets of counts; None where they are not 0/1 outcomes of single units."""
        if not (base.is_binary and changed.is_binary):
            return None
        gained = int(np.sum(changed.numerator > base.numerator))
        return cls(gained, int(np.sum(changed.numerator < base.numerator)), base.units)

    @property
    def difference(self) -> float:
        """The observed difference of the proportions."""
        return (self.gained - self.lost) / self.units

    def interval(self, level: float) -> tuple[float, float]:
        """Return the `score_interval` of these changes; quicker than it for a single one.

        Args:
            level: confidence level, between 0 and 1.
        """
        critical = float(ndtri((1 + level) / 2))
        return -_highest(self.lost, self.gained, self.units, critical), _highest(
            self.gained, self.lost, self.units, critical
        )


def _highest(gained: float, lost: float, n: float, critical: float) -> float:
    """Return the largest difference whose score statistic is not below −`critical`."""

    def beyond(difference: float) -> float:
        up, down = (lost, gained) if difference < 0 else (gained, lost)
        spread = float(_variance(up, down, n, abs(difference)))
        return gained - lost - n * difference + critical * math.sqrt(max(spread, 0.0))

    observed = (gained - lost) / n
    # Where all units are alike, the observed difference itself has no variance, and every other one has.
    inner = observed + (JUST_ABOVE if gained + lost in (0, n) else 0.0)
    return root_between(beyond, inner, 1.0, tolerance=1e-12) if inner < 1 else 1.0


def score_statistic(gained: ArrayLike, lost: ArrayLike, units: ArrayLike, difference: ArrayLike) -> FloatArray:
    """Return Tango's score statistic of the hypothesis that the true difference is `difference`.

    It is (gained − lost − n δ) / √(n (2 q + δ (1 − δ))), with q the probability of a loss (of a gain, for δ < 0) that
    is most likely under the hypothesis δ. At δ = 0 its square is McNemar's statistic.

    Args:
        gained: units gained.
        lost: units lost.
        units: all units, at least 1.
        difference: hypothetical difference of the proportions, strictly between −1 and 1.

    Returns:
        float64: about standard normal under the hypothesis, and falling in `difference`. ±∞ where the hypothesis
        leaves no variance and the data contradict it, 0 where they do not.

    Examples:
        At 0 it is McNemar's (gained − lost) / √(gained + lost):

        >>> float(score_statistic(9, 3, 32, 0.0).round(4)), round(6 / 12**0.5, 4)
        (1.7321, 1.7321)
    """
    gained, lost, n, delta = (np.asarray(one, dtype=np.float64) for one in (gained, lost, units, difference))
    # Mirrored where δ < 0, so that no root is a difference of two large numbers.
    sign = np.where(delta < 0, -1.0, 1.0)
    up, down, delta = np.where(delta < 0, lost, gained), np.where(delta < 0, gained, lost), np.abs(delta)
    distance = up - down - n * delta
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(distance == 0, 0.0, distance / np.sqrt(_variance(up, down, n, delta)))
    scored: FloatArray = sign * statistic
    return scored


def _variance(up: Number, down: Number, n: Number, delta: Number) -> Number:
    """Return the variance of up − down if the true difference is `delta`, at least 0."""
    linear = (2 * n - up + down) * delta - up - down
    root: Number = (linear * linear + 8 * n * down * delta * (1 - delta)) ** 0.5
    # n (2 q + δ (1 − δ)); where q is a difference of two like numbers, it is small beside δ.
    variance: Number = (root - linear) / 2 + n * delta * (1 - delta)
    return variance


def score_interval(
    gained: ArrayLike, lost: ArrayLike, units: ArrayLike, level: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return Tango's score interval of the difference: all differences that the score test does not reject.

    Args:
        gained: units gained.
        lost: units lost.
        units: all units, at least 1.
        level: confidence level, between 0 and 1.

    Returns:
        Lower and upper bounds, within [−1, 1]; the observed difference lies between them, and the width is never 0.

    Examples:
        Tango's own example, 9 gained and 3 lost of 32 (his section 6.2 prints −0.027 to 0.390):

        >>> low, high = score_interval(9, 3, 32, 0.95)
        >>> round(float(low), 3), round(float(high), 3)
        (-0.027, 0.39)

        No change among 100 units still leaves room for one:

        >>> [round(float(bound), 3) for bound in score_interval(0, 0, 100, 0.95)]
        [-0.037, 0.037]
    """
    gained, lost, n, level = np.broadcast_arrays(
        *(np.asarray(one, dtype=np.float64) for one in (gained, lost, units, level))
    )
    critical = ndtri((1 + level) / 2)
    observed = (gained - lost) / n

    def bound(sign: float) -> FloatArray:
        inner, outer = observed, np.full(observed.shape, sign)
        for _ in range(HALVINGS):
            middle = (inner + outer) / 2
            rejected = np.abs(score_statistic(gained, lost, n, middle)) > critical
            inner, outer = np.where(rejected, inner, middle), np.where(rejected, middle, outer)
        return np.asarray((inner + outer) / 2)

    return bound(-1.0), bound(1.0)


def score_equivalence_p(gained: ArrayLike, lost: ArrayLike, units: ArrayLike, margin: ArrayLike) -> FloatArray:
    """Return the p-value of two one-sided score tests against a margin, never below what the data could have shown.

    Null hypothesis: the difference of the proportions is at least the margin, on one side or the other.

    p-value: the larger of the two one-sided p of the score test. It is at least the probability of so small a net
    change where every change has the one direction and the difference is the margin: the binomial probability, with
    the margin, of at most |gained − lost| changes among n. Without a change that is (1 − margin)^n, so fewer than
    ln α / ln(1 − margin) units are never equivalent (299 at a margin of 0.01 and α = 0.05). The normal approximation of
    the score alone would say so from 268 on.

    Reference: Tango 1998, section 4; Schuirmann, "A comparison of the two one-sided tests procedure and the power
    approach", Journal of Pharmacokinetics and Biopharmaceutics 15, 1987.

    Args:
        gained: units gained.
        lost: units lost.
        units: all units, at least 1.
        margin: equivalence margin, above 0 and below 1.

    Examples:
        >>> [round(float(score_equivalence_p(0, 0, n, 0.01)), 4) for n in (5, 50, 298, 299)]
        [0.951, 0.605, 0.05, 0.0495]
    """
    gained, lost, n, margin = (np.asarray(one, dtype=np.float64) for one in (gained, lost, units, margin))
    above_lower = ndtr(-score_statistic(gained, lost, n, -margin))
    below_upper = ndtr(score_statistic(gained, lost, n, margin))
    one_way: FloatArray = np.asarray(bdtr(np.abs(gained - lost), n.astype(np.int64), margin), dtype=np.float64)
    p: FloatArray = np.maximum.reduce([above_lower, below_upper, one_way])
    return p


def smallest_units(margin: float, alpha: float) -> int:
    """Return the fewest units that can show equivalence: below them not even the absence of any change does.

    A share of `margin` of all units could change by the most possible, and none be among so few units with a
    probability above `alpha`.

    Examples:
        >>> smallest_units(0.01, 0.05), smallest_units(0.05, 0.05)
        (299, 59)
    """
    return math.ceil(math.log(alpha) / math.log1p(-margin))


def discordant_needed(alpha: float) -> int:
    """Return the fewest changes, all the same way, with which McNemar's exact test rejects at `alpha`.

    Examples:
        >>> discordant_needed(0.05)
        6
    """
    return math.ceil(1 - math.log2(alpha))
