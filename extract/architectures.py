"""Architectures of timm, built or refused: Vision Transformers with blocks of one width, with or without CLS."""

import difflib
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import cast

import timm
import torch
from torch import nn

from config.errors import InputError, did_you_mean
from config.settings import Model
from extract.tokens import TokenLayout, read_layout

NEAR = 24  # names near an unknown one that are tried for a suggestion
SUGGESTED = 3


class ArchitectureError(InputError):
    """An architecture that cannot be used, with the key of the config and what to choose instead."""


def require_architecture(model: Model) -> None:
    """Refuse the name of an architecture that timm does not have, suggesting near ones that can be loaded.

    Raises:
        ArchitectureError: naming the key, the version of timm and the suggestions.
    """
    name = cast(str, model.architecture)
    if timm.is_model(name):
        return
    near = list(islice(_loadable_near(model), SUGGESTED))
    raise ArchitectureError(
        f"models.{model.name}.architecture: timm {timm.__version__} has no {name!r}{did_you_mean(name, near)}; "
        f"the nearest names of Vision Transformers that can be loaded: {', '.join(near) or 'none'}"
    )


def _loadable_near(model: Model) -> Iterator[str]:
    """Yield architectures that fit the model's image size and weights, those of the nearest names first."""
    for name in difflib.get_close_matches(cast(str, model.architecture), timm.list_models(), n=NEAR):
        if model.weights == "hub" and not timm.is_model_pretrained(name):
            continue
        try:
            with torch.device("meta"):  # shapes without weights: fast for any size
                network = built(replace(model, architecture=name))
        except ArchitectureError:
            continue
        if not hasattr(network, "dist_token"):  # which is neither CLS nor a register
            yield name


def built(model: Model, pretrained: bool = False) -> nn.Module:
    """Build the timm network of a model.

    Args:
        model: whose architecture and image size are used.
        pretrained: whether timm downloads its weights; otherwise they are random, from torch's generator.

    Raises:
        ArchitectureError: where it is no Vision Transformer as this project needs it, or the image size cuts patches.
    """
    assert model.architecture is not None
    try:
        module = timm.create_model(model.architecture, pretrained=pretrained, num_classes=0, img_size=model.image_size)
    except (TypeError, AssertionError) as error:  # no img_size, as in a convolutional network, or none of this size
        raise _not_a_vit(model, str(error)) from error
    wanted = ("blocks", "patch_embed", "norm")
    if lacking := [name for name in wanted if not isinstance(getattr(module, name, None), nn.Module)]:
        raise _not_a_vit(model, f"it has no {', '.join(lacking)}")
    if not all(hasattr(getattr(block, "attn", None), "fused_attn") for block in cast(nn.ModuleList, module.blocks)):
        raise _not_a_vit(model, "its blocks have no attention that can be made eager")
    size = cast(int, model.image_size)
    patch = cast(tuple[int, int] | int, module.patch_embed.patch_size)  # type: ignore[union-attr]
    side = patch if isinstance(patch, int) else max(patch)
    if size % side:
        raise ArchitectureError(
            f"models.{model.name}.image_size: {size} is no multiple of the patches of {model.architecture}, which are "
            f"{side} pixels wide; near it: {max(1, round(size / side)) * side}"
        )
    return module


def layout_of(model: Model, module: nn.Module, image_size: int) -> TokenLayout:
    """Return the token layout of a network.

    Raises:
        ArchitectureError: where a token is neither CLS, nor a register, nor a patch, or images of the size do not pass.
    """
    try:
        return read_layout(module, image_size)
    except ValueError as error:  # such as a distillation token, which is neither CLS nor a register
        raise _not_a_vit(model, str(error)) from error
    except RuntimeError as error:  # such as a convolutional stem that leaves no pixel of a small image
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise ArchitectureError(
            f"models.{model.name}.image_size: {model.architecture} cannot take images of {image_size} pixels "
            f"({str(error).splitlines()[0]}). Set the key to the size that it was made for"
        ) from error


def _not_a_vit(model: Model, reason: str) -> ArchitectureError:
    return ArchitectureError(
        f"models.{model.name}.architecture: {model.architecture!r} is no Vision Transformer with blocks of "
        f"one width ({reason}). Choose one that is, such as vit_small_patch16_224, "
        "deit3_small_patch16_224 or vit_small_patch14_reg4_dinov2"
    )


def norm_tokens(module: nn.Module) -> str:
    """Put the norm that a network applies to its pooled token (``fc_norm``) in the place of a final norm of all tokens.

    timm moves the final norm behind the pooling where patches are averaged, as in BEiT, EVA-02 and relpos networks;
    the tokens themselves would then be read without any.

    Returns:
        What norms the tokens: ``final`` where the network has a final norm, and nothing changes; ``pooled`` where the
        norm of the pooled token took its place; ``none`` where the network has neither, as RADIO and InternViT.
    """
    if not isinstance(module.norm, nn.Identity):
        return "final"
    if isinstance(getattr(module, "fc_norm", nn.Identity()), nn.Identity):
        return "none"
    module.norm, module.fc_norm = module.fc_norm, nn.Identity()
    return "pooled"


def open_layer_scales(module: nn.Module) -> None:
    """Set every LayerScale of a network with random weights to 1.

    Architectures of the DINO line start it at 1e-5, where every block is the identity up to rounding: no image
    would reach CLS, and nothing that is done to a token would reach another one.
    """
    for name, parameter in module.named_parameters():
        if name.rpartition(".")[2] in ("gamma", "gamma_1", "gamma_2"):
            nn.init.ones_(parameter)
