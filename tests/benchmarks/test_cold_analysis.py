"""Time of a small analysis from cold: a fresh interpreter, its imports, the tests, the tables and the figures.

Left out of the default run: `uv run pytest -n 0 -m benchmark -s` prints the figures.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.layout import ROOT
from tests.benchmarks.small_study import write_small_study

pytestmark = pytest.mark.benchmark

RUNS = 5


def cold_seconds(*arguments: str) -> tuple[float, float]:
    """Wall and processor seconds of `python -m analysis` with arguments: the fastest of some runs each."""
    wall, processor = [], []
    for _ in range(RUNS):
        before, start = os.times(), time.perf_counter()
        subprocess.run([sys.executable, "-m", "analysis", *arguments], cwd=ROOT, check=True, capture_output=True)
        wall.append(time.perf_counter() - start)
        after = os.times()
        processor.append(after.children_user - before.children_user + after.children_system - before.children_system)
    return min(wall), min(processor)


@pytest.mark.parametrize(("more", "limit"), [((), 2.5), (("--no-figures",), 2.0)], ids=["figures", "no figures"])
def test_small_analysis_from_cold(more: tuple[str, ...], limit: float, tmp_path: Path) -> None:
    folder = write_small_study(tmp_path / "in")
    wall, processor = cold_seconds(str(folder), "--out", str(tmp_path / "out"), *more)
    print(f"\n300 units × 14 conditions × 2 models {' '.join(more)}: {wall:.2f} s, {processor:.2f} s of processor time")
    assert wall <= limit
