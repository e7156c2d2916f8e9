"""Forward passes over a load of images under every condition, and what is kept of them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from config.errors import InputError
from config.settings import Settings
from extract.datasets.packs import OpenPack, batches
from extract.features import Images, images_of, mixes_images, non_finite, under
from extract.loads import Load
from extract.matching import PairCounts
from extract.measures import PassMeasures, Reference, measured_rows, measuring
from extract.models import Network
from extract.observation import observe
from extract.reduction import Plan, Reduction, plans
from extract.replacements import Calibration


class DeviceMemoryError(InputError):
    """A forward pass that does not fit into the device's memory, however few images it holds."""


@dataclass(frozen=True)
class ShardExtraction:
    """What every load of a shard goes through.

    Attributes:
        network, calibration, pack: what passes through what.
        plans: what is kept of each condition, ``full`` first.
        measured, attended: rows of the pack whose geometry, and whose attention too, is measured.
        layers: layers that are measured.
        seed: the run's seed.
    """

    network: Network
    calibration: Calibration
    pack: OpenPack
    plans: tuple[Plan, ...]
    measured: NDArray[np.int64]
    attended: NDArray[np.int64]
    layers: tuple[int, ...]
    seed: int

    @classmethod
    def of(
        cls, network: Network, calibration: Calibration, pack: OpenPack, settings: Settings, dataset: str
    ) -> "ShardExtraction":
        """Return what a run's settings ask for of a model on the pack of a data set."""
        measured, attended = measured_rows(pack, dataset, settings.measures)
        layers = network.layers(settings.measures.layers)
        return cls(network, calibration, pack, plans(network, settings), measured, attended, layers, settings.seed)

    @property
    def mixes_images(self) -> bool:
        """Whether a condition needs the images of a group in one pass."""
        return any(mixes_images(plan.condition) for plan in self.plans)


@dataclass(frozen=True)
class Kept:
    """What the passes over a load leave of one condition.

    Attributes:
        features: by ``<token>/<layer>``, images × dimension.
        counts: by layer, of the load's pairs.
        measures: of every pass, with the rows of the pack that were measured in it.
    """

    features: dict[str, NDArray[np.float32]]
    counts: dict[int, PairCounts]
    measures: list[tuple[PassMeasures, NDArray[np.int64]]]


@dataclass(frozen=True)
class _OnDevice:
    """The images of one forward pass, and what the passes of a load under other conditions are compared with."""

    images: Images
    reference: Reference


def fitting_passes(extraction: ShardExtraction, load: Load, batch_size: int) -> tuple[list[Kept], int]:
    """Pass a load under every condition, with half as many images at a time whenever memory does not suffice.

    Args:
        extraction: of the shard.
        load: what passes.
        batch_size: images per pass, at most; where a condition mixes images, a whole group is one pass at least.

    Returns:
        What is kept of each of the extraction's plans, and the batch size that was possible, for the next load to
        begin with.

    Raises:
        FeatureError: for NaN or infinite features.
        DeviceMemoryError: where not even the smallest pass fits.
    """
    smallest = extraction.pack.largest_group if extraction.mixes_images else 1
    while True:
        try:
            return passes(extraction, load, batch_size), batch_size
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            if batch_size <= smallest:
                raise DeviceMemoryError(
                    f"extraction.batch_size: {extraction.network.name} does not fit into the memory of "
                    f"{extraction.network.device} even with {smallest} images per pass"
                    + (" (conditions that mix images take a whole group)" if extraction.mixes_images else "")
                    + ". Set extraction.precision to bfloat16, measures.attention_images lower, or "
                    "extraction.device to cpu"
                ) from error
        # Outside the handler: the error holds the frames, and they the tensors, that must go first.
        batch_size = max(smallest, batch_size // 2)
        torch.cuda.empty_cache()
        warnings.warn(f"Out of memory; going on with {batch_size} images per pass", ResourceWarning, stacklevel=2)


def _is_out_of_memory(error: RuntimeError) -> bool:
    # On a CPU it is a plain RuntimeError; there is no other sign than its text.
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def passes(extraction: ShardExtraction, load: Load, batch_size: int) -> list[Kept]:
    """Put a load onto the device and pass it under one condition after the other, in the order of the plans.

    Raises:
        FeatureError: for NaN or infinite features.
    """
    conditions = tuple(plan.condition for plan in extraction.plans)
    groups = extraction.pack.index["group"]
    pieces, start = [], 0
    for rows in batches(load.rows, groups, batch_size, whole_groups=extraction.mixes_images):
        pixels = load.pixels[start : start + len(rows)]
        images = images_of(extraction.network, extraction.pack, rows, pixels, extraction.seed, conditions)
        pieces.append(_OnDevice(images, Reference()))
        start += len(rows)
    return [_under(extraction, plan, load, pieces) for plan in extraction.plans]


def _under(extraction: ShardExtraction, plan: Plan, load: Load, pieces: Sequence[_OnDevice]) -> Kept:
    """Pass a load under one condition."""
    network, pairs = extraction.network, extraction.pack.pairs.iloc[load.pairs]
    paired = pairs[["source", "twin"]].to_numpy().ravel()
    reduction = Reduction(network, plan)
    measures = []
    for piece in pieces:
        rows = piece.images.rows
        places, attended = (np.flatnonzero(np.isin(rows, of)) for of in (extraction.measured, extraction.attended))
        with (
            under(network, piece.images, plan.condition, extraction.calibration),
            observe(network.module, plan.layers, reduction.observer(rows, paired)),
            measuring(network, extraction.layers, places, attended, piece.reference) as found,
        ):
            network.run(piece.images.x)
        measures.append((found, rows[places]))
    features = reduction.features()
    finite = np.all([np.isfinite(values).all(axis=1) for values in features.values()], axis=0)
    if not finite.all():
        first = load.rows[np.argmin(finite)]
        raise non_finite(network, plan.condition, extraction.pack.index["unit"].iloc[first])
    return Kept(features, reduction.counts(pairs), measures)
