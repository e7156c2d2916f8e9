"""Preflight: what is there, what is missing or damaged, and costs that fit what an extraction leaves."""

import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import yaml
from safetensors.numpy import save_file

from config.layout import ROOT, Pack, Run
from config.resolve import resolve
from config.settings import Dataset, Model, Settings, settings
from extract.calibration import calibrate, save_calibration
from extract.datasets.packs import open_pack
from extract.datasets.prepare import prepare
from extract.jobs import NVIDIA
from extract.known_answer.networks import KnownAnswerViT
from extract.models import load_network
from extract.preflight.__main__ import report
from extract.preflight.catalogue import catalogue, mask_classes, public_dataset, shape_of, terms_of_dataset
from extract.preflight.cost import calibration_bytes, cost_of, of_model, recorded_bytes
from extract.preflight.device import device_for
from extract.preflight.inventory import DAMAGED, MISSING, PRESENT, Size, inventory, size_of
from extract.run import extract
from extract.tokens import TokenLayout
from tests.benchmarks.paper_run import work
from tests.extract.public_layouts import ade20k_folder, imagenet_folder, nyu_folder
from tests.extract.sources import dataset, noise, spair_folder, voc_folder

CONFIGS = {name: yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text()) for name in ("paper", "quick", "demo")}
PAPER_SIZES = {
    "imagenet": Size(5000, 35_000, 10_000, 2000, 2000, 1000),
    "voc": Size(0, 1464, 1449, 0, 0, 0),
    "spair": Size(0, 0, 1800, 12_234, 0, 0),
}


def chosen(name: str) -> Settings:
    return settings(resolve(CONFIGS[name]))


def test_the_catalogue_has_the_shapes_and_repositories_that_timm_has() -> None:
    for name, facts in catalogue()["models"].items():
        with torch.device("meta"):
            network = timm.create_model(name, num_classes=0)
        stated = timm.get_pretrained_cfg(name)
        assert stated is not None and stated.hf_hub_id == facts["hub"] and stated.hf_hub_filename is None
        assert (len(network.blocks), network.embed_dim) == (facts["depth"], facts["dimension"])
        assert network.num_prefix_tokens == facts["registers"] + 1
        assert network.patch_embed.patch_size == (facts["patch"], facts["patch"])
        parameters = sum(each.numel() for each in network.parameters())
        assert facts["megabytes"] == pytest.approx(4 * parameters / 1e6, abs=1)
        assert stated.license.split("-")[0] in facts["licence"].lower()
    for scale, facts in catalogue()["known_answer"].items():
        network = KnownAnswerViT("open", scale)
        assert (len(network.blocks), network.embed_dim) == (facts["depth"], facts["dimension"])


def test_an_architecture_that_the_catalogue_lacks_is_built_without_weights() -> None:
    model = Model("m", "timm", "deit3", "S", "deit3_small_patch16_224", 224, "random")
    shape = shape_of(model)
    assert (shape.depth, shape.dimension, shape.registers, shape.grid, shape.cls) == (12, 384, 0, 14, True)


def test_the_work_is_that_counted_for_the_performance_page() -> None:
    paper = chosen("paper")
    page = (ROOT / "docs" / "performance.md").read_text()
    rows = re.findall(r"^\| (DINOv[^|]*) \| ([\d.]+) \| ([\d,]+) \| [\d.]+ \| [\d.]+ \|$", page, flags=re.MULTILINE)
    assert len(rows) == len(paper.models)
    for model, (_, flops, passed) in zip(paper.models.values(), rows, strict=True):
        shape = shape_of(model)
        assert shape.flops / 1e9 == pytest.approx(float(flops), abs=0.051)  # counted by PyTorch
        cost = of_model(paper, model, shape, PAPER_SIZES)
        assert cost.passes == int(passed.replace(",", ""))
    assert sum(int(passed.replace(",", "")) for *_, passed in rows) == 5_585_004


