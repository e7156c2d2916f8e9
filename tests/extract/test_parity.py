"""DINOv2, DINOv2 with registers and DINOv3 compute what their official code and Hugging Face Transformers compute.

Stored features of both (``tests/extract/parity``) hold this project to them where neither is installed; where
Transformers is, it is run beside.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from config.settings import Model
from extract.architectures import ArchitectureError
from extract.checkpoints import WeightsError
from extract.conversion import official_names
from extract.models import Network, load_network
from extract.positions import backend_of, resampled
from tests.extract.parity.measure import (
    DIMENSION,
    FAMILIES,
    KEY,
    STORED,
    of_transformers,
    official_state,
    ours,
    pixels,
    released,
    table,
)

# Features after the final norm have unit spread; fused and eager attention differ by 1e-6.
TOLERANCE = 1e-5
IMPLEMENTATIONS = ("official", "transformers")


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A checkpoint of each family as Hugging Face releases it, and one as Meta does."""
    folder = tmp_path_factory.mktemp("released")
    found = {}
    for family in FAMILIES:
        found[family] = folder / f"{family}.safetensors"
        save_file(released(family), found[family])
        found[f"official {family}"] = folder / f"{family}.pth"
        torch.save(official_state(family), found[f"official {family}"])
    return found


def tokens_of(network: Network) -> Tensor:
    with torch.inference_mode():
        return network.run(pixels())


def difference(network: Network, implementation: str) -> float:
    stored = pd.read_csv(STORED)
    wanted = stored[(stored["implementation"] == implementation) & (stored["family"] == network.name)]
    both = table(implementation, network.name, tokens_of(network)).merge(
        wanted, on=KEY, how="outer", suffixes=("", "_stored")
    )
    assert len(both) == len(wanted) > 0 and both.notna().all(axis=None)
    return float((both["value"] - both["value_stored"]).abs().max())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("backend", IMPLEMENTATIONS)
@pytest.mark.parametrize("names", ["", "official "])
def test_features_are_those_of_the_chosen_backend(
    checkpoints: dict[str, Path], family: str, backend: str, names: str
) -> None:
    assert difference(ours(family, checkpoints[names + family], backend), backend) < TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_the_official_code_is_followed_where_the_config_leaves_it_out(
    checkpoints: dict[str, Path], family: str
) -> None:
    network = ours(family, checkpoints[family])
    assert "|backend:official|" in network.signature
    assert difference(network, "official") < TOLERANCE


@pytest.mark.parametrize(
    ("family", "backend", "implementation", "least"),
    [
        ("dinov2", "timm", "official", 0.1),
        ("dinov2", "timm", "transformers", 0.1),
        ("dinov2", "transformers", "official", 0.1),
        ("dinov3", "timm", "official", 1e-3),
        ("dinov3", "transformers", "official", 1e-3),
    ],
)
def test_backends_differ_where_the_docs_say_so(
    checkpoints: dict[str, Path], family: str, backend: str, implementation: str, least: float
) -> None:
    assert difference(ours(family, checkpoints[family], backend), implementation) > least


@pytest.mark.parametrize(("family", "implementation"), [("dinov2_reg", "official"), ("dinov3", "transformers")])
def test_timm_agrees_elsewhere(checkpoints: dict[str, Path], family: str, implementation: str) -> None:
    assert difference(ours(family, checkpoints[family], "timm"), implementation) < TOLERANCE


@pytest.mark.skipif(find_spec("transformers") is None, reason="Transformers is not installed")
@pytest.mark.parametrize("family", FAMILIES)
def test_every_token_is_that_of_transformers(checkpoints: dict[str, Path], tmp_path: Path, family: str) -> None:
    theirs = of_transformers(family, tmp_path)
    tokens = tokens_of(ours(family, checkpoints[family], "transformers"))
    assert (tokens - theirs).abs().max() < TOLERANCE
    stored = pd.read_csv(STORED).set_index(KEY)["value"]
    live = table("transformers", family, theirs).set_index(KEY)["value"]
    assert (stored[live.index] - live).abs().max() < TOLERANCE


