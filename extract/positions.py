"""Positions in DINOv2 and DINOv3, as each of their implementations computes them.

Official code (facebookresearch), Hugging Face Transformers and timm run the same weights, but not quite the same
network. They differ in two places:

==================================  ========================  ======================  ==================
what                                official                  transformers            timm
==================================  ========================  ======================  ==================
DINOv2 without registers: position  bicubic, by the scale     bicubic, to the exact   bicubic with
embeddings on another grid          (patches + 0.1) / grid    size                    antialiasing
DINOv3: periods of RoPE             rounded to bfloat16       float32                 float32
==================================  ========================  ======================  ==================

They agree about DINOv2 with registers: bicubic with antialiasing, to the exact size.

Reference: ``interpolate_pos_encoding`` in dinov2/models/vision_transformer.py and the arguments in
dinov2/hub/backbones.py (facebookresearch/dinov2, b8931f7); ``RopePositionEmbedding`` in
dinov3/layers/rope_position_encoding.py; modeling_dinov2.py of Transformers 5.23, which before took a scale as the
official code does, without its offset.
"""

import math
import re
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from config.settings import Model
from extract.architectures import ArchitectureError

OFFSET = 0.1  # patches that official DINOv2 adds to the size it asks for, against rounding to one patch less
PERIODS = "rope_embed.periods"  # of an official DINOv3 checkpoint


def backend_of(model: Model) -> str:
    """Return whose computation of positions a model follows: official, transformers or timm.

    Where the config leaves it out, DINOv2 and DINOv3 follow their official code, and every other architecture, which
    timm alone implements here, follows timm.

    Raises:
        ArchitectureError: where the config chooses another than timm for an architecture that has no other.

    Examples:
        >>> backend_of(Model("a", "timm", "dinov2", "S", architecture="vit_small_patch14_dinov2"))
        'official'
        >>> backend_of(Model("a", "timm", "deit", "S", architecture="deit3_small_patch16_224"))
        'timm'
    """
    if _of_dino(model, "2|3"):
        return model.backend or "official"
    if model.backend not in (None, "timm"):
        raise ArchitectureError(
            f"models.{model.name}.backend: {model.backend!r} is for the architectures of DINOv2 and DINOv3, and "
            f"{model.architecture} is none of them; remove the key"
        )
    return "timm"


def resamples(model: Model, module: nn.Module) -> bool:
    """Tell whether a model's position embeddings are resampled here, and not by timm: DINOv2 without registers."""
    return _of_dino(model, "2") and getattr(module, "reg_token", None) is None and backend_of(model) != "timm"


def _of_dino(model: Model, versions: str) -> bool:
    return re.search(rf"_dinov({versions})(_|\.|$)", model.architecture or "") is not None


def resampled(positions: Tensor, grid: tuple[int, int], backend: str) -> Tensor:
    """Return the position embeddings of DINOv2 without registers on another grid.

    Args:
        positions: of CLS and of the patches of a square grid, 1 × (1 + patches) × dimension.
        grid: patches down and across.
        backend: official or transformers.

    Returns:
        1 × (1 + down · across) × dimension; ``positions`` themselves where the grid is theirs.

    Raises:
        ValueError: where the patches fill no square.

    Examples:
        >>> ramp = torch.arange(4.0).repeat(4).view(1, 16, 1)  # grows to the right, in each of four rows
        >>> positions = torch.cat([torch.zeros(1, 1, 1), ramp], dim=1)
        >>> resampled(positions, (2, 2), "transformers").flatten()
        tensor([0.0000, 0.4062, 2.5938, 0.4062, 2.5938])
    """
    cls, patches = positions[:, :1], positions[:, 1:]
    side = math.isqrt(patches.shape[1])
    if side * side != patches.shape[1]:
        raise ValueError(f"{patches.shape[1]} position embeddings of patches fill no square grid")
    if (side, side) == grid:
        return positions
    square = patches.float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if backend == "official":
        scale = [(length + OFFSET) / side for length in grid]
        square = F.interpolate(square, scale_factor=scale, mode="bicubic")
    else:
        square = F.interpolate(square, size=grid, mode="bicubic")
    return torch.cat([cls, square.permute(0, 2, 3, 1).flatten(1, 2).to(cls.dtype)], dim=1)


@torch.no_grad()
def resample_module(module: nn.Module, image_size: int, backend: str) -> None:
    """Set a network of DINOv2 without registers to another image size."""
    trained = cast(Tensor, module.pos_embed).detach().clone()
    module.set_input_size(image_size)  # type: ignore[operator]  # resamples too, as timm does
    grid = cast(tuple[int, int], module.patch_embed.grid_size)  # type: ignore[union-attr]
    module.pos_embed = nn.Parameter(resampled(trained, grid, backend))


@torch.no_grad()
def set_periods(module: nn.Module, model: Model, checkpoint: dict[str, Tensor]) -> None:
    """Give a DINOv3 network the periods of its backend: for official, those of the checkpoint, or rounded to bfloat16.

    Released checkpoints hold the periods in bfloat16, and the official code, which computes in float32, reads them.
    """
    if not _of_dino(model, "3") or backend_of(model) != "official":
        return
    periods = cast(Tensor, module.rope.periods)  # type: ignore[union-attr]
    stored = checkpoint.get(PERIODS)
    periods.copy_(periods.bfloat16() if stored is None or stored.shape != periods.shape else stored)
