"""Adjust p-values for the number of tests in a family."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from analysis.engine.metric import FloatArray
from analysis.engine.permutation import PermutationDraws


def holm_within_families(p: FloatArray, family: Sequence[Hashable]) -> FloatArray:
    """Return Holm's step-down adjusted p-values, each family by itself.

    Null hypotheses: those of the tests. Rejecting where the adjusted p ≤ α keeps the probability of any false rejection
    within a family at or below α, under every dependence of the tests.

    p-value: the k-th smallest of n p-values times n − k + 1, made monotone and at most 1. The smallest is n times the
    smallest p of the tests.

    Reference: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6,
    1979. (`statsmodels.stats.multitest.multipletests` gives the same, and collects garbage at every call.)

    Args:
        p: p-values, (tests,). NaN marks a row without a test: it stays NaN and does not count.
        family: family of each test, (tests,).

    Returns:
        float64, (tests,).

    Raises:
        ValueError: if the lengths differ, or a p-value is outside [0, 1].

    Examples:
        >>> import numpy as np
        >>> holm_within_families(np.array([0.01, 0.04, 0.03]), ["a", "a", "b"]).tolist()
        [0.02, 0.04, 0.03]
    """
    p = np.asarray(p, dtype=np.float64)
    if p.ndim != 1 or len(family) != len(p):
        raise ValueError(f"holm_within_families: {p.shape} p-values, {len(family)} families.")
    tested = ~np.isnan(p)
    if np.any((p[tested] < 0) | (p[tested] > 1)):
        raise ValueError("holm_within_families: a p-value outside [0, 1].")
    adjusted = np.full(p.shape, np.nan)
    members: dict[Hashable, list[int]] = {}
    for index in np.flatnonzero(tested).tolist():
        members.setdefault(family[index], []).append(index)
    for indices in members.values():
        order = np.array(indices)[np.argsort(p[indices], kind="stable")]
        left = np.arange(len(order), 0, -1)
        adjusted[order] = np.minimum(1, np.maximum.accumulate(left * p[order]))
    return adjusted


def max_t_within_families(
    permutations: Sequence[PermutationDraws], family: Sequence[Hashable], p: Sequence[float] | FloatArray
) -> FloatArray:
    """Return Westfall and Young's step-down max-T adjusted p-values, each family by itself.

    Null hypotheses: those of `paired_permutation_tests`, one per contrast. Rejecting where the adjusted p ≤ α keeps the
    probability of any false rejection within a family at or below α.

    p-value: every contrast is divided by the root mean square of its statistic under permutation, so that none decides
    the maximum by its scale. A contrast's p counts the draws in which the largest of the contrasts that are not more
    extreme than it is at least as extreme as it: (b + 1) / (m + 1), made monotone. It is never below the p-value of the
    contrast alone, which may be of all arrangements where the joint draws are a sample. The smallest p is 1 / (m + 1).
    Row k of the draws is one joint permutation of the units, so dependence between contrasts is kept, and the
    adjustment is smaller than Holm's where they are correlated. Between contrasts on different units no dependence is
    estimated: give their draws keys of their own.

    Reference: Westfall and Young, "Resampling-based multiple testing", 1993, algorithm 2.8; Ge, Dudoit and Speed,
    "Resampling-based multiple testing for microarray data analysis", TEST 12, 2003, box 3.

    Args:
        permutations: permuted contrasts, all with one number of draws; the contrasts, one after the other, are the
            tests.
        family: family of each test, (tests,).
        p: p-value of each test by itself, (tests,) (`permutation_results`).

    Returns:
        float64, (tests,).

    Raises:
        ValueError: if the numbers of draws differ, or the number of families or p-values is not that of the contrasts.

    Examples:
        Two contrasts with the same draws. The larger is extreme in no draw, the smaller in one of three:

        >>> import numpy as np
        >>> drawn = PermutationDraws(
        ...     observed=np.array([3.0, 1.0]),
        ...     null=np.array([[0.5, -0.5], [-2.0, 1.0], [1.0, 0.5]]),
        ...     tolerance=np.zeros(2),
        ...     scale=np.ones(2),
        ... )
        >>> max_t_within_families([drawn], ["family", "family"], drawn.two_sided()).tolist()
        [0.25, 0.5]
    """
    if len({one.draws for one in permutations}) > 1:
        raise ValueError(f"max_t_within_families: different draws, {[one.draws for one in permutations]}.")
    observed = np.concatenate([one.observed for one in permutations]) if permutations else np.zeros(0)
    if not len(family) == len(p) == len(observed):
        raise ValueError(
            f"max_t_within_families: {len(observed)} contrasts, {len(family)} families, {len(p)} p-values."
        )
    places = [(one, column) for one in permutations for column in range(len(one.observed))]
    members: dict[Hashable, list[int]] = {}
    for index, name in enumerate(family):
        members.setdefault(name, []).append(index)
    adjusted = np.full(len(observed), np.nan)
    for indices in members.values():
        adjusted[indices] = _step_down([places[index] for index in indices], [float(p[index]) for index in indices])
    return adjusted


def _step_down(places: Sequence[tuple[PermutationDraws, int]], alone: Sequence[float]) -> FloatArray:
    draws = places[0][0].draws
    scaled = [_scaled(one, column) for one, column in places]
    order = sorted(range(len(places)), key=lambda index: scaled[index][0])
    largest = np.zeros(draws)
    p = np.empty(len(places))
    for index in order:
        observed, null, tolerance = scaled[index]
        largest = np.maximum(largest, null)
        p[index] = max((np.sum(largest >= observed - tolerance) + 1) / (draws + 1), alone[index])
    # No contrast may be easier to reject than a more extreme one.
    smallest_allowed = 0.0
    for index in reversed(order):
        smallest_allowed = p[index] = max(p[index], smallest_allowed)
    return p


def _scaled(permutations: PermutationDraws, column: int) -> tuple[float, FloatArray, float]:
    observed, null = abs(permutations.observed[column]), np.abs(permutations.null[:, column])
    scale = float(permutations.scale[column])
    if scale == 0:
        return 0.0, np.zeros_like(null), 0.0
    # An undefined statistic counts as extreme, as it does for the contrast alone.
    return observed / scale, np.where(np.isnan(null), np.inf, null / scale), permutations.tolerance[column] / scale
