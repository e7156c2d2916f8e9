"""Key points found again, against a calculation by hand."""

import numpy as np
import pytest
import torch

from extract.matching import match_keypoints

GRID = (4, 6)


def by_hand(
    source: np.ndarray, twin: np.ndarray, points: np.ndarray, truth: np.ndarray, radius: np.ndarray
) -> tuple[int, int]:
    """Hits and mutual nearest neighbours of one pair, point by point and patch by patch."""

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))

    down, across = GRID
    hits = cycles = 0
    for (x, y), (true_x, true_y) in zip(points, truth, strict=True):
        column = min(int(x * across), across - 1)
        row = min(int(y * down), down - 1)
        here = row * across + column
        there = max(range(down * across), key=lambda k: cosine(source[here], twin[k]))
        back = max(range(down * across), key=lambda k: cosine(twin[there], source[k]))
        centre_x, centre_y = (there % across + 0.5) / across, (there // across + 0.5) / down
        hits += ((centre_x - true_x) / radius[0]) ** 2 + ((centre_y - true_y) / radius[1]) ** 2 <= 1
        cycles += back == here
    return hits, cycles


def test_counts_are_those_of_a_calculation_by_hand() -> None:
    rng = np.random.default_rng(0)
    pairs, patches = 12, GRID[0] * GRID[1]
    source = rng.normal(size=(pairs, patches, 8))
    twin = 0.7 * source[:, rng.permutation(patches)] + rng.normal(size=source.shape)
    counts = rng.integers(1, 9, pairs)
    points = [rng.random((n, 2)) for n in counts]
    truth = [rng.random((n, 2)) for n in counts]
    radii = rng.uniform(0.1, 0.6, (pairs, 2))
    found = match_keypoints(torch.from_numpy(source), torch.from_numpy(twin), points, truth, radii, GRID)
    expected = [by_hand(*each) for each in zip(source, twin, points, truth, radii, strict=True)]
    assert found.points.tolist() == counts.tolist()
    assert list(zip(found.hits.tolist(), found.cycles.tolist(), strict=True)) == expected
    assert 0 < found.hits.sum() < counts.sum() and 0 < found.cycles.sum() < counts.sum()


def identical(points: list[list[float]], truth: list[list[float]], radius: tuple[float, float]) -> int:
    patches = torch.eye(GRID[0] * GRID[1])[None]
    found = match_keypoints(patches, patches, [np.array(points)], [np.array(truth)], np.array([radius]), GRID)
    assert found.points.tolist() == [len(points)] and found.cycles.tolist() == [len(points)]
    return int(found.hits[0])


def test_the_radius_is_an_ellipse_about_the_annotated_point_border_included() -> None:
    centre = [2.5 / 6, 1.5 / 4]
    for (x, y), hit in (((0.1, 0), 1), ((0.11, 0), 0), ((0, 0.2), 1), ((0, 0.21), 0), ((0.08, 0.15), 0)):
        assert identical([centre], [[centre[0] + x, centre[1] - y]], (0.1, 0.2)) == hit


@pytest.mark.parametrize(("outside", "patch"), [([1.0, 1.0], [5, 3]), ([-0.2, 0.3], [0, 1]), ([0.5, 1.7], [3, 3])])
def test_a_point_on_or_beyond_the_border_is_in_the_outermost_patch(outside: list[float], patch: list[int]) -> None:
    assert identical([outside], [[(patch[0] + 0.5) / 6, (patch[1] + 0.5) / 4]], (0.01, 0.01)) == 1