def test_a_download_is_resampled_as_a_checkpoint_is(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """timm resamples as it loads; the weights of the hub must come through at the size that they were trained at."""
    expected = tokens_of(ours("dinov2", checkpoints["dinov2"]))
    create = timm.create_model
    state = official_names(released("dinov2"))
    sizes = []

    def hub(architecture: str, pretrained: bool = False, **options: Any) -> Any:
        module = create(architecture, embed_dim=DIMENSION, depth=2, num_heads=2, **options)
        if pretrained:
            sizes.append(options["img_size"])
            module.load_state_dict({name: value for name, value in state.items() if name != "mask_token"})
        return module

    monkeypatch.setattr(timm, "create_model", hub)
    network = load_network(Model("dinov2", "timm", "dinov2", "S", FAMILIES["dinov2"], 224, "hub"), seed=0)
    assert sizes == [518]
    assert torch.equal(tokens_of(network), expected)


def test_official_resampling_is_the_written_out_sum() -> None:
    """Bicubic weights (a = −0.75) at source places (i + 0.5) / scale − 0.5, edges repeated, row by row."""
    side, target = 7, 3
    random = np.random.default_rng(0).standard_normal((side, side))
    scale = (target + 0.1) / side

    def weights(place: float) -> np.ndarray:
        found = np.zeros(side)
        start = int(np.floor(place))
        for near in range(start - 1, start + 3):
            d = abs(place - near)
            a = -0.75
            inner, outer = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * (d**3 - 5 * d**2 + 8 * d - 4)
            found[min(max(near, 0), side - 1)] += inner if d <= 1 else outer
        return found

    rows = np.stack([weights((i + 0.5) / scale - 0.5) for i in range(target)])
    positions = torch.from_numpy(np.concatenate([[9.0], random.ravel()]).astype(np.float32)).view(1, -1, 1)
    found = resampled(positions, (target, target), "official").flatten().numpy()
    assert found[0] == 9
    np.testing.assert_allclose(found[1:].reshape(target, target), rows @ random @ rows.T, atol=1e-6)


def test_the_grid_of_training_is_not_resampled() -> None:
    positions = torch.randn(1, 1 + 16, 3)
    assert resampled(positions, (4, 4), "official") is positions
    with pytest.raises(ValueError, match="17 position embeddings of patches fill no square grid"):
        resampled(torch.zeros(1, 18, 3), (4, 4), "official")


def test_a_backend_is_for_dino_alone() -> None:
    model = Model("v", "timm", "v", "S", "vit_tiny_patch16_224", 64, "random", backend="official")
    with pytest.raises(ArchitectureError, match=r"models\.v\.backend: 'official' is for .* DINOv2 and DINOv3"):
        load_network(model, seed=0)
    assert backend_of(Model("v", "timm", "v", "S", "vit_tiny_patch16_224", 64, "random", backend="timm")) == "timm"


def test_registers_that_do_not_fit_are_told_apart(checkpoints: dict[str, Path]) -> None:
    for family, other, told in (
        (
            "dinov2",
            "dinov2_reg",
            r"holds 4 registers, and vit_small_patch14_dinov2 has none.* Try vit_small_patch14_reg4",
        ),
        (
            "dinov2_reg",
            "dinov2",
            r"holds no registers, and vit_small_patch14_reg4_dinov2 has 4.* Try vit_small_patch14_d",
        ),
    ):
        for names in ("", "official "):
            with pytest.raises(WeightsError, match=rf"models\.{family}: .*{told}"):
                ours(family, checkpoints[names + other])
    with pytest.raises(WeightsError, match=r"models\.dinov3: .* does not fit vit_small_patch16_dinov3"):
        ours("dinov3", checkpoints["dinov2_reg"])
