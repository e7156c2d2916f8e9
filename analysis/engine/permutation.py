"""Draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.engine.contrasts import Contrast
from analysis.engine.metric import FloatArray
from analysis.engine.permuted_statistics import Stack
from analysis.engine.swaps import random_swaps
from config.keys import keyed_generator

# Bound on what one block of draws may occupy, in bytes; a speed and memory choice without
# influence on any result.
BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True, eq=False)
class PermutationDraws:
    """The statistics of several contrasts as observed and under random exchanges of the labels.

    Attributes:
        observed: (contrasts,).
        null: draws × contrasts. Row k of every contrast is the same exchange of units, so maxima over contrasts
            are those of one joint draw. NaN where the metric is undefined.
        tolerance: (contrasts,); statistics not further apart are ties.
        scale: (contrasts,): root mean square of the statistic over all exchanges, exact where the metric is a ratio
            whose denominators no exchange moves, so that contrasts that are alike have the same; elsewhere over the
            draws and the observed one.
    """

    observed: FloatArray
    null: FloatArray
    tolerance: FloatArray
    scale: FloatArray

    @property
    def draws(self) -> int:
        """Number of random exchanges."""
        return len(self.null)

    def two_sided(self) -> FloatArray:
        """P of |statistic|, (contrasts,). An undefined statistic counts as extreme."""
        return self._p(~(np.abs(self.null) < np.abs(self.observed) - self.tolerance))

    def upper(self) -> FloatArray:
        """P of a statistic this large or larger, (contrasts,)."""
        return self._p(~(self.null < self.observed - self.tolerance))

    def lower(self) -> FloatArray:
        """P of a statistic this small or smaller, (contrasts,)."""
        return self._p(~(self.null > self.observed + self.tolerance))

    def _p(self, extreme: NDArray[np.bool_]) -> FloatArray:
        p: FloatArray = (extreme.sum(axis=0) + 1) / (self.draws + 1)
        return p


def permute(
    contrasts: Sequence[Contrast],
    *,
    draws: int,
    key: Sequence[str | int],
    block_bytes: int = BLOCK_BYTES,
) -> PermutationDraws:
    """Every contrast under `draws` random exchanges of its two labels, the same units in all contrasts.

    Args:
        contrasts: all on the same units in the same order; categories may differ in number.
        draws: random draws.
        key: seed and names that the draws are keyed by (`keyed_generator`). What is computed for a contrast does
            not depend on the contrasts beside it.
        block_bytes: bound on the memory of one block of draws; without influence on the result.

    Raises:
        ValueError: fewer than one draw, no contrast, no units, or contrasts with different numbers of units.
    """
    if draws < 1:
        raise ValueError(f"exchange: draws must be at least 1, got {draws}.")
    units = contrasts[0].units if contrasts else 0
    if units == 0 or any(contrast.units != units for contrast in contrasts):
        raise ValueError(
            "exchange: contrasts need the same units, at least one; got "
            f"{[contrast.units for contrast in contrasts]} units."
        )
    stack = Stack.of(contrasts)
    blocks = random_swaps(units, draws, rows=stack.rows_within(block_bytes), generator=keyed_generator(*key))
    null = stack.statistics(blocks, draws)
    return PermutationDraws(stack.observed, null, stack.tolerance, stack.scale(null))
