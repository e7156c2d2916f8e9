"""Hours and memory of preflight, compared with an extraction that runs. `uv run pytest -n 0 -m benchmark`."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from config.layout import ROOT, Run
from config.resolve import resolve
from config.settings import save_resolved, settings
from extract.datasets.prepare import prepare
from extract.preflight.catalogue import catalogue, shape_of
from extract.preflight.cost import of_model
from extract.preflight.device import device_for
from extract.preflight.inventory import size_of

FACTOR = 3
QUICK = yaml.safe_load((ROOT / "config" / "quick.yaml").read_text())
EXTRACT = """
import resource, sys, time
from pathlib import Path
from config.layout import Run
from config.settings import load_settings
from extract import calibration, run
chosen = load_settings(Path(sys.argv[1]))
folder = Run(Path(sys.argv[1]).parent)
start = time.monotonic()
calibration.run(chosen, folder, "m")
run.run(chosen, folder, "m", chosen.datasets["scenes"], 0)
print(time.monotonic() - start, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.benchmark
def test_an_extraction_takes_what_preflight_says(tmp_path: Path) -> None:
    scenes = {"source": "scenes", "image_size": 224, "calibration": 16, "train": 64, "test": 48, "pairs": 16}
    config = {
        **QUICK,
        "models": {"m": QUICK["models"]["dinov2_reg_s"] | {"weights": "random"}},
        "datasets": {"scenes": {**scenes, "segmentation_train": 8, "tasks": ["retrieval"]}},
        "measures": {"images": 16, "attention_images": 8},
        "extraction": {"device": "cpu"},
    }
    chosen, run = settings(resolve(config)), Run(tmp_path)
    save_resolved(resolve(config), run.settings)
    prepare(chosen.datasets["scenes"], 0, run.pack("scenes"))
    size = size_of(chosen.datasets["scenes"], run)
    device = device_for(chosen.extraction)
    assert size is not None and device.flops is not None
    cost = of_model(chosen, chosen.models["m"], shape_of(chosen.models["m"]), {"scenes": size})
    starts = cost.seconds - 2 * catalogue()["rates"]["process_s"]  # one process here, where a run has three
    expected = 3600 * cost.hours(device.flops) - cost.seconds + starts
    begun = time.monotonic()
    command = [sys.executable, "-c", EXTRACT, str(run.settings)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    whole = time.monotonic() - begun
    _, peak = map(float, done.stdout.split()[-2:])
    print(f"{whole:.0f} s, expected {expected:.0f} s; {peak / 1e9:.2f} GB, expected {cost.memory / 1e9:.2f} GB")
    assert expected / FACTOR < whole < expected * FACTOR
    assert cost.memory / 2 < peak < 2 * cost.memory
