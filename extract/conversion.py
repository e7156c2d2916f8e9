"""Names of weights: checkpoints as Meta or Hugging Face released them, under the names of timm."""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from config.settings import Model
from extract.checkpoints import WeightsError
from extract.positions import backend_of, resampled, resamples

StateFilter = Callable[[dict[str, Tensor], nn.Module], dict[str, Tensor]]

REGISTERS = ("reg_token", "register_tokens", "storage_tokens")  # of timm, of DINOv2, of DINOv3
# What Transformers calls a part, and what the official code does; tried in order.
_OFFICIAL = (
    (r"embeddings\.(cls_token|mask_token)$", r"\1"),
    (r"embeddings\.position_embeddings$", "pos_embed"),
    (r"embeddings\.patch_embeddings\.(?:projection\.)?(\w+)$", r"patch_embed.proj.\1"),
    (r"(?:encoder\.|model\.)?layer\.(\d+)\.layer_scale(\d)\.lambda1$", r"blocks.\1.ls\2.gamma"),
    (r"(?:encoder\.|model\.)?layer\.(\d+)\.attention\.(?:output\.dense|o_proj)\.", r"blocks.\1.attn.proj."),
    (
        r"(?:encoder\.|model\.)?layer\.(\d+)\.attention\.(?:attention\.)?([qkv])(?:uery|ey|alue|_proj)\.",
        r"blocks.\1.\2.",
    ),
    (r"(?:encoder\.|model\.)?layer\.(\d+)\.mlp\.weights_in\.", r"blocks.\1.mlp.w12."),
    (r"(?:encoder\.|model\.)?layer\.(\d+)\.mlp\.weights_out\.", r"blocks.\1.mlp.w3."),
    (r"(?:encoder\.|model\.)?layer\.(\d+)\.", r"blocks.\1."),
    (r"layernorm\.", "norm."),
)
# The MLP of DINOv3, by whether it is gated.
_MLP = {
    False: {"up_proj": "fc1", "down_proj": "fc2"},
    True: {"gate_proj": "w1", "up_proj": "w2", "down_proj": "w3"},
}


def converted(state: dict[str, Tensor], module: nn.Module, path: Path, model: Model) -> dict[str, Tensor]:
    """Return a checkpoint under timm's names and on the network's grid; one of timm of that grid stays as it is.

    Checkpoints of Transformers are taken to the official names, and those by timm's own conversion to timm's.

    Args:
        state: as read.
        module: the network that is to hold it.
        path: of the checkpoint, for messages.
        model: whose weights it is to be.

    Raises:
        WeightsError: where the checkpoint holds registers or a QKV bias that the architecture has no place for, or
            lacks registers that it has, or is of an architecture so different that timm cannot convert it.
    """
    if "embeddings.cls_token" in state:
        state = official_names(state)
    _require_same_registers(state, module, path, model)
    if "storage_tokens" in state and "blocks.0.attn.qkv.weight" in module.state_dict():
        state = _without_zero_bias(state, module, path, model)
    convert: StateFilter | None = getattr(import_module(type(module).__module__), "checkpoint_filter_fn", None)
    try:
        if "pos_embed" in state and resamples(model, module):
            grid = module.patch_embed.grid_size  # type: ignore[union-attr]
            state = state | {"pos_embed": resampled(state["pos_embed"], grid, backend_of(model))}  # type: ignore[arg-type]
        return state if convert is None else convert(dict(state), module)
    # Conversions take the layout of their architecture for granted, and fail in as many ways as there are others.
    except (RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError) as error:
        raise WeightsError(
            f"models.{model.name}: {path} does not fit {model.architecture}, and cannot be converted to it "
            f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}). Is it the "
            "checkpoint of another architecture or size?"
        ) from error


def official_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint of Hugging Face Transformers under the names of facebookresearch/dinov2 or dinov3.

    Queries, keys and values become one matrix; the keys of DINOv3, which have no bias, get one of 0.

    Args:
        state: of a Dinov2Model, Dinov2WithRegistersModel or DINOv3ViTModel, as released.

    Examples:
        >>> parts = {f"layer.0.attention.{part}_proj.weight": torch.eye(2) for part in "qkv"}
        >>> found = official_names(parts | {"embeddings.register_tokens": torch.zeros(1, 4, 2)})
        >>> {name: tuple(value.shape) for name, value in found.items()}
        {'storage_tokens': (1, 4, 2), 'blocks.0.attn.qkv.weight': (6, 2)}
    """
    # DINOv3 has no position embeddings, and DINOv2 always does.
    third = "embeddings.position_embeddings" not in state
    mlp = _MLP[any(".gate_proj." in name for name in state)]
    found: dict[str, Tensor] = {}
    apart: dict[tuple[str, str], dict[str, Tensor]] = {}
    for name, value in state.items():
        if name == "embeddings.register_tokens":
            if value.shape[1]:
                found["storage_tokens" if third else "register_tokens"] = value
            continue
        for theirs, official in _OFFICIAL:
            if re.match(theirs, name):
                name = re.sub(theirs, official, name, count=1)
                break
        name = re.sub(r"(?<=\.mlp\.)\w+_proj(?=\.)", lambda part: mlp[part[0]], name)
        if part := re.fullmatch(r"(blocks\.\d+)\.([qkv])\.(weight|bias)", name):
            apart.setdefault((part[1], part[3]), {})[part[2]] = value
        else:
            found[name] = value
    for (block, kind), parts in apart.items():
        blank = torch.zeros_like(next(iter(parts.values())))
        found[f"{block}.attn.qkv.{kind}"] = torch.cat([parts.get(part, blank) for part in "qkv"])
    return found


def _require_same_registers(state: dict[str, Tensor], module: nn.Module, path: Path, model: Model) -> None:
    stored = next((state[name] for name in REGISTERS if name in state), None)
    holds = 0 if stored is None or stored.ndim != 3 else stored.shape[1]
    registers = getattr(module, "reg_token", None)
    needs = 0 if registers is None else registers.shape[1]
    if holds != needs:
        bare = re.sub(r"_reg\d+(?=_)", "", str(model.architecture))
        other = re.sub(r"(_patch\d+)", rf"\1_reg{holds}", bare, count=1) if holds else bare
        remedy = f". Try {other}" if timm.is_model(other) and other != model.architecture else ""
        raise WeightsError(
            f"models.{model.name}: {path} holds {holds or 'no'} registers, and {model.architecture} has "
            f"{needs or 'none'}. Is it the checkpoint of another architecture?{remedy.removeprefix('.')}"
        )


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
