"""The configuration as typed values.

:mod:`config.resolve` checks a raw config and fills in its defaults; this module is the only place where the result is
turned into types. Extraction, analysis, workflow and report all read a run's settings from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from config.analysis import Analysis, AnalysisSettings, analysis_of
from config.conditions import Condition, conditions_of
from config.files import written_whole
from config.resolve import read_yaml, resolve
from config.vocabulary.sources import pairs_of
from config.vocabulary.tasks import TASKS, reported_tasks


@dataclass(frozen=True)
class Model:
    """A model of the run.

    Attributes:
        name: its name in every file.
        source: known_answer or timm.
        family: what tables call it without its size.
        scale: its size.
        architecture: timm's name of it.
        image_size: side of its square input in pixels.
        weights: hub, random, or a path; None for the committed weights of a known-answer model.
        sha256: what the checkpoint's hash must be, in lower case.
        backend: whose computation of positions DINOv2 and DINOv3 follow; None for the official one.
    """

    name: str
    source: str
    family: str
    scale: str
    architecture: str | None = None
    image_size: int | None = None
    weights: str | None = None
    sha256: str | None = None
    backend: str | None = None

    @property
    def known_answer(self) -> bool:
        """Whether its answer is known by construction."""
        return self.source == "known_answer"

    @property
    def random(self) -> bool:
        """Whether its weights are random, so that its results say nothing of a trained model."""
        return self.weights == "random"


@dataclass(frozen=True)
class Warps:
    """Ranges of the warps that make twins.

    Attributes:
        turn: largest rotation in degrees.
        zoom: largest magnification, and its inverse the smallest.
        shift: largest shift, as a fraction of the side.
    """

    turn: float = 20
    zoom: float = 1.25
    shift: float = 0.08


@dataclass(frozen=True)
class Dataset:
    """A data set of the run; what its source has no use for is 0 or None."""

    name: str
    source: str
    image_size: int
    tasks: tuple[str, ...]
    calibration: int = 0
    train: int = 0
    test: int = 0
    pairs: int = 0
    segmentation_train: int = 0
    shards: int = 1
    path: Path | None = None
    test_share: float | None = None
    per_class: int | None = None
    classes: tuple[str, ...] | None = None
    calibration_trains: bool = False
    resize: str = "crop"
    warps: Warps = Warps()
    shuffle_group: int = 64

    @property
    def reported_tasks(self) -> tuple[str, ...]:
        """The tasks whose outcomes are written for it: those asked for, and what comes with them."""
        return tuple(part for task in self.tasks for part in reported_tasks(task, pairs_of(self.source)))


Layers = tuple[int, ...] | None  # None: every layer


@dataclass(frozen=True)
class Curves:
    """Which conditions are recorded after which layers."""

    conditions: tuple[str, ...]
    layers: Layers


@dataclass(frozen=True)
class Extraction:
    """How features are computed and stored.

    Attributes:
        device: auto, cpu or cuda.
        batch_size: images per forward pass.
        layers: recorded under every condition; negative ones count from the last.
        precision: of forward passes: float32, tf32 or bfloat16.
        curves: what is recorded after more layers, in half precision.
        record_precision: float32 or float16: how features of ``layers`` are stored.
    """

    device: str
    batch_size: int
    layers: tuple[int, ...]
    precision: str
    curves: Curves
    record_precision: str = "float32"

    def layers_of(self, condition: Condition) -> Layers:
        """Return the layers that are recorded under a condition."""
        if condition.name not in self.curves.conditions:
            return self.layers
        return None if self.curves.layers is None else (*self.layers, *self.curves.layers)


@dataclass(frozen=True)
class Measures:
    """On how many test images of which data sets geometry and attention are measured, after which layers."""

    datasets: tuple[str, ...]
    images: int
    attention_images: int
    layers: Layers


@dataclass(frozen=True)
class Probe:
    """The linear probe.

    Attributes:
        strengths: inverse regularisation strengths C to choose from.
        held_out: share of the training images on which one is chosen.
        tokens: classified under every condition.
        refits: bootstrap resamples of the training images on which the CLS probe is fitted again.
        iterations: most iterations of the solver.
        standardise: whether every dimension is divided by its standard deviation.
    """

    strengths: tuple[float, ...]
    held_out: float
    tokens: tuple[str, ...]
    refits: int
    iterations: int
    standardise: bool = True


@dataclass(frozen=True)
class Settings:
    """A checked configuration; ``keep`` are the large intermediate files that stay after the run."""

    run: str
    title: str
    seed: int
    models: Mapping[str, Model]
    datasets: Mapping[str, Dataset]
    calibrate_on: str
    conditions: Mapping[str, Condition]
    extraction: Extraction
    measures: Measures
    probe: Probe
    analysis: Analysis
    keep: tuple[str, ...] = ("packs", "records")

    def outcomes_of(self, task: str) -> tuple[str, ...]:
        """Return the tasks whose outcomes are written where ``task`` is asked for: itself, and what comes with it."""
        asked = self.datasets_with(task)
        parts = (part for dataset in asked for part in reported_tasks(task, pairs_of(dataset.source)))
        return tuple(dict.fromkeys(parts))

    def datasets_with(self, task: str) -> tuple[Dataset, ...]:
        """Return the data sets that ``task`` is run on."""
        return tuple(dataset for dataset in self.datasets.values() if task in dataset.tasks)

    @property
    def recorded(self) -> tuple[Dataset, ...]:
        """Return the data sets that are recorded: those that a task on records, or the measures, are read from.

        Tasks on patches pass their images themselves, so that a data set with such tasks alone needs no records.
        """
        return tuple(
            dataset
            for dataset in self.datasets.values()
            if dataset.name in self.measures.datasets or any(TASKS[task].on_records for task in dataset.tasks)
        )

    @property
    def for_analysis(self) -> AnalysisSettings:
        """What the analysis reads."""
        return AnalysisSettings.of(
            self.analysis,
            seed=self.seed,
            datasets={name: dataset.reported_tasks for name, dataset in self.datasets.items()},
            models=self.models,
            conditions=self.conditions,
            known_answers={name: model.family for name, model in self.models.items() if model.known_answer},
        )


def settings(config: Mapping[str, Any]) -> Settings:
    """Turn a resolved config (see :func:`config.resolve.resolve`) into typed values."""
    extraction, measures = config["extraction"], config["measures"]
    curves = extraction["curves"]
    return Settings(
        run=config["run"],
        title=config["title"],
        seed=config["seed"],
        models={
            name: Model(name, **{**model, **({"sha256": model["sha256"].lower()} if "sha256" in model else {})})
            for name, model in config["models"].items()
        },
        datasets={
            name: Dataset(
                **{
                    **dataset,
                    "name": name,
                    "tasks": tuple(dataset["tasks"]),
                    "path": Path(dataset["path"]) if "path" in dataset else None,
                    "classes": tuple(dataset["classes"]) if "classes" in dataset else None,
                    "warps": Warps(**dataset.get("warps", {})),
                }
            )
            for name, dataset in config["datasets"].items()
        },
        calibrate_on=config["calibrate_on"],
        conditions=conditions_of(config["conditions"]),
        extraction=Extraction(
            **{
                **extraction,
                "layers": tuple(extraction["layers"]),
                "curves": Curves(tuple(curves["conditions"]), _layers(curves["layers"])),
            }
        ),
        measures=Measures(
            **{**measures, "datasets": tuple(measures["datasets"]), "layers": _layers(measures["layers"])}
        ),
        probe=Probe(
            **{
                **config["probe"],
                "strengths": tuple(config["probe"]["strengths"]),
                "tokens": tuple(config["probe"]["tokens"]),
            }
        ),
        analysis=analysis_of(config["analysis"]),
        keep=tuple(config["keep"]),
    )


def _layers(layers: str | list[int]) -> Layers:
    return None if isinstance(layers, str) else tuple(layers)


def load_settings(path: Path) -> Settings:
    """Read the resolved config that a run keeps beside its results.

    Raises:
        ConfigError: the file is missing, is no mapping, or cannot be used as a config.
    """
    return settings(resolve(read_yaml(path), path))


def save_resolved(config: Mapping[str, Any], path: Path) -> None:
    """Write a resolved config beside the results it leads to."""
    with written_whole(path) as partial:
        partial.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100))
