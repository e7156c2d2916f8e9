"""Matching of image pairs: the nearest neighbour of each patch, or key point, in the other image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from extract.datasets.warps import true_patches


@dataclass(frozen=True)
class PairCounts:
    """Counts of one or more image pairs, int64, one value per pair.

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
    """Count the patches whose nearest neighbour in the twin, by cosine similarity, is the true one.

    Args:
        source: pairs × patches × dimension.
        twin: pairs × patches × dimension.
        warps: pairs × 2 × 3, source to twin (see :mod:`extract.datasets.warps`).
        grid: patches down and across.

    Returns:
        Counts per pair. Ties go to the first patch in raster order.

    Examples:
        >>> patches = torch.eye(4)[None]  # a 2 × 2 grid, each patch a direction of its own
        >>> identity = np.array([[[1, 0, 0], [0, 1, 0]]])
        >>> match(patches, patches[:, [1, 0, 2, 3]], identity, grid=(2, 2))
        PairCounts(hits=array([2]), points=array([4]), cycles=array([4]))
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


@torch.inference_mode()
def match_keypoints(
    source: Tensor,
    twin: Tensor,
    source_points: Sequence[NDArray[np.floating]],
    twin_points: Sequence[NDArray[np.floating]],
    radii: NDArray[np.floating],
    grid: tuple[int, int],
) -> PairCounts:
    """Count the annotated points that are found in the twin: PCK, correct key points (Min et al. 2019, SPair-71k).

    The patch that holds a source point is matched to its nearest neighbour in the twin by cosine similarity; the
    point is found where the centre of that patch lies within the radius of the annotated point, border included.

    Args:
        source: pairs × patches × dimension.
        twin: pairs × patches × dimension.
        source_points: for each pair, points × (x, y) in fractions of the sides; one outside is taken at the border.
        twin_points: for each pair, where these points are in the twin.
        radii: pairs × (x, y): half axes of the ellipse within which a point counts as found, in fractions.
        grid: patches down and across.

    Returns:
        Counts per pair of key points: found, asked for, and mutual nearest neighbours. Ties go to the first patch in
        raster order.

    Examples:
        >>> patches = torch.eye(4)[None]
        >>> here, there = np.array([[0.2, 0.3], [0.8, 0.7]]), np.array([[0.25, 0.25], [0.1, 0.1]])
        >>> match_keypoints(patches, patches, [here], [there], radii=np.array([[0.1, 0.1]]), grid=(2, 2))
        PairCounts(hits=array([1]), points=array([2]), cycles=array([2]))
    """
    down, across = grid
    n = [len(points) for points in source_points]
    asked = np.arange(max(n)) < np.array(n)[:, None]  # pairs × most points: which are points, and which fill the row
    here, there = (np.zeros((*asked.shape, 2)) for _ in range(2))
    here[asked], there[asked] = np.concatenate(source_points), np.concatenate(twin_points)
    column, row = (np.clip(np.floor(here[..., k] * side), 0, side - 1) for k, side in enumerate((across, down)))
    patch = torch.from_numpy((row * across + column).astype(np.int64)).to(source.device)

    forth = _nearest(source, patch, twin)
    returned = (_nearest(twin, forth, source) == patch).cpu().numpy()
    found = forth.cpu().numpy()
    centre = np.stack([(found % across + 0.5) / across, (found // across + 0.5) / down], axis=-1)
    # Points are stored in float32: one on the border must not fall out of it by rounding.
    hit = (np.square((centre - there) / radii[:, None]).sum(axis=-1) <= 1 + 1e-6) & asked
    return PairCounts(hit.sum(axis=1), asked.sum(axis=1), (returned & asked).sum(axis=1))


def _nearest(patches: Tensor, chosen: Tensor, others: Tensor) -> Tensor:
    """Return the nearest of ``others`` to each chosen patch, pairs × chosen."""
    wanted = torch.gather(patches, 1, chosen[..., None].expand(-1, -1, patches.shape[-1]))
    return (F.normalize(wanted, dim=-1) @ F.normalize(others, dim=-1).transpose(1, 2)).argmax(dim=2)
