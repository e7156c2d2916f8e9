"""The configuration as typed values, checked before anything runs.

``config/schema.yaml`` describes every key; this module reads it, fills in its defaults, and adds the rules that
a schema cannot state. Every complaint names the key, the value and what is allowed.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import jsonschema
import yaml

from config.errors import InputError
from config.files import written_whole

SCHEMA = Path(__file__).with_name("schema.yaml")
KNOWN_ANSWER = {"family": ("plain", "open", "bottleneck", "sink"), "scale": ("S", "B")}


class ConfigError(InputError):
    """A config that cannot be run, with every complaint on a line of its own."""


@dataclass(frozen=True)
class Model:
    """A model of the run; ``weights`` is "hub", "random" or a path (None: committed, known-answer only)."""

    name: str
    source: str
    family: str
    scale: str
    architecture: str | None = None
    image_size: int | None = None
    weights: str | None = None


@dataclass(frozen=True)
class Dataset:
    """A data set of the run."""

    name: str
    source: str
    image_size: int
    tasks: tuple[str, ...]
    calibration: int
    train: int
    test: int
    pairs: int
    segmentation_train: int
    shards: int
    path: Path | None = None


@dataclass(frozen=True)
class Condition:
    """What is replaced after every block, and by what; ``full`` replaces nothing."""

    name: str
    tokens: tuple[str, ...] = ()
    by: str | None = None


@dataclass(frozen=True)
class Extraction:
    """How features are computed."""

    device: str
    batch_size: int
    layers: tuple[int, ...]


@dataclass(frozen=True)
class Probe:
    """The linear probe's penalty and iterations."""

    c: float
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
    probe: Probe
    analysis: Mapping[str, Any]

    def datasets_with(self, task: str) -> tuple[Dataset, ...]:
        """Return the data sets that ``task`` is run on."""
        return tuple(dataset for dataset in self.datasets.values() if task in dataset.tasks)


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
        config.setdefault("calibrate_on", next(iter(config["datasets"])))
        complaints = list(_inconsistencies(config))
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
    extraction = config["extraction"]
    return Settings(
        run=config["run"],
        title=config["title"],
        seed=config["seed"],
        models={name: Model(name, **model) for name, model in config["models"].items()},
        datasets={
            name: Dataset(
                **{
                    **dataset,
                    "name": name,
                    "tasks": tuple(dataset["tasks"]),
                    "path": Path(dataset["path"]) if "path" in dataset else None,
                }
            )
            for name, dataset in config["datasets"].items()
        },
        calibrate_on=config["calibrate_on"],
        conditions={
            name: Condition(name, tuple(condition.get("tokens", ())), condition.get("by"))
            for name, condition in config["conditions"].items()
        },
        extraction=Extraction(**{**extraction, "layers": tuple(extraction["layers"])}),
        probe=Probe(**config["probe"]),
        analysis=config["analysis"],
    )


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
                    f"{place}: unknown key {key!r} (value {value[key]!r}){_did_you_mean(key, allowed)}; "
                    f"allowed: {', '.join(allowed)}"
                )
        case "required":
            missing = sorted(set(schema["required"]) - set(value))
            yield f"{place}: missing {', '.join(missing)}; found: {', '.join(map(str, value)) or 'nothing'}"
        case "enum":
            allowed = schema["enum"]
            yield (
                f"{place}: {value!r} is not known{_did_you_mean(value, allowed)}; "
                f"allowed: {', '.join(map(str, allowed))}"
            )
        case "type":
            yield f"{place}: {value!r} is a {type(value).__name__}; needed: {schema['type']}"
        case "pattern":
            yield f"{place}: {value!r} is not allowed; needed: text that matches {schema['pattern']}"
        case _:
            yield f"{place}: {error.message}"


def _did_you_mean(value: object, allowed: list[str]) -> str:
    close = difflib.get_close_matches(str(value), list(map(str, allowed)), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


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
            for key in ("architecture", "image_size", "weights"):
                if key not in model:
                    yield f"{place}: missing {key}; needed for source timm"
    for name, dataset in config["datasets"].items():
        place = f"datasets.{name}"
        if dataset["source"] == "class_folders":
            if "path" not in dataset:
                yield f"{place}: missing path; needed for source class_folders: the folder with train/ and test/"
            if "segmentation" in dataset["tasks"]:
                yield (
                    f"{place}.tasks: 'segmentation' needs masks, which class folders lack; "
                    "allowed: classification, retrieval, correspondence"
                )
        elif dataset["pairs"] > dataset["test"]:
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
    for name, condition in config["conditions"].items():
        if (name == "full") != (not condition):
            yield (
                f"conditions.{name}: {dict(condition)!r}; only full, and it alone, replaces nothing: "
                "every other condition needs tokens and by"
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
