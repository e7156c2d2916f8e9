"""Sums of small whole counts over the units that swap, by counting bits in place of multiplying.

With 0/1 outcomes, swapping a unit moves −1, 0 or 1. Three bits per unit say whether it swaps, whether its count differs
and whether it falls, so the sum over the swapped units takes one exclusive or, one conjunction and one count of bits
per 64 units. Sums of whole numbers are exact, and equal those of the matrix product.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.engine.metric import FloatArray
from analysis.engine.swaps import PackedSwaps

# Each bit of a count's size costs a pass over the units; above this the matrix product is as fast.
LARGEST_SIZE = 7

# Units × columns × draws from which counting bits pays. The compiled code takes half a second to load, and the matrix
# product a tenth of one at the first bound; an analysis makes several products of one size.
SMALLEST_WORK = 3e9
SMALLEST_WORK_LOADED = 3e7


def pays(columns: FloatArray, draws: int) -> bool:
    """Return whether sums of these columns are to be made by counting bits: small whole counts, many of them.

    The answer has no influence on any result.

    Args:
        columns: counts that swapping each unit moves, (units, columns).
        draws: number of draws.

    Examples:
        >>> import numpy as np
        >>> pays(np.ones((1_000_000, 1)), draws=10_000), pays(np.ones((300, 1)), draws=10_000)
        (True, False)
        >>> pays(np.full((1_000_000, 1), 0.5), draws=10_000)
        False
    """
    loaded = "analysis.engine.popcounts" in sys.modules
    if columns.size * draws < (SMALLEST_WORK_LOADED if loaded else SMALLEST_WORK):
        return False
    return bool(np.all(np.abs(columns) <= LARGEST_SIZE) and np.all(columns == np.rint(columns)))


@dataclass(frozen=True, eq=False)
class BitPlanes:
    """Columns of small whole counts, one bit per unit: a plane for each binary digit of the counts' sizes.

    A unit of count −1 moves −1 if it swaps. Equivalently, it always moves −1, and +1 on top unless it swaps: so its bit
    of the swaps is flipped, and all bits add up with the same sign.

    Attributes:
        flips: units whose count is below 0, (planes, words).
        masks: units whose size has the plane's digit, (planes, words).
        column: column that each plane is of, (planes,).
        factor: value of the plane's digit: 1, 2 or 4, (planes,).
        always: sum of the counts below 0, to which the bits add, (columns,).

    Examples:
        The first and last unit of four swap. Of the counts +1, 0, −1 and −2, they move 1 − 2:

        >>> import numpy as np
        >>> from analysis.engine.swaps import packed_swaps
        >>> planes = BitPlanes.of(np.array([[1.0], [0.0], [-1.0], [-2.0]]))
        >>> swaps = np.packbits(np.array([[1, 0, 0, 1, 0, 0, 0, 0] + 56 * [0]], dtype=np.uint8), axis=1).view(np.uint64)
        >>> planes.moved(swaps).tolist()
        [[-1.0]]
    """

    flips: NDArray[np.uint64]
    masks: NDArray[np.uint64]
    column: NDArray[np.int64]
    factor: FloatArray
    always: FloatArray

    @classmethod
    def of(cls, columns: FloatArray) -> BitPlanes:
        """Pack whole counts of at most `LARGEST_SIZE`, (units, columns)."""
        counts = np.ascontiguousarray(columns.astype(np.int8).T)
        sizes = np.abs(counts)
        below = _packed(counts < 0)
        flips, masks, column, factor = [], [], [], []
        for digit in range(int(sizes.max(initial=0)).bit_length()):
            has = (sizes >> digit & 1).astype(np.bool_)
            here = np.flatnonzero(has.any(axis=1))
            flips.append(below[here])
            masks.append(_packed(has[here]))
            column.append(here)
            factor.append(np.full(len(here), 2.0**digit))
        always = np.minimum(counts, 0).sum(axis=1, dtype=np.float64)
        if not masks:
            nothing = np.zeros((0, below.shape[1]), dtype=np.uint64)
            return cls(nothing, nothing, np.zeros(0, np.int64), np.zeros(0), always)
        return cls(
            flips=np.concatenate(flips),
            masks=np.concatenate(masks),
            column=np.concatenate(column).astype(np.int64),
            factor=np.concatenate(factor),
            always=always,
        )

    def moved(self, swaps: PackedSwaps) -> FloatArray:
        """Return the counts that each draw moves, (draws, columns).

        Args:
            swaps: as `packed_swaps` yields them, (draws, words).
        """
        # Imported here, since small analyses need none of it.
        from analysis.engine.popcounts import add_moved

        moved: FloatArray = np.broadcast_to(self.always, (len(swaps), len(self.always))).copy()
        add_moved(swaps, flips=self.flips, masks=self.masks, column=self.column, factor=self.factor, moved=moved)
        return moved


def _packed(units: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Pack one bit per unit, (rows, units), in the order of `packed_swaps`, into whole words, (rows, words)."""
    words = -(-units.shape[1] // 64)
    octets = np.zeros((len(units), 8 * words), dtype=np.uint8)
    packed = np.packbits(units, axis=1)
    octets[:, : packed.shape[1]] = packed
    return octets.view(np.uint64)
