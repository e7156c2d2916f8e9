"""Forward passes under a condition, and the tokens that are read from them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from config.errors import InputError
from config.settings import Condition
from extract.datasets.packs import OpenPack, batches, whole_groups
from extract.interventions import MIXING, Batch, Calibration, intervene
from extract.models import Network
from extract.observation import See, observe


class FeatureError(InputError):
    """Features that cannot be used, naming the model, the condition and the image."""


@dataclass(frozen=True)
class Images:
    """Images on the device, shared by every condition.

    Attributes:
        rows: rows of the pack.
        x: network input, B×3×size×size.
        batch: who they are.
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
    conditions: tuple[Condition, ...],
) -> Images:
    """Put images (pack rows, and their pixels) onto the device, with what ``conditions`` need of their clean pass."""
    x = network.input(pixels)
    trajectories = any(condition.by == "shuffle_trajectory" for condition in conditions)
    clean = clean_prefix(network, x) if trajectories else None
    return Images(rows, x, batch_of(pack, rows, seed), clean)


def batch_of(pack: OpenPack, rows: NDArray[np.int64], seed: int) -> Batch:
    """Return the identities of pack rows."""
    units, groups = (tuple(pack.index[key].to_numpy()[rows]) for key in ("unit", "group"))
    return Batch(units, groups, seed)


@torch.inference_mode()
def clean_prefix(network: Network, x: Tensor) -> Tensor:
    """Return the prefix tokens after every block of the unchanged pass over ``x``, layers × B × tokens × dimension."""
    seen: list[Tensor] = []
    rows = list(network.layout.prefix)
    with observe(network.module, range(network.depth), lambda _layer, output: seen.append(output[:, rows])):
        network.run(x)
    return torch.stack(seen)


@torch.inference_mode()
def run_under(
    network: Network,
    images: Images,
    condition: Condition,
    calibration: Calibration | None,
    layers: tuple[int, ...],
    see: See,
    measuring: AbstractContextManager[Any] | None = None,
) -> None:
    """Run one forward pass under a condition.

    Args:
        network: the model.
        images: what passes.
        condition: what is replaced.
        calibration: needed by mean, noise and resample.
        layers: blocks whose output ``see`` is shown, after the condition has replaced its rows.
        see: called with the block's index and B × tokens × dimension.
        measuring: a further observer, entered after the condition.
    """
    with (
        intervene(network.module, condition, network.layout, calibration, images.batch, images.clean),
        observe(network.module, layers, see),
        measuring or nullcontext(),
    ):
        network.run(images.x)


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
    run_under(network, images, condition, calibration, layers, lambda _layer, output: seen.append(network.norm(output)))
    sequence = torch.stack(seen, dim=1)
    finite = torch.isfinite(sequence.flatten(1)).all(dim=1)
    if not finite.all():
        raise non_finite(network, condition, images.batch.units[int((~finite).nonzero()[0])])
    layout = network.layout
    return Tokens(sequence[:, :, list(layout.prefix)], sequence[:, :, layout.patches.start : layout.patches.stop])


def non_finite(network: Network, condition: Condition, unit: str) -> FeatureError:
    """Return the complaint about features of an image that are not finite."""
    return FeatureError(
        f"{network.name} under {condition.name}: NaN or infinite features for image {unit}. "
        "Check the weights, and extraction.precision if it is not float32"
    )


def passes(
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

    What an image's features are depends neither on ``batch_size`` nor on which other rows are asked for: conditions
    that mix images get their groups whole, and the rows that nobody asked for are dropped afterwards.
    """
    mixes = condition.by in MIXING
    passed = whole_groups(rows, pack.index["group"]) if mixes else rows
    for part in batches(passed, pack.index["group"], batch_size, whole_groups=mixes):
        images = images_of(network, pack, part, np.asarray(pack.images[part]), seed, (condition,))
        tokens = tokens_under(network, images, condition, calibration, layers)
        wanted = np.isin(part, rows)
        if not wanted.all():
            chosen = torch.from_numpy(wanted).to(network.device)
            part, tokens = part[wanted], Tokens(tokens.prefix[chosen], tokens.patches[chosen])
        yield part, tokens
