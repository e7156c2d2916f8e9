"""Dense tasks: a probe on patch tokens, which are not recorded, so that the task runs the network itself.

What they share is here: the patches of a data set under a condition, batch by batch; matched and frozen readouts; the
command line; writing outcomes and fits. A task states what its patches are held against, and how a probe is fitted
and scored; :mod:`extract.tasks.segmentation` is one.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from config.command_line import read_run, run_parser
from config.conditions import Condition
from config.layout import Run
from config.settings import Dataset, Settings
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import FROZEN, MATCHED, TASKS
from extract.calibration import load_calibration
from extract.datasets.packs import OpenPack, open_pack
from extract.features import parts_of, tokens_by_batch
from extract.gpu_pool import take_gpu
from extract.models import Network, load_network
from extract.outcomes import Fit, OutcomeCounts, save_fits, save_outcomes
from extract.patch_store import PatchStore
from extract.replacements import Calibration

Probe = TypeVar("Probe")


@dataclass(frozen=True)
class DenseTask(ABC, Generic[Probe]):
    """A dense task on one data set through one model.

    Attributes:
        name: of the task, as in the vocabulary.
        network, calibration, pack: what passes through what.
        dataset: of the pack, as the config describes it.
        settings: of the run.
        store: patches that the extraction has kept; those that it lacks are computed.
    """

    name: ClassVar[str]

    network: Network
    calibration: Calibration
    pack: OpenPack
    dataset: Dataset
    settings: Settings
    store: PatchStore | None = None

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the pack whose patches are read."""
        return np.concatenate([self.pack.rows("train"), self.pack.rows("test")])

    @property
    def layer(self) -> int:
        """The layer whose patches are read: the last."""
        return self.network.depth - 1

    @property
    def units(self) -> NDArray[np.str_]:
        """Identity of every row of the pack."""
        return self.pack.index["unit"].to_numpy(dtype=str)

    @property
    def categories(self) -> tuple[str, ...]:
        """What is counted apart, and averaged over by the metric; one nameless category where a task has no others."""
        return ("",)

    @abstractmethod
    def truth(self, rows: NDArray[np.int64]) -> Tensor:
        """Return what the patches of pack rows are held against, one entry per row, on any device."""

    @abstractmethod
    def fit(self, condition: Condition) -> Probe:
        """Train a probe on training images under a condition."""

    @abstractmethod
    def counts(self, probe: Probe, tokens: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Score a probe on a batch of images.

        Args:
            probe: as fitted.
            tokens: patches, B × patches × dimension.
            truth: what they are held against, on the same device.

        Returns:
            Numerators and denominators, B × categories each.
        """

    @abstractmethod
    def summary(self, probe: Probe, condition: Condition) -> Fit:
        """Return how a probe was fitted."""

    def probes(self, conditions: Sequence[Condition]) -> Iterator[Probe]:
        """Yield a probe for each condition; a task that can train many at once does it here."""
        for condition in conditions:
            yield self.fit(condition)

    def patches(self, rows: NDArray[np.int64], condition: Condition) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Yield rows of the pack and their patches, B × patches × dimension on the device, a batch at a time."""
        batch_size, seed = self.settings.extraction.batch_size, self.settings.seed
        if self.store is not None and self.store.holds(rows, condition.name):
            for part, wanted in parts_of(self.pack, rows, condition, batch_size):
                yield part[wanted], self.store.get(part[wanted], condition.name).to(self.network.device)
            return
        passed = tokens_by_batch(
            self.network, self.pack, rows, condition, self.calibration, (self.layer,), batch_size, seed
        )
        for part, tokens in passed:
            yield part, tokens.patches[:, 0].float()

    def score(self, condition: Condition, probes: Mapping[str, Probe]) -> list[OutcomeCounts]:
        """Score probes, by the name of their readout, on the test images under a condition, in one pass."""
        rows: list[NDArray[np.int64]] = []
        parts: dict[str, list[tuple[NDArray[np.float64], ...]]] = {readout: [] for readout in probes}
        for part, tokens in self.patches(self.pack.rows("test"), condition):
            truth = self.truth(part).to(tokens.device)
            rows.append(part)
            # Under ``full`` both readouts are of one probe.
            scored_by = {id(probe): self.counts(probe, tokens, truth) for probe in probes.values()}
            for readout, probe in probes.items():
                parts[readout].append(tuple(each.cpu().numpy().astype(np.float64) for each in scored_by[id(probe)]))
        units = self.units[np.concatenate(rows)]
        scored = []
        for readout, found in parts.items():
            numerator, denominator = (np.concatenate(each) for each in zip(*found, strict=True))
            unit, category = np.nonzero(denominator)
            scored.append(
                OutcomeCounts(
                    self.dataset.name,
                    condition.name,
                    readout,
                    TASKS[self.name].features,
                    self.layer,
                    units=units[unit],
                    categories=np.array(self.categories)[category],
                    numerator=numerator[unit, category],
                    denominator=denominator[unit, category],
                )
            )
        return scored


def under_every_condition(
    task: DenseTask[Probe], conditions: Sequence[Condition]
) -> tuple[list[OutcomeCounts], list[Fit]]:
    """Train and score on a data set under every condition that the model can be put under, ``full`` first.

    Returns:
        Counts of both readouts, and the summaries of the probes.
    """
    counts: list[OutcomeCounts] = []
    fits: list[Fit] = []
    frozen: Probe | None = None
    possible = [each for each in conditions if not task.network.layout.missing(each.tokens)]
    ordered = sorted(possible, key=lambda condition: condition.name != REFERENCE)
    progress = tqdm(ordered, desc=f"{task.name} {task.network.name}", mininterval=5)
    for condition, probe in zip(progress, task.probes(ordered), strict=True):
        frozen = probe if frozen is None else frozen  # the first is that of ``full``
        counts += task.score(condition, {MATCHED: probe, FROZEN: frozen})
        fits.append(task.summary(probe, condition))
    return counts, fits


AnyDenseTask = type[DenseTask[Any]]


def task_of(name: str) -> AnyDenseTask:
    """Return the dense task of a name: the one that the module of that name defines."""
    defined = vars(importlib.import_module(f"extract.tasks.{name}")).values()
    kinds = (each for each in defined if isinstance(each, type) and issubclass(each, DenseTask))
    return next(kind for kind in kinds if getattr(kind, "name", None) == name)


def evaluate(
    kind: AnyDenseTask,
    network: Network,
    calibration: Calibration,
    settings: Settings,
    folder: Run,
    model: str,
    stores: Mapping[str, PatchStore] = MappingProxyType({}),
) -> None:
    """Evaluate a dense task on every data set of a run that asks for it, through one model, and write the outcomes.

    Args:
        kind: the task.
        network, calibration: of the model.
        settings: of the run.
        folder: where the run keeps its files.
        model: its name.
        stores: by data set, the patches that its extraction has kept.
    """
    counts: list[OutcomeCounts] = []
    fits: list[Fit] = []
    for dataset in settings.datasets_with(kind.name):
        pack = open_pack(folder.pack(dataset.name))
        task = kind(network, calibration, pack, dataset, settings, stores.get(dataset.name))
        found, fitted = under_every_condition(task, tuple(settings.conditions.values()))
        counts += found
        fits += fitted
    save_outcomes(counts, kind.name, settings.models[model], folder.outcomes(kind.name, model))
    save_fits(fits, folder.probes(kind.name, model))


def run(kind: AnyDenseTask, settings: Settings, folder: Run, model: str) -> None:
    """Load one model of a run, and evaluate a dense task through it."""
    network = load_network(settings.models[model], settings.seed, settings.extraction)
    evaluate(kind, network, load_calibration(folder.calibration(model), network.device), settings, folder, model)


def main(kind: type[DenseTask[Probe]]) -> None:
    """Command line of a dense task: evaluate it through one model of a run."""
    parser = run_parser(f"extract.tasks.{kind.name}", f"Evaluate {kind.name} through one model of a run.")
    parser.add_argument("--model", required=True)
    settings, folder, given = read_run(parser, None)
    take_gpu(settings.extraction.device)
    run(kind, settings, folder, given.model)
