r"""Names of quantities: model, scale, condition, task, token, layer and metric of a published number.

The three files of published numbers use the words of the article. `quantities.yaml`, next to them, translates:

    words:                                # field → wording → standard term
      condition: {zero CLS: zero_cls}
    rules:                                # the first that matches a row decides
      - where: {figure: fig5_layer_sweep, series: "CLS top-1 accuracy, (?P<c>.*)"}
        is: {task: classification, metric: accuracy, token: cls, layer: "{x}", condition: "{c}"}
        sign: -1                          # optional: the row is a drop, the quantity a change
    superseded: ["figure fig2 \\(older version\\)"]   # documents stored with the article, perhaps not shown
    repeats: [[data layer_sweep, data register_layer_probe]]  # the same measurement, made twice
    baselines: {data per_register_lesion: data layer_sweep}   # document with the unablated scores of another
    run: {classification: {token: cls, layer: "11", metric: accuracy, datasets: [imagenet]}}

`where` has a regular expression per column, matched in full; `is` may use the columns of the row and the groups of the
expressions in braces. Model, scale and condition are the columns of the row unless `is` says otherwise. A row that no
rule matches, or whose model has no term, has no quantity and is compared with nothing. `quantities.schema.yaml`
describes every section.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from analysis.audit.published import Published, Row
from config.errors import InputError
from config.schema_errors import violations

FILE = "quantities.yaml"
SCHEMA = Path(__file__).with_name("quantities.schema.yaml")
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
        """The name as text: the fields that are not empty."""
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
        """Return columns and groups by name if the rule matches a row, else None."""
        found = dict(row)
        for column, pattern in self.where.items():
            match = pattern.fullmatch(row.get(column, ""))
            if match is None or column not in row:
                return None
            found.update(match.groupdict())
        return found


@dataclass(frozen=True)
class RunQuantity:
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
    run: Mapping[str, RunQuantity]

    def name(self, number: Published) -> tuple[QuantityName, int] | None:
        """Return the quantity of a number and its sign, or None if no rule names it.

        The ends of an interval have another meaning than the number between them, and what an earlier version printed
        is no measurement of its own: neither has a name.
        """
        if number.is_attached:
            return None
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
        """Tell whether a document is an older version, or stored and perhaps not shown."""
        return any(pattern.fullmatch(source) for pattern in self.superseded)


def load_vocabulary(folder: Path) -> Vocabulary | None:
    """Read `quantities.yaml` of a folder; None if there is none.

    Raises:
        InputError: for broken YAML, or a file that does not follow `quantities.schema.yaml`; the message has one line
            per fault, with the key, the value and what is allowed.

    Examples:
        >>> from analysis.audit.published import load_published
        >>> folder = Path("docs/examples/invented_article")
        >>> name, sign = load_vocabulary(folder).name(load_published(folder)["n04"])
        >>> name.text, sign
        ('naming, accuracy, alpha, full, layer 6', 1)
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {error}") from error
    faults = violations(loaded, yaml.safe_load(SCHEMA.read_text(encoding="utf-8")), "the file")
    if faults:
        raise InputError(f"{path} cannot be used:\n  " + "\n  ".join(faults))
    return Vocabulary(
        words=loaded.get("words", {}),
        rules=tuple(
            Rule({column: re.compile(text) for column, text in rule["where"].items()}, rule["is"], rule.get("sign", 1))
            for rule in loaded.get("rules", [])
        ),
        superseded=tuple(map(re.compile, loaded.get("superseded", []))),
        repeats=tuple(map(frozenset, loaded.get("repeats", []))),
        baselines=loaded.get("baselines", {}),
        run={task: _run_quantity(task, entry) for task, entry in loaded.get("run", {}).items()},
    )


def _run_quantity(task: str, entry: Mapping[str, Any]) -> RunQuantity:
    names = {key: value for key, value in entry.items() if key != "datasets"}
    return RunQuantity({"task": task, **names}, frozenset(entry.get("datasets", ())))
