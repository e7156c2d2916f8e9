"""Procedural scenes: one labelled object on a textured background, with exact class, mask and warp.

A scene is a set of parameters; an image is those parameters evaluated on a grid of points. The same scene can
therefore be drawn through any affine map without interpolation or borders, and the correspondence between two
drawings is exact. Ten classes: two shapes, each filled with one of five textures. Colour, position, scale,
rotation, texture frequency and phase, background and distractors carry no information about the class.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from config.keys import Key, keyed_generator

SHAPES = ("disc", "cross")
FILLS = ("plain", "striped", "checked", "dotted", "ringed")
CLASS_NAMES = tuple(f"{fill} {shape}" for fill in FILLS for shape in SHAPES)

BACKGROUND_WAVES = 4
DISTRACTORS = 4
NOISE = 0.03  # standard deviation of the pixel noise, on a scale from 0 to 1

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scenes:
    """Parameters of ``n`` scenes. Lengths are fractions of the image side, angles are radians.

    The object's ``label`` indexes ``CLASS_NAMES``; ``noise_key`` seeds the pixel noise of a drawing.
    """

    label: NDArray[np.int64]  # n
    centre: Floats  # n, 2
    radius: Floats  # n
    angle: Floats  # n
    colours: Floats  # n, 2, 3
    fill_frequency: Floats  # n, radians per half axis of the object
    fill_phase: Floats  # n, 2
    wave_vector: Floats  # n, BACKGROUND_WAVES, 2
    wave_phase: Floats  # n, BACKGROUND_WAVES
    wave_colour: Floats  # n, BACKGROUND_WAVES, 3
    base_colour: Floats  # n, 3
    distractor_centre: Floats  # n, DISTRACTORS, 2
    distractor_axes: Floats  # n, DISTRACTORS, 2
    distractor_angle: Floats  # n, DISTRACTORS
    distractor_colour: Floats  # n, DISTRACTORS, 3
    noise_key: NDArray[np.uint64]  # n

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, rows: slice) -> "Scenes":
        return Scenes(*(getattr(self, field.name)[rows] for field in fields(self)))


def draw_scenes(n: int, *key: Key, first: int = 0) -> Scenes:
    """Draw the parameters of scenes ``first`` … ``first + n - 1`` of the stream ``key``.

    Scene ``i`` of a stream is the same whatever ``first`` and ``n`` it is drawn with, and its class is
    ``i mod 10``, so that any ten scenes in a row hold every class once.
    """
    rows = [_draw_scene(i, *key) for i in range(first, first + n)]
    columns = zip(*rows, strict=True)
    return Scenes(*(np.stack(column) for column in columns))


def _draw_scene(index: int, *key: Key) -> tuple[np.generic | NDArray[np.generic], ...]:
    rng = keyed_generator(*key, index)

    def uniform(low: float, high: float, *shape: int) -> Floats:
        return rng.uniform(low, high, shape).astype(np.float32)

    radius = uniform(0.20, 0.34)
    first_colour = uniform(0.0, 1.0, 3)
    # The second colour of a fill is far from the first, so that the texture can be seen at all.
    second_colour = (first_colour + uniform(0.35, 0.65, 3)) % np.float32(1.0)
    wave_length = uniform(0.08, 0.6, BACKGROUND_WAVES)
    wave_angle = uniform(0.0, 2 * np.pi, BACKGROUND_WAVES)
    direction = np.stack([np.cos(wave_angle), np.sin(wave_angle)], axis=-1)
    return (
        np.int64(index % len(CLASS_NAMES)),
        uniform(0.3, 0.7, 2),
        radius,
        uniform(0.0, 2 * np.pi),
        np.stack([first_colour, second_colour]),
        uniform(6.0, 9.0),  # radians per half axis
        uniform(0.0, 2 * np.pi, 2),
        (2 * np.pi * direction / wave_length[:, None]).astype(np.float32),
        uniform(0.0, 2 * np.pi, BACKGROUND_WAVES),
        uniform(-0.12, 0.12, BACKGROUND_WAVES, 3),
        uniform(0.2, 0.8, 3),
        uniform(-0.1, 1.1, DISTRACTORS, 2),
        uniform(0.03, 0.12, DISTRACTORS, 2),
        uniform(0.0, 2 * np.pi, DISTRACTORS),
        uniform(0.0, 1.0, DISTRACTORS, 3),
        rng.integers(0, 2**63, dtype=np.uint64),
    )


def render(scenes: Scenes, size: int, warp: Floats | None = None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw scenes as images and masks.

    Args:
        scenes: n scenes.
        size: side of the square image in pixels.
        warp: n×2×3 affine maps from a point of the scene to a point of the image, both as (x, y) fractions of
            the image side; the identity where None.

    Returns:
        Images, uint8 n×size×size×3, and masks, uint8 n×size×size: 0 is background, 1 + label the object.
    """
    n = len(scenes)
    x, y = _scene_points(n, size, warp)

    image = np.broadcast_to(scenes.base_colour[:, None, None, :], (n, size, size, 3)).copy()
    for k in range(BACKGROUND_WAVES):
        vector = scenes.wave_vector[:, k, :, None, None]
        phase = scenes.wave_phase[:, k, None, None]
        wave = np.sin(vector[:, 0] * x + vector[:, 1] * y + phase)
        image += wave[..., None] * scenes.wave_colour[:, k, None, None, :]
    for k in range(DISTRACTORS):
        u, v = _local(
            x,
            y,
            scenes.distractor_centre[:, k],
            scenes.distractor_angle[:, k],
            scenes.distractor_axes[:, k],
        )
        _paint(image, u * u + v * v <= 1, scenes.distractor_colour[:, k])

    scale = np.repeat(scenes.radius[:, None], 2, axis=1)
    u, v = _local(x, y, scenes.centre, scenes.angle, scale)
    inside = _inside(scenes.label % len(SHAPES), u, v)
    first = _first_colour(scenes, u, v)
    _paint(image, inside & first, scenes.colours[:, 0])
    _paint(image, inside & ~first, scenes.colours[:, 1])
    for k, noise_key in enumerate(scenes.noise_key):
        rng = keyed_generator(int(noise_key), "warped" if warp is not None else "plain")
        image[k] += np.float32(NOISE) * rng.standard_normal(image[k].shape, dtype=np.float32)

    pixels = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
    mask = np.where(inside, scenes.label[:, None, None] + 1, 0).astype(np.uint8)
    return pixels, mask


