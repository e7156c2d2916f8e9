"""Models as the extraction uses them: a network, its token layout, and how pixels enter it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import cast

import numpy as np
import timm
import torch
import torch.nn.functional as F
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from config.errors import InputError
from config.inputs import missing_weights
from config.keys import digest
from config.layout import KNOWN_ANSWER_WEIGHTS
from config.settings import Extraction, Model
from extract.devices import resolve_device
from extract.known_answer import networks
from extract.tokens import TokenLayout, read_layout

CHECKPOINT = "model.safetensors"  # what timm's repositories on the hub call it


class WeightsError(InputError):
    """Weights that cannot be had or do not fit, with what to do about it."""


class LayerError(InputError):
    """A layer that a network does not have, with the keys that may have asked for it."""


@dataclass(frozen=True)
class Network:
    """A model, ready for features.

    Attributes:
        name: the model's name in every file.
        module: the timm network, in evaluation mode, eager attention.
        layout: rows of its token sequence.
        image_size: side of its square input in pixels.
        mean, std: pixels enter as (value − mean) / std, values from 0 to 1, per channel.
        precision: of the forward pass, float32 or bfloat16 (mixed: weights and residual stream stay in float32).
        signature: enough to know which weights were run.
    """

    name: str
    module: nn.Module
    layout: TokenLayout
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    precision: str
    signature: str

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.module.parameters()).device

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(cast(nn.ModuleList, self.module.blocks))

    @property
    def dimension(self) -> int:
        """Width of a token."""
        return cast(int, self.module.embed_dim)

    def layers(self, wanted: tuple[int, ...] | None) -> tuple[int, ...]:
        """Return layer indices counted from 0, in order, negative ones counted from the last; every one for None.

        Raises:
            LayerError: for a layer that the network does not have.
        """
        if wanted is None:
            return tuple(range(self.depth))
        if absent := [layer for layer in wanted if not -self.depth <= layer < self.depth]:
            raise LayerError(
                "extraction.layers, extraction.curves.layers or measures.layers: "
                f"{absent} are not layers of {self.name}; allowed: {-self.depth} … {self.depth - 1}"
            )
        return tuple(sorted({layer % self.depth for layer in wanted}))

    def input(self, images: NDArray[np.uint8]) -> Tensor:
        """Turn uint8 images B×H×W×3 into network input B×3×size×size on the network's device."""
        x = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2).float() / 255
        if x.shape[-2:] != (self.image_size, self.image_size):
            size = (self.image_size, self.image_size)
            x = F.interpolate(x, size=size, mode="bilinear", antialias=True, align_corners=False)
        mean, std = (torch.tensor(each, device=x.device).view(1, 3, 1, 1) for each in (self.mean, self.std))
        return (x - mean) / std

    def run(self, x: Tensor) -> Tensor:
        """Return the tokens of network input, B × tokens × dimension, after the final norm."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return cast(Callable[[Tensor], Tensor], self.module.forward_features)(x)

    def norm(self, tokens: Tensor) -> Tensor:
        """Return tokens, … × dimension, after the final norm, in float32."""
        return cast(nn.Module, self.module.norm)(tokens.float())  # type: ignore[no-any-return]


def load_network(model: Model, seed: int, options: Extraction | None = None) -> Network:
    """Build a model and load its weights.

    Deviations from the official implementations (facebookresearch/dinov2 and dinov3), as of timm 1.0.31:

    - *Position embeddings* of DINOv2 are resampled to other grids bicubically with antialiasing, to the exact size.
      Official DINOv2 without registers does so without antialiasing, by a scale with an offset of 0.1; official
      DINOv2 with registers does as timm does.
    - *Registers* are stored as ``reg_token`` (official: ``register_tokens`` in DINOv2, ``storage_tokens`` in DINOv3),
      behind CLS and before the patches as in both. They carry no position embedding; so in DINOv2 with registers the
      CLS position embedding is folded into the CLS token when official weights are converted. The sums are the same.
    - *RoPE* of DINOv3: its periods are computed in float32. Official checkpoints hold them rounded to bfloat16, and
      they are not read. Shifts and rescalings of coordinates belong to training and are absent in both.
    - *QKV bias* of DINOv3 S and B: left out of the architecture ``vit_*_patch16_dinov3``, because it is all zero in the
      released weights (the key's share is masked to zero in any case). A checkpoint whose bias is not zero is refused
      here, with the name of the architecture that has one (``…_qkvb``).
    - *Mask tokens*, and the heads and projectors of training, are not read: nothing is masked in a feature extractor.
    - *Pooling*: timm pools DINOv3 by average and DINOv2 by CLS. Neither is used here: tokens are read where they are.
    - *Attention* is eager in every model: fused kernels differ from it by rounding, and hide the weights.

    The same in both: LayerNorm's ε (1e-6 in DINOv2, 1e-5 in DINOv3), one final norm for all tokens, LayerScale, and an
    MLP with GELU (SwiGLU comes with larger sizes).

    Args:
        model: what to build.
        seed: seed of random weights, combined with the model's name.
        options: device and precision; the CPU and float32 where left out.

    Raises:
        WeightsError: where the architecture is no Vision Transformer with CLS, or the weights cannot be found, are not
            those that the config's hash names, or do not fill every parameter.
    """
    if model.source == "known_answer":
        module, mean, std, image_size = _known_answer(model)
    else:
        module, mean, std, image_size = _timm(model, seed)
    for block in cast(nn.ModuleList, module.blocks):
        cast(nn.Module, block.attn).fused_attn = False  # type: ignore[assignment]
    _refuse_non_finite(model, module)
    module.eval().requires_grad_(False).to(resolve_device(options.device if options else "cpu"))
    precision = options.precision if options else "float32"
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return Network(
        name=model.name,
        module=module,
        layout=_layout(model, module, image_size),
        image_size=image_size,
        mean=mean,
        std=std,
        precision=precision,
        signature=f"{model.architecture or model.family}|weights:{model.weights or 'committed'}|"
        f"res:{image_size}|dtype:{precision}|timm:{timm.__version__}|torch:{torch.__version__.split('+')[0]}",
    )


Triple = tuple[float, float, float]


def _known_answer(model: Model) -> tuple[nn.Module, Triple, Triple, int]:
    family, scale = cast(networks.Family, model.family), cast(networks.Scale, model.scale)
    module = networks.KnownAnswerViT(family, scale)
    committed = KNOWN_ANSWER_WEIGHTS / f"{family}_{scale.lower()}.safetensors"
    path = Path(model.weights) if model.weights else committed
    _fill(module, _read(path, model), path, model)
    return module, networks.MEAN, networks.STD, networks.IMAGE_SIZE


def _timm(model: Model, seed: int) -> tuple[nn.Module, Triple, Triple, int]:
    assert model.architecture is not None and model.weights is not None
    if not timm.is_model(model.architecture):
        close = timm.list_models(f"*{model.architecture.split('_')[-1]}*")[:8]
        raise WeightsError(
            f"models.{model.name}.architecture: timm {timm.__version__} has no {model.architecture!r}; "
            f"near it: {', '.join(close) or 'nothing'}"
        )
    if model.weights == "hub" and not timm.is_model_pretrained(model.architecture):
        raise WeightsError(
            f"models.{model.name}.weights: timm {timm.__version__} knows of no weights of {model.architecture} on the "
            "hub. Set the key to the path of a checkpoint, or to random"
        )
    with torch.random.fork_rng():
        # Random weights are keyed by the model, so that no other model's presence can change them.
        torch.manual_seed(digest(seed, "weights", model.name) % 2**63)
        module = _built(model)
    if model.weights == "random":
        _open_layer_scales(module)
    elif model.weights == "hub":
        module = _downloaded(model)
    else:
        path = Path(model.weights)
        state = _converted(_read(path, model), module, path, model)
        _fill(module, state, path, model)
    data = cast(dict[str, Triple], module.pretrained_cfg)
    return module, data["mean"], data["std"], cast(int, model.image_size)


def _built(model: Model, pretrained: bool = False) -> nn.Module:
    """Build a timm architecture, refusing one that is no Vision Transformer as this project needs it."""
    assert model.architecture is not None
    try:
        module = timm.create_model(model.architecture, pretrained=pretrained, num_classes=0, img_size=model.image_size)
    except (TypeError, AssertionError) as error:  # no img_size, as in a convolutional network, or none of this size
        raise _not_a_vit(model, str(error)) from error
    wanted = {"blocks": nn.Module, "patch_embed": nn.Module, "cls_token": Tensor, "norm": nn.Module}
    if lacking := [name for name, kind in wanted.items() if not isinstance(getattr(module, name, None), kind)]:
        raise _not_a_vit(model, f"it has no {', '.join(lacking)}")
    if not all(hasattr(getattr(block, "attn", None), "fused_attn") for block in cast(nn.ModuleList, module.blocks)):
        raise _not_a_vit(model, "its blocks have no attention that can be made eager")
    size, side = cast(int, model.image_size), max(cast(tuple[int, int], module.patch_embed.patch_size))  # type: ignore[union-attr]
    if size % side:
        raise WeightsError(
            f"models.{model.name}.image_size: {size} is no multiple of the patches of {model.architecture}, which are "
            f"{side} pixels wide; near it: {max(1, round(size / side)) * side}"
        )
    return module


def _not_a_vit(model: Model, reason: str) -> WeightsError:
    return WeightsError(
        f"models.{model.name}.architecture: {model.architecture!r} is no Vision Transformer with a CLS token "
        f"and blocks of one width ({reason}). Choose one that is, such as vit_small_patch16_224, "
        "deit3_small_patch16_224 or vit_small_patch14_reg4_dinov2"
    )


def _layout(model: Model, module: nn.Module, image_size: int) -> TokenLayout:
    try:
        return read_layout(module, image_size)
    except ValueError as error:  # such as a distillation token, which is neither CLS nor a register
        raise _not_a_vit(model, str(error)) from error


def _downloaded(model: Model) -> nn.Module:
    """Build a timm architecture with the weights of the hub, or those of an earlier download."""
    try:
        if model.sha256 is not None:
            hub = _hub_file(model)
            _check_hash(Path(hf_hub_download(hub.repository, hub.name, revision=hub.revision)), model)
        return _built(model, pretrained=True)
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise WeightsError(_where_to_get(model)) from error


@dataclass(frozen=True)
class _HubFile:
    """Where timm reads the weights of an architecture from on the Hugging Face hub."""

    repository: str
    revision: str | None
    name: str
    licence: str | None


def _hub_file(model: Model) -> _HubFile:
    stated = timm.get_pretrained_cfg(cast(str, model.architecture))
    assert stated is not None and stated.hf_hub_id is not None
    repository, _, revision = str(stated.hf_hub_id).partition("@")
    return _HubFile(repository, revision or None, stated.hf_hub_filename or CHECKPOINT, stated.license)


def _open_layer_scales(module: nn.Module) -> None:
    """Set every LayerScale of a network with random weights to 1.

    Architectures of the DINO line start it at 1e-5, where every block is the identity up to rounding: no image
    would reach CLS, and nothing that is done to a token would reach another one.
    """
    for name, parameter in module.named_parameters():
        if name.rpartition(".")[2] in ("gamma", "gamma_1", "gamma_2"):
            nn.init.ones_(parameter)


StateFilter = Callable[[dict[str, Tensor], nn.Module], dict[str, Tensor]]


def _converted(state: dict[str, Tensor], module: nn.Module, path: Path, model: Model) -> dict[str, Tensor]:
    """Return an official checkpoint under timm's names, by timm's own conversion; one of timm stays as it is."""
    if "storage_tokens" in state and "blocks.0.attn.qkv.weight" in module.state_dict():
        state = _without_zero_bias(state, module, path, model)
    convert: StateFilter | None = getattr(import_module(type(module).__module__), "checkpoint_filter_fn", None)
    return state if convert is None else convert(state, module)


def _without_zero_bias(state: dict[str, Tensor], module: nn.Module, path: Path, model: Model) -> dict[str, Tensor]:
    """Drop the QKV bias of an official DINOv3 checkpoint where the architecture has none, after checking that it is 0.

    timm drops it unseen. The key's third is left aside: the official model masks it.
    """
    if hasattr(module.blocks[0].attn, "q_bias") and module.blocks[0].attn.q_bias is not None:  # type: ignore[index,union-attr]
        return state
    biases = {name for name in state if name.endswith("attn.qkv.bias")}
    for name in biases:
        query, _, value = state[name].chunk(3)
        if query.any() or value.any():
            raise WeightsError(
                f"models.{model.name}.architecture: {path} has a QKV bias that is not zero ({name}), which "
                f"{model.architecture} has no place for. Try {model.architecture}_qkvb"
            )
    return {name: value for name, value in state.items() if name not in biases}


def _where_to_get(model: Model) -> str:
    hub, folder = _hub_file(model), f"weights/{model.architecture}"
    return (
        f"models.{model.name}.weights: the weights of {model.architecture} could not be downloaded from "
        f"{hub.repository} on the Hugging Face hub. Is there a network, and may this account read the repository? "
        "Some ask for their licence to be accepted on their page first "
        f"(licence of this one: {hub.licence or 'not stated'}), and for `hf auth login`. "
        "Without a network: on a machine that has one, run "
        f"`hf download {hub.repository} {hub.name} --local-dir {folder}`, copy the folder here, and set "
        f"models.{model.name}.weights to {folder}/{hub.name}"
    )


def _check_hash(path: Path, model: Model) -> None:
    """Compare a checkpoint with the hash that the config gives, before anything of it is read."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        raise WeightsError(
            f"models.{model.name}.sha256: {path} has the hash {found}, expected {model.sha256}. The file is damaged or "
            "another one: fetch it again, or, where it is the one you mean, correct the key"
        )