@pytest.mark.parametrize("registers", [0, 4])
def test_passes_are_counted_as_the_benchmark_of_the_paper_run_counts_them(registers: int) -> None:
    paper = chosen("paper")
    rows = tuple(range(1, 1 + registers))
    asked = work(paper, TokenLayout(0, rows, range(1 + registers, 257 + registers), (16, 16)), 12)
    name = "dinov2_reg_s" if registers else "dinov2_s"
    cost = of_model(paper, paper.models[name], shape_of(paper.models[name]), PAPER_SIZES)
    assert cost.passes == asked.passed.total() + asked.segmented * (1464 + 1449)
    # A probe of 384 features and 1,000 classes on 35,000 images, three penalties compared on 0.8 of them.
    one = 4 * 385 * 1000 * 35_000 * catalogue()["rates"]["probe_iterations"] * (3 * 0.8 + 1)
    segmented = asked.segmented * 4 * 385 * 21 * 1464 * 256 * catalogue()["rates"]["probe_iterations"] * 3.4
    # A refit is one fit of the 3 * 0.8 + 1 of a probe, and there are ten for each of the conditions.
    refits = paper.probe.refits * asked.segmented / 3.4
    assert (cost.probe_flops - segmented) / one == pytest.approx(asked.probes + refits)


def headless(path: Path) -> int:
    """Bytes of a safetensors file's tensors."""
    with path.open("rb") as file:
        return path.stat().st_size - 8 - int.from_bytes(file.read(8), "little")


@pytest.mark.parametrize("record_precision", ["float32", "float16"])
def test_disk_is_what_an_extraction_leaves(tmp_path: Path, record_precision: str) -> None:
    config = {
        **CONFIGS["demo"],
        "models": {"m": CONFIGS["quick"]["models"]["dinov2_reg_s"] | {"weights": "random", "image_size": 28}},
        "measures": {"images": 0, "attention_images": 0},
        "extraction": {"record_precision": record_precision},
    }
    scenes = CONFIGS["demo"]["datasets"]["scenes"]
    config["datasets"] = {"scenes": {**scenes, "calibration": 4, "train": 10, "test": 12, "pairs": 6, "shards": 1}}
    small, run = settings(resolve(config)), Run(tmp_path)
    prepare(small.datasets["scenes"], 0, run.pack("scenes"))
    pack, network = open_pack(run.pack("scenes")), load_network(small.models["m"], 0)
    calibration = calibrate(network, pack, 64, covariances=True)
    save_calibration(calibration, run.calibration("m"), {})
    extract(network, calibration, pack, small, run, "m", small.datasets["scenes"], 0)

    shape, size = shape_of(small.models["m"]), size_of(small.datasets["scenes"], run)
    # The same before the data set is packed, from the config, and after.
    assert size == replace(size_of(small.datasets["scenes"], Run(tmp_path / "elsewhere")), classes=size.classes)  # type: ignore[type-var, union-attr]
    assert size is not None and size.evaluated == 10 + 12 + 6 and size.images == 32
    for condition in small.conditions.values():
        (record,) = (tmp_path / "records").rglob(f"{condition.name}.safetensors")
        assert headless(record) == recorded_bytes(small, condition, shape, 28, 6), condition.name
    assert headless(run.calibration("m")) == calibration_bytes(shape, covariances=True)
    cost = cost_of(small, {"m": shape}, {"scenes": size})
    assert run.pack("scenes").images.stat().st_size + run.pack("scenes").masks.stat().st_size == pytest.approx(
        cost.disk["packs"], abs=300
    )
    written = {path: path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()}
    assert cost.bytes == pytest.approx(sum(written.values()), rel=0.1)
    assert cost.left(("packs", "records")) == cost.bytes
    pixels = sum(size for path, size in written.items() if path.suffix == ".npy")
    kept = sum(size for path, size in written.items() if "records" not in path.parts) - pixels
    assert cost.left(()) == pytest.approx(kept, rel=0.3)


def test_the_paper_run_takes_as_much_disk_as_is_known_of_it() -> None:
    paper = chosen("paper")
    shapes = {name: shape_of(model) for name, model in paper.models.items()}
    cost = cost_of(paper, shapes, {"imagenet": PAPER_SIZES["imagenet"]})
    assert 70e9 < cost.disk["records"] < 86e9


