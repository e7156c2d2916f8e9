"""Forward passes under a condition, reduced to what is kept of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from config.errors import InputError
from config.settings import Condition
from extract.datasets.packs import OpenPack, batches, whole_groups
from extract.interventions import Batch, Calibration, intervene, replacement
from extract.models import Network


class FeatureError(InputError):
    """Features that cannot be used, naming the model, the condition and the image."""


@dataclass(frozen=True)
class Tokens:
    """Normed tokens of a batch (after the final norm) at the layers asked for.

    Attributes:
        prefix: B × layers × prefix tokens × dimension, in the order of ``layout.prefix``.
        patches: B × layers × patches × dimension.
    """

    prefix: Tensor
    patches: Tensor


@torch.inference_mode()
def tokens_under(
    network: Network,
    images: NDArray[np.uint8],
    batch: Batch,
    condition: Condition,
    calibration: Calibration | None,
    layers: tuple[int, ...],
) -> Tokens:
    """Run one forward pass under a condition.

    Args:
        network: the model.
        images: uint8 B×H×W×3.
        batch: identities of the images.
        condition: what is replaced.
        calibration: needed by mean and noise.
        layers: blocks whose normed output is returned, counted from 0.

    Raises:
        FeatureError: for NaN or infinite features.
    """
    x = network.input(images)
    with intervene(network.module, condition, network.layout, calibration, batch):
        forward = cast(Any, network.module.forward_intermediates)
        pairs = forward(
            x,
            indices=list(layers),
            return_prefix_tokens=True,
            norm=True,
            output_fmt="NLC",
            intermediates_only=True,
        )
    # timm cuts the sequence after its first tokens, whatever they are; whole again, the layout says what is what.
    sequence = torch.stack([torch.cat([first, rest], dim=1) for rest, first in pairs], dim=1)
    places = network.layout
    prefix = sequence[:, :, list(places.prefix)]
    patches = sequence[:, :, places.patches.start : places.patches.stop]
    if not (torch.isfinite(patches).all() and torch.isfinite(prefix).all()):
        finite = torch.isfinite(patches.flatten(1)).all(1) & torch.isfinite(prefix.flatten(1)).all(1)
        first = batch.units[int((~finite).nonzero()[0])]
        raise FeatureError(
            f"{network.name} under {condition.name}: NaN or infinite features for image {first}. "
            "Check the weights, and the precision if it is not float32"
        )
    return Tokens(prefix, patches)


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
    mixes = condition.by is not None and replacement(condition.by, calibration).mixes_images
    passed = whole_groups(rows, pack.index["group"]) if mixes else rows
    for part in batches(passed, pack.index["group"], batch_size, whole_groups=mixes):
        tokens = tokens_under(
            network, np.asarray(pack.images[part]), batch_of(pack, part, seed), condition, calibration, layers
        )
        wanted = np.isin(part, rows)
        if not wanted.all():
            chosen = torch.from_numpy(wanted).to(network.device)
            part, tokens = part[wanted], Tokens(tokens.prefix[chosen], tokens.patches[chosen])
        yield part, tokens


def batch_of(pack: OpenPack, rows: NDArray[np.int64], seed: int) -> Batch:
    """Return the identities of pack rows."""
    return Batch(
        units=tuple(pack.index["unit"].to_numpy()[rows]),
        groups=tuple(pack.index["group"].to_numpy()[rows]),
        seed=seed,
    )
