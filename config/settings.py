"""The configuration as typed values, checked before anything runs.

``config/schema.yaml`` describes every key; this module reads it, fills in its defaults, and adds the rules that
a schema cannot state. Every complaint names the key, the value and what is allowed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import jsonschema
import yaml

from config.errors import InputError, did_you_mean
from config.files import written_whole

SCHEMA = Path(__file__).with_name("schema.yaml")
RANDOM_PATCHES = "random_patches"
KEY_POINTS = "spair"  # the source whose pairs are matched at key points
# Which sources a key of a data set is for, where it is not for all of them.
ONLY_FOR = {
    "path": ("class_folders", "voc", "images", "spair"),
    "test_share": ("class_folders",),
    "classes": ("voc",),
    "calibration": ("scenes", "class_folders", "voc", "images"),
    "train": ("scenes",),
    "test": ("scenes",),
    "pairs": ("scenes", "class_folders", "voc", "images"),
    "segmentation_train": ("scenes", "voc"),
}
TASKS_OF = {
    "scenes": ("classification", "retrieval", "correspondence", "segmentation"),
    "class_folders": ("classification", "retrieval", "correspondence"),
    "voc": ("retrieval", "correspondence", "segmentation"),
    "images": ("retrieval", "correspondence"),
    "spair": ("correspondence",),
}
WITH_MASKS = ("scenes", "voc")
KNOWN_ANSWER = {"family": ("plain", "open", "bottleneck", "sink"), "scale": ("S", "B")}


class ConfigError(InputError):
    """A config that cannot be run, with every complaint on a line of its own."""


@dataclass(frozen=True)
class Model:
    """A model of the run; ``weights`` is "hub", "random" or a path (None: committed, known-answer only).

    ``sha256`` is what the checkpoint's hash must be, in lower case.
    """

    name: str
    source: str
    family: str
    scale: str
    architecture: str | None = None
    image_size: int | None = None
    weights: str | None = None
    sha256: str | None = None


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


@dataclass(frozen=True)
class Condition:
    """What is replaced after every block, and by what; ``full`` replaces nothing.

    Attributes:
        name: its name in every file.
        tokens: names of the replaced tokens.
        by: name of the replacement.
        patches: how many patches ``random_patches`` stands for.
        draw: which draw of random patches it is, counted from 1, and of: the name in the config of which it is one.
    """

    name: str
    tokens: tuple[str, ...] = ()
    by: str | None = None
    patches: int = 4
    draw: int | None = None
    of: str | None = None


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
        strengths: inverse penalties (C) to choose from.
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
    analysis: Mapping[str, Any]

    def outcomes_of(self, task: str) -> tuple[str, ...]:
        """Return the tasks whose outcomes are written where ``task`` is asked for: itself, and what comes with it."""
        parts = (part for dataset in self.datasets_with(task) for part in outcomes_of(task, dataset.source))
        return tuple(dict.fromkeys(parts))

    def datasets_with(self, task: str) -> tuple[Dataset, ...]:
        """Return the data sets that ``task`` is run on."""
        return tuple(dataset for dataset in self.datasets.values() if task in dataset.tasks)


def outcomes_of(task: str, source: str | None) -> tuple[str, ...]:
    """Return the tasks that a task's outcomes are reported as on a data set of that source, or of none of ours.

    Correspondence brings cycle consistency with it, or, for key points, the mean over images beside that over points.
    """
    if task != "correspondence" or source is None:
        return (task,)
    return (task, "pck_per_image") if source == KEY_POINTS else (task, "cycle_consistency")


def resolve(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Check a raw config and return it with every default filled in.

    Raises:
        ConfigError: with one line a complaint: the key, the value and what is allowed.
    """
    schema = yaml.safe_load(SCHEMA.read_text())
    validator = jsonschema.Draft202012Validator(schema)
    complaints = [
        line
        for error in sorted(validator.iter_errors(raw), key=lambda error: list(map(str, error.path)))
        for line in _explain(error)
    ]
    if not complaints:
        config: dict[str, Any] = _with_defaults(raw, schema)
        first = next(iter(config["datasets"]))
        config.setdefault("calibrate_on", first)
        config["measures"].setdefault("datasets", [first])
        complaints = [*_misplaced(raw), *_inconsistencies(config)]
        config["datasets"] = {name: _of_its_source(dataset) for name, dataset in config["datasets"].items()}
        if not complaints:
            return config
    raise ConfigError("The config cannot be used:\n  " + "\n  ".join(complaints))


