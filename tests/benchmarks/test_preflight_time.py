"""Hours and memory of preflight, compared with an extraction that runs. `uv run pytest -n 0 -m benchmark`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from config.layout import ROOT, Run
from config.resolve import resolve
from config.settings import save_resolved, settings
from extract.datasets.prepare import prepare
from extract.preflight.catalogue import shape_of
from extract.preflight.cost import of_model
from extract.preflight.inventory import size_of

FACTOR = 3
QUICK = yaml.safe_load((ROOT / "config" / "quick.yaml").read_text())
# In one process on one core, and in CPU time: other work on the machine then changes neither side.
EXTRACT = """
import resource, sys, time
from pathlib import Path
from config.layout import Run
from config.settings import load_settings
from extract import calibration, run
from extract.preflight.device import device_for
chosen = load_settings(Path(sys.argv[1]))
folder = Run(Path(sys.argv[1]).parent)
rate = device_for(chosen.extraction).flops
start = time.process_time()
calibration.run(chosen, folder, "m")
run.run(chosen, folder, "m", chosen.datasets["scenes"], 0)
print(time.process_time() - start, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, rate)
"""


@pytest.mark.benchmark
def test_an_extraction_takes_what_preflight_says(tmp_path: Path) -> None:
    scenes = {"source": "scenes", "image_size": 224, "calibration": 8, "train": 16, "test": 16, "pairs": 8}
    config = {
        **QUICK,
        "models": {"m": QUICK["models"]["dinov2_reg_s"] | {"weights": "random"}},
        "datasets": {"scenes": {**scenes, "segmentation_train": 8, "tasks": ["retrieval"]}},
        "measures": {"images": 4, "attention_images": 2},
        "extraction": {"device": "cpu"},
    }
    chosen, run = settings(resolve(config)), Run(tmp_path)
    save_resolved(resolve(config), run.settings)
    prepare(chosen.datasets["scenes"], 0, run.pack("scenes"))
    size = size_of(chosen.datasets["scenes"], run)
    assert size is not None
    cost = of_model(chosen, chosen.models["m"], shape_of(chosen.models["m"]), {"scenes": size})
    command = [sys.executable, "-c", EXTRACT, str(run.settings)]
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env=environment)
    taken, peak, rate = map(float, done.stdout.split()[-3:])
    expected = 3600 * cost.hours(rate) - cost.seconds  # without the start of processes
    print(f"{taken:.0f} s, expected {expected:.0f} s; {peak / 1e9:.2f} GB, expected {cost.memory / 1e9:.2f} GB")
    assert expected / FACTOR < taken < expected * FACTOR
    assert cost.memory / 2 < peak < 2 * cost.memory
