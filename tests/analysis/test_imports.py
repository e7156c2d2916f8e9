"""What an analysis imports: each of these takes as long to import as small data to analyse, or longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from config.layout import ROOT
from tests.benchmarks.small_study import write_small_study

HEAVY = {
    "matplotlib", "numba", "scipy.optimize", "scipy.stats", "seaborn", "sklearn", "snakemake", "statsmodels", "timm",
    "torch", "torchvision",
}  # fmt: skip


def imported(code: str, *arguments: str) -> set[str]:
    """Heavy modules that a fresh interpreter holds after `code`."""
    printing = f"import sys\n{code}\nprint('heavy:', *({HEAVY!r} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", printing, *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(run.stdout.rpartition("heavy:")[2].split())


@pytest.mark.parametrize("module", ["analysis.__main__", "analysis.statistics.study", "analysis.engine.p_values"])
def test_importing_the_analysis_imports_nothing_heavy(module: str) -> None:
    assert imported(f"import {module}") == set()


def test_small_analysis_imports_nothing_heavy_but_what_draws(tmp_path: Path) -> None:
    folder = write_small_study(tmp_path / "in")
    code = "from analysis.__main__ import main\nmain()"
    assert imported(code, str(folder), "--out", str(tmp_path / "out")) == {"matplotlib"}
    assert (tmp_path / "out" / "figures" / "mine" / "delta_heatmap.svg").is_file()
    code = "from analysis.__main__ import main\nmain()"
    assert imported(code, str(folder), "--out", str(tmp_path / "bare"), "--no-figures") == set()
    assert (tmp_path / "bare" / "tables" / "ablation.csv").is_file()
    assert not (tmp_path / "bare" / "figures").exists()
