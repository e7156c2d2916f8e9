"""What the extraction may cost: throughput, memory and disk. `uv run pytest -n 0 -m benchmark` measures two of them."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from config.conditions import Condition
from config.layout import ROOT, Pack, Run
from config.resolve import resolve
from config.settings import Model, save_resolved, settings
from extract.calibration import calibrate
from extract.datasets.packs import open_pack
from extract.datasets.prepare import prepare
from extract.models import load_network
from extract.run import extract
from tests.benchmarks.extraction import bench, ratio
from tests.extract.test_packs import scenes

DEMO = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())


@pytest.mark.benchmark
def test_a_condition_costs_a_tenth_of_the_throughput_at_most_and_geometry_a_quarter() -> None:
    on = bench("vit_small_patch14_reg4_dinov2", 32, "cpu", "float32")
    for by in ("zero", "mean", "noise", "resample", "shuffle", "shuffle_trajectory"):
        assert ratio(on.plain, on.under(Condition(by, ("registers",), by)), 5) >= 0.90, by
    last = (on.network.depth - 1,)
    assert ratio(on.plain, on.under(Condition("zero", ("registers",), "zero"), last), 5) >= 0.75


MEASURE_PEAK = """
import resource, sys
from pathlib import Path
from config.layout import Run
from config.settings import load_settings
from extract import calibration, run
chosen = load_settings(Path(sys.argv[1]))
folder = Run(Path(sys.argv[1]).parent)
calibration.run(chosen, folder, "open_b")
run.run(chosen, folder, "open_b", chosen.datasets["scenes"], 0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_kilobytes(images: int, folder: Path) -> int:
    """Extract so many images under every condition of the demo in a process of its own."""
    dataset = {**DEMO["datasets"]["scenes"], "calibration": 64, "train": images // 2, "test": images // 4}
    config = {
        **DEMO,
        "models": {"open_b": DEMO["models"]["open_b"]},
        "datasets": {"scenes": {**dataset, "pairs": images // 4, "tasks": ["retrieval"]}},
    }
    chosen = settings(resolve(config))
    save_resolved(resolve(config), Run(folder).settings)
    prepare(chosen.datasets["scenes"], 0, Run(folder).pack("scenes"))
    command = [sys.executable, "-c", MEASURE_PEAK, str(Run(folder).settings)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1])


@pytest.mark.benchmark
def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    few, many = (peak_kilobytes(images, tmp_path / str(images)) for images in (500, 5000))
    written = sum(path.stat().st_size for path in (tmp_path / "5000" / "records").rglob("*.safetensors")) / 1024
    print(
        f"peak {few / 1024:.0f} MB for 500 images, {many / 1024:.0f} MB for 5,000; {written / 1024:.0f} MB of records"
    )
    assert many <= 1.10 * few
    # Nor are the records themselves held: the peak grows by less than half of what was written.
    assert many - few < written / 2


def test_records_of_a_small_vit_take_little_disk(tmp_path: Path) -> None:
    # The resolution does not matter: what is recorded of an image is a handful of tokens.
    model = Model("m", "timm", "dinov2_reg", "S", "vit_small_patch14_reg4_dinov2", 56, "random")
    prepare(scenes(calibration=2, train=10, test=20, pairs=10), 0, Pack(tmp_path / "pack"))
    pack = open_pack(Pack(tmp_path / "pack"))
    config = {**DEMO, "models": {"m": DEMO["models"]["open_b"]}, "measures": {"images": 0}}
    chosen = settings(resolve(config))
    network = load_network(model, 0)
    calibration = calibrate(network, pack, 64, covariances=True)
    extract(network, calibration, pack, chosen, Run(tmp_path), "m", chosen.datasets["scenes"], 0)
    written = sum(path.stat().st_size for path in (tmp_path / "records").rglob("*.safetensors"))
    each = written / (40 * len(chosen.conditions))
    print(f"{each / 1000:.1f} kB an image and condition")
    assert each <= 12_000
