"""Tests of equivalence: two one-sided tests against a margin, and what they conclude with a test of the difference.

A large p of a test of a difference shows nothing. That a difference is smaller than a margin, fixed before the data are
seen, is a hypothesis of its own, with a test, an error rate and a sample size of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.engine.contrasts import Contrast
from analysis.engine.estimates import Estimate
from analysis.engine.intervals import Interval
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.paired_proportions import score_equivalence_p
from analysis.engine.permutation import permute
from analysis.engine.studentised import mirrored, studentised
from analysis.engine.unseen import bounded_upper_p

# Differences that are tested in one batch; a bound on memory, without influence on any result.
TOGETHER = 100


def equivalence_tests(
    pseudo_values: Sequence[FloatArray],
    margins: Sequence[float],
    *,
    draws: int,
    key: Sequence[str | int],
) -> list[float]:
    """Return the p-values of two one-sided paired permutation tests (TOST), one per difference, not adjusted.

    Null hypothesis: the difference lies at or beyond the margin, on one side or the other. At the margin, a unit's
    pseudo-value minus the margin is as likely to be positive as negative, so signs are permuted, as labels are in the
    test of a difference.

    p-value: the larger of the two one-sided p, each (b + 1) / (m + 1). The smallest p is 1 / (m + 1). Symmetry of the
    pseudo-values around the margin makes it exact; where they are skewed, as those of 0/1 outcomes are, it is
    approximate (the report's table of error rates says how closely).

    Reference: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", Journal of
    Pharmacokinetics and Biopharmaceutics 15, 1987; Berger and Hsu, "Bioequivalence trials, intersection-union tests and
    equivalence confidence sets", Statistical Science 11, 1996.

    Args:
        pseudo_values: jackknife pseudo-values of each difference, (units,) each. NaN, where the metric is undefined
            without the unit, counts as 0: the unit contributes no difference.
        margins: margin of each difference, above 0.
        draws: number of random permutations.
        key: seed and names that the draws are keyed by (`permute`).

    Returns:
        One p-value per difference.

    Examples:
        Differences around 0 lie within a margin of 1, and not within one of 0.1:

        >>> import numpy as np
        >>> differences = np.linspace(-1, 1, 50)
        >>> equivalence_tests([differences, differences], [1.0, 0.1], draws=999, key=(0, "example"))[0]
        0.001
        >>> equivalence_tests([differences], [0.1], draws=999, key=(0, "example"))[0] > 0.05
        True
    """
    p: list[float] = []
    pairs = list(zip(pseudo_values, margins, strict=True))
    for start in range(0, len(pairs), TOGETHER):
        shifted = [
            _mean(np.nan_to_num(values) + sign * margin)
            for values, margin in pairs[start : start + TOGETHER]
            for sign in (1, -1)
        ]
        permuted = permute(shifted, draws=draws, key=key)
        above_lower, below_upper = permuted.upper()[::2], permuted.lower()[1::2]
        p += np.maximum(above_lower, below_upper).tolist()
    return p


def equivalence_p(estimate: Estimate, margin: float) -> float:
    """Return the p-value of two one-sided tests (TOST) of an estimate against a margin, not adjusted.

    Null hypothesis: the true signed sum is at least the margin, on one side or the other.

    p-value: the larger of the two one-sided p: of Tango's score test for paired 0/1 outcomes (`score_equivalence_p`);
    elsewhere of the studentised estimate, corrected for skewness where it is one ratio or a mean, and never below what
    the data could have shown (`bounded_upper_p`). The smallest p is `smallest_equivalence_p`: even n units that did not
    change leave a share of all units unseen.

    Reference: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", Journal of
    Pharmacokinetics and Biopharmaceutics 15, 1987; Berger and Hsu, "Bioequivalence trials, intersection-union tests and
    equivalence confidence sets", Statistical Science 11, 1996.

    Args:
        estimate: the signed sum, with at least two pseudo-values.
        margin: equivalence margin, above 0.

    Examples:
        Scores that differ by up to 0.1 around 0 are equivalent within 0.05 for 200 units, and not within 0.01:

        >>> differences = np.linspace(-0.1, 0.1, 200)
        >>> found = Estimate(0.0, differences, units=200, differing=200)
        >>> equivalence_p(found, 0.05) < 0.001, equivalence_p(found, 0.01) > 0.05
        (True, True)
    """
    if estimate.changes is not None:
        changes = estimate.changes
        return float(score_equivalence_p(changes.gained, changes.lost, changes.units, margin))
    if not estimate.is_determined:
        return 1.0
    of = studentised(estimate, corrected=estimate.categories == 1)
    return max(
        bounded_upper_p(one, -margin, units=estimate.units, largest=estimate.largest) for one in (of, mirrored(of))
    )


def smallest_equivalence_p(estimate: Estimate, margin: float) -> float:
    """Return the smallest p-value that a test of equivalence of as many units can give: that of no change at all.

    Examples:
        >>> round(smallest_equivalence_p(Estimate(0.0, np.zeros(50), units=50), 0.01), 3)
        0.605
    """
    return float((1 - min(margin / estimate.largest, 1.0)) ** estimate.units)


def _mean(values: FloatArray) -> Contrast:
    """Return the mean of values as a contrast with 0, so that swapping labels permutes their signs."""
    ones = np.ones((len(values), 1))
    return Contrast.difference(Counts(0 * ones, ones), Counts(values[:, None], ones))


def is_included(interval: Interval, margin: float) -> bool:
    """Return whether an interval lies strictly within the margin.

    With a 1 − 2α interval this is the interval form of the two one-sided tests at level α.

    Examples:
        >>> is_included(Interval(-0.5, 0.8, "bca"), 1.0), is_included(Interval(-0.5, 1.2, "bca"), 1.0)
        (True, False)
    """
    return -margin < interval.low and interval.high < margin


def conclusion(p_difference: float, p_equivalence: float, alpha: float, *, smallest: float = 0.0) -> str:
    """Return what the tests of difference and of equivalence conclude together.

    Args:
        p_difference: p-value of the test of a difference.
        p_equivalence: p-value of the test of equivalence.
        alpha: level of either test.
        smallest: smallest p-value that the test of equivalence could give (`smallest_equivalence_p`).

    Returns:
        `equivalent`: within the margin, and no difference shown;
        `different`: a difference, and not shown to be within the margin;
        `negligible`: both, a difference that is smaller than the margin;
        `undecided`: neither;
        `not decidable`: neither, and no data of as many units could have shown equivalence.

    Examples:
        >>> conclusion(0.4, 0.01, alpha=0.05), conclusion(0.4, 0.3, alpha=0.05)
        ('equivalent', 'undecided')
        >>> conclusion(0.4, 0.7, alpha=0.05, smallest=0.6)
        'not decidable'
    """
    different, equivalent = p_difference <= alpha, p_equivalence <= alpha
    if different and equivalent:
        return "negligible"
    if different:
        return "different"
    if equivalent:
        return "equivalent"
    return "undecided" if smallest <= alpha else "not decidable"
