"""Tests of equivalence: two one-sided tests against a margin, and what they conclude with a test of the difference.

A large p of a test of a difference shows nothing. That a difference is smaller than a margin, fixed before the data are
seen, is a hypothesis of its own, with a test, an error rate and a sample size of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.engine.contrasts import Contrast
from analysis.engine.intervals import Interval
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.permutation import permute

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


def conclusion(p_difference: float, p_equivalence: float, alpha: float) -> str:
    """Return what the tests of difference and of equivalence conclude together.

    Args:
        p_difference: p-value of the test of a difference.
        p_equivalence: p-value of the test of equivalence.
        alpha: level of either test.

    Returns:
        `equivalent`: within the margin, and no difference shown;
        `different`: a difference, and not shown to be within the margin;
        `negligible`: both, a difference that is smaller than the margin;
        `undecided`: neither.

    Examples:
        >>> conclusion(0.4, 0.01, alpha=0.05), conclusion(0.4, 0.3, alpha=0.05)
        ('equivalent', 'undecided')
    """
    different, equivalent = p_difference <= alpha, p_equivalence <= alpha
    if different and equivalent:
        return "negligible"
    if different:
        return "different"
    return "equivalent" if equivalent else "undecided"
