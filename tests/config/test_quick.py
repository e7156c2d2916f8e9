"""The first look of `config/quick.yaml` needs nothing behind a gate, and is small."""

import subprocess
import sys
from pathlib import Path

import yaml

from config.layout import ROOT
from config.resolve import resolve, unmatched
from config.settings import settings

QUICK = yaml.safe_load((ROOT / "config" / "quick.yaml").read_text())


def test_it_is_a_config_of_few_images_and_of_models_without_a_gate() -> None:
    resolved = resolve(QUICK)
    chosen = settings(resolved)
    assert unmatched(resolved) == []
    assert {model.family for model in chosen.models.values()} == {"dinov2", "dinov2_reg"}
    (images,) = chosen.datasets.values()
    assert images.per_class is not None and 10 * images.per_class <= 1000
    assert chosen.extraction.device == "auto"


def test_it_can_be_planned_once_its_data_are_there(tmp_path: Path) -> None:
    for name in ("n01440764", "n02102040"):
        (tmp_path / "val" / name).mkdir(parents=True)
    QUICK["datasets"]["imagenette"]["path"] = str(tmp_path / "val")
    (tmp_path / "quick.yaml").write_text(yaml.safe_dump({**QUICK, "run": "quick_dry_run"}, sort_keys=False))
    command = ["-m", "snakemake", "--configfile", str(tmp_path / "quick.yaml"), "--dry-run", "--cores", "1"]
    plan = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    assert plan.returncode == 0, plan.stdout + plan.stderr
    assert "prepare_imagenette" in plan.stdout and "rule all" in plan.stdout
