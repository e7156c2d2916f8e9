"""Which units swap their labels in which draw: a Boolean draws × units matrix, in blocks.

The matrix comes from the generator packed, one bit per unit; a block is unpacked only to be multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Swaps = NDArray[np.uint8]


def random_swaps(units: int, draws: int, *, rows: int, generator: np.random.Generator) -> Iterator[Swaps]:
    """Yield fair coin flips, 0 or 1, in blocks of at most `rows` draws.

    Every draw consumes whole 64-bit words of the raw stream, so the matrix is the same whatever `rows` is, on every
    platform.

    Args:
        units: number of units.
        draws: number of draws.
        rows: largest number of draws per block.
        generator: source of the bits.

    Yields:
        uint8, (draws of the block, units).

    Examples:
        >>> import numpy as np
        >>> blocks = list(random_swaps(5, 3, rows=2, generator=np.random.Generator(np.random.Philox(key=0))))
        >>> [block.shape for block in blocks]
        [(2, 5), (1, 5)]
        >>> whole = next(random_swaps(5, 3, rows=3, generator=np.random.Generator(np.random.Philox(key=0))))
        >>> bool((np.vstack(blocks) == whole).all())
        True
    """
    words = -(-units // 64)
    for start in range(0, draws, rows):
        count = min(rows, draws - start)
        raw = np.asarray(generator.bit_generator.random_raw(count * words), dtype="<u8")
        yield np.unpackbits(raw.view(np.uint8).reshape(count, 8 * words), axis=1, count=units)


def all_swaps(units: int, *, rows: int) -> Iterator[Swaps]:
    """Yield all 2^units arrangements, the observed one first, in blocks of at most `rows`.

    Args:
        units: number of units.
        rows: largest number of arrangements per block.

    Yields:
        uint8, (arrangements of the block, units).

    Examples:
        >>> next(all_swaps(2, rows=4)).tolist()
        [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    bits = np.arange(units)
    for start in range(0, 2**units, rows):
        numbers = np.arange(start, min(start + rows, 2**units))
        yield ((numbers[:, None] >> bits) & 1).astype(np.uint8)
