"""A network with registers and no CLS token, and one with patches alone, all the way to outcomes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from torch import nn

from analysis.outcomes.files import read_outcomes
from config.layout import Run
from config.resolve import resolve
from config.settings import Model, Settings, save_resolved, settings
from extract import calibration, evaluate
from extract import run as extraction
from extract.datasets.prepare import prepare
from extract.models import Network, load_network
from extract.records import Records, Skipped, open_records
from extract.tasks import dense
from extract.tasks.segmentation import Segmentation

TASKS = ["classification", "retrieval", "correspondence", "segmentation"]
GAP = {"gap": "vit_wee_patch16_reg1_gap_256", "bare": "vit_base_patch16_gap_224"}
NORMED_AFTER_POOLING = (
    "beit_base_patch16_224",
    "eva02_tiny_patch14_224",
    "vit_relpos_base_patch16_clsgap_224",
)


@pytest.fixture(scope="module")
def small() -> Any:
    """timm, every network two blocks deep."""
    create = timm.create_model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timm, "create_model", lambda name, **options: create(name, depth=2, **options))
        yield


@pytest.fixture(scope="module", params=GAP)
def measured(request: pytest.FixtureRequest, small: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    name, folder = request.param, tmp_path_factory.mktemp("without_cls")
    config = resolve(
        {
            "run": "without_cls",
            "models": {
                name: {
                    "source": "timm",
                    "family": name,
                    "scale": "S",
                    "architecture": GAP[name],
                    "image_size": 64,
                    "weights": "random",
                }
            },
            "datasets": {
                "scenes": {
                    "source": "scenes",
                    "image_size": 64,
                    "calibration": 70,
                    "train": 40,
                    "test": 20,
                    "pairs": 10,
                    "segmentation_train": 8,
                    "tasks": TASKS,
                }
            },
            "conditions": {
                "full": {},
                "zero_cls": {"tokens": ["cls"], "by": "zero"},
                "mean_registers": {"tokens": ["registers"], "by": "mean"},
                "shuffle_trajectory_registers": {"tokens": ["registers"], "by": "shuffle_trajectory"},
                "zero_random_patches": {"tokens": ["random_patches"], "by": "zero", "patches": 2},
            },
            "probe": {"tokens": ["cls", "registers", "register_mean", "patch_mean"], "refits": 1},
            "measures": {"images": 4, "attention_images": 2},
        }
    )
    chosen, run = settings(config), Run(folder / "run")
    save_resolved(config, run.settings)
    for dataset in chosen.datasets.values():
        prepare(dataset, chosen.seed, run.pack(dataset.name))
    calibration.run(chosen, run, name)
    extraction.run(chosen, run, name, chosen.datasets["scenes"], 0)
    with pytest.warns(UserWarning) as told:
        evaluate.run(chosen, run, name, TASKS[:3])
    dense.run(Segmentation, chosen, run, name)
    return name, chosen, run, [str(each.message) for each in told]


def test_conditions_on_cls_are_not_taken(measured: tuple[str, Settings, Run, list[str]]) -> None:
    name, chosen, run, _ = measured
    opened = {
        condition: open_records([run.records(name, "scenes", "1-of-1", condition)]) for condition in chosen.conditions
    }
    assert opened["zero_cls"] == Skipped(f"{name} has no cls")
    full = opened["full"]
    assert isinstance(full, Records)
    assert full.tokens == (("r1", "patch_mean") if name == "gap" else ("patch_mean",))
    assert isinstance(opened["mean_registers"], Records if name == "gap" else Skipped)
    measures = pd.read_parquet(run.measures(name, "scenes", "1-of-1"))
    assert not [column for column in measures if "cls" in column]
    assert np.isfinite(measures["effective_rank"]).all()


def test_tasks_on_patches_are_measured_and_those_on_cls_refused(
    measured: tuple[str, Settings, Run, list[str]],
) -> None:
    name, _, run, told = measured
    for task in ("correspondence", "cycle_consistency", "segmentation"):
        outcomes = pd.read_parquet(run.outcomes(task, name))
        assert set(outcomes["features"]) == {"patches"}
        taken = {"full", "zero_random_patches_1"}
        if name == "gap":
            taken |= {"mean_registers", "shuffle_trajectory_registers"}
        assert set(outcomes["condition"]) == taken
    assert read_outcomes(run.outcomes("retrieval", name)) == []
    # A comparison reads CLS alone, of which there are no rows; the file says why.
    assert read_outcomes(run.outcomes("classification", name), only={"features": ["cls"]}) == []
    probed = set(pd.read_parquet(run.outcomes("classification", name))["features"])
    assert probed == ({"r1", "register_mean", "patch_mean"} if name == "gap" else {"patch_mean"})
    for task in ("classification", "retrieval"):
        assert sum(f"{name}: no {task} on scenes, since it is reported from CLS" in text for text in told) == 1


@pytest.mark.parametrize("architecture", NORMED_AFTER_POOLING)
def test_the_norm_of_the_pooled_token_norms_every_token(small: Any, architecture: str) -> None:
    size = 56 if "patch14" in architecture else 64
    network = load_network(Model("m", "timm", "m", "S", architecture, size, "random"), seed=0)
    assert isinstance(network.module.norm, nn.LayerNorm) and isinstance(network.module.fc_norm, nn.Identity)
    assert "|norm:pooled|" in network.signature
    tokens = tokens_of(network)
    # Fresh norms have weight 1 and bias 0, so each token has mean 0 and standard deviation 1.
    assert tokens.mean(dim=-1).abs().max() < 1e-5
    assert (tokens.std(dim=-1, correction=0) - 1).abs().max() < 1e-3


def test_the_norm_of_the_pooled_token_is_the_checkpoints(small: Any, tmp_path: Path) -> None:
    module = timm.create_model("beit_base_patch16_224", num_classes=0, img_size=64)
    with torch.no_grad():
        module.fc_norm.weight.copy_(torch.linspace(1, 2, 768))
    torch.save(module.state_dict(), tmp_path / "beit.pth")
    model = Model("m", "timm", "m", "S", "beit_base_patch16_224", 64, str(tmp_path / "beit.pth"))
    network = load_network(model, seed=0)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        theirs = module.eval().fc_norm(module.forward_features(x))
        torch.testing.assert_close(network.run(x), theirs, atol=1e-5, rtol=1e-5)


def test_a_network_without_any_norm_says_so(small: Any) -> None:
    network = load_network(Model("m", "timm", "m", "S", "vit_pe_spatial_tiny_patch16_512", 64, "random"), seed=0)
    assert "|norm:none|" in network.signature


def tokens_of(network: Network) -> torch.Tensor:
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    with torch.inference_mode():
        return network.run(network.input(images))
