"""Bits that two packed rows have in common, counted in compiled code.

numba takes tenths of a second to import, and some seconds to compile once per machine, so this module is imported only
where that pays (`analysis.engine.packed_counts`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic
from numpy.typing import NDArray

from analysis.engine.metric import FloatArray

Words = NDArray[np.uint64]


def _generate_ones(_: Any, word: Any) -> tuple[Any, Callable[..., Any]]:
    """Count the set bits of a word by the processor's own instruction."""
    return word(word), lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


_ones: Callable[..., Any] = intrinsic(_generate_ones)


def _moved(
    swaps: Words,
    flips: Words,
    masks: Words,
    column: NDArray[np.int64],
    factor: FloatArray,
    moved: FloatArray,
) -> None:
    draws, words = swaps.shape
    for draw in range(0, draws, 2):
        # Two draws at a time, so that a plane is loaded once for both; an odd last one is its own partner.
        other = min(draw + 1, draws - 1)
        for plane in range(masks.shape[0]):
            # Unsigned throughout: numba makes a float of a sum of signed and unsigned numbers.
            ones, others = np.uint64(0), np.uint64(0)
            for word in range(words):
                flip, mask = flips[plane, word], masks[plane, word]
                ones += _ones((swaps[draw, word] ^ flip) & mask)
                others += _ones((swaps[other, word] ^ flip) & mask)
            moved[draw, column[plane]] += factor[plane] * np.float64(ones)
            if other > draw:
                moved[other, column[plane]] += factor[plane] * np.float64(others)


def _compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Compile a function at once, and keep the machine code for later processes where a folder can be written to."""
    words = "uint64[:, ::1]"
    signature = f"void({words}, {words}, {words}, int64[::1], float64[::1], float64[:, ::1])"
    try:
        compiled: Callable[..., None] = numba.njit(signature, cache=True, nogil=True)(function)
    except (RuntimeError, OSError):
        # numba found no folder for its cache, or could not write to the one that it found.
        compiled = numba.njit(signature, nogil=True)(function)
    return compiled


_add_moved = _compiled(_moved)


def add_moved(
    swaps: Words,
    *,
    flips: Words,
    masks: Words,
    column: NDArray[np.int64],
    factor: FloatArray,
    moved: FloatArray,
) -> None:
    """Add to `moved` the bits that each draw has in common with each plane, times the plane's factor.

    Args:
        swaps: which units swap, one bit per unit, (draws, words).
        flips: units whose bit counts where it is 0, (planes, words).
        masks: units that count at all, (planes, words).
        column: column of `moved` that each plane adds to, (planes,).
        factor: what one bit of each plane adds, (planes,).
        moved: changed in place, (draws, columns).

    Examples:
        The lowest and the third bit are set; the plane asks for the lower two, of which the second is turned:

        >>> import numpy as np
        >>> one_word = lambda bits: np.array([[bits]], dtype=np.uint64)
        >>> moved = np.zeros((1, 1))
        >>> add_moved(one_word(0b101), flips=one_word(0b010), masks=one_word(0b011), column=np.array([0]),
        ...           factor=np.array([10.0]), moved=moved)
        >>> moved.tolist()
        [[20.0]]
    """
    _add_moved(swaps, flips, masks, column, factor, moved)
