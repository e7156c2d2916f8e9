"""Matching of image pairs: the nearest neighbour of each patch, or key point, in the other image.

What is true of pairs is put onto the device once (:class:`Warped`, :class:`KeyPoints`) and held against their patches
after every layer and under every condition; counts stay on the device until they are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

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


class Truth(Protocol):
    """What is true of image pairs, on the device."""

    def counts(self, source: Tensor, twin: Tensor, pairs: slice) -> Tensor:
        """Match some of the pairs.

        Args:
            source: patches of their sources, pairs × patches × dimension.
            twin: patches of their twins, likewise.
            pairs: which of the pairs they are.

        Returns:
            int64, 3 × pairs, on the device of the patches: hits, points and cycles (see :class:`PairCounts`).
        """
        ...


@dataclass(frozen=True)
class Warped:
    """Pairs whose twin is a warp of the source: the patch of the twin in which each source patch lies.

    Attributes:
        patches: pairs × patches; −1 where the centre of a source patch lies outside of the twin.
    """

    patches: Tensor

    @classmethod
    def of(cls, warps: NDArray[np.floating], grid: tuple[int, int], device: torch.device) -> "Warped":
        """Put what warps say onto a device (pairs × 2 × 3, source to twin; grid: patches down and across)."""
        return cls(torch.from_numpy(np.stack([true_patches(warp, grid) for warp in warps])).to(device))

    def counts(self, source: Tensor, twin: Tensor, pairs: slice) -> Tensor:
        """Count the patches whose nearest neighbour in the twin, by cosine similarity, is the true one."""
        similarity = F.normalize(source, dim=-1) @ F.normalize(twin, dim=-1).transpose(1, 2)
        forth = similarity.argmax(dim=2)
        back = similarity.argmax(dim=1)
        returned = torch.gather(back, 1, forth) == torch.arange(source.shape[1], device=source.device)
        truth = self.patches[pairs]
        inside = truth >= 0
        return (torch.stack([forth == truth, inside, returned]) & inside).sum(dim=2)


@dataclass(frozen=True)
class KeyPoints:
    """Pairs with annotated points; where pairs have fewer points than others, rows are filled.

    Attributes:
        asked: pairs × points; which are points, and which fill the row.
        patch: pairs × points; the patch of the source that holds the point.
        there: pairs × points × (x, y), where it is in the twin, in fractions of the sides, float64.
        radii: pairs × 1 × (x, y): half axes of the ellipse within which a point counts as found.
        grid: patches down and across.
    """

    asked: Tensor
    patch: Tensor
    there: Tensor
    radii: Tensor
    grid: tuple[int, int]

    @classmethod
    def of(
        cls,
        source_points: Sequence[NDArray[np.floating]],
        twin_points: Sequence[NDArray[np.floating]],
        radii: NDArray[np.floating],
        grid: tuple[int, int],
        device: torch.device,
    ) -> "KeyPoints":
        """Put annotated points onto a device; for the arguments see :func:`match_keypoints`."""
        down, across = grid
        n = [len(points) for points in source_points]
        asked = np.arange(max(n)) < np.array(n)[:, None]
        here, there = (np.zeros((*asked.shape, 2)) for _ in range(2))
        here[asked], there[asked] = np.concatenate(source_points), np.concatenate(twin_points)
        column, row = (np.clip(np.floor(here[..., k] * side), 0, side - 1) for k, side in enumerate((across, down)))
        patch = (row * across + column).astype(np.int64)
        halves = np.asarray(radii, dtype=np.float64)[:, None]
        placed = [torch.tensor(each, device=device) for each in (asked, patch, there, halves)]
        return cls(placed[0], placed[1], placed[2], placed[3], grid)

    def counts(self, source: Tensor, twin: Tensor, pairs: slice) -> Tensor:
        """Count the points that are found in the twin."""
        down, across = self.grid
        asked, patch = self.asked[pairs], self.patch[pairs]
        forth = _nearest(source, patch, twin)
        returned = _nearest(twin, forth, source) == patch
        centre = torch.stack([(forth % across).double(), (forth // across).double()], dim=-1) + 0.5
        centre = torch.stack([centre[..., 0] / across, centre[..., 1] / down], dim=-1)
        # Points are stored in float32: one on the border must not fall out of it by rounding.
        found = ((centre - self.there[pairs]) / self.radii[pairs]).square().sum(dim=-1) <= 1 + 1e-6
        return (torch.stack([found, asked, returned]) & asked).sum(dim=2)


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
    return _counted(Warped.of(warps, grid, source.device), source, twin)


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
    return _counted(KeyPoints.of(source_points, twin_points, radii, grid, source.device), source, twin)


def _counted(truth: Truth, source: Tensor, twin: Tensor) -> PairCounts:
    return PairCounts(*truth.counts(source, twin, slice(None)).cpu().numpy())


def _nearest(patches: Tensor, chosen: Tensor, others: Tensor) -> Tensor:
    """Return the nearest of ``others`` to each chosen patch, pairs × chosen."""
    wanted = torch.gather(patches, 1, chosen[..., None].expand(-1, -1, patches.shape[-1]))
    return (F.normalize(wanted, dim=-1) @ F.normalize(others, dim=-1).transpose(1, 2)).argmax(dim=2)