def _scene_points(n: int, size: int, warp: Floats | None) -> tuple[Floats, Floats]:
    """Return the scene coordinates of every pixel centre, n×size×size each."""
    ticks = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    y, x = np.meshgrid(ticks, ticks, indexing="ij")
    if warp is None:
        return np.broadcast_to(x, (n, size, size)), np.broadcast_to(y, (n, size, size))
    inverse = np.linalg.inv(warp[:, :, :2].astype(np.float64))
    shifted = np.stack([x, y])[None] - warp[:, :, 2, None, None]
    points = np.einsum("nij,njhw->nihw", inverse, shifted).astype(np.float32)
    return points[:, 0], points[:, 1]


def _local(x: Floats, y: Floats, centre: Floats, angle: Floats, scale: Floats) -> tuple[Floats, Floats]:
    """Return coordinates in the frame of a shape: centred, turned back and divided by its half axes."""
    dx = x - centre[:, 0, None, None]
    dy = y - centre[:, 1, None, None]
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    return (
        (cos * dx + sin * dy) / scale[:, 0, None, None],
        (cos * dy - sin * dx) / scale[:, 1, None, None],
    )


def _paint(image: Floats, where: NDArray[np.bool_], colour: Floats) -> None:
    """Set the pixels ``where`` (n×size×size) of each image to its colour (n×3), in place."""
    image[where] = colour[np.nonzero(where)[0]]


def _inside(shape: NDArray[np.int64], u: Floats, v: Floats) -> NDArray[np.bool_]:
    """Tell which points lie in the shape; every shape reaches about as far as the unit circle."""
    inside = np.zeros(u.shape, dtype=bool)
    for k, name in enumerate(SHAPES):
        rows = shape == k
        a, b = u[rows], v[rows]
        square = a * a + b * b
        match name:
            case "disc":
                inside[rows] = square <= 0.9
            case "cross":
                near, far = np.minimum(np.abs(a), np.abs(b)), np.maximum(np.abs(a), np.abs(b))
                inside[rows] = (near <= 0.32) & (far <= 1.0)
    return inside


def _first_colour(scenes: Scenes, u: Floats, v: Floats) -> NDArray[np.bool_]:
    """Tell which points of an object take the first of its two colours."""
    fill = scenes.label // len(SHAPES)
    frequency = scenes.fill_frequency[:, None, None]
    across = np.sin(frequency * u + scenes.fill_phase[:, 0, None, None])
    along = np.sin(frequency * v + scenes.fill_phase[:, 1, None, None])
    first = np.ones(u.shape, dtype=bool)
    for k, name in enumerate(FILLS):
        rows = fill == k
        match name:
            case "striped":
                first[rows] = across[rows] > 0
            case "checked":
                first[rows] = across[rows] * along[rows] > 0
            case "dotted":
                first[rows] = across[rows] + along[rows] > 0.8
            case "ringed":
                radius = np.hypot(u[rows], v[rows])
                first[rows] = np.sin(frequency[rows] * 1.5 * radius) > 0
    return first
