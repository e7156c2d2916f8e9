"""What the jobs of the extraction read and write, for its rules."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.layout import KNOWN_ANSWER_WEIGHTS, ROOT, Run
from config.settings import Settings
from config.values import values
from config.vocabulary.sources import SOURCES
from config.vocabulary.tasks import TASKS

NVIDIA = Path("/dev/nvidiactl")  # there where the driver is loaded; asking torch would import it in every dry run

SHARD = "{model}", "{dataset}", "{shard}-of-{shards}"


@dataclass(frozen=True)
class Jobs:
    """The jobs of one run.

    Attributes:
        resolved: the resolved config, as plain values.
        settings: the same, typed.
        run: where its files are.
    """

    resolved: dict[str, Any]
    settings: Settings
    run: Run

    def tasks(self, among: Iterable[str]) -> list[str]:
        """Return the tasks that some data set of the run asks for."""
        return [task for task in among if self.settings.datasets_with(task)]

    def outcomes(self, tasks: Iterable[str]) -> list[Path]:
        """Return the outcomes, and what is told of the probes, of one model's tasks; with wildcard model."""
        outcomes = [self.run.outcomes(part, "{model}") for task in tasks for part in self.settings.outcomes_of(task)]
        return outcomes + [self.run.probes(task, "{model}") for task in tasks if TASKS[task].probed]

    def values(self, *keys: str, model: str | None = None, dataset: str | None = None) -> str:
        """Return what a job reads from the config (`config.values`), of one model or data set where one is named."""
        read = {}
        if model is not None:
            read["model"] = self.resolved["models"][model]
        if dataset is not None:
            read["dataset"] = self.resolved["datasets"][dataset]
        return values(self.resolved, *keys, **read)

    def weights(self, model: str) -> list[Path]:
        """Return the checkpoint that a model is read from, where it is a file."""
        chosen = self.settings.models[model]
        if chosen.source == "known_answer" and chosen.weights is None:
            name = f"{chosen.family}_{chosen.scale.lower()}.safetensors"
            return [(KNOWN_ANSWER_WEIGHTS / name).relative_to(ROOT)]
        return [] if chosen.weights in ("hub", "random", None) else [Path(chosen.weights)]

    def gpus(self, tasks: Iterable[str] | None = None) -> int:
        """Return 1 where a job takes a GPU, and 0 where there is none: jobs must not wait for each other then.

        Args:
            tasks: that a job on records scores; of these, only probes are computed on a device. A job that runs a
                network names none.
        """
        if tasks is not None and not any(TASKS[task].probed for task in tasks):
            return 0
        device = self.settings.extraction.device
        return int(device == "cuda" or (device == "auto" and NVIDIA.exists()))

    def kept(self, kind: str, files: list[Path], temporary: Callable[[Path], Any]) -> list[Any]:
        """Return files, marked to be deleted once no job needs them any more where the config does not keep them.

        Args:
            kind: as in the config's ``keep``.
            files: that a rule writes.
            temporary: Snakemake's ``temp``, which marks a file.
        """
        return list(files) if kind in self.settings.keep else [temporary(file) for file in files]

    def pixels(self, dataset: str) -> list[Path]:
        """Return the large files of a pack."""
        pack, has = self.run.pack(dataset), SOURCES[self.settings.datasets[dataset].source].has
        by_pixel = [file for what, file in (("masks", pack.masks), ("depths", pack.depths)) if what in has]
        return [pack.images, *by_pixel]

    def facts(self, dataset: str) -> list[Path]:
        """Return the small files of a pack, which stay whatever the config keeps."""
        pack = self.run.pack(dataset)
        return [pack.index, pack.pairs, pack.facts]

    def pack(self, dataset: str) -> list[Path]:
        """Return the files of a pack."""
        return [*self.pixels(dataset), *self.facts(dataset)]

    def packs(self, task: str | None = None) -> list[Path]:
        """Return the files of the packs that are recorded, or of those that a task is run on."""
        chosen = self.settings.recorded if task is None else self.settings.datasets_with(task)
        return [file for dataset in chosen for file in self.pack(dataset.name)]

    def record_pattern(self) -> list[Path]:
        """Return the records of one shard, with wildcards model, dataset, shard and shards."""
        return [self.run.records(*SHARD, condition) for condition in self.settings.conditions]

    def measures_pattern(self) -> list[Path]:
        """Return the measures of one shard, with the same wildcards."""
        return [self.run.measures(*SHARD), self.run.spectra(*SHARD)]

    @property
    def whole_models(self) -> bool:
        """Whether one job per model does all that its network is needed for: where no data set is cut into shards.

        Shards are for several machines, or for going on in the middle; without them each model is loaded once, and its
        images pass once.
        """
        return all(dataset.shards == 1 for dataset in self.settings.datasets.values())

    def measures(self, model: str) -> list[Path]:
        """Return every file of measures of a model."""
        shards = [
            (model, dataset.name, f"{shard}-of-{dataset.shards}")
            for dataset in self.settings.recorded
            for shard in range(1, dataset.shards + 1)
        ]
        return [file for shard in shards for file in (self.run.measures(*shard), self.run.spectra(*shard))]

    def every_pack(self) -> list[Path]:
        """Return the files of the packs of all data sets."""
        return [file for dataset in self.settings.datasets for file in self.pack(dataset)]

    def covariances(self) -> bool:
        """Tell whether a condition draws from whole covariances, which calibration then measures."""
        return any(
            one.replacement is not None and one.replacement.covariance for one in self.settings.conditions.values()
        )

    def records(self, model: str) -> list[Path]:
        """Return every record of a model: of all data sets that are recorded."""
        return [
            self.run.records(model, dataset.name, f"{shard}-of-{dataset.shards}", condition)
            for dataset in self.settings.recorded
            for shard in range(1, dataset.shards + 1)
            for condition in self.settings.conditions
        ]
