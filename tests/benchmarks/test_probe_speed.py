"""Speed of the probes against SciPy's solver on the same features, both on the threads that torch is given.

Left out of the default run: `uv run pytest -n 0 -m benchmark -s tests/benchmarks/test_probe_speed.py` prints the
figures. SciPy's solver, which takes the same time for every condition, is timed on two of them.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from config.settings import Probe
from extract.tasks.linear_probe import LinearProbe
from extract.tasks.probes import linear_probes
from tests.extract.scipy_probes import ScipyProbe, scipy_path, scipy_probe

pytestmark = pytest.mark.benchmark

OPTIONS = Probe(strengths=(0.001, 0.01, 0.1), held_out=0.2, tokens=("cls",), refits=0, iterations=1000)
CONDITIONS, TIMED = 20, (0, 10)
PROBABILITY = 2e-6


def conditions(n: int, rows: int, dimension: int, classes: int) -> tuple[list[NDArray[np.float32]], NDArray[np.int64]]:
    """Return features of the same images under several conditions, each another mixture and other noise."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % classes
    means = rng.normal(size=(classes, dimension)) * np.geomspace(1, 0.03, dimension)
    full = means[labels] + rng.normal(size=(rows, dimension))
    found = [full.astype(np.float32)]
    for _ in range(n - 1):
        mixture = np.eye(dimension) + 0.3 * rng.normal(size=(dimension, dimension)) / np.sqrt(dimension)
        found.append((full @ mixture + 0.3 * rng.normal(size=full.shape)).astype(np.float32))
    return found, labels


Found = TypeVar("Found")


def timed(call: Callable[[], Found]) -> tuple[Found, float]:
    start = time.perf_counter()
    found = call()
    return found, time.perf_counter() - start


def error(probe: LinearProbe, features: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the largest error of a probability: how far SciPy's solver, started there, still moves one."""
    logits = probe.decision(features)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    centre, scale = torch.from_numpy(probe.centre), torch.from_numpy(probe.scale)
    weights, intercept = torch.from_numpy(probe.weights), torch.from_numpy(probe.intercept)
    start = ScipyProbe(centre, scale, weights, intercept, probe.classes, probe.strength)
    (optimum,) = scipy_path(features, labels, [probe.strength], 1e-9, start)
    return float(np.abs(odds / odds.sum(axis=1, keepdims=True) - optimum.probabilities(features)).max())


def test_probes_of_many_classes_take_a_tenth_of_scipys_time() -> None:
    features, labels = conditions(CONDITIONS, rows=5000, dimension=384, classes=1000)
    units = [f"image {k}" for k in range(len(labels))]
    probes, ours = timed(lambda: linear_probes(features, labels, units, OPTIONS))
    references = [timed(partial(scipy_probe, features[k], labels, units, OPTIONS)) for k in TIMED]
    theirs = CONDITIONS * float(np.mean([spent for _, spent in references]))
    errors = [error(probes[k], features[k], labels) for k in TIMED]
    print(
        f"\n{CONDITIONS} probes: {ours:.0f} s, SciPy {theirs:.0f} s, {theirs / ours:.1f} times as fast on "
        f"{torch.get_num_threads()} threads; error of a probability {max(errors):.1e}"
    )
    assert all(probe.converged for probe in probes)
    assert [probes[k].strength for k in TIMED] == [reference.strength for reference, _ in references]
    assert max(errors) < PROBABILITY
    assert theirs / ours > 10
