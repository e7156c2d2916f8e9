"""Speed and memory of the permutation engine, as ratios measured in one run.

Left out of the default run: `uv run pytest -n 0 -m benchmark -s` prints the figures.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from analysis.engine.contrasts import Contrast
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.p_values import paired_permutation_tests

pytestmark = pytest.mark.benchmark

CONTRASTS, UNITS, DRAWS = 64, 5_000, 10_000


def seconds(call: Callable[[], object], repeats: int = 20) -> float:
    """The fastest of some calls: what the machine can do when nobody else uses it."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def outcomes(kind: str, units: int = UNITS, contrasts: int = CONTRASTS) -> list[Contrast]:
    generator = np.random.default_rng(1)
    ones = np.ones((units, 1))
    values = (
        generator.integers(0, 2, (2, contrasts, units, 1)).astype(float)
        if kind == "0/1"
        else generator.normal(size=(2, contrasts, units, 1))
    )
    return [Contrast.difference(Counts(values[0, i], ones), Counts(values[1, i], ones)) for i in range(contrasts)]


def our_seconds(contrasts: list[Contrast], draws: int = DRAWS, repeats: int = 20) -> float:
    return seconds(lambda: paired_permutation_tests(contrasts, draws=draws, key=(1, "speed")), repeats)


def scipy_seconds(values: FloatArray, batch: int | None) -> float:
    """One vectorised call of scipy's paired permutation test; `batch` None is what it does unasked."""
    return seconds(
        lambda: stats.permutation_test(
            (values[0], values[1]),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=DRAWS,
            batch=batch,
            rng=np.random.default_rng(1),
        ),
        repeats=2,
    )


@pytest.mark.parametrize("kind", ["0/1", "scores"])
def test_at_least_1500_times_as_fast_as_scipy(kind: str) -> None:
    values = np.random.default_rng(1).normal(size=(2, UNITS))
    theirs = CONTRASTS * scipy_seconds(values, batch=None)
    tuned = CONTRASTS * scipy_seconds(values, batch=200)
    ours = our_seconds(outcomes(kind))
    print(
        f"\n{kind}: {ours:.3f} s; {CONTRASTS} calls of scipy {theirs:.0f} s: {theirs / ours:.0f} times as fast; "
        f"in batches that suit the cache {tuned:.0f} s: {tuned / ours:.0f} times"
    )
    assert theirs / ours >= 1_500


@pytest.mark.parametrize(("kind", "dtype"), [("0/1", np.float32), ("scores", np.float64)])
def test_within_2_5_times_of_the_bare_matrix_product(kind: str, dtype: type) -> None:
    generator = np.random.default_rng(2)
    swaps = generator.integers(0, 2, (DRAWS, UNITS)).astype(dtype)
    differences = generator.integers(-1, 2, (UNITS, CONTRASTS)).astype(dtype)
    product = seconds(lambda: swaps @ differences)
    ours = our_seconds(outcomes(kind))
    print(f"\n{kind}: {ours:.3f} s; bare product in {np.dtype(dtype).name} {product:.3f} s: {ours / product:.2f} times")
    assert ours / product <= 2.5


@pytest.mark.parametrize("kind", ["0/1", "scores"])
def test_peak_memory_stays_below_500_mb(kind: str) -> None:
    tracemalloc.start()
    try:
        paired_permutation_tests(outcomes(kind), draws=DRAWS, key=(1, "memory"))
        peak = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    print(f"\n{kind}: peak memory {peak:.0f} MB, outcomes included")
    assert peak < 500


def test_mean_iou_of_a_validation_set_below_one_second() -> None:
    generator = np.random.default_rng(3)
    images, classes = 1_449, 21
    union = generator.integers(0, 60_000, (2, images, classes)) * (generator.random((images, classes)) < 0.15)
    intersection = np.floor(union * generator.random((2, images, classes)))
    contrast = Contrast.difference(*(Counts(intersection[i], union[i].astype(float)) for i in (0, 1)))
    ours = our_seconds([contrast])
    print(f"\nmIoU, {images} images × {classes} classes, {DRAWS} draws: {ours:.3f} s")
    assert ours < 1


def test_time_grows_linearly_in_units_and_draws() -> None:
    # Ten times the units, then twice that by draws: time per unit and draw may not grow by more than a half.
    small = our_seconds(outcomes("scores", units=5_000, contrasts=8), draws=5_000, repeats=4) / (5_000 * 5_000)
    wide = our_seconds(outcomes("scores", units=50_000, contrasts=8), draws=5_000, repeats=4) / (50_000 * 5_000)
    large = our_seconds(outcomes("scores", units=50_000, contrasts=8), draws=10_000, repeats=4) / (50_000 * 10_000)
    print(f"\nper unit and draw: {1e9 * small:.2f}, {1e9 * wide:.2f}, {1e9 * large:.2f} ns")
    assert wide <= 1.5 * small
    assert large <= 1.5 * small
