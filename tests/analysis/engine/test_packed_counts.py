"""Counting bits gives the sums of the matrix product, bit for bit, and is left alone where it would not pay."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.engine import packed_counts
from analysis.engine.contrasts import Contrast
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.packed_counts import LARGEST_SIZE, BitPlanes, pays
from analysis.engine.permutation import PermutationDraws, permute
from analysis.engine.swaps import packed_swaps, random_swaps
from config.keys import keyed_generator

LENGTHS = (1, 63, 64, 65, 200, 1_500)


def outcome(generator: np.random.Generator, units: int, chance: float = 0.5) -> Counts:
    return Counts((generator.random((units, 1)) < chance).astype(float), np.ones((units, 1)))


def points(generator: np.random.Generator, units: int) -> list[Counts]:
    """Hits among the points of each pair, under two labels."""
    among = generator.integers(1, LARGEST_SIZE + 1, (units, 1)).astype(float)
    return [Counts(np.floor(among * generator.random((units, 1))), among) for _ in range(2)]


def contrasts_of(kind: str, units: int) -> list[Contrast]:
    """Five contrasts of one kind; clusters are of three units."""
    generator = np.random.default_rng([units, len(kind)])
    made = []
    for _ in range(5):
        pair = [outcome(generator, units), outcome(generator, units)]
        if kind == "sparse":
            pair[1] = Counts(np.where(generator.random((units, 1)) < 0.02, 0, pair[0].numerator), pair[0].denominator)
        elif kind == "points":
            pair = points(generator, units)
        elif kind == "clusters":
            pair = [one.summed_over(np.arange(units) // 3) for one in pair]
        if kind == "differences of differences":
            other = (outcome(generator, units), outcome(generator, units))
            made.append(Contrast.difference_of_differences((pair[0], pair[1]), other))
        else:
            made.append(Contrast.difference(*pair))
    return made


def permuted(contrasts: list[Contrast], monkeypatch: pytest.MonkeyPatch, smallest_work: float) -> PermutationDraws:
    for name in ("SMALLEST_WORK", "SMALLEST_WORK_LOADED"):
        monkeypatch.setattr(packed_counts, name, smallest_work)
    # Blocks of several draws, the last one of another size, odd sizes among them.
    return permute(contrasts, draws=1_001, key=(3, "packed"), block_bytes=2**18)


@pytest.mark.parametrize("kind", ["0/1", "sparse", "points", "clusters", "differences of differences"])
@pytest.mark.parametrize("units", LENGTHS)
def test_both_paths_give_the_same_null_statistics(kind: str, units: int, monkeypatch: pytest.MonkeyPatch) -> None:
    contrasts = contrasts_of(kind, units)
    product = permuted(contrasts, monkeypatch, np.inf)
    counted: list[FloatArray] = []
    moved = BitPlanes.moved
    monkeypatch.setattr(BitPlanes, "moved", lambda self, swaps: counted.append(moved(self, swaps)) or counted[-1])
    packed = permuted(contrasts, monkeypatch, 0)
    assert sum(map(len, counted)) == 1_001
    np.testing.assert_array_equal(packed.null, product.null)
    np.testing.assert_array_equal(packed.two_sided(), product.two_sided())
    np.testing.assert_array_equal(packed.scale, product.scale)


@pytest.mark.parametrize("units", LENGTHS)
def test_moved_counts_are_sums_over_the_swapped_units(units: int) -> None:
    columns = np.random.default_rng(units).integers(-LARGEST_SIZE, LARGEST_SIZE + 1, (units, 4)).astype(float)
    columns[:, 1] = 0
    packed = next(packed_swaps(units, 33, rows=33, generator=keyed_generator(5)))
    swapped = next(random_swaps(units, 33, rows=33, generator=keyed_generator(5)))
    expected = [[sum(columns[swap == 1, column]) for column in range(4)] for swap in swapped]
    assert BitPlanes.of(columns).moved(packed).tolist() == expected
    assert not BitPlanes.of(0 * columns).moved(packed).any()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, -1.0, 0.0], True),
        ([LARGEST_SIZE, 0.0, 0.0], True),
        ([LARGEST_SIZE + 1, 0, 0], False),
        ([0.5, 0, 1], False),
    ],
)
def test_only_small_whole_counts_are_counted(values: list[float], expected: bool) -> None:
    columns = np.tile(np.array(values)[:, None], (400, 3))
    assert pays(columns, draws=1_000_000) is expected
    assert not pays(columns, draws=1)


def test_mean_iou_beside_0_1_outcomes_takes_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(4)
    union = np.floor(900 * generator.random((65, 3))) + 1
    areas = Contrast.difference(*(Counts(np.floor(union * generator.random((65, 3))), union) for _ in range(2)))
    contrasts = [areas, *contrasts_of("0/1", 65)]
    np.testing.assert_array_equal(
        permuted(contrasts, monkeypatch, 0).null, permuted(contrasts, monkeypatch, np.inf).null
    )


def test_scale_does_not_depend_on_other_contrasts() -> None:
    generator = np.random.default_rng(6)

    def areas() -> Contrast:
        union = np.floor(900 * generator.random((2, 65, 3))) + 1
        return Contrast.difference(*(Counts(np.floor(one * generator.random((65, 3))), one) for one in union))

    several = [areas() for _ in range(3)]
    together = permute(several, draws=999, key=(1, "scale")).scale
    alone = [permute([one], draws=999, key=(1, "scale")).scale[0] for one in several]
    assert together.tolist() == alone


@pytest.mark.parametrize("failure", ["no folder", "cannot write"])
def test_without_a_cache_the_code_is_compiled_all_the_same(failure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from numba.core import caching

    from analysis.engine import popcounts

    if failure == "no folder":
        monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    else:

        def refuse(*_: object) -> None:
            raise OSError("No space left on device")

        # Nothing is found in the cache, and nothing can be kept in it.
        monkeypatch.setattr(caching.IndexDataCacheFile, "load", lambda *_: None)
        monkeypatch.setattr(caching.IndexDataCacheFile, "save", refuse)
    compiled = popcounts._compiled(popcounts._moved)
    moved = np.zeros((1, 1))
    bits = np.array([[0b1011]], dtype=np.uint64)
    compiled(bits, 0 * bits, 0 * bits + 0b0111, np.zeros(1, np.int64), np.ones(1), moved)
    assert moved.tolist() == [[2.0]]
