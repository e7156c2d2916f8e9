"""The configuration as typed values.

:mod:`config.resolve` checks a raw config and fills in its defaults; this module is the only place where the result is
turned into types. Extraction, analysis, workflow and report all read a run's settings from here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from config.consistency import names_of
from config.files import written_whole
from config.resolve import read_yaml, resolve
from config.vocabulary.replacements import REFERENCE, REPLACEMENTS, Replacement
from config.vocabulary.sources import pairs_of
from config.vocabulary.tasks import reported_tasks
from config.vocabulary.tokens import RANDOM_PATCHES, group_of


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
    """

    name: str
    source: str
    family: str
    scale: str
    architecture: str | None = None
    image_size: int | None = None
    weights: str | None = None
    sha256: str | None = None

    @property
    def known_answer(self) -> bool:
        """Whether its answer is known by construction."""
        return self.source == "known_answer"

    @property
    def random(self) -> bool:
        """Whether its weights are random, so that its results say nothing of a trained model."""
        return self.weights == "random"


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
    classes: tuple[str, ...] | None = None

    @property
    def reported_tasks(self) -> tuple[str, ...]:
        """The tasks whose outcomes are written for it: those asked for, and what comes with them."""
        return tuple(part for task in self.tasks for part in reported_tasks(task, pairs_of(self.source)))


@dataclass(frozen=True)
class Condition:
    """What is replaced after every block, and by what; ``full`` replaces nothing.

    What a condition does is read from ``tokens`` and ``by``, never from its name.

    Attributes:
        name: its name in every file.
        tokens: names of the replaced tokens.
        by: name of the replacement.
        patches: how many patches ``random_patches`` stands for.
        draw: which draw of random patches it is, counted from 1.
        of: the config's entry that it is a draw of.

    Examples:
        >>> blank = Condition("blank", ("registers",), "zero")
        >>> blank.group, blank.identity, blank.replacement.label
        ('registers', 'zero_registers', 'zero')
    """

    name: str
    tokens: tuple[str, ...] = ()
    by: str | None = None
    patches: int = 4
    draw: int | None = None
    of: str | None = None

    @property
    def replacement(self) -> Replacement | None:
        """What replaces the tokens; None for ``full``."""
        return None if self.by is None else REPLACEMENTS[self.by]

    @property
    def group(self) -> str:
        """The token group that is replaced as a whole (cls, registers, random_patches); else empty."""
        return group_of(self.tokens)

    @property
    def identity(self) -> str:
        """What it does in one word, the same whatever a config calls it: ``full``, ``zero_registers``, ``mean_r1_r2``.

        Draws of random patches have the identity of the entry that they are drawn from; it names how many patches they
        are, unless these are as many as the article's models have registers.
        """
        if self.by is None:
            return REFERENCE
        number = [str(self.patches)] if RANDOM_PATCHES in self.tokens and self.patches != type(self).patches else []
        return "_".join((self.by, *number, *self.tokens))

    @property
    def entry(self) -> str:
        """The config's entry that it comes from."""
        return self.of or self.name


def register_conditions(conditions: Mapping[str, Condition], *, article: bool = False) -> dict[str, str]:
    """Return `full` and the conditions that replace all registers, each with its label, in the order of replacements.

    Args:
        conditions: by name.
        article: whether labels are those of the article's table, where it has them.

    Examples:
        >>> register_conditions({"a": Condition("a", ("registers",), "mean"), "b": Condition("b", ("r1",), "zero")})
        {'full': 'full', 'a': 'mean'}
    """
    found: dict[str, list[str]] = {}
    for condition in conditions.values():
        if condition.group == "registers" and condition.by is not None:
            found.setdefault(condition.by, []).append(condition.name)
    labels = {REFERENCE: REFERENCE.capitalize() if article else REFERENCE}
    for name, replacement in REPLACEMENTS.items():
        label = replacement.article_label or replacement.label.capitalize() if article else replacement.label
        alike = found.get(name, [])
        labels |= {one: label if len(alike) == 1 else f"{label} ({one})" for one in alike}
    return labels


Layers = tuple[int, ...] | None  # None: every layer


@dataclass(frozen=True)
class Curves:
    """Which conditions are recorded after which layers."""

    conditions: tuple[str, ...]
    layers: Layers


