"""One process per model leaves the files that the single commands leave, and does once what they do several times."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from config.layout import Run
from config.resolve import resolve
from config.settings import Settings, settings
from extract import calibration, one_model, patch_store, record_changes
from extract import run as extraction
from extract.datasets.prepare import prepare
from extract.models import load_network
from extract.patch_store import PatchStore
from extract.tasks import dense, segmentation
from extract.tasks.segmentation import Segmentation
from tests.extract.small_extraction import CONDITIONS

SCENES = {"source": "scenes", "image_size": 64, "calibration": 70, "train": 70, "test": 40, "segmentation_train": 66}
EVALUATED = 70 + 40 + 8


def small() -> Settings:
    config = {
        "run": "test",
        "models": {"m": {"source": "known_answer", "family": "open", "scale": "S"}},
        "datasets": {
            "s": {**SCENES, "pairs": 8, "tasks": ["retrieval", "segmentation"]},
            "masked": {**SCENES, "pairs": 0, "calibration": 0, "tasks": ["segmentation"]},
        },
        "conditions": CONDITIONS,
        "measures": {"images": 6, "attention_images": 3},
    }
    return settings(resolve(config))


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    for dataset in small().datasets.values():
        prepare(dataset, 0, Run(folder).pack(dataset.name))
    return folder


def beside(packed: Path, folder: Path) -> Run:
    folder.mkdir()
    (folder / "packs").symlink_to(packed / "packs")
    return Run(folder)


@pytest.fixture(scope="module")
def by_steps(packed: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A model extracted by the single commands."""
    chosen, run = small(), beside(packed, tmp_path_factory.mktemp("steps") / "run")
    calibration.run(chosen, run, "m")
    extraction.run(chosen, run, "m", chosen.datasets["s"], 0)
    record_changes.run(chosen, run, "m")
    dense.run(Segmentation, chosen, run, "m")
    return run


def counted_calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts networks that are loaded, label computations, calls of the solver, and images through blocks 0 and 1."""
    calls: Counter[str] = Counter()

    def counting(name: str, function: Any) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            found = function(*arguments, **options)
            if name == "load":
                for block in (0, 1):
                    count = lambda _, inputs, block=block: calls.update({f"block {block}": len(inputs[0])})  # noqa: E731
                    found.module.blocks[block].norm1.register_forward_pre_hook(count)
            return found

        return call

    for module in (one_model, calibration, extraction, dense):
        monkeypatch.setattr(module, "load_network", counting("load", load_network))
    monkeypatch.setattr(segmentation, "patch_classes", counting("labels", segmentation.patch_classes))
    monkeypatch.setattr(segmentation, "linear_probes", counting("solver", segmentation.linear_probes))
    return calls


def files(run: Run) -> dict[str, bytes]:
    paths = (path for path in run.folder.rglob("*") if path.is_file() and "packs" not in path.parts)
    return {path.relative_to(run.folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("kept", [True, False])
def test_the_files_are_those_of_the_single_commands(
    by_steps: Run, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    if not kept:
        monkeypatch.setattr(patch_store, "LARGEST", 1000)
    run, chosen = beside(packed, tmp_path / "run"), small()
    calls = counted_calls(monkeypatch)
    one_model.run(chosen, run, "m")
    conditions = len(chosen.conditions)
    again = conditions * (66 + 40)  # images that a task passes itself
    # Groups of 64 are passed whole where a condition mixes images: 6 more of the training images in each of two.
    mixed = 2 * (70 - 66)
    masked = again + mixed + (66 + 40 + 4)  # and once more for the donors of trajectories
    expected = 70 + EVALUATED * conditions + (1 if kept else 2) * masked
    assert calls["load"] == 1 and calls["labels"] == 2  # one per data set with masks
    assert calls["block 1"] == expected
    assert calls["block 0"] == 70 + EVALUATED + (1 if kept else 2) * masked
    assert calls["solver"] < conditions * 2
    found, steps = files(run), files(by_steps)
    assert found.keys() == steps.keys() and len(found) > conditions + 5
    assert {name for name in found if found[name] != steps[name]} == set()


def test_a_store_is_bounded_and_gone_with_its_process(tmp_path: Path) -> None:
    network = load_network(small().models["m"], 0)
    store = PatchStore.of(network, ["full", "zero"], np.array([7, 3]), tmp_path)
    assert store is not None and not list(tmp_path.iterdir())
    patches = torch.rand(2, len(network.layout.patches), network.dimension)
    store.put(np.array([7, 3]), "zero", patches)
    assert torch.equal(store.get(np.array([3, 7]), "zero"), patches.flip(0))
    assert store.holds(np.array([3]), "full") and not store.holds(np.array([3, 4]), "full")
    assert not store.holds(np.array([3]), "mean")
    many = np.arange(patch_store.LARGEST // patches[0].nbytes + 1)
    assert PatchStore.of(network, ["full"], many, tmp_path) is None
    assert PatchStore.of(network, ["full"], many[:0], tmp_path) is None
