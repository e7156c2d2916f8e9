"""Affine warps with exact ground truth: which patch of a warped twin shows what a patch of its source shows.

A warp is a 2×3 matrix that maps a point of the source to a point of the twin, both as (x, y) fractions of the
image side.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from config.keys import keyed_generator
from config.settings import Warps

Floats = NDArray[np.float32]


RANGES = Warps()  # the article names none


def draw_warp(*key: str | int, ranges: Warps = RANGES) -> Floats:
    """Draw a rotation, zoom and shift about the image centre within ``ranges``, keyed by ``key``."""
    turn = np.deg2rad(ranges.turn)
    rng = keyed_generator(*key, "warp")
    angle = rng.uniform(-turn, turn)
    zoom = ranges.zoom ** rng.uniform(-1, 1)
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([0.5, 0.5])
    shift = centre - linear @ centre + rng.uniform(-ranges.shift, ranges.shift, 2)
    return np.column_stack([linear, shift]).astype(np.float32)


def warp_image(image: NDArray[np.uint8], warp: Floats) -> NDArray[np.uint8]:
    """Return the warped twin of an H×W×3 image (bilinear; mirrored beyond the border)."""
    height, width, _ = image.shape
    y, x = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    matrix = warp.astype(np.float64)
    inverse = np.linalg.inv(matrix[:, :2])
    source = np.einsum("ij,jhw->ihw", inverse, np.stack([x, y]) - matrix[:, 2, None, None])
    rows, columns = source[1] * height - 0.5, source[0] * width - 0.5
    channels = [
        map_coordinates(image[..., k].astype(np.float32), [rows, columns], order=1, mode="reflect") for k in range(3)
    ]
    warped: NDArray[np.uint8] = np.clip(np.rint(np.stack(channels, axis=-1)), 0, 255).astype(np.uint8)
    return warped


def true_patches(warp: NDArray[np.floating], grid: tuple[int, int]) -> NDArray[np.int64]:
    """Return, for each source patch in raster order, the twin's patch in which its centre lies; −1 if outside.

    Args:
        warp: 2×3, source to twin.
        grid: patches down and across.
    """
    down, across = grid
    y, x = np.meshgrid((np.arange(down) + 0.5) / down, (np.arange(across) + 0.5) / across, indexing="ij")
    matrix = np.asarray(warp, dtype=np.float64)
    moved = np.stack([x.ravel(), y.ravel()], axis=1) @ matrix[:, :2].T + matrix[:, 2]
    column, row = np.floor(moved[:, 0] * across), np.floor(moved[:, 1] * down)
    inside = (column >= 0) & (column < across) & (row >= 0) & (row < down)
    return np.where(inside, row * across + column, -1).astype(np.int64)
