"""P."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from analysis.engine.contrasts import Contrast
from analysis.engine.permutation import BLOCK_BYTES, PermutationDraws, permute
from analysis.engine.permuted_statistics import Stack
from analysis.engine.swaps import all_swaps


@dataclass(frozen=True)
class PermutationResult:
    """A two-sided paired permutation test.

    Attributes:
        statistic: the contrast as observed, a fraction.
        p: the p-value; never 0.
        draws: random draws, or the number of arrangements where all were enumerated.
        exact: whether all arrangements were enumerated.
        smallest_p: no outcome of this test could have given a smaller p.
        monte_carlo_error: standard error of p over repetitions with other draws; 0 where exact.
    """

    statistic: float
    p: float
    draws: int
    exact: bool
    smallest_p: float
    monte_carlo_error: float


def monte_carlo_error(p: float, draws: int) -> float:
    """Standard error of a p-value over repetitions of its random draws."""
    return math.sqrt(p * (1 - p) / draws)


def paired_permutation_tests(
    contrasts: Sequence[Contrast],
    *,
    draws: int,
    key: Sequence[str | int],
    block_bytes: int = BLOCK_BYTES,
) -> list[PermutationResult]:
    """Test each contrast by exchanging the two labels within units; see `permutation_results`.

    Args and errors are those of `exchange`; an empty family has no results.
    """
    if not contrasts:
        return []
    exchanges = permute(contrasts, draws=draws, key=key, block_bytes=block_bytes)
    return permutation_results(contrasts, exchanges, block_bytes=block_bytes)


def permutation_results(
    contrasts: Sequence[Contrast], exchanges: PermutationDraws, *, block_bytes: int = BLOCK_BYTES
) -> list[PermutationResult]:
    """The two-sided test of each contrast.

    Null hypothesis: within every unit, independently of the others, what the unit has under the two
    labels has the same joint distribution with the labels exchanged; which label a unit's counts
    came from carries no information.

    p is two-sided by absolute value. With m random draws, of which b are at least as extreme as the
    observed one (ties included), p = (b + 1) / (m + 1): the observed arrangement is one of the
    possible ones, so p is never 0 and its smallest value is 1 / (m + 1) (Phipson and Smyth,
    "Permutation p-values should never be zero", SAGMB 9, 2010, eq. 2). A draw whose statistic is
    undefined counts as extreme.

    Where 2^d ≤ draws, with d the number of units whose counts differ, all arrangements are
    enumerated and p = b / 2^d, the identity included; its smallest value is 2 / 2^d, since
    exchanging every unit only flips the sign. Enumerating the differing units is enumerating all:
    exchanging the other units changes nothing and repeats every arrangement equally often. d itself
    does not depend on which label is which, so choosing the method by it keeps p valid.
    """
    draws = exchanges.draws
    results = []
    for contrast, observed, p in zip(contrasts, exchanges.observed, exchanges.two_sided(), strict=True):
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
    """Exact two-sided McNemar p of a difference of 0/1 outcomes; None where it is something else.

    Null hypothesis: among the units that succeed under exactly one of the two labels, either
    label is equally likely to be that one. p is the two-sided binomial probability at 1/2
    (McNemar, Psychometrika 12, 1947, in its exact form; `scipy.stats.binomtest`); 1 where no unit
    changes. It is what full enumeration of the permutation test converges to.
    """
    if len(contrast.terms) > 1:
        return None
    (term,) = contrast.terms
    if not (term.base.is_binary and term.changed.is_binary):
        return None
    gained = int(np.sum(term.changed.numerator > term.base.numerator))
    lost = int(np.sum(term.changed.numerator < term.base.numerator))
    if gained + lost == 0:
        return 1.0
    return float(binomtest(gained, gained + lost, 0.5).pvalue)
