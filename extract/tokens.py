"""Which row of a transformer's token sequence is what, read from the model itself."""

import re
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from config.vocabulary.tokens import RANDOM_PATCHES


class _FirstBlockReached(Exception):
    """Raised to stop a forward pass after the sequence that enters the first block was caught."""


@dataclass(frozen=True)
class TokenLayout:
    """Rows of the token sequence, counted from 0.

    Attributes:
        cls: row of the CLS token, None where the model has none.
        registers: rows of the registers, r1 first.
        patches: rows of the patches, in raster order.
        grid: patches down and across.

    Examples:
        >>> layout = TokenLayout(cls=0, registers=(1, 2, 3, 4), patches=range(5, 21), grid=(4, 4))
        >>> layout.rows(("cls", "r3")), layout.missing(("r4", "r5")), layout.prefix
        ((0, 3), ('r5',), (0, 1, 2, 3, 4))
    """

    cls: int | None
    registers: tuple[int, ...]
    patches: range
    grid: tuple[int, int]

    @property
    def prefix(self) -> tuple[int, ...]:
        """Rows of every token that is not a patch, in sequence order."""
        return tuple(sorted((() if self.cls is None else (self.cls,)) + self.registers))

    def missing(self, tokens: tuple[str, ...]) -> tuple[str, ...]:
        """Return which of the token names (cls, registers, r1, r2, …) the model does not have.

        Every model has ``random_patches``; which rows they are is drawn image by image.
        """
        return tuple(name for name in tokens if name != RANDOM_PATCHES and not self._rows_of(name))

    def rows(self, tokens: tuple[str, ...]) -> tuple[int, ...]:
        """Return the rows that token names stand for, each once, in sequence order.

        Raises:
            ValueError: where the model lacks one of them.
        """
        if lacking := self.missing(tokens):
            raise ValueError(
                f"The model has no token {', '.join(lacking)}: it has "
                f"{'a' if self.cls is not None else 'no'} CLS token and {len(self.registers)} registers"
            )
        return tuple(sorted({row for name in tokens for row in self._rows_of(name)}))

    def _rows_of(self, name: str) -> tuple[int, ...]:
        if name == "cls":
            return () if self.cls is None else (self.cls,)
        if name == "registers":
            return self.registers
        if numbered := re.fullmatch(r"r([1-9]\d*)", name):
            return self.registers[int(numbered[1]) - 1 : int(numbered[1])]
        raise ValueError(f"{name!r} is no token name; allowed: cls, registers, r1, r2, …")


@torch.no_grad()
def read_layout(network: nn.Module, image_size: int) -> TokenLayout:
    """Return the rows of CLS, registers and patches, found by perturbing each token and seeing which row changes.

    No order of tokens is assumed: the learned CLS token and every learned register are perturbed in turn, and the
    row of the sequence entering the first block that changes with it is its row. The rows that belong to no learned
    token must depend on the image, and are the patches.

    Args:
        network: a timm Vision Transformer (``cls_token``, ``reg_token``, ``blocks``, ``patch_embed``).
        image_size: side of the square input in pixels.

    Raises:
        ValueError: where a learned token reaches no row, or several; or the patches are not one run of rows.

    Examples:
        >>> from timm.models.vision_transformer import VisionTransformer
        >>> read_layout(VisionTransformer(img_size=32, embed_dim=8, depth=1, num_heads=2, reg_tokens=2), 32)
        TokenLayout(cls=0, registers=(1, 2), patches=range(3, 7), grid=(2, 2))
    """
    device = next(network.parameters()).device
    blank = torch.zeros(1, 3, image_size, image_size, device=device)
    before = _entering_first_block(network, blank)

    def moved_row(token: Tensor, what: str) -> int:
        kept = token.clone()
        token.add_(1.0)
        try:
            moved = _rows_that_differ(before, _entering_first_block(network, blank))
        finally:
            token.copy_(kept)
        if not moved:
            raise ValueError(f"{what} does not enter the first block")
        if len(moved) != 1:
            raise ValueError(f"Moving {what} moves rows {moved} of the token sequence; expected one row")
        return moved[0]

    cls_token: Tensor | None = getattr(network, "cls_token", None)
    registers: Tensor | None = getattr(network, "reg_token", None)
    cls = None if cls_token is None else moved_row(cls_token, "the CLS token")
    each_register = () if registers is None else registers.unbind(dim=1)
    register_rows = tuple(moved_row(register, f"register r{k}") for k, register in enumerate(each_register, start=1))
    noise = torch.rand(blank.shape, generator=torch.Generator().manual_seed(0)).to(device)
    patches = _rows_that_differ(before, _entering_first_block(network, noise))
    owned = {*register_rows, *(() if cls is None else (cls,))}
    if not patches or patches != list(range(patches[0], patches[-1] + 1)) or owned & set(patches):
        raise ValueError(f"The rows that depend on the image, {patches}, are not one run of patch rows")
    if len(owned) + len(patches) != before.shape[1]:
        raise ValueError(
            f"{before.shape[1]} tokens enter the first block, but {len(owned)} learned tokens and "
            f"{len(patches)} patches were found"
        )
    down, across = cast(Any, network.patch_embed).grid_size
    if down * across != len(patches):
        raise ValueError(f"{len(patches)} patch rows do not fill a grid of {down} by {across}")
    return TokenLayout(cls, register_rows, range(patches[0], patches[-1] + 1), (down, across))


def _entering_first_block(network: nn.Module, images: Tensor) -> Tensor:
    """Return the token sequence that enters the first block, 1×tokens×dimension."""
    caught: list[Tensor] = []

    def stop(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        caught.append(inputs[0].clone())
        raise _FirstBlockReached

    handle = network.blocks[0].register_forward_pre_hook(stop)  # type: ignore[index,union-attr]
    try:
        network.forward_features(images)  # type: ignore[operator]
    except _FirstBlockReached:
        pass
    finally:
        handle.remove()
    return caught[0]


def _rows_that_differ(one: Tensor, other: Tensor) -> list[int]:
    differs: list[int] = (one != other).any(dim=-1)[0].nonzero().flatten().tolist()
    return differs
