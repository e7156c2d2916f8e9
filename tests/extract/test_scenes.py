import numpy as np
import pytest

from extract.datasets.warps import draw_warp, true_patches, warp_image
from extract.known_answer.scenes import CLASS_NAMES, FILLS, SHAPES, Scenes, draw_scenes, render


def equal(one: Scenes, other: Scenes) -> bool:
    return all(np.array_equal(value, getattr(other, name)) for name, value in vars(one).items())


def test_a_scene_does_not_depend_on_what_is_drawn_with_it() -> None:
    assert equal(draw_scenes(12, "s", 0)[5:9], draw_scenes(4, "s", 0, first=5))
    assert not equal(draw_scenes(4, "s", 0), draw_scenes(4, "s", 1))
    scenes = draw_scenes(6, "s", 0)
    whole, part = render(scenes, 32), render(scenes[4:], 32)
    assert np.array_equal(whole[0][4:], part[0]) and np.array_equal(whole[1][4:], part[1])


def test_classes_are_balanced_and_named() -> None:
    assert len(CLASS_NAMES) == len(SHAPES) * len(FILLS) == 10
    labels = draw_scenes(200, "s", 0).label
    assert np.bincount(labels).tolist() == [20] * 10
    assert CLASS_NAMES[labels[3]] == "striped cross"


def test_masks_have_the_area_of_their_shape() -> None:
    scenes = draw_scenes(400, "area", 0)
    _, masks = render(scenes, 128)
    assert np.array_equal(np.unique(masks), np.arange(11))
    area = (masks > 0).mean(axis=(1, 2))
    # A disc of squared radius 0.9; a cross of two bars, 2 by 0.64, less their common square.
    unit = np.where(scenes.label % 2 == 0, 0.9 * np.pi, 2 * 2 * 0.64 - 0.64**2)
    assert [SHAPES[k] for k in (0, 1)] == ["disc", "cross"]
    np.testing.assert_allclose(area / scenes.radius**2, unit, rtol=0.04)
    for mask, label in zip(masks, scenes.label, strict=True):
        assert set(np.unique(mask)) == {0, label + 1}


def test_nothing_but_the_texture_and_shape_tells_the_class() -> None:
    scenes = draw_scenes(2000, "nuisance", 0)
    spread = 5 / np.sqrt(200)
    for nuisance in (
        scenes.radius,
        scenes.centre[:, 0],
        scenes.angle,
        scenes.colours[:, 0, 0],
        scenes.base_colour[:, 1],
    ):
        standard = (nuisance - nuisance.mean()) / nuisance.std()
        by_class = [standard[scenes.label == k].mean() for k in range(10)]
        assert np.abs(by_class).max() < spread


def test_a_warped_scene_is_the_scene_at_warped_points() -> None:
    scenes = draw_scenes(10, "warped", 0)
    warps = np.stack([draw_warp("w", k) for k in range(10)])
    size = 64
    _, masks = render(scenes, size)
    _, warped = render(scenes, size, warps)
    centres = (np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1) + 0.5) / size
    for mask, twin, warp in zip(masks, warped, warps, strict=True):
        # A pixel deep inside the object, or far from it, lands on the same class in the twin.
        flat = centres.reshape(-1, 2)
        moved = np.floor((flat @ warp[:, :2].T + warp[:, 2]) * size).astype(int)
        inside = ((moved >= 1) & (moved < size - 1)).all(axis=1)
        uniform = np.array([len(np.unique(twin[y - 1 : y + 2, x - 1 : x + 2])) == 1 for x, y in moved[inside]])
        source = mask.reshape(-1)[inside][uniform]
        target = twin[moved[inside][uniform][:, 1], moved[inside][uniform][:, 0]]
        assert uniform.mean() > 0.7 and np.array_equal(source, target)


def test_identity_warp_keeps_every_patch() -> None:
    identity = np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32)
    assert np.array_equal(true_patches(identity, (4, 6)), np.arange(24))
    image = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    assert np.array_equal(warp_image(image, identity), image)


def test_true_patches_by_brute_force() -> None:
    for k in range(20):
        warp = draw_warp("brute", k)
        found = true_patches(warp, (5, 7))
        for row in range(5):
            for column in range(7):
                x, y = warp[:, :2].astype(float) @ [(column + 0.5) / 7, (row + 0.5) / 5] + warp[:, 2]
                expected = int(y * 5) * 7 + int(x * 7) if 0 <= x < 1 and 0 <= y < 1 else -1
                assert found[7 * row + column] == expected


def test_a_bright_dot_lands_where_the_warp_says() -> None:
    for k in range(10):
        warp = draw_warp("dot", k)
        image = np.zeros((96, 96, 3), dtype=np.uint8)
        image[40:43, 50:53] = 255
        x, y = (warp[:, :2] @ [51.5 / 96, 41.5 / 96] + warp[:, 2]) * 96
        bright = warp_image(image, warp)[..., 0].astype(float)
        rows, columns = np.indices(bright.shape)
        assert (rows * bright).sum() / bright.sum() + 0.5 == pytest.approx(y, abs=0.5)
        assert (columns * bright).sum() / bright.sum() + 0.5 == pytest.approx(x, abs=0.5)
