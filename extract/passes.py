"""Forward passes over a load of images under every condition, and what is kept of them."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from config.errors import InputError
from config.settings import Settings
from extract.datasets.packs import OpenPack, batches
from extract.features import Images, images_of, mixes_images, non_finite, under
from extract.geometry import Spectra
from extract.loads import Load
from extract.matching import PairCounts
from extract.measures import PassMeasures, Reference, measured_rows, measuring
from extract.models import Network
from extract.observation import observe
from extract.patch_store import PatchStore, keeping
from extract.reduction import LoadPairs, Plan, Reduction, named_counts, named_features, plans
from extract.replacements import Calibration
from extract.transfer import on_host
from extract.unchanged import Unchanged, sharing


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
        store: where patches are kept for tasks in the same process; None where nothing is kept.
    """

    network: Network
    calibration: Calibration
    pack: OpenPack
    plans: tuple[Plan, ...]
    measured: NDArray[np.int64]
    attended: NDArray[np.int64]
    layers: tuple[int, ...]
    seed: int
    store: PatchStore | None = None

    @classmethod
    def of(
        cls,
        network: Network,
        calibration: Calibration,
        pack: OpenPack,
        settings: Settings,
        dataset: str,
        store: PatchStore | None = None,
    ) -> "ShardExtraction":
        """Return what a run's settings ask for of a model on the pack of a data set."""
        measured, attended = measured_rows(pack, dataset, settings.measures)
        layers = network.layers(settings.measures.layers)
        return cls(
            network, calibration, pack, plans(network, settings), measured, attended, layers, settings.seed, store
        )

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
class Piece:
    """The images of one forward pass.

    Attributes:
        images: on the device.
        reference: those that are measured, and what passes under other conditions are compared with.
        unchanged: what these need not compute again.
    """

    images: Images
    reference: Reference
    unchanged: Unchanged

    @property
    def given(self) -> Images:
        """The images, with the prefix tokens of the unchanged pass where a condition needs them."""
        return replace(self.images, clean=self.unchanged.clean)


@dataclass(frozen=True)
class OnDevice:
    """A load of images on the device, where it stays while it passes under every condition.

    Attributes:
        pieces: by forward pass.
        pairs: the image pairs of the load.
    """

    pieces: tuple[Piece, ...]
    pairs: LoadPairs

    @classmethod
    def of(cls, extraction: ShardExtraction, images: Sequence[Images], pairs: pd.DataFrame) -> "OnDevice":
        """Put what is measured and matched of a load onto the device, with its images."""
        network = extraction.network
        replacements = [plan.condition.replacement for plan in extraction.plans]
        trajectories = any(each is not None and each.clean_pass for each in replacements)
        pieces = []
        for each in images:
            measured, attended = (
                np.flatnonzero(np.isin(each.rows, of)) for of in (extraction.measured, extraction.attended)
            )
            reference = Reference.of(network, measured, attended)
            pieces.append(Piece(each, reference, Unchanged(reference.attended, trajectories)))
        return cls(tuple(pieces), LoadPairs.of(network, pairs, [each.rows for each in images]))


@dataclass(frozen=True)
class Passed:
    """What the passes over a load leave of one condition, on the device: :class:`Kept` before it is read.

    Attributes:
        features, counts: see :class:`extract.reduction.Reduction`.
        measures: of every pass; complete when the spectra are solved.
    """

    features: Tensor
    counts: Tensor
    measures: tuple[PassMeasures, ...]

    def tensors(self) -> list[Tensor]:
        """Return everything that is read, in order."""
        return [self.features, self.counts, *(tensor for each in self.measures for tensor in each.tensors())]


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
    groups = extraction.pack.index["group"]
    images, start = [], 0
    for rows in batches(load.rows, groups, batch_size, whole_groups=extraction.mixes_images):
        pixels = load.pixels[start : start + len(rows)]
        images.append(images_of(extraction.network, extraction.pack, rows, pixels, extraction.seed))
        start += len(rows)
    on_device = OnDevice.of(extraction, images, extraction.pack.pairs.iloc[load.pairs])
    return kept(extraction, load, on_device, passed(extraction, on_device))


@torch.inference_mode()
def passed(extraction: ShardExtraction, load: OnDevice) -> list[Passed]:
    """Pass a load under one condition after the other, without waiting for the device."""
    spectra = Spectra()
    found = [_under(extraction, plan, load, spectra) for plan in extraction.plans]
    spectra.solve()
    return found


def _under(extraction: ShardExtraction, plan: Plan, load: OnDevice, spectra: Spectra) -> Passed:
    """Pass a load under one condition."""
    network = extraction.network
    reduction = Reduction(network, plan, load.pairs)
    measures = []
    for number, piece in enumerate(load.pieces):
        with (
            under(network, piece.given, plan.condition, extraction.calibration),
            sharing(network, piece.unchanged),
            observe(network.module, plan.layers, reduction.observer(number)),
            keeping(extraction.store, network, piece.images.rows, plan.condition.name),
            measuring(network, extraction.layers, piece.reference, spectra) as measured,
        ):
            network.run(piece.images.x)
        measures.append(measured)
    return Passed(reduction.features(), reduction.counts(), tuple(measures))


def kept(extraction: ShardExtraction, load: Load, on_device: OnDevice, found: Sequence[Passed]) -> list[Kept]:
    """Read what the passes over a load left, all conditions at once, and name it.

    Raises:
        FeatureError: for NaN or infinite features.
    """
    network = extraction.network
    tensors = iter(on_host([tensor for each in found for tensor in each.tensors()]))
    measured = [piece.images.rows[piece.reference.places] for piece in on_device.pieces]
    every = []
    for plan, each in zip(extraction.plans, found, strict=True):
        features, counts = next(tensors).numpy(), next(tensors).numpy()
        finite = np.isfinite(features).all(axis=(0, 2, 3))
        if not finite.all():
            first = load.rows[np.argmin(finite)]
            raise non_finite(network, plan.condition, extraction.pack.index["unit"].iloc[first])
        measures = [one.filled(tensors) for one in each.measures]
        named = named_features(plan, network.layout, features)
        every.append(Kept(named, named_counts(plan, counts), list(zip(measures, measured, strict=True))))
    return every
