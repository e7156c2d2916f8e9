"""The device at hand, found without importing torch."""

import os
import shutil
import subprocess
import time
from dataclasses import dataclass

import numpy as np

from config.settings import Extraction
from extract.jobs import NVIDIA
from extract.preflight.catalogue import catalogue

REFERENCE = "H200"  # stands for the GPU where the config asks for one and none is here
SIDE, REPEATS = 512, 50  # of the matrix products that time a CPU: short, and the best of many, as others compute too


@dataclass(frozen=True)
class Device:
    """Where a run computes.

    Attributes:
        name: as printed.
        kind: cpu or cuda.
        flops: operations a second that a forward pass in float32 reaches; None where that is not known.
        how: where the number is from.
        memory: bytes of the device, None where not known.
        absent: the config asks for a GPU, and there is none.
    """

    name: str
    kind: str
    flops: float | None
    how: str
    memory: int | None
    absent: bool = False


def device_for(options: Extraction) -> Device:
    """Return the device that a run on this machine computes on; for a GPU that is not here, `REFERENCE`."""
    rates = catalogue()["rates"]
    found = _gpu() if options.device != "cpu" and NVIDIA.exists() else None
    if options.device == "cpu" or (options.device == "auto" and found is None):
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        rate = _matrix_products() * rates["cpu"]["share"]
        return Device(f"CPU, {cores} cores", "cpu", rate, rates["cpu"]["how"], _memory())
    name, memory = found or (REFERENCE, None)
    # The longest name first, so that an L40 is no L4.
    known = next((key for key in sorted(rates["tflops"], key=len, reverse=True) if key in name), None)
    rate = None if known is None else rates["tflops"][known] * 1e12 * rates["cuda"]["share"]
    how = rates["cuda"]["how"] if known else "its rate is not in extract/preflight/catalogue.yaml"
    return Device(name, "cuda", rate, how, memory, absent=found is None)


def _matrix_products() -> float:
    """Return the operations a second of float32 matrix products on this machine's cores, at best of some."""
    a = np.ones((SIDE, SIDE), np.float32)
    a @ a
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return 2 * SIDE**3 / best


def _gpu() -> tuple[str, int] | None:
    """Return the name of the first GPU and its memory in bytes."""
    if shutil.which("nvidia-smi") is None:
        return None
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True, timeout=5, check=True).stdout.splitlines()
        name, memory = lines[0].rsplit(",", 1)
        return name.strip(), int(memory) * 2**20
    except (subprocess.SubprocessError, OSError, IndexError, ValueError):
        return None


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None
