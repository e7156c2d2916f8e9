"""Replacing token rows after every block: the one place where a forward pass is changed.

A condition names token rows and what replaces them. :func:`intervene` applies it to every forward pass inside a
``with`` block, and leaves no hook behind, also after an exception. Block 0 reads the untouched input; the last
block's output is replaced before the final norm. What the rows become is in :mod:`extract.replacements`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from config.conditions import Condition
from config.errors import InputError, did_you_mean
from config.vocabulary.replacements import REPLACEMENTS
from extract.draws import Batch
from extract.precision import full_precision
from extract.replacements import NEW_ROWS, Calibration, Clean, Given, NewRows, Places, prepared
from extract.tokens import TokenLayout


@contextmanager
def intervene(
    network: nn.Module,
    condition: Condition,
    layout: TokenLayout,
    calibration: Calibration | None,
    batch: Batch,
    clean: Tensor | None = None,
) -> Iterator[None]:
    """Apply a condition to every forward pass of ``network`` inside the ``with`` block.

    ``full`` registers no hook at all, so that it is the plain forward pass bit for bit.

    Args:
        network: a timm Vision Transformer, with ``blocks``.
        condition: the token rows and what replaces them.
        layout: where the rows are.
        calibration: needed by replacements whose record is ``calibrated``, such as mean.
        batch: identity of the images of the pass.
        clean: needed by those whose record says ``clean_pass``, such as shuffle_trajectory: the prefix tokens of the
            unchanged pass over the same batch after every block, layers × B × prefix tokens × dimension (see
            :func:`extract.features.clean_prefix`).

    Raises:
        ValueError: where the model lacks the condition's tokens, the replacement lacks what it needs, or the pass
            holds other than the batch's images.

    Examples:
        >>> from timm.models.vision_transformer import VisionTransformer
        >>> from extract.tokens import read_layout
        >>> network = VisionTransformer(img_size=32, embed_dim=8, depth=1, num_heads=2, reg_tokens=2).eval()
        >>> condition = Condition("zero_registers", tokens=("registers",), by="zero")
        >>> batch = Batch(units=("a", "b"), groups=("g", "g"), seed=0)
        >>> with torch.inference_mode(), intervene(network, condition, read_layout(network, 32), None, batch):
        ...     tokens = network.forward_features(torch.zeros(2, 3, 32, 32))  # after the final norm, where 0 is 0
        >>> tokens[:, 1:3].any().item(), tokens[:, 3:].any().item()
        (False, True)
    """
    handles = []
    try:
        if condition.by is not None:
            at = places_of(condition, layout, batch, next(network.parameters()).device)
            refuse_missing(condition.by, calibration, clean)
            given = Given(at, batch, calibration, None if clean is None else Clean(clean, layout.prefix))
            blocks = list(network.blocks)  # type: ignore[arg-type]
            given = prepared(condition.by, given, len(blocks))
            for layer, block in enumerate(blocks):
                handles.append(block.register_forward_hook(_hook(layer, NEW_ROWS[condition.by], given)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def places_of(condition: Condition, layout: TokenLayout, batch: Batch, device: torch.device) -> Places:
    """Return the rows that a condition replaces, the same ones after every block.

    Raises:
        InputError: for more random patches than the model has patches.
        ValueError: where the model lacks the condition's tokens.

    Examples:
        >>> layout = TokenLayout(cls=0, registers=(1, 2), patches=range(3, 19), grid=(4, 4))
        >>> batch = Batch(units=("a", "b"), groups=("g", "g"), seed=0)
        >>> places_of(Condition("zero_r2", ("r2",), "zero"), layout, batch, torch.device("cpu")).rows
        tensor([[2]])
        >>> patches = Condition("zero_patches", ("random_patches",), "zero", patches=3, draw=1)
        >>> places_of(patches, layout, batch, torch.device("cpu")).rows.shape
        torch.Size([2, 3])
    """
    if condition.draw is None:
        return Places.everywhere(layout.rows(condition.tokens), len(batch.units), device)
    if condition.patches > len(layout.patches):
        down, across = layout.grid
        raise InputError(
            f"conditions.{condition.entry}.patches: {condition.patches} are more than the {down} × {across} patches of "
            f"this model; allowed: at most {len(layout.patches)}, or a larger image_size"
        )
    rows = batch.random_patches(layout.patches, condition.patches, condition.draw, device)
    return Places(torch.arange(len(rows), device=device)[:, None], rows)


def refuse_missing(by: str, calibration: Calibration | None, clean: Tensor | None) -> None:
    """Refuse a replacement that is not known, or that lacks what its record in the vocabulary says it needs.

    Raises:
        ValueError: naming the replacement and what it needs.

    Examples:
        >>> refuse_missing("mean", calibration=None, clean=None)
        Traceback (most recent call last):
        ValueError: Replacement 'mean' needs a calibration
    """
    if (record := REPLACEMENTS.get(by)) is None:
        raise ValueError(
            f"{by!r} is no replacement{did_you_mean(by, REPLACEMENTS)}; allowed: {', '.join(REPLACEMENTS)}"
        )
    if record.covariance and (calibration is None or calibration.factor is None):
        raise ValueError(f"Replacement {by!r} needs a calibration with covariances")
    if record.calibrated and calibration is None:
        raise ValueError(f"Replacement {by!r} needs a calibration")
    if record.clean_pass and clean is None:
        raise ValueError(f"Replacement {by!r} needs the tokens of an unchanged pass")


def _hook(layer: int, new_rows: NewRows, given: Given) -> Any:
    def replace(_block: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        if len(output) != len(given.batch.units):
            raise ValueError(
                f"The forward pass holds {len(output)} images, but the batch names {len(given.batch.units)}"
            )
        # A copy where gradients are wanted; otherwise the block's output belongs to nobody else.
        tokens = output.clone() if output.requires_grad else output
        with full_precision(output):
            tokens[given.at.images, given.at.rows] = new_rows(output, layer, given)
        return tokens

    return replace
