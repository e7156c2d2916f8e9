"""Speed and memory of the permutation engine, as ratios measured in one run.

Left out of the default run: `uv run pytest -n 0 -m benchmark -s` prints the figures.
"""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from threadpoolctl import threadpool_limits

from analysis.engine import packed_counts
from analysis.engine.contrasts import Contrast
from analysis.engine.intervals import bootstrap_metrics
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.p_values import paired_permutation_tests
from config.layout import ROOT

pytestmark = pytest.mark.benchmark

CONTRASTS, UNITS, DRAWS = 64, 5_000, 10_000


def seconds(call: Callable[[], object], repeats: int = 20, clock: Callable[[], float] = time.perf_counter) -> float:
    """The fastest of some calls: what the machine can do when nobody else uses it."""
    times = []
    for _ in range(repeats):
        start = clock()
        call()
        times.append(clock() - start)
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


def permutation_of(contrasts: list[Contrast], draws: int = DRAWS) -> object:
    return paired_permutation_tests(contrasts, draws=draws, key=(1, "speed"))


def our_seconds(contrasts: list[Contrast], draws: int = DRAWS, repeats: int = 20) -> float:
    return seconds(lambda: permutation_of(contrasts, draws), repeats)


def scipy_seconds(values: FloatArray, batch: int | None) -> float:
    """Processor time of one vectorised call of scipy's paired permutation test, which computes in one thread.

    `batch` None is what it does unasked.
    """
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
        clock=time.process_time,
    )


@pytest.mark.parametrize(("kind", "least"), [("0/1", 3_000), ("scores", 800)])
def test_faster_than_scipy_thread_by_thread(kind: str, least: int) -> None:
    # One thread each, by the processor's clock; the time on the wall with all of our threads stands beside it.
    values = np.random.default_rng(1).normal(size=(2, UNITS))
    theirs = CONTRASTS * scipy_seconds(values, batch=None)
    tuned = CONTRASTS * scipy_seconds(values, batch=200)
    with threadpool_limits(1):
        contrasts = outcomes(kind)
        ours = seconds(lambda: permutation_of(contrasts), clock=time.process_time)
    threaded = our_seconds(outcomes(kind))
    print(f"\n{kind}: {CONTRASTS} calls of scipy {theirs:.0f} s, in batches that suit the cache {tuned:.0f} s")
    for threads, took in (("one thread", ours), ("all threads", threaded)):
        print(f"  {threads}: {took:.3f} s, {theirs / took:.0f} times as fast, in batches {tuned / took:.0f} times")
    assert theirs / ours >= least


def test_counting_bits_is_faster_than_the_matrix_product(monkeypatch: pytest.MonkeyPatch) -> None:
    contrasts = outcomes("0/1")
    with threadpool_limits(1):
        counted = our_seconds(contrasts)
        for name in ("SMALLEST_WORK", "SMALLEST_WORK_LOADED"):
            monkeypatch.setattr(packed_counts, name, np.inf)
        multiplied = our_seconds(contrasts)
    times = multiplied / counted
    print(f"\ncounting bits {counted:.3f} s, matrix product {multiplied:.3f} s: {times:.1f} times as fast")
    assert times >= 2


def test_loading_the_compiled_code() -> None:
    code = (
        "import time; import analysis.engine.p_values; start = time.perf_counter(); "
        "import analysis.engine.popcounts; print(time.perf_counter() - start)"
    )
    command = [sys.executable, "-c", code]
    took = [float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout) for _ in range(4)]
    print(f"\nloading the compiled code: {took[0]:.2f} s at first, {min(took[1:]):.2f} s later")
    assert min(took[1:]) < 2


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


def test_bootstrap_of_100_000_binary_outcomes_below_half_a_second() -> None:
    generator = np.random.default_rng(4)
    ones = np.ones((100_000, 1))
    counts = [Counts(generator.integers(0, 2, (100_000, 1)).astype(float), ones) for _ in range(2)]
    ours = seconds(lambda: bootstrap_metrics(counts, resamples=2_000, key=(1, "speed")), repeats=5)
    print(f"\n2,000 resamples of 100,000 units under two conditions: {ours:.3f} s")
    assert ours < 0.5
