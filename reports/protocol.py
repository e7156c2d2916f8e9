"""Protocol choices: what the article leaves open, what this project chose, and what a run has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from config.errors import InputError, did_you_mean
from config.key_paths import require_key, values_of
from config.layout import PROTOCOL
from config.resolve import read_yaml, resolve
from reports.inputs import Inputs
from reports.markup import code, lines
from reports.table import Body, Table, TableColumn, TableRow

_TEXTS = ("name", "title", "says", "where", "ours", "why")
_FEW = 4  # names that are printed beside a value


@dataclass(frozen=True)
class Choice:
    """A choice that the article leaves open, or states differently in its versions.

    Attributes:
        name: unique among the choices.
        title: as the table names it.
        says, where: what the article says, and at which place.
        readings: what that may mean, two or more.
        ours: what the shipped configs do.
        keys: of the config, that set it; `*` stands for every name of a section.
        fixed: why it has no key; empty where it has one.
        why: the reason for `ours`.
    """

    name: str
    title: str
    says: str
    where: str
    readings: tuple[str, ...]
    ours: str
    keys: tuple[str, ...]
    why: str
    fixed: str = ""


def protocol(path: Path = PROTOCOL) -> tuple[Choice, ...]:
    """Return the choices that a file lists.

    Raises:
        InputError: a choice is incomplete or listed twice, has fewer than two readings, or names a key that
            `config/schema.yaml` does not have; the message names the file, the choice and the key.
    """
    stated = read_yaml(path).get("choices")
    if not isinstance(stated, list):
        raise InputError(f"{path}: choices is missing, or is no list")
    found: list[Choice] = []
    for place, entry in enumerate(stated, start=1):
        choice = _choice(entry, f"{path}, choice {place}")
        if choice.name in {each.name for each in found}:
            raise InputError(f"{path}: choice {choice.name!r} is listed twice; remove or rename one")
        found.append(choice)
    return tuple(found)


def _choice(entry: Any, place: str) -> Choice:
    if not isinstance(entry, dict):
        raise InputError(f"{place}: {entry!r} is no mapping of keys")
    place = f"{place} ({entry.get('name', 'without name')})"
    known = {*_TEXTS, "readings", "keys", "fixed"}
    if unknown := sorted(set(entry) - known):
        raise InputError(f"{place}: unknown key {unknown[0]!r}{did_you_mean(unknown[0], known)}")
    if missing := [key for key in _TEXTS if not isinstance(entry.get(key), str) or not entry[key]]:
        raise InputError(f"{place}: {missing[0]} is missing, or is no text")
    readings, keys = (entry.get(key) for key in ("readings", "keys"))
    if not isinstance(readings, list) or len(readings) < 2:
        raise InputError(f"{place}: readings: {readings!r}; needed: a list of two or more")
    if not isinstance(keys, list) or bool(keys) == bool(entry.get("fixed")):
        raise InputError(
            f"{place}: keys: {keys!r}; needed: keys of the config, or the reason why there is none as fixed"
        )
    for key in keys:
        require_key(key, place)
    return Choice(**{**entry, "readings": tuple(map(str, readings)), "keys": tuple(keys)})


def protocol_table(inputs: Inputs) -> Table:
    """Return every choice with what the article says, its readings, the values in this run, and the reason."""
    config = resolve(read_yaml(inputs.run.settings), inputs.run.settings)
    return Table(
        ident="protocol-table",
        caption="What the article leaves open or states differently in its versions, and what this run has",
        columns=(
            TableColumn("Choice", "prose"),
            TableColumn("The article", "prose"),
            TableColumn("Possible readings", "prose"),
            TableColumn("Chosen, and why", "prose"),
            TableColumn("In this run", "prose"),
        ),
        bodies=(Body(tuple(_row(choice, config) for choice in protocol())),),
        classes="protocol",
    )


def _row(choice: Choice, config: Mapping[str, Any]) -> TableRow:
    readings = Markup("<ul>{}</ul>").format(
        Markup().join(Markup("<li>{}</li>").format(each) for each in choice.readings)
    )
    says = Markup("{} <small>{}</small>").format(_sentence(choice.says), choice.where)
    ours = Markup("{} <small>{}</small>").format(_sentence(choice.ours), choice.why)
    here = lines(Markup("<div>{} {}</div>").format(code(key), printed(values_of(key, config))) for key in choice.keys)
    run = here if choice.keys else Markup("<div>no key: {}</div>").format(choice.fixed)
    return TableRow((choice.title, says, readings, ours, run), ident=f"choice-{choice.name}")


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def printed(found: Mapping[str, Any]) -> str:
    """Return values as text: one for all names, or each with its names where they are few.

    Examples:
        >>> printed({"a": "crop", "b": "squash"}), printed({"a": 64, "b": 64}), printed({}), printed({"": True})
        ('crop (a), squash (b)', '64', 'not set', 'yes')
    """
    by_text: dict[str, list[str]] = {}
    for name, value in found.items():
        by_text.setdefault(_text(value), []).append(name)
    if len(by_text) > 1 and len(found) <= _FEW:
        return ", ".join(f"{text} ({', '.join(names)})" for text, names in by_text.items())
    return ", ".join(by_text) or "not set"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        # The reasons of margins have a table of their own.
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items() if key != "reason")
    if isinstance(value, list):
        return " or ".join(map(_text, value))
    return str(value)