def resolve_analysis(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Check the keys of a config that outcomes made elsewhere are analysed by: seed, conditions, analysis.

    Returns them with every default filled in; `conditions` is empty where left out.

    Raises:
        ConfigError: as :func:`resolve`.
    """
    whole = yaml.safe_load(SCHEMA.read_text())
    keys = ("seed", "conditions", "analysis")
    schema = {**whole, "required": [], "properties": {key: whole["properties"][key] for key in keys}}
    complaints = [
        line for error in jsonschema.Draft202012Validator(schema).iter_errors(raw) for line in _explain(error)
    ]
    if not complaints:
        config: dict[str, Any] = {"conditions": {}, **_with_defaults(raw, schema)}
        complaints = list(_undecided_comparisons(config))
        if not complaints:
            return config
    raise ConfigError("The settings cannot be used:\n  " + "\n  ".join(complaints))


def settings(config: Mapping[str, Any]) -> Settings:
    """Turn a resolved config (see :func:`resolve`) into typed values."""
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
        analysis=config["analysis"],
    )


def conditions_of(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Condition]:
    """Return the conditions of a config's entries by name, draws of random patches one by one."""
    return {condition.name: condition for name, entry in entries.items() for condition in _conditions(name, entry)}


def _conditions(name: str, entry: Mapping[str, Any]) -> Iterator[Condition]:
    """Yield the condition of a config's entry, or one a draw."""
    given = {key: value for key, value in entry.items() if key != "draws"}
    condition = Condition(name, **{**given, "tokens": tuple(entry.get("tokens", ()))})
    if RANDOM_PATCHES not in condition.tokens:
        yield condition
        return
    for draw in range(1, entry.get("draws", 1) + 1):
        yield replace(condition, name=f"{name}_{draw}", draw=draw, of=name)


def _layers(layers: str | list[int]) -> Layers:
    return None if isinstance(layers, str) else tuple(layers)


def load_settings(path: Path) -> Settings:
    """Read the resolved config that a run keeps beside its results."""
    return settings(resolve(yaml.safe_load(path.read_text())))


def _with_defaults(value: Any, schema: Mapping[str, Any]) -> Any:
    if not isinstance(value, Mapping):
        return value
    named = schema.get("properties", {})
    other = schema.get("additionalProperties")
    filled = {
        key: _with_defaults(item, named.get(key, other if isinstance(other, Mapping) else {}))
        for key, item in value.items()
    }
    for key, below in named.items():
        if key not in filled and "default" in below:
            filled[key] = _with_defaults(below["default"], below)
    return filled


def _explain(error: jsonschema.ValidationError) -> Iterator[str]:
    """Say what a schema error means: the key, the value, and what is allowed."""
    place = ".".join(map(str, error.absolute_path)) or "the config"
    value = cast(Any, error.instance)
    schema = cast(Mapping[str, Any], error.schema)
    match error.validator:
        case "additionalProperties":
            allowed = sorted(schema["properties"])
            for key in sorted(set(value) - set(allowed), key=str):
                yield (
                    f"{place}: unknown key {key!r} (value {value[key]!r}){did_you_mean(key, allowed)}; "
                    f"allowed: {', '.join(allowed)}"
                )
        case "required":
            missing = sorted(set(schema["required"]) - set(value))
            yield f"{place}: missing {', '.join(missing)}; found: {', '.join(map(str, value)) or 'nothing'}"
        case "enum":
            allowed = schema["enum"]
            yield (
                f"{place}: {value!r} is not known{did_you_mean(value, allowed)}; "
                f"allowed: {', '.join(map(str, allowed))}"
            )
        case "type":
            yield f"{place}: {value!r} is a {type(value).__name__}; needed: {schema['type']}"
        case "pattern":
            yield f"{place}: {value!r} is not allowed; needed: text that matches {schema['pattern']}"
        case _:
            yield f"{place}: {error.message}"


def _misplaced(raw: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of data sets that their source has no use for."""
    for name, dataset in raw["datasets"].items():
        for key in set(dataset) & set(ONLY_FOR):
            if dataset["source"] not in ONLY_FOR[key]:
                yield (
                    f"datasets.{name}.{key}: {dataset[key]!r} cannot be set for source {dataset['source']}; remove it "
                    f"(it is for {', '.join(ONLY_FOR[key])})"
                )


def _of_its_source(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return a data set without the defaults of keys that its source has no use for."""
    return {key: value for key, value in dataset.items() if dataset["source"] in ONLY_FOR.get(key, TASKS_OF)}


def _inconsistencies(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong between keys."""
    for name, model in config["models"].items():
        place = f"models.{name}"
        if model["source"] == "known_answer":
            for key, allowed in KNOWN_ANSWER.items():
                if model[key] not in allowed:
                    yield (f"{place}.{key}: {model[key]!r} is no known-answer {key}; allowed: {', '.join(allowed)}")
            if model.get("weights") in ("hub", "random"):
                yield (
                    f"{place}.weights: {model['weights']!r} is for source timm; allowed: the path of a checkpoint, or "
                    "leave the key out for the committed weights"
                )
            for key in {"architecture", "image_size"} & set(model):
                yield f"{place}.{key}: {model[key]!r} cannot be set for source known_answer; remove it"
        else:
            if model.get("weights") == "random" and "sha256" in model:
                yield f"{place}.sha256: {model['sha256']!r} cannot be set for random weights; remove it"
            for key in ("architecture", "image_size", "weights"):
                if key not in model:
                    yield f"{place}: missing {key}; needed for source timm"
    for name, dataset in config["datasets"].items():
        place, source = f"datasets.{name}", dataset["source"]
        if source in ONLY_FOR["path"] and "path" not in dataset:
            yield f"{place}: missing path; needed for source {source}: the folder of the data set"
        for task in dataset["tasks"]:
            if task not in TASKS_OF[source]:
                needs = {"segmentation": "masks", "classification": "one class an image", "retrieval": "twins"}[task]
                yield (
                    f"{place}.tasks: {task!r} needs {needs}, which source {source} lacks; "
                    f"allowed: {', '.join(TASKS_OF[source])}"
                )
        if (
            source in ONLY_FOR["pairs"]
            and dataset["pairs"] < 2
            and {"retrieval", "correspondence"} & {*dataset["tasks"]}
        ):
            yield f"{place}.pairs: {dataset['pairs']}, but retrieval and correspondence need pairs; allowed: at least 2"
        if source == "scenes" and dataset["pairs"] > dataset["test"]:
            yield (
                f"{place}.pairs: {dataset['pairs']} is more than the {dataset['test']} test images; "
                f"allowed: at most {dataset['test']}"
            )
    yield from _undecided_comparisons(config)
    if config["calibrate_on"] not in config["datasets"]:
        yield (
            f"calibrate_on: {config['calibrate_on']!r} is not a data set of this config; "
            f"allowed: {', '.join(config['datasets'])}"
        )
    elif config["datasets"][config["calibrate_on"]]["source"] == "spair":
        yield f"calibrate_on: {config['calibrate_on']!r} is of source spair, which has no calibration images"
    elif (images := config["datasets"][config["calibrate_on"]]["calibration"]) < 2:
        yield (
            f"datasets.{config['calibrate_on']}.calibration: {images}, but calibrate_on names this data set; "
            "allowed: at least 2"
        )
    if unknown := [name for name in config["measures"]["datasets"] if name not in config["datasets"]]:
        yield (
            f"measures.datasets: {', '.join(unknown)} is not a data set of this config; "
            f"allowed: {', '.join(config['datasets'])}"
        )
    names = [condition.name for name, entry in config["conditions"].items() for condition in _conditions(name, entry)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"conditions: two conditions are called {name}, one of them a draw of random patches; rename one"
    if unknown := [name for name in config["extraction"]["curves"]["conditions"] if name not in names]:
        yield (
            f"extraction.curves.conditions: {', '.join(unknown)} is not a condition of this config; "
            f"allowed: {', '.join(names)}"
        )
    for name, condition in config["conditions"].items():
        yield from _wrong_for_its_tokens(name, condition)
        if (name == "full") != (not condition):
            yield (
                f"conditions.{name}: {dict(condition)!r}; only full, and it alone, replaces nothing: "
                "every other condition needs tokens and by"
            )


def _wrong_for_its_tokens(name: str, condition: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a condition on random patches, or on other tokens, cannot have."""
    tokens = condition.get("tokens", [])
    if RANDOM_PATCHES not in tokens:
        for key in sorted({"patches", "draws"} & set(condition)):
            yield f"conditions.{name}.{key}: {condition[key]} is for tokens [{RANDOM_PATCHES}]; remove it"
    elif tokens != [RANDOM_PATCHES]:
        yield f"conditions.{name}.tokens: {tokens}; random_patches are replaced alone: make two conditions of it"
    elif condition.get("by") not in ("zero", "shuffle", None):
        yield (
            f"conditions.{name}.by: {condition['by']!r} needs calibrated tokens, and random patches are none; "
            "allowed: zero, shuffle"
        )


def _undecided_comparisons(config: Mapping[str, Any]) -> Iterator[str]:
    for name, comparison in config["analysis"]["comparisons"].items():
        if ("families" in comparison) == ("scales" in comparison):
            yield (
                f"analysis.comparisons.{name}: {'both' if 'families' in comparison else 'neither'} of families and "
                "scales given; needed: exactly one, the two that are compared"
            )


def save_resolved(config: Mapping[str, Any], path: Path) -> None:
    """Write a resolved config beside the results it leads to."""
    with written_whole(path) as partial:
        partial.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=100))
