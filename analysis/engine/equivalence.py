"""Is there no difference? Two one-sided tests against a margin, and what they and the test of a difference say.

A large p of a test of a difference shows nothing. That a difference is smaller than a margin, fixed before the
data are seen, is a hypothesis of its own, with a test, an error rate and a sample size of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.engine.contrasts import Contrast
from analysis.engine.intervals import Interval
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.permutation import permute

# Differences that are tested in one go; a bound on memory, without influence on any result.
TOGETHER = 100


@dataclass(frozen=True)
class Margin:
    """A difference that is called negligible, a fraction, and why it is."""

    size: float
    reason: str


def equivalence_tests(
    influences: Sequence[FloatArray],
    margins: Sequence[float],
    *,
    draws: int,
    key: Sequence[str | int],
) -> list[float]:
    """P of two one-sided paired permutation tests, for each difference by itself.

    Null hypothesis: the difference lies at or beyond the margin, on one side or the other. At the
    margin, a unit's contribution minus the margin is as likely to be of either sign, so signs are exchanged as labels
    are in the test of a difference. p is the larger of the two one-sided p (Schuirmann, "A comparison of the
    two one-sided tests procedure and the power approach", Journal of Pharmacokinetics and Biopharmaceutics 15, 1987;
    Berger and Hsu, Statistical Science 11, 1996). Symmetry of the contributions around the margin makes it exact;
    where they are skewed, as 0/1 outcomes are, it holds approximately (the report's table of error rates).

    Args:
        influences: each unit's contribution (`Resampled.influence`), (units,) each; NaN, where
            the metric is undefined without the unit, counts as 0: no difference to contribute.
        margins: one a difference, above 0.
        draws, key: as in `exchange`.
    """
    p: list[float] = []
    pairs = list(zip(influences, margins, strict=True))
    for start in range(0, len(pairs), TOGETHER):
        shifted = [
            _mean(np.nan_to_num(influence) + sign * margin)
            for influence, margin in pairs[start : start + TOGETHER]
            for sign in (1, -1)
        ]
        exchanges = permute(shifted, draws=draws, key=key)
        above_lower, below_upper = exchanges.upper()[::2], exchanges.lower()[1::2]
        p += np.maximum(above_lower, below_upper).tolist()
    return p


def _mean(values: FloatArray) -> Contrast:
    """The mean of values whose signs are exchanged: their difference to nothing."""
    ones = np.ones((len(values), 1))
    return Contrast.difference(Counts(0 * ones, ones), Counts(values[:, None], ones))


def is_included(interval: Interval, margin: float) -> bool:
    """Whether a 1 − 2α interval lies within the margin: the other form of the two tests."""
    return -margin < interval.low and interval.high < margin


def conclusion(p_difference: float, p_equivalence: float, alpha: float) -> str:
    """What the two tests say together.

    equivalent: within the margin, and no difference shown;
    different: a difference, and not shown to be within the margin;
    negligible: both, a difference that is smaller than the margin;
    undecided: neither.
    """
    different, equivalent = p_difference <= alpha, p_equivalence <= alpha
    if different and equivalent:
        return "negligible"
    if different:
        return "different"
    return "equivalent" if equivalent else "undecided"
