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
from extract.observation import full_precision
from extract.tokens import TokenLayout


@dataclass(frozen=True)
class Calibration:
    """What tokens usually hold: moments over images that no evaluation uses.

    Attributes:
        mean: layers × prefix tokens × dimension, the mean of each block's output.
        variance: likewise the variance.
        rows: row of the token sequence of each prefix token.
        factor: layers × prefix tokens × dimension × dimension, a matrix F for each token whose F·Fᵀ is its whole
            covariance; None where no condition draws from it.
    """

    mean: Tensor
    variance: Tensor
    rows: tuple[int, ...]
    factor: Tensor | None = None

    def places(self, rows: tuple[int, ...]) -> list[int]:
        """Return the places of token ``rows`` among the calibrated ones."""
        return [self.rows.index(row) for row in rows]


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

    def keys(self, purpose: str) -> Tensor:
        """Return one int64 key an image and purpose."""
        keys = np.array([digest(self.seed, purpose, unit) for unit in self.units], dtype=np.uint64)
        return torch.from_numpy(keys.view(np.int64))

    @cached_property
    def image_keys(self) -> Tensor:
        """The keys of the noise."""
        return self.keys("noise")

    def donors(self, *key: str | int) -> Tensor:
        """Return the place in the batch of the image that each image takes its rows from, drawn by ``key``."""
        groups = np.array(self.groups)
        donors = np.empty(len(groups), dtype=np.int64)
        for group in dict.fromkeys(self.groups):
            places = np.flatnonzero(groups == group)
            purpose, *rest = key
            donors[places] = places[derangement(len(places), self.seed, purpose, group, *rest)]
        return torch.from_numpy(donors)

    def random_patches(self, patches: range, n: int, draw: int) -> Tensor:
        """Draw ``n`` different rows of ``patches`` for every image, B × n, keyed by (seed, draw, image)."""
        chosen = [
            keyed_generator(self.seed, "random patches", draw, unit).choice(len(patches), n, replace=False)
            for unit in self.units
        ]
        return torch.from_numpy(np.sort(np.stack(chosen), axis=1) + patches.start)


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


@dataclass(frozen=True)
class Places:
    """The rows that a condition replaces in the output of a block, B × tokens × dimension.

    Attributes:
        tokens: the rows where they are the same for every image, else empty.
        images: B × 1, and rows: B × k or 1 × k; together they index the block's output.
    """

    tokens: tuple[int, ...]
    images: Tensor
    rows: Tensor


def places_of(condition: Condition, layout: TokenLayout, batch: Batch, device: torch.device) -> Places:
    """Return the rows that a condition replaces, the same ones after every block.

    Raises:
        ValueError: where the model lacks the condition's tokens.
    """
    images = torch.arange(len(batch.units), device=device)[:, None]
    if condition.draw is None:
        tokens = layout.rows(condition.tokens)
        return Places(tokens, images, torch.tensor([tokens], device=device))
    rows = batch.random_patches(layout.patches, condition.patches, condition.draw)
    return Places((), images, rows.to(device))


class Replacement(Protocol):
    """What a token row becomes. One small class each; its name and ``repr`` say what it does."""

    mixes_images: bool

    def __call__(self, tokens: Tensor, layer: int, at: Places, batch: Batch) -> Tensor:
        """Return the new content of the rows ``at`` (B × rows × dimension, or what broadcasts to it).

        ``tokens`` is the output of block ``layer``, B × tokens × dimension.
        """
        ...


@dataclass(frozen=True)
class Zero:
    """The zero vector."""

    mixes_images = False

    def __call__(self, tokens: Tensor, layer: int, at: Places, batch: Batch) -> Tensor:
        """Return zeros."""
        return tokens.new_zeros(())


@dataclass(frozen=True)
class Mean:
    """The calibration mean of that layer and token."""

    calibration: Calibration
    mixes_images = False

    def __call__(self, tokens: Tensor, layer: int, at: Places, batch: Batch) -> Tensor:
        """Return the means, the same for every image."""
        return self.calibration.mean[layer, self.calibration.places(at.tokens)].to(tokens)


@dataclass(frozen=True)
class Noise:
    """A Gaussian draw with the calibration mean and variance of that layer and token, per dimension."""

    calibration: Calibration
    mixes_images = False

    def __call__(self, tokens: Tensor, layer: int, at: Places, batch: Batch) -> Tensor:
        """Return draws keyed by (seed, image, layer, token)."""
        places = self.calibration.places(at.tokens)
        mean, variance = (each[layer, places] for each in (self.calibration.mean, self.calibration.variance))
        draw = keyed_normal(batch.image_keys.to(tokens.device), layer, at.tokens, tokens.shape[-1])
        return (mean + variance.sqrt() * draw).to(tokens.dtype)