@dataclass(frozen=True)
class Extraction:
    """How features are computed."""

    device: str
    batch_size: int
    layers: tuple[int, ...]
    precision: str
    curves: Curves

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
    """

    strengths: tuple[float, ...]
    held_out: float
    tokens: tuple[str, ...]
    refits: int
    iterations: int


@dataclass(frozen=True)
class Margin:
    """The largest difference that counts as none: a fraction above 0, and why."""

    size: float
    reason: str


@dataclass(frozen=True)
class Comparison:
    """Deltas of two families at each scale, or of two scales in each family, that are compared.

    Attributes:
        name: its key in the config.
        question: what is asked, as the report prints it.
        along: `family` or `scale`: which of the two is compared.
        pair: two of them; the delta of the second minus the delta of the first.
        conditions: whose deltas.
        tasks: empty for every task.
    """

    name: str
    question: str
    along: str
    pair: tuple[str, str]
    conditions: tuple[str, ...]
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Analysis:
    """How outcomes are tested.

    Attributes:
        draws: permutation draws.
        resamples: bootstrap resamples.
        level: coverage of intervals, between 0 and 1.
        families: the columns that tests of one multiplicity family have in common.
        alpha: error rate of tests.
        margins: task → margin of equivalence; `default` for the others.
        comparisons: differences of deltas.
        compressions: pairs of families whose effective ranks are compared.
    """

    draws: int
    resamples: int
    level: float
    families: tuple[str, ...]
    alpha: float
    margins: Mapping[str, Margin]
    comparisons: tuple[Comparison, ...]
    compressions: tuple[tuple[str, str], ...]

    def margin(self, task: str) -> Margin:
        """Return what counts as no difference in a task."""
        return self.margins.get(task, self.margins["default"])


@dataclass(frozen=True)
class AnalysisSettings(Analysis):
    """What is reported, in which order, and how it is tested.

    Attributes:
        seed: with names, the key of every random draw.
        datasets: data set → its reported tasks, both in display order.
        models: names in display order.
        conditions: name → condition in display order, draws one by one; `full` is always among them.
        known_answers: model → family, of those whose answer is known by construction.
    """

    seed: int
    datasets: Mapping[str, tuple[str, ...]]
    models: tuple[str, ...]
    conditions: Mapping[str, Condition]
    known_answers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        analysis: Analysis,
        *,
        seed: int,
        datasets: Mapping[str, tuple[str, ...]],
        models: Iterable[str],
        conditions: Mapping[str, Condition],
        known_answers: Mapping[str, str] | None = None,
    ) -> "AnalysisSettings":
        """Combine how outcomes are tested with what they are of; `full` comes first where it is not listed."""
        tested = {each.name: getattr(analysis, each.name) for each in fields(Analysis)}
        return cls(
            **tested,
            seed=seed,
            datasets=MappingProxyType(dict(datasets)),
            models=tuple(models),
            conditions=MappingProxyType({REFERENCE: Condition(REFERENCE)} | dict(conditions)),
            known_answers=MappingProxyType(dict(known_answers or {})),
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks of all data sets, in the order in which they are first named."""
        return tuple(dict.fromkeys(task for tasks in self.datasets.values() for task in tasks))

    def with_conditions(self, names: Iterable[str]) -> "AnalysisSettings":
        """Return the same settings with more conditions at the end, of which nothing but the name is known."""
        more = {name: Condition(name) for name in names if name not in self.conditions}
        return replace(self, conditions=MappingProxyType({**self.conditions, **more}))

    @property
    def drawn_from(self) -> Mapping[str, str]:
        """Condition → the config's entry that it is a draw of, for random patches."""
        return {name: one.of for name, one in self.conditions.items() if one.of is not None}


@dataclass(frozen=True)
class Settings:
    """A checked configuration."""

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

    def outcomes_of(self, task: str) -> tuple[str, ...]:
        """Return the tasks whose outcomes are written where ``task`` is asked for: itself, and what comes with it."""
        asked = self.datasets_with(task)
        parts = (part for dataset in asked for part in reported_tasks(task, pairs_of(dataset.source)))
        return tuple(dict.fromkeys(parts))

    def datasets_with(self, task: str) -> tuple[Dataset, ...]:
        """Return the data sets that ``task`` is run on."""
        return tuple(dataset for dataset in self.datasets.values() if task in dataset.tasks)

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
    )


def analysis_of(stated: Mapping[str, Any]) -> Analysis:
    """Turn the resolved section `analysis` of a config into typed values."""
    return Analysis(
        **{
            **stated,
            "families": tuple(stated["families"]),
            "margins": MappingProxyType(
                {task: Margin(float(one["margin"]), one["reason"]) for task, one in stated["margins"].items()}
            ),
            "comparisons": tuple(_comparison(name, one) for name, one in stated["comparisons"].items()),
            "compressions": tuple((first, second) for first, second in stated["compressions"]),
        }
    )


def _comparison(name: str, stated: Mapping[str, Any]) -> Comparison:
    along, key = ("family", "families") if "families" in stated else ("scale", "scales")
    first, second = stated[key]
    return Comparison(
        name=name,
        question=stated["question"],
        along=along,
        pair=(first, second),
        conditions=tuple(stated["conditions"]),
        tasks=tuple(stated.get("tasks", ())),
    )


def conditions_of(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Condition]:
    """Return the conditions of a config's entries by name, draws of random patches one by one."""
    return {condition.name: condition for name, entry in entries.items() for condition in _conditions(name, entry)}


def _conditions(name: str, entry: Mapping[str, Any]) -> Iterator[Condition]:
    """Yield the condition of a config's entry, or one per draw."""
    given = {key: value for key, value in entry.items() if key != "draws"}
    condition = Condition(name, **{**given, "tokens": tuple(entry.get("tokens", ()))})
    if RANDOM_PATCHES not in condition.tokens:
        yield condition
        return
    for draw, drawn in enumerate(names_of(name, entry), start=1):
        yield replace(condition, name=drawn, draw=draw, of=name)


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
