"""Which units swap their labels in which draw: a Boolean draws × units matrix, in blocks.

The matrix comes from the generator packed, one bit per unit; a block is unpacked only to be multiplied.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Swaps = NDArray[np.uint8]
PackedSwaps = NDArray[np.uint64]


def packed_swaps(units: int, draws: int, *, rows: int, generator: np.random.Generator) -> Iterator[PackedSwaps]:
    """Yield fair coin flips, one bit per unit, in blocks of at most `rows` draws.

    Every draw consumes whole 64-bit words of the raw stream, so the matrix is the same whatever `rows` is, on every
    platform. Units are in the order of `numpy.packbits`: the first is the highest bit of the first byte. Bits beyond
    the last unit are random too.

    Args:
        units: number of units.
        draws: number of draws.
        rows: largest number of draws per block.
        generator: source of the bits.

    Yields:
        uint64, (draws of the block, words).

    Examples:
        >>> import numpy as np
        >>> generator = np.random.Generator(np.random.Philox(key=0))
        >>> [block.shape for block in packed_swaps(65, 3, rows=2, generator=generator)]
        [(2, 2), (1, 2)]
    """
    words = -(-units // 64)
    for start in range(0, draws, rows):
        count = min(rows, draws - start)
        raw = np.asarray(generator.bit_generator.random_raw(count * words), dtype="<u8")
        yield raw.view(np.uint64).reshape(count, words)


def random_swaps(units: int, draws: int, *, rows: int, generator: np.random.Generator) -> Iterator[Swaps]:
    """Yield the coin flips of `packed_swaps`, 0 or 1 for every unit, in blocks of at most `rows` draws.

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
    for packed in packed_swaps(units, draws, rows=rows, generator=generator):
        yield np.unpackbits(packed.view(np.uint8), axis=1, count=units)


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