@dataclass(frozen=True)
class Resample:
    """A Gaussian draw with the calibration mean and the whole covariance of that layer and token."""

    calibration: Calibration
    mixes_images = False

    def __call__(self, tokens: Tensor, layer: int, at: Places, batch: Batch) -> Tensor:
        """Return draws from the same keyed normal values as :class:`Noise`, turned by the factor of the covariance."""
        assert self.calibration.factor is not None
        places = self.calibration.places(at.tokens)
        mean, factor = (each[layer, places] for each in (self.calibration.mean, self.calibration.factor))
        draw = keyed_normal(batch.image_keys.to(tokens.device), layer, at.tokens, tokens.shape[-1])
        return (mean + torch.einsum("kde,bke->bkd", factor, draw.to(factor.dtype))).to(tokens.dtype)


@dataclass(frozen=True)
class Shuffle:
    """The same row of another image in the same pass, drawn per layer within fixed groups."""

    mixes_images = True

    def __call__(self, tokens: Tensor, layer: int, at: Places, batch: Batch) -> Tensor:
        """Return the donors' rows."""
        donors = batch.donors("shuffle", layer).to(tokens.device)
        return tokens[donors[:, None], at.rows]


@dataclass(frozen=True)
class ShuffleTrajectory:
    """The same row of another image's unchanged pass, one donor for all layers.

    Attributes:
        clean: layers × B × tokens × dimension, the rows of ``tokens`` after every block of the unchanged pass over
            the same batch.
        tokens: which rows of the sequence ``clean`` holds.
    """

    clean: Tensor
    tokens: tuple[int, ...]
    mixes_images = True

    def __call__(self, tokens: Tensor, layer: int, at: Places, batch: Batch) -> Tensor:
        """Return the donors' rows."""
        donors = batch.donors("shuffle_trajectory").to(tokens.device)
        rows = [self.tokens.index(row) for row in at.tokens]
        return self.clean[layer][donors][:, rows].to(tokens.dtype)


MIXING = ("shuffle", "shuffle_trajectory")  # replacements that need the images of a group in one pass


def replacement(
    by: str, calibration: Calibration | None, clean: Tensor | None = None, tokens: tuple[int, ...] = ()
) -> Replacement:
    """Return the replacement of that name.

    Args:
        by: zero, mean, noise, resample, shuffle or shuffle_trajectory.
        calibration: needed by mean, noise and resample.
        clean, tokens: needed by shuffle_trajectory (see there).

    Raises:
        ValueError: for another name, or where what it needs is not there.
    """
    match by:
        case "zero":
            return Zero()
        case "shuffle":
            return Shuffle()
        case "shuffle_trajectory":
            if clean is None:
                raise ValueError("Replacement 'shuffle_trajectory' needs the tokens of an unchanged pass")
            return ShuffleTrajectory(clean, tokens)
        case "mean" | "noise" | "resample":
            if calibration is None or (by == "resample" and calibration.factor is None):
                raise ValueError(f"Replacement {by!r} needs a calibration{' with covariances' * (by == 'resample')}")
            return Mean(calibration) if by == "mean" else (Noise if by == "noise" else Resample)(calibration)
        case _:
            raise ValueError(
                f"{by!r} is no replacement; allowed: zero, mean, noise, resample, shuffle, shuffle_trajectory"
            )


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
        calibration: needed by mean, noise and resample.
        batch: identities of the images of the pass.
        clean: needed by shuffle_trajectory: the prefix tokens of the unchanged pass over the same batch after every
            block, layers × B × prefix tokens × dimension (see :func:`extract.features.clean_prefix`).

    Raises:
        ValueError: where the model lacks the condition's tokens, or the pass holds other than the batch's images.
    """
    handles = []
    try:
        if condition.by is not None:
            at = places_of(condition, layout, batch, next(network.parameters()).device)
            new_rows = replacement(condition.by, calibration, clean, layout.prefix)
            for layer, block in enumerate(network.blocks):  # type: ignore[arg-type]
                handles.append(block.register_forward_hook(_hook(layer, at, new_rows, batch)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(layer: int, at: Places, new_rows: Replacement, batch: Batch) -> Any:
    def replace(_block: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        if len(output) != len(batch.units):
            raise ValueError(f"The forward pass holds {len(output)} images, but the batch names {len(batch.units)}")
        # A copy where gradients are wanted; otherwise the block's output belongs to nobody else.
        tokens = output.clone() if output.requires_grad else output
        with full_precision(output):
            tokens[at.images, at.rows] = new_rows(output, layer, at, batch)
        return tokens

    return replace
