"""Which units exchange their labels in which draw: a Boolean draws × units matrix, in blocks.

The matrix is packed, one bit a unit, as it comes from the generator; a block is unpacked only to be multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Swaps = NDArray[np.uint8]


def random_swaps(units: int, draws: int, *, rows: int, generator: np.random.Generator) -> Iterator[Swaps]:
    """Fair coin flips, in blocks of at most `rows` draws of 0 and 1.

    Every draw consumes whole 64-bit words of the raw stream, so the matrix is the same whatever
    `rows` is, on every platform.
    """
    words = -(-units // 64)
    for start in range(0, draws, rows):
        count = min(rows, draws - start)
        raw = np.asarray(generator.bit_generator.random_raw(count * words), dtype="<u8")
        yield np.unpackbits(raw.view(np.uint8).reshape(count, 8 * words), axis=1, count=units)


def all_swaps(units: int, *, rows: int) -> Iterator[Swaps]:
    """All 2^units arrangements, the identity first, in blocks of at most `rows`."""
    bits = np.arange(units)
    for start in range(0, 2**units, rows):
        numbers = np.arange(start, min(start + rows, 2**units))
        yield ((numbers[:, None] >> bits) & 1).astype(np.uint8)
