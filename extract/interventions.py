"""Replacing token rows after every block: the one place where a forward pass is changed.

A condition names token rows and what replaces them. :func:`intervene` applies it to every forward pass inside a
``with`` block, and leaves no hook behind, also after an exception. Block 0 reads the untouched input; the last
block's output is replaced before the final norm.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from config.keys import digest, keyed_generator
from config.settings import Condition
from extract.noise import keyed_normal
from extract.tokens import TokenLayout


@dataclass(frozen=True)
class Calibration:
    """What tokens usually hold: moments over images that no evaluation uses.

    Attributes:
        mean: layers × prefix tokens × dimension, the mean of each block's output.
        variance: likewise the variance.
        rows: row of the token sequence of each prefix token.
    """

    mean: Tensor
    variance: Tensor
    rows: tuple[int, ...]

    def at(self, layer: int, rows: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Return mean and variance of token ``rows`` after block ``layer``, rows × dimension each."""
        places = [self.rows.index(row) for row in rows]
        return self.mean[layer, places], self.variance[layer, places]


@dataclass(frozen=True)
class Batch:
    """Who the images of one forward pass are; draws are keyed by this and never by their place.

    Attributes:
        units: identity of every image.
        groups: the group of 64 that every image belongs to. A condition that mixes images needs the images of
            a group together, in the group's order.
        seed: the run's seed.
    """

    units: tuple[str, ...]
    groups: tuple[str, ...]
    seed: int

    @cached_property
    def image_keys(self) -> Tensor:
        """One int64 key an image."""
        keys = np.array([digest(self.seed, "noise", unit) for unit in self.units], dtype=np.uint64)
        return torch.from_numpy(keys.view(np.int64))

    def donors(self, layer: int) -> Tensor:
        """Return the place in the batch of the image that each image takes its rows from."""
        groups = np.array(self.groups)
        donors = np.empty(len(groups), dtype=np.int64)
        for group in dict.fromkeys(self.groups):
            places = np.flatnonzero(groups == group)
            donors[places] = places[derangement(len(places), self.seed, "shuffle", group, layer)]
        return torch.from_numpy(donors)


def derangement(n: int, *key: str | int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Draw a permutation of 0 … n − 1 that leaves nothing in place, uniformly, keyed by ``key``.

    Raises:
        ValueError: for n < 2, of which there is none.
    """
    if n < 2:
        raise ValueError(f"A group of {n} image cannot be shuffled: another image is needed to donate")
    rng = keyed_generator(*key)
    while True:  # a permutation has no fixed point with probability 1/e, so this ends after about 2.7 draws
        permutation = np.argsort(rng.random(n))
        if not np.any(permutation == np.arange(n)):
            return permutation.astype(np.int64)


class Replacement(Protocol):
    """What a token row becomes. One small class each; its name and ``repr`` say what it does."""

    mixes_images: bool

    def __call__(self, tokens: Tensor, layer: int, rows: tuple[int, ...], batch: Batch) -> Tensor:
        """Return the new content of ``rows`` (B × rows × dimension) after block ``layer``.

        ``tokens`` is the block's output, B × tokens × dimension.
        """
        ...


@dataclass(frozen=True)
class Zero:
    """The zero vector."""

    mixes_images = False

    def __call__(self, tokens: Tensor, layer: int, rows: tuple[int, ...], batch: Batch) -> Tensor:
        """Return zeros."""
        return tokens.new_zeros(())


@dataclass(frozen=True)
class Mean:
    """The calibration mean of that layer and token."""

    calibration: Calibration
    mixes_images = False

    def __call__(self, tokens: Tensor, layer: int, rows: tuple[int, ...], batch: Batch) -> Tensor:
        """Return the means, the same for every image."""
        mean, _ = self.calibration.at(layer, rows)
        return mean.to(tokens)


@dataclass(frozen=True)
class Noise:
    """A Gaussian draw with the calibration mean and variance of that layer and token, per dimension."""

    calibration: Calibration
    mixes_images = False

    def __call__(self, tokens: Tensor, layer: int, rows: tuple[int, ...], batch: Batch) -> Tensor:
        """Return draws keyed by (seed, image, layer, token)."""
        mean, variance = (each.to(tokens.device) for each in self.calibration.at(layer, rows))
        keys = batch.image_keys.to(tokens.device)
        draw = keyed_normal(keys, layer, rows, tokens.shape[-1])
        return (mean + variance.sqrt() * draw).to(tokens.dtype)


@dataclass(frozen=True)
class Shuffle:
    """The same row of another image in the same pass, drawn per layer within fixed groups."""

    mixes_images = True

    def __call__(self, tokens: Tensor, layer: int, rows: tuple[int, ...], batch: Batch) -> Tensor:
        """Return the donors' rows."""
        donors = batch.donors(layer).to(tokens.device)
        return tokens[:, list(rows)][donors]


def replacement(by: str, calibration: Calibration | None) -> Replacement:
    """Return the replacement of that name (zero, mean, noise, shuffle).

    Raises:
        ValueError: for another name, or where mean or noise lack a calibration.
    """
    match by:
        case "zero":
            return Zero()
        case "shuffle":
            return Shuffle()
        case "mean" | "noise":
            if calibration is None:
                raise ValueError(f"Replacement {by!r} needs a calibration")
            return Mean(calibration) if by == "mean" else Noise(calibration)
        case _:
            raise ValueError(f"{by!r} is no replacement; allowed: zero, mean, noise, shuffle")


@contextmanager
def intervene(
    network: nn.Module,
    condition: Condition,
    layout: TokenLayout,
    calibration: Calibration | None,
    batch: Batch,
) -> Iterator[None]:
    """Apply a condition to every forward pass of ``network`` inside the ``with`` block.

    ``full`` registers no hook at all, so that it is the plain forward pass bit for bit.

    Args:
        network: a timm Vision Transformer, with ``blocks``.
        condition: the token rows and what replaces them.
        layout: where the rows are.
        calibration: needed by mean and noise.
        batch: identities of the images of the pass.

    Raises:
        ValueError: where the model lacks the condition's tokens, or the pass holds other than the batch's images.
    """
    handles = []
    try:
        if condition.by is not None:
            rows = layout.rows(condition.tokens)
            new_rows = replacement(condition.by, calibration)
            for layer, block in enumerate(network.blocks):  # type: ignore[arg-type]
                handles.append(block.register_forward_hook(_hook(layer, rows, new_rows, batch)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(layer: int, rows: tuple[int, ...], new_rows: Replacement, batch: Batch) -> Any:
    def replace(_block: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        if len(output) != len(batch.units):
            raise ValueError(f"The forward pass holds {len(output)} images, but the batch names {len(batch.units)}")
        # A copy where gradients are wanted; otherwise the block's output belongs to nobody else.
        tokens = output.clone() if output.requires_grad else output
        tokens[:, list(rows)] = new_rows(output, layer, rows, batch)
        return tokens

    return replace
