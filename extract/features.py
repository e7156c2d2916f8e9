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
from extract.datasets.packs import OpenPack, batches
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
    patches = torch.stack([patches for patches, _ in pairs], dim=1)
    prefix = torch.stack([prefix for _, prefix in pairs], dim=1)
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

    What an image's features are does not depend on ``batch_size``: conditions that mix images get their groups
    whole.
    """
    mixes = condition.by is not None and replacement(condition.by, calibration).mixes_images
    for part in batches(rows, pack.index["group"], batch_size, whole_groups=mixes):
        yield (
            part,
            tokens_under(
                network,
                np.asarray(pack.images[part]),
                batch_of(pack, part, seed),
                condition,
                calibration,
                layers,
            ),
        )


def batch_of(pack: OpenPack, rows: NDArray[np.int64], seed: int) -> Batch:
    """Return the identities of pack rows."""
    return Batch(
        units=tuple(pack.index["unit"].to_numpy()[rows]),
        groups=tuple(pack.index["group"].to_numpy()[rows]),
        seed=seed,
    )
