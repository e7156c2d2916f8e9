r"""Which quantity a published number is: model, scale, condition, task, token, layer, metric.

The three files name quantities in their own words. `quantities.yaml`, beside them, translates:

    words:                                # field → wording → standard term
      condition: {zero CLS: zero_cls}
    rules:                                # the first that fits a row decides
      - where: {figure: fig5_layer_sweep, series: "CLS top-1 accuracy, (?P<c>.*)"}
        is: {task: classification, metric: accuracy, token: cls, layer: "{x}", condition: "{c}"}
        sign: -1                          # optional: the row is a drop, the quantity a change
    superseded: ["figure fig2 \\(older version\\)"]   # documents stored with the article, perhaps not shown
    repeats: [[data layer_sweep, data register_layer_probe]]  # the same measurement, made twice
    baselines: {data per_register_lesion: data layer_sweep}   # where a document's unablated scores stand
    run: {classification: {token: cls, layer: "11", metric: accuracy, datasets: [imagenet]}}

`where` holds a regular expression for a column, matched in full; `is` may use the row's columns and the
expressions' groups in braces. Model, scale and condition are the row's own columns unless `is` says
otherwise. A row that no rule fits, or whose model has no term, is no quantity and is compared with nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from analysis.audit.errors import AuditInputError, did_you_mean
from analysis.audit.published import Published, Row

FILE = "quantities.yaml"
SECTIONS = frozenset({"words", "rules", "superseded", "repeats", "baselines", "run"})
CHANGE = " change"
FULL = "full"


@dataclass(frozen=True, order=True)
class QuantityName:
    """What a number measures, in standard terms."""

    model: str
    scale: str
    condition: str
    task: str
    token: str
    layer: str
    metric: str

    @property
    def text(self) -> str:
        """For a reader: the fields that are not empty."""
        layer = f"layer {self.layer}" if self.layer else ""
        known = (self.task, self.metric, self.model, self.scale, self.condition, self.token, layer)
        return ", ".join(filter(None, known))


FIELDS = tuple(field.name for field in fields(QuantityName))


@dataclass(frozen=True)
class Rule:
    """A line of `rules`."""

    where: Mapping[str, re.Pattern[str]]
    names: Mapping[str, str]
    sign: int

    def groups(self, row: Row) -> Mapping[str, str] | None:
        """Columns and groups by name if the rule fits a row, else None."""
        found = dict(row)
        for column, pattern in self.where.items():
            match = pattern.fullmatch(row.get(column, ""))
            if match is None or column not in row:
                return None
            found.update(match.groupdict())
        return found


@dataclass(frozen=True)
class Measured:
    """What a run's table calls the quantity of a task, and on which data sets it is the article's."""

    names: Mapping[str, str]
    datasets: frozenset[str]


@dataclass(frozen=True)
class Vocabulary:
    """All of `quantities.yaml`."""

    words: Mapping[str, Mapping[str, str]]
    rules: tuple[Rule, ...]
    superseded: tuple[re.Pattern[str], ...]
    repeats: tuple[frozenset[str], ...]
    baselines: Mapping[str, str]
    run: Mapping[str, Measured]

    def name(self, number: Published) -> tuple[QuantityName, int] | None:
        """The quantity of a number and its sign, or None if it has none."""
        for rule in self.rules:
            groups = rule.groups(number.row)
            if groups is None:
                continue
            own = {field: number.row[field] for field in ("model", "scale", "condition") if field in number.row}
            given = {field: text.format_map(groups) for field, text in rule.names.items()}
            named = {field: self._word(field, text) for field, text in {**own, **given}.items()}
            if "model" in self.words and named.get("model") not in self.words["model"].values():
                return None
            return QuantityName(**{field: named.get(field, "") for field in FIELDS}), rule.sign
        return None

    def _word(self, field: str, text: str) -> str:
        return self.words.get(field, {}).get(text, text)

    def is_superseded(self, source: str) -> bool:
        """Whether a document is an older version, or stored and perhaps not shown."""
        return any(pattern.fullmatch(source) for pattern in self.superseded)


def load_vocabulary(folder: Path) -> Vocabulary | None:
    """`quantities.yaml` of a folder, or None if there is none.

    Raises AuditInputError for broken YAML, an unknown section, field or regular expression.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise AuditInputError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise AuditInputError(f"{path} must be a mapping with {', '.join(sorted(SECTIONS))}.")
    for key in loaded:
        if key not in SECTIONS:
            raise AuditInputError(f"{path}: unknown section {key!r}. {did_you_mean(str(key), SECTIONS)}")
    return Vocabulary(
        words=loaded.get("words", {}),
        rules=tuple(_rule(path, position, rule) for position, rule in enumerate(loaded.get("rules", []), 1)),
        superseded=tuple(_pattern(path, text) for text in loaded.get("superseded", [])),
        repeats=tuple(frozenset(pair) for pair in loaded.get("repeats", [])),
        baselines=loaded.get("baselines", {}),
        run={task: _measured(path, task, entry) for task, entry in loaded.get("run", {}).items()},
    )


def _rule(path: Path, position: int, rule: Any) -> Rule:
    where = f"{path}, rule {position}"
    if not isinstance(rule, dict) or not {"where", "is"} <= set(rule) <= {"where", "is", "sign"}:
        raise AuditInputError(f"{where}: needs 'where' and 'is', and may have 'sign'; found {rule!r}.")
    if rule.get("sign", 1) not in (1, -1):
        raise AuditInputError(f"{where}: 'sign' is {rule['sign']!r}; it must be 1 or -1.")
    return Rule(
        {column: _pattern(path, str(text)) for column, text in rule["where"].items()},
        _names(where, rule["is"]),
        rule.get("sign", 1),
    )


def _measured(path: Path, task: str, entry: Mapping[str, Any]) -> Measured:
    names = {key: value for key, value in entry.items() if key != "datasets"}
    return Measured(_names(f"{path}, run {task!r}", {"task": task, **names}), frozenset(entry.get("datasets", ())))


def _names(where: str, names: Mapping[str, Any]) -> Mapping[str, str]:
    for field in names:
        if field not in FIELDS:
            raise AuditInputError(f"{where}: unknown field {field!r}. {did_you_mean(str(field), FIELDS)}")
    return {field: str(text) for field, text in names.items()}


def _pattern(path: Path, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise AuditInputError(f"{path}: {text!r} is no regular expression: {error}") from error
