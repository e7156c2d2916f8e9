"""The files of one shard: a record file per condition, and the measures of all."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import numpy as np
from numpy.typing import NDArray

from config.layout import Run
from config.settings import Settings
from extract.loads import Load, pairs_among
from extract.measures_table import MeasuresTable
from extract.passes import Kept, ShardExtraction
from extract.records import Skipped, TensorFile, save_skipped, tensor_file
from extract.reduction import planned_tensors


class ShardFiles:
    """The open record files of a shard, in the order of its plans, and its measures; written load by load."""

    def __init__(self, extraction: ShardExtraction, records: Sequence[TensorFile]) -> None:
        self._extraction, self._records = extraction, records
        self.measures = MeasuresTable(extraction.network.layout)
        self._units = extraction.pack.index["unit"].to_numpy()
        self._images = self._pairs = 0

    def write(self, load: Load, kept: Sequence[Kept]) -> None:
        """Write what a load left of every condition."""
        for plan, records, found in zip(self._extraction.plans, self._records, kept, strict=True):
            records.write("rows", load.rows, self._images)
            for name, values in found.features.items():
                records.write(name, values, self._images)
            records.write("pair_rows", load.pairs, self._pairs)
            for layer, counts in found.counts.items():
                records.write("points", counts.points, self._pairs)  # the same after every layer
                records.write(f"hits/{layer}", counts.hits, self._pairs)
                records.write(f"cycles/{layer}", counts.cycles, self._pairs)
            for measures, rows in found.measures:
                attended = np.isin(rows, self._extraction.attended)
                self.measures.add(measures, plan.condition.name, self._units[rows], attended)
        self._images += len(load.rows)
        self._pairs += len(load.pairs)


@contextmanager
def shard_files(
    extraction: ShardExtraction,
    settings: Settings,
    folder: Run,
    place: tuple[str, str, str],
    rows: NDArray[np.int64],
) -> Iterator[ShardFiles]:
    """Open the files of a shard for writing; they get their names when the ``with`` block ends well.

    A condition that the model cannot be put under gets a file with the reason.

    Args:
        extraction: of the shard.
        settings: of the run.
        folder: where the run keeps its files.
        place: model, data set and name of the shard.
        rows: of the pack, all that the shard holds.
    """
    network = extraction.network
    facts = {"model": network.signature}
    for condition in settings.conditions.values():
        if missing := network.layout.missing(condition.tokens):
            reason = Skipped(f"{network.name} has no {', '.join(missing)}")
            save_skipped(reason, folder.records(*place, condition.name), facts)
    pairs = pairs_among(extraction.pack.pairs, rows)
    with ExitStack() as stack:
        records = []
        for plan in extraction.plans:
            path, name = folder.records(*place, plan.condition.name), plan.condition.name
            tensors = planned_tensors(plan, network, len(rows), len(pairs))
            records.append(stack.enter_context(tensor_file(path, tensors, facts | {"condition": name})))
        files = ShardFiles(extraction, records)
        yield files
        files.measures.save(folder.measures(*place), folder.spectra(*place))
