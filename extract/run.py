"""Extract one shard of a data set through one model, under every condition: ``python -m extract.run --help``.

Images are put onto the device once and passed under one condition after the other; what is kept of a pass is
reduced on the device and written at once, so that memory does not grow with the number of images.
"""

import argparse
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from config.errors import InputError, report_errors
from config.layout import Run
from config.settings import Dataset, Settings, load_settings
from extract.calibration import load_calibration
from extract.datasets.packs import GROUP, OpenPack, batches, open_pack, packed, shard_blocks, shard_name
from extract.features import Images, images_of, non_finite, run_under
from extract.interventions import MIXING, Calibration
from extract.matching import PairCounts
from extract.measures import Measured, MeasuresTable, Reference, measured_rows, measuring
from extract.models import Network, load_network
from extract.records import Skipped, TensorFile, save_skipped, tensor_file
from extract.reduction import Plan, Reduction, planned_tensors, plans


class DeviceMemoryError(InputError):
    """A forward pass that does not fit into the device's memory, however few images it holds."""


@dataclass(frozen=True)
class Kept:
    """What the passes over a load of images leave of one condition.

    Attributes:
        features: by ``<token>/<layer>``, images × dimension.
        counts: by layer, of the load's pairs.
        measured: of every pass, with the rows of the pack that were measured.
    """

    features: dict[str, NDArray[np.float32]]
    counts: dict[int, PairCounts]
    measured: list[tuple[Measured, NDArray[np.int64]]]


@dataclass(frozen=True)
class Extraction:
    """The extraction of some rows of a pack.

    Attributes:
        network, calibration, pack: what passes through what.
        plans: what is kept.
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

    @property
    def mixes(self) -> bool:
        """Whether a condition needs the images of a group in one pass."""
        return any(plan.condition.by in MIXING for plan in self.plans)

    def pairs_in(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the pairs whose two images are among ``rows``."""
        pairs = self.pack.pairs
        return np.flatnonzero(pairs["source"].isin(rows) & pairs["twin"].isin(rows))

    def of(self, rows: NDArray[np.int64], pixels: NDArray[np.uint8], batch_size: int) -> list[Kept]:
        """Pass a load of images under every condition, in the order of ``plans``.

        Args:
            rows: of the pack; whole groups, with both images of every pair.
            pixels: theirs, uint8 n×H×W×3.
            batch_size: images a pass, at most; where a condition mixes images, a whole group is one pass at least.
        """
        conditions = tuple(plan.condition for plan in self.plans)
        pieces, start = [], 0
        for part in batches(rows, self.pack.index["group"], batch_size, whole_groups=self.mixes):
            of_part = pixels[start : start + len(part)]
            pieces.append(images_of(self.network, self.pack, part, of_part, self.seed, conditions))
            start += len(part)
        references = [Reference() for _ in pieces]
        return [self._under(plan, pieces, references, self.pairs_in(rows)) for plan in self.plans]

    def _under(self, plan: Plan, pieces: list[Images], references: list[Reference], pairs: NDArray[np.int64]) -> Kept:
        reduction = Reduction(self.network, plan)
        of_pairs = self.pack.pairs.iloc[pairs]
        paired = of_pairs[["source", "twin"]].to_numpy().ravel()
        measured = []
        for images, reference in zip(pieces, references, strict=True):
            see = reduction.observer(images.rows, paired)
            places, attended = (np.flatnonzero(np.isin(images.rows, which)) for which in (self.measured, self.attended))
            found = Measured()
            also = measuring(self.network, self.layers, places, attended, reference, found)
            run_under(self.network, images, plan.condition, self.calibration, plan.layers, see, also)
            measured.append((found, images.rows[places]))
        features = reduction.features()
        finite = np.all([np.isfinite(values).all(axis=1) for values in features.values()], axis=0)
        if not finite.all():
            rows = np.concatenate([images.rows for images in pieces])
            raise non_finite(self.network, plan.condition, self.pack.index["unit"].iloc[rows[np.argmin(finite)]])
        return Kept(features, reduction.counts(of_pairs), measured)