def _read(path: Path, model: Model) -> dict[str, Tensor]:
    """Read a checkpoint: safetensors, or what torch.save made of tensors alone."""
    if (complaint := missing_weights(replace(model, weights=str(path)))) is not None:
        raise WeightsError(complaint)
    if model.sha256 is not None:
        _check_hash(path, model)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    # torch says in many ways that a file is none of its own.
    except (SafetensorError, UnpicklingError, EOFError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise WeightsError(
            f"models.{model.name}.weights: {path} is damaged, cut short or no checkpoint "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}); fetch it "
            "again. A torch file may hold tensors and nothing else"
        ) from error
    for key in ("model", "state_dict"):
        state = state.get(key, state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(
            f"models.{model.name}.weights: {path} is no checkpoint: it holds other things than named tensors"
        )
    return cast(dict[str, Tensor], state)


def _fill(module: nn.Module, state: dict[str, Tensor], path: Path, model: Model) -> None:
    """Load weights, refusing any that leave a parameter unfilled or a weight unused."""
    own = module.state_dict()
    missing = sorted(set(own) - set(state))
    misshapen = sorted(
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in set(own) & set(state)
        if own[name].shape != state[name].shape
    )
    # Heads and masked-image tokens of the original training have no place in a feature extractor.
    unused = sorted(name for name in set(state) - set(own) if not name.startswith(("head.", "mask_token")))
    for what, names in (("lacks", missing), ("misshapes", misshapen), ("does not use", unused)):
        if names:
            raise WeightsError(
                f"models.{model.name}: {path} does not fit {model.architecture or model.family}: the network "
                f"{'gets no value for' if what == 'lacks' else what} {', '.join(names[:5])}"
                f"{f' and {len(names) - 5} more' if len(names) > 5 else ''}. Is it the checkpoint of another "
                "architecture or size?"
            )
    module.load_state_dict({name: state[name].to(own[name].dtype) for name in own})


def _refuse_non_finite(model: Model, module: nn.Module) -> None:
    for name, value in module.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise WeightsError(
                f"models.{model.name}: parameter {name} holds NaN or infinite values; the checkpoint is damaged"
            )
