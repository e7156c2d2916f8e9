"""Loads: images read from a pack ahead of the passes, in whole groups and whole pairs."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extract.datasets.packs import OpenPack, packed


@dataclass(frozen=True)
class Load:
    """Images that are put onto the device once, and passed under one condition after the other.

    Attributes:
        rows: of the pack; whole groups, with both images of every pair.
        pixels: of these rows, uint8 n×H×W×3.
        pairs: rows of the pack's pairs, all those between the images.
    """

    rows: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    pairs: NDArray[np.int64]


def loads(pack: OpenPack, blocks: Sequence[NDArray[np.int64]], batch_size: int) -> Iterator[Load]:
    """Yield as many blocks at a time as fit into a batch, and at least one; the next ones are read meanwhile."""
    parts = list(packed(blocks, batch_size))
    with ThreadPoolExecutor(1) as reader:
        ahead = deque(reader.submit(pack.images.__getitem__, part) for part in parts[:1])
        for part, following in zip_longest(parts, parts[1:]):
            pixels = ahead.popleft().result()
            if following is not None:
                ahead.append(reader.submit(pack.images.__getitem__, following))
            yield Load(part, np.asarray(pixels), pairs_among(pack.pairs, part))


def pairs_among(pairs: pd.DataFrame, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the pairs whose two images are among ``rows`` of the pack.

    Examples:
        >>> pairs_among(pd.DataFrame({"source": [0, 1], "twin": [2, 3]}), np.array([0, 2, 3]))
        array([0])
    """
    return np.flatnonzero(pairs["source"].isin(rows) & pairs["twin"].isin(rows))