def loads(
    pack: OpenPack, blocks: list[NDArray[np.int64]], batch_size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Yield rows and pixels of as many blocks as fit into a batch, reading the next ones from disk meanwhile."""
    parts = list(packed(blocks, batch_size))
    with ThreadPoolExecutor(1) as reader:
        ahead = deque(reader.submit(pack.images.__getitem__, part) for part in parts[:1])
        for part, following in zip_longest(parts, parts[1:]):
            pixels = ahead.popleft().result()
            if following is not None:
                ahead.append(reader.submit(pack.images.__getitem__, following))
            yield part, np.asarray(pixels)


def fitting(
    extraction: Extraction, rows: NDArray[np.int64], pixels: NDArray[np.uint8], batch_size: int
) -> tuple[list[Kept], int]:
    """Pass a load of images, with half as many at a time whenever the device's memory does not suffice.

    Returns:
        What is kept, and the batch size that was possible, for the next load to begin with.

    Raises:
        DeviceMemoryError: where not even the smallest pass fits.
    """
    smallest = GROUP if extraction.mixes else 1
    while True:
        try:
            return extraction.of(rows, pixels, batch_size), batch_size
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            if batch_size <= smallest:
                raise DeviceMemoryError(
                    f"extraction.batch_size: {extraction.network.name} does not fit into the memory of "
                    f"{extraction.network.device} even with {smallest} images a pass"
                    + (" (conditions that mix images take a whole group)" if extraction.mixes else "")
                    + ". Set extraction.precision to bfloat16, measures.attention_images lower, or "
                    "extraction.device to cpu"
                ) from error
        # Outside the handler: the error holds the frames, and they the tensors, that must go first.
        batch_size = max(smallest, batch_size // 2)
        torch.cuda.empty_cache()
        warnings.warn(f"Out of memory; going on with {batch_size} images a pass", ResourceWarning, stacklevel=2)


def _is_out_of_memory(error: RuntimeError) -> bool:
    # On a CPU it is a plain RuntimeError; there is no other sign than its text.
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


class Shard:
    """The open files of one shard, written load by load."""

    def __init__(self, extraction: Extraction, files: list[TensorFile], measures: MeasuresTable) -> None:
        self._extraction, self._files, self.measures = extraction, files, measures
        self._images = self._pairs = 0

    def write(self, rows: NDArray[np.int64], kept: list[Kept]) -> None:
        """Write what a load left of every condition."""
        pairs = self._extraction.pairs_in(rows)
        units = self._extraction.pack.index["unit"].to_numpy()
        for plan, file, found in zip(self._extraction.plans, self._files, kept, strict=True):
            file.write("rows", rows, self._images)
            for name, values in found.features.items():
                file.write(name, values, self._images)
            file.write("pair_rows", pairs, self._pairs)
            for layer, counts in found.counts.items():
                file.write("points", counts.points, self._pairs)  # the same after every layer
                file.write(f"hits/{layer}", counts.hits, self._pairs)
                file.write(f"cycles/{layer}", counts.cycles, self._pairs)
            for measured, places in found.measured:
                attended = np.isin(places, self._extraction.attended)
                self.measures.add(measured, plan.condition.name, units[places], attended)
        self._images += len(rows)
        self._pairs += len(pairs)


def extract(
    network: Network,
    calibration: Calibration,
    pack: OpenPack,
    settings: Settings,
    folder: Run,
    model: str,
    dataset: Dataset,
    shard: int,
) -> None:
    """Extract one shard of a data set and write its records, a file a condition, and its measures.

    Args:
        network, calibration, pack: what passes through what.
        settings: of the run: conditions, layers, measures, batch size and seed.
        folder: where to.
        model, dataset: names, for the paths.
        shard: counted from 0.

    Raises:
        FeatureError: for NaN or infinite features.
        DeviceMemoryError: where not even the smallest pass fits.
    """
    name = shard_name(shard, dataset.shards)
    measured, attended = measured_rows(pack, dataset.name, settings.measures)
    layers = network.layers(settings.measures.layers)
    extraction = Extraction(
        network, calibration, pack, plans(network, settings), measured, attended, layers, settings.seed
    )
    blocks = shard_blocks(pack, shard, dataset.shards)
    rows = np.concatenate([np.zeros(0, np.int64), *blocks])
    pairs = extraction.pairs_in(rows)
    facts = {"model": network.signature}
    for condition in settings.conditions.values():
        if missing := network.layout.missing(condition.tokens):
            reason = Skipped(f"{network.name} has no {', '.join(missing)}")
            save_skipped(reason, folder.records(model, dataset.name, name, condition.name), facts)
    with ExitStack() as stack:
        files = [
            stack.enter_context(
                tensor_file(
                    folder.records(model, dataset.name, name, plan.condition.name),
                    planned_tensors(plan, network, len(rows), len(pairs)),
                    facts | {"condition": plan.condition.name},
                )
            )
            for plan in extraction.plans
        ]
        of_shard = model, dataset.name, name
        written = Shard(extraction, files, MeasuresTable(network.layout))
        batch_size = settings.extraction.batch_size
        with tqdm(total=len(rows), desc=" ".join(of_shard), unit=" images", mininterval=5) as progress:
            for some, pixels in loads(pack, blocks, batch_size):
                kept, batch_size = fitting(extraction, some, pixels, batch_size)
                written.write(some, kept)
                progress.update(len(some))
        written.measures.save(folder.measures(*of_shard), folder.spectra(*of_shard))


def run(settings: Settings, folder: Run, model: str, dataset: Dataset, shard: int) -> None:
    """Extract one shard of a run."""
    network = load_network(settings.models[model], settings.seed, settings.extraction)
    calibration = load_calibration(folder.calibration(model), network.device)
    extract(network, calibration, open_pack(folder.pack(dataset.name)), settings, folder, model, dataset, shard)


def main() -> None:
    """Command line: extract one shard of one data set through one model of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--model", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--shard", type=int, default=0, help="counted from 0")
    arguments = parser.parse_args()
    settings = load_settings(arguments.settings)
    folder = Run(arguments.settings.parent)
    run(settings, folder, arguments.model, settings.datasets[arguments.dataset], arguments.shard)


if __name__ == "__main__":
    report_errors(main)