def test_the_cost_of_refits_is_told_by_itself(tmp_path: Path) -> None:
    paper = chosen("paper")
    assert paper.probe.refits == chosen("demo").probe.refits > 0
    shapes = {name: shape_of(model) for name, model in paper.models.items()}
    flops = [
        cost_of(replace(paper, probe=replace(paper.probe, refits=times)), shapes, PAPER_SIZES).probe_flops
        for times in (0, 1, paper.probe.refits)
    ]
    assert flops[2] - flops[0] == pytest.approx(paper.probe.refits * (flops[1] - flops[0]))
    (line,) = [each for each in report(paper, Run(tmp_path))[0] if "probe.refits (10)" in each]
    assert f"{(flops[2] - flops[0]) / 1e15:,.1f} PFLOP" in line


def test_the_report_says_what_a_run_writes_and_what_it_leaves(tmp_path: Path) -> None:
    for keep, said in ((["packs"], "which keeps packs"), ([], "which keeps neither packs nor records")):
        lines = "\n".join(report(settings(resolve({**CONFIGS["demo"], "keep": keep})), Run(tmp_path))[0])
        sizes = re.search(r"disk: at most (\d+) MB .*\n    (\d+) MB of it left after the run, (.*)", lines)
        assert sizes is not None and sizes[3] == said, lines
        assert int(sizes[2]) < 0.6 * int(sizes[1])


def test_everything_that_is_missing_is_listed_with_its_terms(tmp_path: Path) -> None:
    for name in ("paper", "quick"):
        items = inventory(chosen(name), Run(tmp_path))
        missing = [item for item in items if item.key.startswith("datasets.")]
        assert missing and {item.state for item in missing} == {MISSING}
        for item in missing:
            assert item.terms is not None and all((item.terms.get, item.terms.licence, item.terms.source))
    lines, ready = report(chosen("demo"), Run(tmp_path))
    assert ready and not any(MISSING in line for line in lines)


def test_damaged_checkpoints_are_told_from_whole_ones(tmp_path: Path) -> None:
    quick, path = chosen("quick"), tmp_path / "w.safetensors"
    save_file({"a": np.zeros(1000, np.float32)}, path)
    model = replace(quick.models["dinov2_s"], weights=str(path))

    def state(of: Model) -> tuple[str, str]:
        item = inventory(replace(quick, models={"m": of}), Run(tmp_path))[0]
        return item.state, item.what

    assert state(model)[0] == PRESENT
    assert state(replace(model, sha256="0" * 64)) == (DAMAGED, state(replace(model, sha256="0" * 64))[1])
    path.write_bytes(path.read_bytes()[:-100])
    found, what = state(model)
    assert found == DAMAGED and "bytes and should have" in what
    path.write_bytes(b"<html>Access denied</html>")
    assert state(model)[0] == DAMAGED
    path.unlink()
    assert state(model)[0] == MISSING


def test_damaged_data_sets_are_told_with_counts(tmp_path: Path) -> None:
    quick = chosen("quick")

    def only(listed):  # type: ignore[no-untyped-def]
        item = inventory(replace(quick, models={}, datasets={"d": listed}), Run(tmp_path / "results"))[0]
        return item.state, item.what

    folder = tmp_path / "imagenet" / "val"
    for name in ("n01", "n02"):
        (folder / name).mkdir(parents=True)
        for k in range(50):
            noise(k, 4, 4).save(folder / name / f"{k}.png")
    images = dataset("class_folders", folder, test_share=0.2)
    state, what = only(images)
    assert state == DAMAGED and "2 class folders; ImageNet (ILSVRC 2012), validation set has 1,000" in what
    (folder / "n02" / "7.png").write_bytes(b"")
    (folder / "n01" / "7.png").unlink()
    what = only(images)[1]
    assert "1 files are empty" in what and "1 classes have fewer than 50 images, the first n01 with 49" in what

    voc = voc_folder(tmp_path / "voc", 5, 4)
    assert "train.txt lists 5 images; Pascal VOC 2012 has 1,464" in only(dataset("voc", voc))[1]
    mine = dataset("voc", voc, classes=("background", "a", "b"))
    assert public_dataset(mine) is None and only(mine)[0] == PRESENT
    (voc / "SegmentationClass" / "val_0.png").unlink()
    assert "lacks 1 of the images of val.txt, the first val_0" in only(mine)[1]

    pairs = spair_folder(tmp_path / "spair", {"cat": 3}, 4)
    next((pairs / "PairAnnotation" / "test").iterdir()).unlink()
    state, what = only(dataset("spair", pairs))
    assert state == DAMAGED and "has 3 annotations for 4 pairs" in what


