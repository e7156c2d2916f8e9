"""Adjust p-values for the number of tests in a family."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from statsmodels.stats.multitest import multipletests

from analysis.engine.metric import FloatArray
from analysis.engine.permutation import PermutationDraws


def holm_within_families(p: FloatArray, family: Sequence[Hashable]) -> FloatArray:
    """Holm's step-down adjusted p-values, each family by itself.

    Rejecting where the adjusted p ≤ α keeps the probability of any false rejection within a family
    at or below α under every dependence of the tests (Holm, "A simple sequentially rejective
    multiple test procedure", Scandinavian Journal of Statistics 6, 1979;
    `statsmodels.stats.multitest.multipletests`).

    Args:
        p: p-values, (tests,). NaN marks a row without a test: it stays NaN and counts nowhere.
        family: the family of each test, (tests,).

    Returns:
        float64, (tests,).

    Raises:
        ValueError: different lengths, or a p outside [0, 1].
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
        adjusted[indices] = multipletests(p[indices], method="holm")[1]
    return adjusted


def max_t_within_families(exchanges: Sequence[PermutationDraws], family: Sequence[Hashable]) -> FloatArray:
    """Westfall and Young's step-down max-T adjusted p-values, each family by itself.

    Every contrast is divided by the root mean square of its statistic under exchanges, so that none decides the
    maximum by its scale. The p of a contrast counts the draws in which the largest of
    the contrasts that are not more extreme than it is at least as extreme as it (Westfall and Young, "Resampling-based
    multiple testing", 1993, algorithm 2.8; Ge, Dudoit and Speed, TEST 12, 2003, box 3). Since row k is one joint
    exchange of units, dependence between contrasts is kept, and the adjustment is smaller than Holm's where they
    move together. Contrasts on different units have independent draws, as their data are.

    Args:
        exchanges: of one number of draws; their contrasts, one after the other, are the tests.
        family: the family of each test, (tests,).

    Returns:
        float64, (tests,).

    Raises:
        ValueError: different numbers of draws or tests.
    """
    if len({one.draws for one in exchanges}) > 1:
        raise ValueError(f"max_t_within_families: different draws, {[one.draws for one in exchanges]}.")
    observed = np.concatenate([one.observed for one in exchanges]) if exchanges else np.zeros(0)
    if len(family) != len(observed):
        raise ValueError(f"max_t_within_families: {len(observed)} contrasts, {len(family)} families.")
    places = [(one, column) for one in exchanges for column in range(len(one.observed))]
    members: dict[Hashable, list[int]] = {}
    for index, name in enumerate(family):
        members.setdefault(name, []).append(index)
    adjusted = np.full(len(observed), np.nan)
    for indices in members.values():
        adjusted[indices] = _step_down([places[index] for index in indices])
    return adjusted


def _step_down(places: Sequence[tuple[PermutationDraws, int]]) -> FloatArray:
    draws = places[0][0].draws
    scaled = [_scaled(one, column) for one, column in places]
    order = sorted(range(len(places)), key=lambda index: scaled[index][0])
    largest = np.zeros(draws)
    p = np.empty(len(places))
    for index in order:
        observed, null, tolerance = scaled[index]
        largest = np.maximum(largest, null)
        p[index] = (np.sum(largest >= observed - tolerance) + 1) / (draws + 1)
    # No contrast may be easier to reject than a more extreme one.
    smallest_allowed = 0.0
    for index in reversed(order):
        smallest_allowed = p[index] = max(p[index], smallest_allowed)
    return p


def _scaled(exchanges: PermutationDraws, column: int) -> tuple[float, FloatArray, float]:
    observed, null = abs(exchanges.observed[column]), np.abs(exchanges.null[:, column])
    scale = float(exchanges.scale[column])
    if scale == 0:
        return 0.0, np.zeros_like(null), 0.0
    # An undefined statistic counts as extreme, as it does for the contrast alone.
    return observed / scale, np.where(np.isnan(null), np.inf, null / scale), exchanges.tolerance[column] / scale
