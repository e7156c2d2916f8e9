"""Speed of the probes against SciPy's solver on the same features, both on the threads that torch is given.

Left out of the default run: `uv run pytest -n 0 -m benchmark -s tests/benchmarks/test_probe_speed.py` prints the
figures. SciPy's solver is timed on one condition, and its time multiplied by the number of conditions.
"""

import time
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from config.settings import Probe
from extract.tasks.probes import LinearProbe
from tests.extract.scipy_probes import ScipyProbe, scipy_path

pytestmark = pytest.mark.benchmark

OPTIONS = Probe(strengths=(0.001, 0.01, 0.1), held_out=0.2, tokens=("cls",), refits=0, iterations=1000)
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


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def error(probe: LinearProbe, features: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the largest error of a probability: how far SciPy's solver, started there, still moves one."""
    logits = probe.decision(features)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    import torch

    placed = [torch.from_numpy(each) for each in (probe.centre, probe.scale, probe.weights, probe.intercept)]
    start = ScipyProbe(*placed, probe.classes, probe.strength)
    (optimum,) = scipy_path(features, labels, [probe.strength], 1e-9, start)
    return float(np.abs(odds / odds.sum(axis=1, keepdims=True) - optimum.probabilities(features)).max())
