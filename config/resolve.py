"""From a raw config to a checked one with every default filled in.

``config/schema.yaml`` describes every key. What it may name (tasks, replacements, sources, …) it takes from
:mod:`config.vocabulary`, where it says ``$vocabulary``. Every complaint names the key, the value and what is allowed.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

import yaml

from config.consistency import impossible_margins, inconsistencies, misplaced_keys, present_in, undecided_comparisons
from config.errors import InputError
from config.names import unusable_names
from config.register_counts import absent_registers, conditions_without_models
from config.schema_errors import violations
from config.unmatched import Present, doubts, mistakes, unattainable_alpha
from config.vocabulary.replacements import REPLACEMENTS
from config.vocabulary.sources import SOURCES, sources_with
from config.vocabulary.tasks import ASKED
from config.vocabulary.tokens import FEATURES, TOKEN

SCHEMA = Path(__file__).with_name("schema.yaml")
# Columns that can define a multiplicity family of tests.
FAMILY_COLUMNS = ("dataset", "task", "model", "family", "scale", "readout", "condition")
# What the schema's `$vocabulary` stands for.
_WORDS: dict[str, dict[str, Any]] = {
    "replacements": {"enum": list(REPLACEMENTS)},
    "sources": {"enum": list(SOURCES)},
    "tasks": {"enum": list(ASKED)},
    "tokens": {"type": "string", "pattern": TOKEN},
    "features": {"enum": list(FEATURES)},
    "family_columns": {"enum": list(FAMILY_COLUMNS)},
}


class ConfigError(InputError):
    """A config that cannot be run, with one line per complaint."""


@cache
def schema() -> Mapping[str, Any]:
    """Return the JSON schema of a config, its words filled in from the vocabulary."""
    # The parser in C, where PyYAML was built with it, takes a tenth of the time.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return cast(Mapping[str, Any], _worded(yaml.load(SCHEMA.read_text(encoding="utf-8"), Loader=loader)))


def _worded(node: Any) -> Any:
    if isinstance(node, list):
        return [_worded(item) for item in node]
    if not isinstance(node, dict):
        return node
    words = _WORDS[node["$vocabulary"]] if "$vocabulary" in node else {}
    return {key: _worded(item) for key, item in node.items() if key != "$vocabulary"} | words


def read_yaml(path: Path) -> Mapping[str, Any]:
    """Read a YAML file of keys.

    Raises:
        ConfigError: the file is missing, cannot be read as YAML, or is no mapping.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} is missing. Run the workflow up to it, or correct the path") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({error}); correct it, or save it in UTF-8") from error
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path}: holds no keys, but {type(loaded).__name__}; needed: a mapping of keys")
    return loaded


def resolve(raw: Mapping[str, Any], path: Path | None = None) -> dict[str, Any]:
    """Check a raw config and return it with every default filled in.

    Args:
        raw: as read from YAML.
        path: its file, for messages.

    Raises:
        ConfigError: with one line per complaint: the key, the value and what is allowed.
    """
    complaints = violations(raw, schema(), "the config")
    if not complaints:
        config: dict[str, Any] = _with_defaults(raw, schema())
        first = next(iter(config["datasets"]))
        config.setdefault("calibrate_on", first)
        config["measures"].setdefault("datasets", [first])
        complaints = [*unusable_names(config)] or [
            *misplaced_keys(raw),
            *inconsistencies(config),
            *absent_registers(config),
            *unattainable_alpha(config["analysis"]),
            *mistakes(config["analysis"], _unstated(), present_in(config)),
        ]
        config["datasets"] = {name: _of_its_source(dataset) for name, dataset in config["datasets"].items()}
        if not complaints:
            return config
    what = "The config" if path is None else str(path)
    raise ConfigError(f"{what} cannot be used:\n  " + "\n  ".join(complaints))


def unmatched(config: Mapping[str, Any]) -> list[str]:
    """Return what the analysis of a resolved config names and the run lacks, for a warning; one line each."""
    return [*conditions_without_models(config), *doubts(config["analysis"], _unstated(), present_in(config))]


def resolve_analysis(raw: Mapping[str, Any], path: Path | None = None) -> dict[str, Any]:
    """Check the keys of a config that outcomes made elsewhere are analysed by: seed, conditions, analysis.

    Returns them with every default filled in; `conditions` is empty where left out.

    Args:
        raw: as read from YAML.
        path: its file, for messages.

    Raises:
        ConfigError: as :func:`resolve`.
    """
    whole = schema()
    keys = ("seed", "conditions", "analysis")
    part = {**whole, "required": [], "properties": {key: whole["properties"][key] for key in keys}}
    complaints = violations(raw, part, "the config")
    if not complaints:
        config: dict[str, Any] = {"conditions": {}, **_with_defaults(raw, part)}
        complaints = [*unusable_names(config)] or [
            *undecided_comparisons(config),
            *impossible_margins(config),
            *unattainable_alpha(config["analysis"]),
        ]
        if not complaints:
            return config
    raise _unusable(complaints, path)


def require_matched(config: Mapping[str, Any], present: Present, path: Path | None = None) -> list[str]:
    """Check what `resolve_analysis` returned against the outcomes that it is to analyse.

    Args:
        config: seed, conditions and analysis, with their defaults.
        present: what the outcomes hold.
        path: file of the settings, for messages.

    Returns:
        What is stated and matches nothing, but may be meant for other outcomes: one line each, for a warning.

    Raises:
        ConfigError: as :func:`resolve`.
    """
    if complaints := list(mistakes(config["analysis"], _unstated(), present)):
        raise _unusable(complaints, path)
    return [f"{path or 'the settings'}: {line}" for line in doubts(config["analysis"], _unstated(), present)]


def _unusable(complaints: Sequence[str], path: Path | None) -> ConfigError:
    what = "The settings" if path is None else str(path)
    return ConfigError(f"{what} cannot be used:\n  " + "\n  ".join(complaints))


def _unstated() -> Mapping[str, Any]:
    """Return the section `analysis` of a config that does not state it."""
    return cast(Mapping[str, Any], _with_defaults({}, schema()["properties"]["analysis"]))


def _of_its_source(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Return a data set without the defaults of keys that its source has no use for."""
    useless = {key for key in dataset if (named := sources_with(key)) and dataset["source"] not in named}
    return {key: value for key, value in dataset.items() if key not in useless}


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
