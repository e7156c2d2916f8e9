"""Universes: runs that differ from one config in the choices that could have been made otherwise.

References: Steegen, Tuerlinckx, Gelman and Vanpaemel (2016), Increasing transparency through a multiverse analysis;
Simonsohn, Simmons and Nelson (2020), Specification curve analysis.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from config.errors import InputError
from config.key_paths import with_values
from config.keys import digest
from config.resolve import ConfigError, resolve

BASE = "base"  # the universe that is the config itself
SECTION = "multiverse"
COMBINATIONS = "all_combinations"
# What the records of a run are made from: universes that agree in these share its packs, calibration and records.
_OF_RECORDS = ("seed", "models", "datasets", "calibrate_on", "conditions", "extraction", "measures")


@dataclass(frozen=True)
class Choice:
    """A choice that could have been made otherwise.

    Attributes:
        name: its key in the config.
        title: as the report prints it.
        options: name of an alternative → key of the config → value.
    """

    name: str
    title: str
    options: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Universe:
    """A run of a multiverse.

    Attributes:
        name: `BASE`, or choice and option, such as ``penalty-weak``.
        options: choice → option, of the choices in which it differs from the base.
        config: resolved.
    """

    name: str
    options: Mapping[str, str]
    config: Mapping[str, Any]

    @property
    def run(self) -> str:
        """Name of its run."""
        return str(self.config["run"])

    @property
    def identity(self) -> str:
        """Digest of the config, by which results that were made with another one are recognised."""
        return f"{digest(json.dumps(self.config, sort_keys=True)):016x}"

    def shares_records(self, base: "Universe") -> bool:
        """Tell whether packs, calibration and records are those of another universe, since nothing else is changed."""
        return all(self.config[key] == base.config[key] for key in _OF_RECORDS)


def choices_of(config: Mapping[str, Any]) -> tuple[Choice, ...]:
    """Return the choices of a resolved config; none where it describes no multiverse."""
    stated = config.get(SECTION, {"choices": {}})["choices"]
    return tuple(Choice(name, one.get("title", name.replace("_", " ")), one["options"]) for name, one in stated.items())


def universes(config: Mapping[str, Any]) -> tuple[Universe, ...]:
    """Return the universes of a resolved config, the base first; the base alone where it describes no multiverse.

    Raises:
        ConfigError: an option names a key that the config does not have, changes nothing, or makes a config that
            cannot be run; the message names choice and option.
    """
    alone = {key: value for key, value in config.items() if key != SECTION}
    found = [Universe(BASE, {}, alone)]
    for options in _plans(config):
        name = "-".join(word for pair in options.items() for word in pair)
        place = f"{SECTION}.choices." + " and ".join(f"{choice}.options.{option}" for choice, option in options.items())
        stated = {choice.name: choice for choice in choices_of(config)}
        changed: Mapping[str, Any] = alone
        try:
            for choice, option in options.items():
                changed = with_values(changed, stated[choice].options[option], place)
            if changed == alone:
                raise InputError(f"{place}: changes nothing, since the config has these values; remove it")
            named = {"run": f"{config['run']}-{name}", "title": f"{config['title']} ({name})"}
            found.append(Universe(name, options, resolve({**changed, **named})))
        except ConfigError as error:
            raise ConfigError(f"{place}: {error}") from error
        except InputError as error:
            raise ConfigError(str(error)) from error
    return tuple(found)


def _plans(config: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield which options each universe but the base takes."""
    choices = choices_of(config)
    if config.get(SECTION, {}).get("design") != COMBINATIONS:
        yield from ({choice.name: option} for choice in choices for option in choice.options)
        return
    for taken in product(*([None, *choice.options] for choice in choices)):
        if options := {choice.name: one for choice, one in zip(choices, taken, strict=True) if one is not None}:
            yield options
