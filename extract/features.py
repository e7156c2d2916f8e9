"""Forward passes under a condition, and the tokens that are read from them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from config.conditions import Condition
from config.errors import InputError
from extract.datasets.packs import OpenPack, batches, whole_groups
from extract.draws import Batch
from extract.interventions import intervene
from extract.models import Network
from extract.observation import observe
from extract.replacements import Calibration


class FeatureError(InputError):
    """Features that cannot be used, naming the model, the condition and the image."""


@dataclass(frozen=True)
class Images:
    """Images on the device, shared by every condition.

    Attributes:
        rows: rows of the pack.
        x: network input, B×3×size×size.
        batch: their identity.
        clean: layers × B × prefix tokens × dimension, the prefix tokens of the unchanged pass, where a condition needs
            them.
    """

    rows: NDArray[np.int64]
    x: Tensor
    batch: Batch
    clean: Tensor | None = None


def images_of(
    network: Network,
    pack: OpenPack,
    rows: NDArray[np.int64],
    pixels: NDArray[np.uint8],
    seed: int,
    conditions: tuple[Condition, ...] = (),
) -> Images:
    """Put images (pack rows, and their pixels) onto the device, with what ``conditions`` need of their clean pass."""
    x = network.input(pixels)
    replacements = (condition.replacement for condition in conditions)
    clean = clean_prefix(network, x) if any(each is not None and each.clean_pass for each in replacements) else None
    return Images(rows, x, batch_of(pack, rows, seed), clean)


def mixes_images(condition: Condition) -> bool:
    """Tell whether a condition takes rows of other images, so that a pass must hold whole groups.

    Examples:
        >>> mixes_images(Condition("s", ("cls",), "shuffle")), mixes_images(Condition("full"))
        (True, False)
    """
    return condition.replacement is not None and condition.replacement.mixes_images


def batch_of(pack: OpenPack, rows: NDArray[np.int64], seed: int) -> Batch:
    """Return the identity of pack rows."""
    units, groups = (tuple(pack.index[key].to_numpy()[rows]) for key in ("unit", "group"))
    return Batch(units, groups, seed)


@torch.inference_mode()
def clean_prefix(network: Network, x: Tensor) -> Tensor:
    """Return the prefix tokens after every block of the unchanged pass over ``x``, layers × B × tokens × dimension."""
    seen: list[Tensor] = []
    rows = torch.tensor(network.layout.prefix, dtype=torch.int64, device=network.device)  # once, not at every block
    with observe(
        network.module, range(network.depth), lambda _layer, output: seen.append(output.index_select(1, rows))
    ):
        network.run(x)
    return torch.stack(seen)


@contextmanager
def under(network: Network, images: Images, condition: Condition, calibration: Calibration | None) -> Iterator[None]:
    """Put a network under a condition for the forward passes of ``images`` inside the ``with`` block.

    Args:
        network: the model; passes inside the block take no gradients.
        images: what passes.
        condition: what is replaced.
        calibration: needed where the replacement's record is ``calibrated``.
    """
    intervention = intervene(network.module, condition, network.layout, calibration, images.batch, images.clean)
    with torch.inference_mode(), intervention:
        yield


@dataclass(frozen=True)
class Tokens:
    """Tokens of a batch after the final norm, at the layers asked for.

    Attributes:
        prefix: B × layers × prefix tokens × dimension, in the order of ``layout.prefix``.
        patches: B × layers × patches × dimension.
    """

    prefix: Tensor
    patches: Tensor


def tokens_under(
    network: Network,
    images: Images,
    condition: Condition,
    calibration: Calibration | None,
    layers: tuple[int, ...],
) -> Tokens:
    """Return the tokens of images under a condition.

    Raises:
        FeatureError: for NaN or infinite features.
    """
    seen: list[Tensor] = []
    with (
        under(network, images, condition, calibration),
        observe(network.module, layers, lambda _layer, output: seen.append(network.norm(output))),
    ):
        network.run(images.x)
    sequence = torch.stack(seen, dim=1)
    finite = torch.isfinite(sequence.flatten(1)).all(dim=1)
    if not finite.all():
        raise non_finite(network, condition, images.batch.units[int((~finite).nonzero()[0])])
    layout = network.layout
    return Tokens(sequence[:, :, list(layout.prefix)], sequence[:, :, layout.patches.start : layout.patches.stop])


def non_finite(network: Network, condition: Condition, unit: str) -> FeatureError:
    """Return the error for features of an image that are NaN or infinite."""
    return FeatureError(
        f"{network.name} under {condition.name}: NaN or infinite features for image {unit}. "
        "Check the weights, and extraction.precision if it is not float32"
    )


def parts_of(
    pack: OpenPack, rows: NDArray[np.int64], condition: Condition, batch_size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Yield the rows that pass together under a condition, and which of them were asked for, a batch at a time."""
    mixes = mixes_images(condition)
    passed = whole_groups(rows, pack.index["group"]) if mixes else rows
    for part in batches(passed, pack.index["group"], batch_size, whole_groups=mixes):
        yield part, np.isin(part, rows)


def tokens_by_batch(
    network: Network,
    pack: OpenPack,
    rows: NDArray[np.int64],
    condition: Condition,
    calibration: Calibration | None,
    layers: tuple[int, ...],
    batch_size: int,
    seed: int,
) -> Iterator[tuple[NDArray[np.int64], Tokens]]:
    """Yield the rows and tokens of ``rows`` under a condition, a batch at a time.

    An image's features depend neither on ``batch_size`` nor on which other rows are asked for, up to the rounding of
    sums in another order: conditions that mix images get whole groups, and the rows that were not asked for are
    dropped afterwards.
    """
    for part, wanted in parts_of(pack, rows, condition, batch_size):
        images = images_of(network, pack, part, np.asarray(pack.images[part]), seed, (condition,))
        tokens = tokens_under(network, images, condition, calibration, layers)
        if not wanted.all():
            chosen = torch.from_numpy(wanted).to(network.device)
            part, tokens = part[wanted], Tokens(tokens.prefix[chosen], tokens.patches[chosen])
        yield part, tokens
