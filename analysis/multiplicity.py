"""Adjust p-values for the number of tests in a family."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from statsmodels.stats.multitest import multipletests

from analysis.metric import FloatArray


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