def test_it_takes_seconds_without_torch_and_finds_the_cache_of_the_hub(tmp_path: Path) -> None:
    cached = tmp_path / "hub" / "models--timm--vit_small_patch14_dinov2.lvd142m"
    (cached / "snapshots" / "abc").mkdir(parents=True)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    save_file({"a": np.zeros(10, np.float32)}, cached / "snapshots" / "abc" / "model.safetensors")
    script = (
        "import sys; from extract.preflight.__main__ import main; main(['--config', 'config/paper.yaml']); "
        "print('torch imported:', 'torch' in sys.modules)"
    )
    environment = {"PATH": "/usr/bin:/bin", "HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "hub")}
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, env=environment)
    taken = time.monotonic() - start
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert "torch imported: False" in done.stdout
    assert "present  models.dinov2_s" in done.stdout and "MISSING  models.dinov2_reg_s" in done.stdout
    assert "DINOv3 License" in done.stdout and "PFLOP" in done.stdout and "disk:" in done.stdout
    assert taken < 10


def test_a_config_that_cannot_be_read_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("run: [")
    command = [sys.executable, "-m", "extract.preflight", "--config", str(tmp_path / "c.yaml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and "Traceback" not in done.stderr


def test_the_workflow_runs_it_although_everything_is_missing(tmp_path: Path) -> None:
    config = {**CONFIGS["paper"], "run": "preflight_without_data"}
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    try:
        command = [sys.executable, "-m", "snakemake", "preflight", "--configfile", str(tmp_path / "c.yaml")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "MISSING  datasets.imagenet" in done.stdout and "Not ready:" in done.stdout
        assert "Traceback" not in done.stdout + done.stderr and "Report:" not in done.stdout
    finally:
        shutil.rmtree(ROOT / "results" / "preflight_without_data", ignore_errors=True)


@pytest.mark.skipif(NVIDIA.exists(), reason="a GPU is here")
def test_a_gpu_that_is_not_here_is_stood_for_by_one_that_is_named() -> None:
    device = device_for(chosen("paper").extraction)
    assert device.absent and device.kind == "cuda" and device.how.startswith("computed")
    here = device_for(chosen("quick").extraction)
    assert not here.absent and here.kind == "cpu" and here.flops is not None and here.flops > 1e9


def test_a_pack_that_is_there_gives_the_sizes(tmp_path: Path) -> None:
    facts = {"splits": {"train": {"images": 7}, "test": {"images": 5}}, "pairs": 3, "classes": 2}
    Pack(tmp_path / "packs" / "d").facts.parent.mkdir(parents=True)
    Pack(tmp_path / "packs" / "d").facts.write_text(json.dumps(facts))
    assert size_of(dataset("class_folders", tmp_path), Run(tmp_path)) == Size(0, 7, 5, 3, 3, 2)


def state_of(listed: Dataset, folder: Path) -> tuple[str, str]:
    item = inventory(replace(chosen("quick"), models={}, datasets={"d": listed}), Run(folder))[0]
    return item.state, item.what


def test_tars_of_imagenet_that_are_cut_short_are_damaged(tmp_path: Path) -> None:
    root = imagenet_folder(tmp_path / "imagenet")
    listed = dataset("imagenet", root, test_share=0.2, calibration=100)
    assert state_of(listed, tmp_path) == (PRESENT, f"{root}, 50,000 images")
    assert size_of(listed, Run(tmp_path)) == Size(100, 39_900, 10_000, 0, 0, 1000)
    tar, devkit = root / "ILSVRC2012_img_val.tar", root / "ILSVRC2012_devkit_t12.tar.gz"
    content = tar.read_bytes()
    for broken, said in (
        (content[:-20_000], "is cut short"),
        (b"<html>", "is no uncompressed tar"),
        (b"", "is no unc"),
    ):
        tar.write_bytes(broken)
        state, what = state_of(listed, tmp_path)
        assert state == DAMAGED and f"{tar} {said}" in what and "fetch it again" in what
    tar.write_bytes(content)
    devkit.write_bytes(b"<html>")
    assert state_of(listed, tmp_path) == (DAMAGED, f"{devkit} is no .tar.gz; fetch it again")
    devkit.unlink()
    item = inventory(replace(chosen("quick"), models={}, datasets={"d": listed}), Run(tmp_path))[0]
    assert item.state == MISSING and item.terms is not None and "29b22e2961454d5413ddabcf34fc5622" in item.terms.get


def test_ade20k_and_nyu_are_counted_or_damaged(tmp_path: Path) -> None:
    root = ade20k_folder(tmp_path / "ade", training=5, validation=4)
    listed = dataset("ade20k", root, calibration=1, segmentation_train=4)
    state, what = state_of(listed, tmp_path)
    assert state == DAMAGED and "images/training holds 5 images; ADE20K (SceneParsing) has 20,210" in what
    (root / "annotations" / "validation" / "ADE_val_00000002.png").unlink()
    assert "validation lacks the masks of 1 images, the first ADE_val_00000002" in state_of(listed, tmp_path)[1]
    assert size_of(listed, Run(tmp_path)) == Size(1, 4, 4, 0, 0, 0)
    assert mask_classes(listed) == 150 and mask_classes(dataset("voc", root)) == 21
    elsewhere = replace(listed, path=tmp_path / "none")
    assert size_of(elsewhere, Run(tmp_path)) == Size(1, 20_209, 2000, 0, 0, 0)

    pytest.importorskip("h5py")
    root = nyu_folder(tmp_path / "nyu")
    listed = dataset("nyu", root, calibration=5)
    assert state_of(listed, tmp_path) == (PRESENT, f"{root}, 1,449 images")
    frames, splits = root / "nyu_depth_v2_labeled.mat", root / "splits.mat"
    content = frames.read_bytes()
    frames.write_bytes(content[:-5000])
    assert f"has {len(content) - 5000:,} bytes and should have {len(content):,}" in state_of(listed, tmp_path)[1]
    frames.write_bytes(b"<html>")
    splits.write_bytes(b"<html>")
    what = state_of(listed, tmp_path)[1]
    assert f"{frames} is no MATLAB 7.3 file; fetch it again; {splits} is no MATLAB file; fetch it again" == what


def test_what_can_be_downloaded_is_told_as_a_command() -> None:
    for name, source, accept in (
        ("imagenette", "class_folders", " --accept-licence"),
        ("voc", "voc", ""),
        ("x", "nyu", ""),
    ):
        terms = terms_of_dataset(dataset(source, Path("data") / name))
        assert terms is not None
        known = name if name != "x" else "nyu"
        assert terms.get.startswith(f"`uv run python -m extract.datasets.download {known}{accept}`, ")
        assert "MB from http" in terms.get


def test_depth_costs_its_passes_and_its_maps(tmp_path: Path) -> None:
    config = {**CONFIGS["quick"], "measures": {"images": 0, "attention_images": 0}}
    config["datasets"] = {
        "nyu": {"source": "nyu", "path": "x", "image_size": 224, "pairs": 0, "tasks": ["metric_depth"]}
    }
    config["analysis"] = {"margins": {"metric_depth": {"margin": 0.01, "reason": "a centimetre"}}, "comparisons": {}}
    asked = settings(resolve(config))
    size = size_of(asked.datasets["nyu"], Run(tmp_path))
    assert size == Size(256, 795 - 256, 654, 0, 0, 0)
    shapes = {name: shape_of(model) for name, model in asked.models.items()}
    cost = cost_of(asked, shapes, {"nyu": size})
    # Once for the records, and once more for the task.
    conditions = sum(shape.has(each.tokens) for shape in shapes.values() for each in asked.conditions.values())
    assert cost.passes == 2 * conditions * (539 + 654)
    assert cost.disk["packs"] == (3 + 2) * 224**2 * 1449
