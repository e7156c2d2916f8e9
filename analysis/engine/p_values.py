"""Paired permutation tests of contrasts, and McNemar's exact test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import betainc

from analysis.engine.contrasts import Contrast
from analysis.engine.permutation import BLOCK_BYTES, PermutationDraws, permute
from analysis.engine.permuted_statistics import Stack
from analysis.engine.swaps import all_swaps


@dataclass(frozen=True)
class PermutationResult:
    """Result of a two-sided paired permutation test.

    Attributes:
        statistic: observed contrast, a fraction.
        p: p-value; never 0.
        draws: number of random permutations, or of all arrangements where they were enumerated.
        exact: whether all arrangements were enumerated.
        smallest_p: smallest p-value that this test can give.
        monte_carlo_error: standard error of p over repetitions with other draws; 0 where exact.

    Examples:
        >>> PermutationResult(-0.5, p=0.25, draws=8, exact=True, smallest_p=0.25, monte_carlo_error=0.0).p
        0.25
    """

    statistic: float
    p: float
    draws: int
    exact: bool
    smallest_p: float
    monte_carlo_error: float


def monte_carlo_error(p: float, draws: int) -> float:
    """Return the standard error of a p-value over repetitions with other random draws.

    Examples:
        >>> round(monte_carlo_error(0.05, 10_000), 5)
        0.00218
    """
    return math.sqrt(p * (1 - p) / draws)


def paired_permutation_tests(
    contrasts: Sequence[Contrast],
    *,
    draws: int,
    key: Sequence[str | int],
    block_bytes: int = BLOCK_BYTES,
) -> list[PermutationResult]:
    """Test each contrast by permuting the two labels within units, two-sided by absolute value.

    Null hypothesis: within every unit, independently of the others, what the unit has under the two labels has the
    same joint distribution with the labels swapped. Which label a unit's counts come from carries no information. (A
    sharp hypothesis. Where the contrast is linear, the test holds its level for many units also if only the metric is
    the same; of mIoU it does not, and `metric_tests` does.)

    p-value: with m random permutations, of which b give a statistic at least as extreme as the observed one (ties
    included), p = (b + 1) / (m + 1). The observed arrangement is one of the possible ones, so p is never 0; the
    smallest p is 1 / (m + 1). A draw in which the statistic is undefined counts as extreme.

    Where 2^d ≤ draws, with d the number of units whose counts differ, all arrangements are enumerated instead and
    p = b / 2^d, the observed one included. The smallest p is then 2 / 2^d, since swapping every unit only turns the
    sign. Enumerating the differing units is enumerating all: swapping another unit changes nothing, and repeats every
    arrangement equally often. d does not depend on which label is which, so choosing the method by it keeps p valid.

    Reference: Phipson and Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics and
    Molecular Biology 9, 2010, eq. 2. `scipy.stats.permutation_test` with `permutation_type="samples"` gives the same p
    where all arrangements are enumerated.

    Args:
        contrasts: all on the same units in the same order; may be empty.
        draws: number of random permutations.
        key: seed and names that the draws are keyed by (`permute`).
        block_bytes: bound on the memory of one block of draws; without influence on the result.

    Returns:
        One result per contrast.

    Raises:
        ValueError: if there is no draw or no unit, or the contrasts differ in the number of units.

    Examples:
        Four images are classified correctly under `full`, and none of them under `zero`. All 2^4 arrangements are
        enumerated; the observed one and its mirror image are the most extreme:

        >>> import numpy as np
        >>> from analysis.engine.metric import Counts
        >>> ones = np.ones((4, 1))
        >>> contrast = Contrast.difference(base=Counts(ones, ones), changed=Counts(0 * ones, ones))
        >>> (result,) = paired_permutation_tests([contrast], draws=10_000, key=(0, "example"))
        >>> result.statistic, result.exact, result.p, result.smallest_p
        (-1.0, True, 0.125, 0.125)
    """
    if not contrasts:
        return []
    permutations = permute(contrasts, draws=draws, key=key, block_bytes=block_bytes)
    return permutation_results(contrasts, permutations, block_bytes=block_bytes)


def permutation_results(
    contrasts: Sequence[Contrast], permutations: PermutationDraws, *, block_bytes: int = BLOCK_BYTES
) -> list[PermutationResult]:
    """Return the test of each contrast from permutations that were drawn before; see `paired_permutation_tests`.

    Args:
        contrasts: the contrasts that were permuted.
        permutations: what `permute` gave for them.
        block_bytes: bound on the memory of one block of arrangements; without influence on the result.

    Examples:
        Forty differing units have too many arrangements to enumerate:

        >>> import numpy as np
        >>> from analysis.engine.metric import Counts
        >>> ones = np.ones((40, 1))
        >>> contrasts = [Contrast.difference(base=Counts(ones, ones), changed=Counts(0 * ones, ones))]
        >>> (result,) = permutation_results(contrasts, permute(contrasts, draws=999, key=(0, "example")))
        >>> result.exact, result.p, result.smallest_p
        (False, 0.001, 0.001)
    """
    draws = permutations.draws
    results = []
    for contrast, observed, p in zip(contrasts, permutations.observed, permutations.two_sided(), strict=True):
        differing = int(contrast.differs.sum())
        if 2**differing <= draws:
            results.append(_enumerated(contrast, differing, block_bytes))
            continue
        results.append(
            PermutationResult(
                statistic=float(observed),
                p=float(p),
                draws=draws,
                exact=False,
                smallest_p=1 / (draws + 1),
                monte_carlo_error=monte_carlo_error(float(p), draws),
            )
        )
    return results


def _enumerated(contrast: Contrast, differing: int, block_bytes: int) -> PermutationResult:
    stack = Stack.of([contrast], only=contrast.differs)
    arrangements = 2**differing
    every = stack.statistics(all_swaps(differing, rows=stack.rows_within(block_bytes)), arrangements)
    # "Not below" rather than "at least": an undefined statistic (NaN) then counts too.
    extreme = ~(np.abs(every) < np.abs(stack.observed) - stack.tolerance)
    return PermutationResult(
        statistic=float(stack.observed[0]),
        p=int(extreme.sum()) / arrangements,
        draws=arrangements,
        exact=True,
        smallest_p=min(1.0, 2 / arrangements),
        monte_carlo_error=0.0,
    )


def exact_mcnemar_p(contrast: Contrast) -> float | None:
    """Return the p-value of McNemar's exact test of a difference of 0/1 outcomes; None for another contrast.

    Null hypothesis: among the units that succeed under exactly one of the two labels, either label is equally likely to
    be that one.

    p-value: two-sided binomial probability, at 1/2, of a split at least as uneven among the c units that change; 1
    where no unit changes. The smallest p is 2 / 2^c. It is what the permutation test gives where all arrangements are
    enumerated.

    Reference: McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
    Psychometrika 12, 1947, in its exact form; `scipy.stats.binomtest`.

    Examples:
        Five of 20 images change, all from correct to wrong:

        >>> import numpy as np
        >>> from analysis.engine.metric import Counts
        >>> ones = np.ones((20, 1))
        >>> wrong_in_five = (np.arange(20) >= 5)[:, None].astype(float)
        >>> exact_mcnemar_p(Contrast.difference(base=Counts(ones, ones), changed=Counts(wrong_in_five, ones)))
        0.0625
    """
    if len(contrast.terms) > 1:
        return None
    (term,) = contrast.terms
    if not (term.base.is_binary and term.changed.is_binary):
        return None
    gained = int(np.sum(term.changed.numerator > term.base.numerator))
    lost = int(np.sum(term.changed.numerator < term.base.numerator))
    if abs(gained - lost) <= 1:
        # Every split is at least as uneven.
        return 1.0
    fewer, more = sorted((gained, lost))
    # Twice the probability of at most `fewer` successes, as the regularised incomplete beta function.
    return float(2 * betainc(more, fewer + 1, 0.5))
