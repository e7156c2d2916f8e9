"""Loading weights: what is accepted, what is refused, and what the refusal says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file

from config.settings import Model
from extract.models import Network, WeightsError, load_network
from tests.extract.conftest import timm_model


def features(network: Network) -> torch.Tensor:
    images = np.random.default_rng(0).integers(0, 256, (2, 70, 70, 3), dtype=np.uint8)
    with torch.inference_mode():
        tokens: torch.Tensor = network.module.forward_features(network.input(images))
    return tokens


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3"])
@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_local_checkpoints_reproduce_their_network(
    networks: dict[str, Network], tmp_path: Path, name: str, suffix: str
) -> None:
    path = tmp_path / f"weights.{suffix}"
    state = {key: value.clone() for key, value in networks[name].module.state_dict().items()}
    if suffix == "safetensors":
        save_file(state, path)
    else:
        # DINOv2's checkpoints hold a token that only its training uses.
        trained_with = {"mask_token": torch.zeros(1, 384)} if name == "dinov2_reg" else {}
        torch.save({"model": state | trained_with}, path)
    loaded = load_network(timm_model(name, weights=str(path)), seed=1)
    assert torch.equal(features(loaded), features(networks[name]))


def test_random_weights_are_keyed_by_seed_and_name(networks: dict[str, Network]) -> None:
    model = timm_model("dinov3")
    reference = features(networks["dinov3"])
    torch.manual_seed(123)
    assert torch.equal(features(load_network(model, seed=0)), reference)
    assert not torch.equal(features(load_network(model, seed=1)), reference)
    assert not torch.equal(features(load_network(replace(model, name="another"), seed=0)), reference)


def test_random_weights_let_the_image_through(networks: dict[str, Network]) -> None:
    cls = features(networks["dinov3"])[:, 0]
    assert (cls[0] - cls[1]).abs().max() > 0.01


def test_networks_are_eager_and_frozen(networks: dict[str, Network]) -> None:
    for network in networks.values():
        assert not any(block.attn.fused_attn for block in network.module.blocks)
        assert not network.module.training
        assert not any(parameter.requires_grad for parameter in network.module.parameters())


def refused(model: Model, match: str) -> None:
    with pytest.raises(WeightsError, match=match):
        load_network(model, seed=0)


def test_unknown_architecture() -> None:
    refused(
        replace(timm_model("dinov3"), architecture="vit_small_patch16_dinov4"),
        r"models\.dinov3\.architecture: .*dinov4",
    )


def test_missing_checkpoint(tmp_path: Path) -> None:
    refused(
        timm_model("dinov3", str(tmp_path / "none.safetensors")), r"models\.dinov3\.weights: there is no file .*none"
    )


def test_checkpoint_of_another_network(networks: dict[str, Network], tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({k: v.clone() for k, v in networks["dinov3"].module.state_dict().items()}, path)
    known = Model("sink_s", "known_answer", "sink", "S", weights=str(path))
    refused(known, r"models\.sink_s: .*other\.safetensors does not fit sink: the network gets no value for")
    state = {k: v.clone() for k, v in networks["dinov3"].module.state_dict().items()}
    state["blocks.0.mlp.fc1.bias"] = torch.zeros(5)
    save_file(state, path)
    refused(timm_model("dinov3", str(path)), r"blocks\.0\.mlp\.fc1\.bias \(5,\) instead of \(1536,\)")


def test_damaged_checkpoint(networks: dict[str, Network], tmp_path: Path) -> None:
    path = tmp_path / "damaged.safetensors"
    state = {k: v.clone() for k, v in networks["open"].module.state_dict().items()}
    state["norm.weight"][3] = torch.nan
    save_file(state, path)
    refused(Model("m", "known_answer", "open", "S", weights=str(path)), r"models\.m: parameter norm\.weight holds NaN")


def test_no_network_says_what_to_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(timm, "create_model", offline)
    refused(
        timm_model("dinov3", "hub"),
        r"models\.dinov3\.weights: .*timm/vit_small_patch16_dinov3\S* .*download model\.safetensors .*weights/",
    )


def test_hub_without_weights_is_refused() -> None:
    architecture = "vit_base_patch16_gap_224"
    assert not timm.get_pretrained_cfg(architecture).has_weights
    refused(
        replace(timm_model("dinov3", "hub"), architecture=architecture), rf"no weights of {architecture} on the hub"
    )


def test_layers_count_from_either_end(networks: dict[str, Network]) -> None:
    network = networks["dinov3"]
    assert network.layers((-1, 0, 11, 4)) == (0, 4, 11)
    with pytest.raises(ValueError, match=r"extraction\.layers: \[12\] are not layers of dinov3; allowed: -12 … 11"):
        network.layers((12,))


def test_input_is_normalised_and_resized(networks: dict[str, Network]) -> None:
    network = networks["dinov2"]
    grey = np.full((1, 100, 100, 3), 128, dtype=np.uint8)
    x = network.input(grey)
    assert x.shape == (1, 3, 56, 56)
    expected = (128 / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(x[0, :, 10, 10], expected, rtol=1e-5)
