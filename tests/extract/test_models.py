"""Loading weights: what is accepted, what is refused, and what the refusal says."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import save_file

from config.errors import InputError
from config.layout import KNOWN_ANSWER_WEIGHTS
from config.settings import Model
from extract.architectures import ArchitectureError
from extract.checkpoints import WeightsError
from extract.models import LayerError, Network, load_network
from tests.extract.conftest import TIMM, timm_model


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


def refused(model: Model, match: str, error: type[InputError] = WeightsError) -> None:
    with pytest.raises(error, match=match):
        load_network(model, seed=0)


@pytest.mark.parametrize(
    ("unknown", "size", "nearest"),
    [
        ("vit_small_patch16_dinov4", 64, "vit_small_patch16_dinov3"),
        ("vit_smal_patch14_reg4_dinov2", 56, "vit_small_patch14_reg4_dinov2"),
        ("vit_medium_patch16_reg4_256", 256, "vit_medium_patch16_reg4_gap_256"),
        ("deit_small_distiled_224", 224, "deit_small_patch16_224"),
    ],
)
def test_an_unknown_architecture_suggests_the_nearest_that_can_be_loaded(unknown: str, size: int, nearest: str) -> None:
    refused(
        replace(timm_model("dinov3"), architecture=unknown, image_size=size),
        rf"models\.dinov3\.architecture: timm .* has no '{unknown}' \(did you mean '{nearest}'\?\); .*: {nearest}",
        ArchitectureError,
    )


def test_an_architecture_near_to_no_vision_transformer_suggests_none() -> None:
    unknown = replace(timm_model("dinov3"), architecture="resnet19")
    refused(unknown, r"has no 'resnet19'; .* loaded: none", ArchitectureError)


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


def test_a_file_that_is_no_checkpoint_is_named(networks: dict[str, Network], tmp_path: Path) -> None:
    whole = tmp_path / "whole.safetensors"
    save_file({k: v.clone() for k, v in networks["sink"].module.state_dict().items()}, whole)
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    for name in ("text.safetensors", "text.pth"):
        (tmp_path / name).write_text("404: Not Found")
    (tmp_path / "empty.pth").touch()
    torch.save({"epoch": 3, "model": {"depth": 12}}, tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"arguments": np.random.default_rng(0)}, tmp_path / "code.pth")  # would run code where it were unpickled
    torch.save(networks["sink"].module.state_dict(), tmp_path / "half.pth")
    content = (tmp_path / "half.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(content[: len(content) // 2])
    for name in ("cut.safetensors", "text.safetensors", "text.pth", "empty.pth", "code.pth", "half.pth"):
        refused(
            Model("m", "known_answer", "sink", "S", weights=str(tmp_path / name)),
            rf"models\.m\.weights: .*{name} is damaged, cut short or no checkpoint",
        )
    for name in ("other.pth", "list.pth"):
        refused(
            Model("m", "known_answer", "sink", "S", weights=str(tmp_path / name)),
            rf"models\.m\.weights: .*{name} is no checkpoint: it holds other things than named tensors",
        )


def test_the_hash_of_a_checkpoint_is_checked_before_it_is_read(tmp_path: Path) -> None:
    committed = KNOWN_ANSWER_WEIGHTS / "sink_s.safetensors"
    found = hashlib.sha256(committed.read_bytes()).hexdigest()
    model = Model("m", "known_answer", "sink", "S", weights=str(committed), sha256=found)
    assert load_network(model, seed=0).depth == 6
    refused(
        replace(model, sha256="0" * 64),
        rf"models\.m\.sha256: .*sink_s\.safetensors has the hash {found}, expected 0{{64}}\. .*fetch it again",
    )
    # Not even opened as a checkpoint: damage is not what is complained of.
    (tmp_path / "damaged.pth").write_text("damaged")
    refused(replace(model, weights=str(tmp_path / "damaged.pth")), r"models\.m\.sha256: .*damaged\.pth has the hash")


def test_the_hash_of_a_download_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    def download(repository: str, name: str, revision: str | None) -> str:
        asked.append((repository, name))
        (tmp_path / name).write_bytes(b"another file")
        return str(tmp_path / name)

    monkeypatch.setattr("extract.checkpoints.hf_hub_download", download)
    refused(replace(timm_model("dinov3", "hub"), sha256="0" * 64), r"models\.dinov3\.sha256: .*model\.safetensors has")
    assert asked == [("timm/vit_small_patch16_dinov3.lvd1689m", "model.safetensors")]


def test_official_checkpoints_are_converted(networks: dict[str, Network], tmp_path: Path) -> None:
    """The names and shapes of facebookresearch/dinov2 and dinov3, written out by hand."""
    path = tmp_path / "official.pth"
    state = {name: value.clone() for name, value in networks["dinov2_reg"].module.state_dict().items()}
    cls_position = torch.randn(1, 1, 384, generator=torch.Generator().manual_seed(0))
    official = state | {
        "mask_token": torch.zeros(1, 384),
        "register_tokens": state.pop("reg_token"),
        "cls_token": state["cls_token"] - cls_position,
        "pos_embed": torch.cat([cls_position, state["pos_embed"]], dim=1),
    }
    torch.save(official, path)
    loaded = load_network(timm_model("dinov2_reg", weights=str(path)), seed=1)
    assert (features(loaded) - features(networks["dinov2_reg"])).abs().max() < 1e-4

    renamed = {"reg_token": "storage_tokens", "gamma_1": "ls1.gamma", "gamma_2": "ls2.gamma"}
    periods = (100 ** (torch.arange(16) / 16)).bfloat16()
    official = {"mask_token": torch.zeros(1, 384), "rope_embed.periods": periods}
    for name, value in networks["dinov3"].module.state_dict().items():
        for ours, theirs in renamed.items():
            name = name.replace(ours, theirs)
        official[name] = value.clone()
    for block in range(12):
        bias = torch.zeros(3 * 384)
        bias[384:768] = 7.0  # the key's share is masked, whatever it holds
        official[f"blocks.{block}.attn.qkv.bias"] = bias
        official[f"blocks.{block}.attn.qkv.bias_mask"] = torch.ones(3 * 384)
    torch.save(official, path)
    loaded = load_network(timm_model("dinov3", weights=str(path)), seed=1)
    assert torch.equal(features(loaded), features(networks["dinov3"]))

    official["blocks.5.attn.qkv.bias"][-1] = 0.5
    torch.save(official, path)
    refused(
        timm_model("dinov3", weights=str(path)),
        r"QKV bias that is not zero \(blocks\.5\.attn\.qkv\.bias\).*Try vit_small_patch16_dinov3_qkvb",
    )


def test_dinov2_position_embeddings_are_resampled_from_their_own_grid(
    networks: dict[str, Network], tmp_path: Path
) -> None:
    """A checkpoint of a 518 px grid, 37 × 37, holding one value, holds it on any grid."""
    state = {name: value.clone() for name, value in networks["dinov2"].module.state_dict().items()}
    state["pos_embed"] = torch.full((1, 1 + 37 * 37, 384), 0.25)
    save_file(state, tmp_path / "trained_at_518.safetensors")
    loaded = load_network(timm_model("dinov2", str(tmp_path / "trained_at_518.safetensors")), seed=1)
    assert loaded.module.pos_embed.shape == (1, 17, 384)
    torch.testing.assert_close(loaded.module.pos_embed, torch.full((1, 17, 384), 0.25), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("architecture", "size", "registers"),
    [
        ("vit_tiny_patch16_224", 64, 0),
        ("deit3_small_patch16_224", 64, 0),
        ("eva02_tiny_patch14_224", 56, 0),
        ("vit_base_patch14_reg1_tipsv2", 56, 1),
        ("vit_base_patch14_reg4_dinov2", 56, 4),
    ],
)
def test_any_vision_transformer_of_timm_with_cls(architecture: str, size: int, registers: int) -> None:
    network = load_network(replace(timm_model("dinov3"), architecture=architecture, image_size=size), seed=0)
    assert network.layout.cls == 0
    assert network.layout.registers == tuple(range(1, 1 + registers))
    assert network.layout.patches == range(1 + registers, 17 + registers) and network.layout.grid == (4, 4)
    assert torch.isfinite(features(network)).all()


@pytest.mark.parametrize(
    ("architecture", "size", "reason"),
    [
        ("resnet18", 64, "img_size"),
        ("swin_tiny_patch4_window7_224", 224, "no blocks"),
        ("hiera_tiny_224", 224, "no norm"),
        ("mixer_s16_224", 224, "no patch_embed|no attention"),
        # CLS enters after the blocks, which attend between channels; the sides of its patches are one number.
        ("xcit_nano_12_p16_224", 64, "the CLS token does not enter the first block"),
        ("deit_tiny_distilled_patch16_224", 64, "18 tokens enter the first block"),
        ("cait_xxs24_224", 64, "no attention that can be made eager"),
    ],
)
def test_an_architecture_that_does_not_fit_is_named(architecture: str, size: int, reason: str) -> None:
    refused(
        replace(timm_model("dinov3"), architecture=architecture, image_size=size),
        rf"models\.dinov3\.architecture: '{architecture}' is no Vision Transformer .*{reason}.*Choose one that is",
        ArchitectureError,
    )


def test_an_image_size_that_cuts_patches_is_named() -> None:
    refused(
        replace(timm_model("dinov2"), image_size=224 + 7),
        r"models\.dinov2\.image_size: 231 is no multiple of the patches .* 14 pixels wide; near it: 224",
        ArchitectureError,
    )


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("dinov2_reg", "timm/vit_small_patch14_reg4_dinov2.lvd142m"),
        ("dinov3", "timm/vit_small_patch16_dinov3.lvd1689m"),
    ],
)
@pytest.mark.parametrize("error", [LocalEntryNotFoundError("no connection"), OSError("gated")])
def test_no_network_says_what_to_fetch(
    monkeypatch: pytest.MonkeyPatch, name: str, repository: str, error: Exception
) -> None:
    create = timm.create_model

    def offline(architecture: str, pretrained: bool, **options: Any) -> Any:
        if pretrained:
            raise error
        return create(architecture, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    architecture, _ = TIMM[name]
    with pytest.raises(WeightsError) as caught:
        load_network(timm_model(name, "hub"), seed=0)
    for words in (
        f"models.{name}.weights: the weights of {architecture} could not be downloaded from {repository}",
        "licence to be accepted on their page first",
        "`hf auth login`",
        f"`hf download {repository} model.safetensors --local-dir weights/{architecture}`",
        f"set models.{name}.weights to weights/{architecture}/model.safetensors",
    ):
        assert words in str(caught.value)


def test_hub_without_weights_is_refused() -> None:
    architecture = "vit_base_patch16_gap_224"
    assert not timm.get_pretrained_cfg(architecture).has_weights
    refused(
        replace(timm_model("dinov3", "hub"), architecture=architecture), rf"no weights of {architecture} on the hub"
    )


def test_layers_count_from_either_end(networks: dict[str, Network]) -> None:
    network = networks["dinov3"]
    assert network.layers((-1, 0, 11, 4)) == (0, 4, 11)
    with pytest.raises(LayerError, match=r"measures\.layers: \[12\] are not layers of dinov3; allowed: -12 … 11"):
        network.layers((12,))


def test_input_is_normalised_and_resized(networks: dict[str, Network]) -> None:
    network = networks["dinov2"]
    grey = np.full((1, 100, 100, 3), 128, dtype=np.uint8)
    x = network.input(grey)
    assert x.shape == (1, 3, 56, 56)
    expected = (128 / 255 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    np.testing.assert_allclose(x[0, :, 10, 10], expected, rtol=1e-5)
