"""Contrasts under random permutations of their labels: null distributions that share their draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.engine.contrasts import Contrast
from analysis.engine.metric import FloatArray
from analysis.engine.permuted_statistics import Stack
from config.keys import keyed_generator

# Bound on what one block of draws may occupy, in bytes; a speed and memory choice without
# influence on any result.
BLOCK_BYTES = 16 * 2**20


@dataclass(frozen=True, eq=False)
class PermutationDraws:
    """Statistics of several contrasts, observed and under random permutations of the labels.

    The p-values are (b + 1) / (m + 1), where b of the m draws are at least as extreme as the observed statistic, ties
    included. Their null hypothesis and reference are those of `paired_permutation_tests`. A draw in which the statistic
    is undefined counts as extreme.

    Attributes:
        observed: (contrasts,).
        null: (draws, contrasts). Row k permutes the same units in every contrast, so maxima over contrasts are those
            of one joint draw. NaN where the metric is undefined.
        tolerance: (contrasts,); statistics not further apart are ties.
        scale: (contrasts,); root mean square of the statistic under permutation. It is exact where the metric is a
            ratio whose denominators no permutation moves, so that contrasts that are alike have the same; elsewhere it
            is over the draws and the observed statistic.

    Examples:
        >>> import numpy as np
        >>> draws = PermutationDraws(
        ...     observed=np.array([2.0]), null=np.array([[-2.0], [1.0], [2.0]]), tolerance=np.zeros(1), scale=np.ones(1)
        ... )
        >>> draws.two_sided().tolist(), draws.upper().tolist(), draws.lower().tolist()
        ([0.75], [0.5], [1.0])
    """

    observed: FloatArray
    null: FloatArray
    tolerance: FloatArray
    scale: FloatArray

    @property
    def draws(self) -> int:
        """Number of random permutations."""
        return len(self.null)

    def two_sided(self) -> FloatArray:
        """Return the p-values of statistics this large or larger in absolute value, (contrasts,)."""
        return self._p(~(np.abs(self.null) < np.abs(self.observed) - self.tolerance))

    def upper(self) -> FloatArray:
        """Return the p-values of statistics this large or larger, (contrasts,)."""
        return self._p(~(self.null < self.observed - self.tolerance))

    def lower(self) -> FloatArray:
        """Return the p-values of statistics this small or smaller, (contrasts,)."""
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
    """Permute the two labels of every contrast at random, the same units in all contrasts.

    Args:
        contrasts: all on the same units in the same order; categories may differ in number.
        draws: number of random permutations.
        key: seed and names that the draws are keyed by (`keyed_generator`). The result for a contrast does not depend
            on the other contrasts.
        block_bytes: bound on the memory of one block of draws; without influence on the result.

    Returns:
        The statistics, observed and permuted.

    Raises:
        ValueError: if there is no draw, no contrast or no unit, or the contrasts differ in the number of units.

    Examples:
        A mean difference of 0.5 over 30 units, which few permutations of the labels reach:

        >>> import numpy as np
        >>> from analysis.engine.metric import Counts
        >>> scores = np.linspace(-1, 2, 30)[:, None]
        >>> ones = np.ones((30, 1))
        >>> drawn = permute([Contrast.difference(Counts(0 * scores, ones), Counts(scores, ones))], draws=999, key=(0,))
        >>> drawn.null.shape
        (999, 1)
        >>> round(float(drawn.observed[0]), 4), float(drawn.upper()[0])
        (0.5, 0.003)
    """
    if draws < 1:
        raise ValueError(f"permute: draws must be at least 1, got {draws}.")
    units = contrasts[0].units if contrasts else 0
    if units == 0 or any(contrast.units != units for contrast in contrasts):
        raise ValueError(
            "permute: contrasts need the same units, at least one; got "
            f"{[contrast.units for contrast in contrasts]} units."
        )
    stack = Stack.of(contrasts)
    null = stack.random_statistics(draws, generator=keyed_generator(*key), block_bytes=block_bytes)
    return PermutationDraws(stack.observed, null, stack.tolerance, stack.scale(null))
