"""Matching image pairs patch by patch: does a patch find its own place in the warped twin?"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from extract.datasets.warps import true_patches


@dataclass(frozen=True)
class PairCounts:
    """Counts of one or more pairs, int64, one value a pair.

    Attributes:
        hits: source patches whose most similar twin patch is the true one.
        points: source patches whose centre lies in the twin.
        cycles: those whose most similar twin patch has them as its own most similar source patch.
    """

    hits: NDArray[np.int64]
    points: NDArray[np.int64]
    cycles: NDArray[np.int64]


@torch.inference_mode()
def match(source: Tensor, twin: Tensor, warps: NDArray[np.floating], grid: tuple[int, int]) -> PairCounts:
    """Match every patch of the sources to its nearest neighbour in the twin by cosine similarity.

    Args:
        source: pairs × patches × dimension.
        twin: pairs × patches × dimension.
        warps: pairs × 2 × 3, source to twin (see :mod:`extract.datasets.warps`).
        grid: patches down and across.

    Returns:
        Counts per pair. Ties go to the first patch in raster order.
    """
    similarity = F.normalize(source, dim=-1) @ F.normalize(twin, dim=-1).transpose(1, 2)
    forth = similarity.argmax(dim=2)
    back = similarity.argmax(dim=1)
    patches = source.shape[1]
    returned = torch.gather(back, 1, forth) == torch.arange(patches, device=source.device)
    truth = torch.from_numpy(np.stack([true_patches(warp, grid) for warp in warps])).to(source.device)
    inside = truth >= 0

    def count(which: Tensor) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = (which & inside).sum(dim=1).cpu().numpy()
        return counts

    return PairCounts(count(forth == truth), count(inside), count(returned))
