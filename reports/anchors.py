"""Anchors: scores published by the authors of a model, with which the `full` of a run is compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import yaml
from markupsafe import Markup

from config.layout import ANCHORS
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import FROZEN, TASKS
from reports.inputs import Cells, Inputs
from reports.markup import NOTHING, code, lines, paragraph
from reports.numbers import fixed, interval, percent
from reports.table import Body, Table, TableColumn, TableRow, render

Side = Literal["", "below", "above"]


@dataclass(frozen=True)
class Anchor:
    """A published score of an unchanged model.

    Attributes:
        architecture: timm's name of the model.
        task, data: what was scored on what; `data` is a key of the file's section of that name.
        label: name of the data set.
        authors: what the authors measured, in words.
        value: published, in percent.
        below, above: how far the score of a run may lie from it, in percentage points.
        source: where it is published.
    """

    architecture: str
    task: str
    data: str
    label: str
    authors: str
    value: float
    below: float
    above: float
    source: str

    @property
    def low(self) -> float:
        """Lowest score that meets the anchor, in percent."""
        return self.value - self.below

    @property
    def high(self) -> float:
        """Highest score that meets the anchor, in percent."""
        return self.value + self.above


@dataclass(frozen=True)
class Comparison:
    """An anchor, and the row of the ablation table that is compared with it."""

    anchor: Anchor
    row: Cells

    @property
    def missed(self) -> Side:
        """The side on which the whole interval of the score is out of range; empty where the anchor is met.

        The interval decides, not the score alone: few test images must not fail a sound model.
        """
        if 100 * float(self.row["value_high"]) < self.anchor.low:
            return "below"
        return "above" if 100 * float(self.row["value_low"]) > self.anchor.high else ""


@cache
def _file() -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = yaml.safe_load(ANCHORS.read_text(encoding="utf-8"))
    return loaded


@cache
def anchors() -> tuple[Anchor, ...]:
    """Return every anchor of `reports/anchors.yaml`."""
    data, protocols = _file()["data"], _file()["protocols"]
    found = []
    for row in _file()["anchors"]:
        protocol = protocols[row["protocol"]]
        given = {key: protocol[key] for key in ("task", "data", "authors", "below", "above")}
        rest = {key: row[key] for key in ("architecture", "value", "source")}
        found.append(Anchor(label=data[protocol["data"]]["label"], **given, **rest))
    return tuple(found)


def data_of(pack: Mapping[str, Any]) -> str:
    """Return which data set with anchors a pack holds, recognised from its facts; empty where it is none of them.

    Examples:
        >>> data_of({"classes": 1000, "class_names": ["n01440764"] * 1000})
        'imagenet'
        >>> data_of({"classes": 1000, "class_names": ["tench"] * 1000})
        ''
    """
    for name, facts in _file()["data"].items():
        names = [str(each) for each in pack.get("class_names", ())]
        tested = pack.get("splits", {}).get("test", {}).get("images")
        tests = (
            facts.get("classes") in (None, pack.get("classes")),
            "class_names" not in facts or (names and all(re.fullmatch(facts["class_names"], each) for each in names)),
            facts.get("mask_names") in (None, len(pack.get("mask_names") or ())),
            facts.get("test") in (None, tested),
        )
        if all(tests):
            return str(name)
    return ""


def comparisons(inputs: Inputs) -> tuple[Comparison, ...]:
    """Return every anchor that the run measured, with its score, in the order of the models and data sets.

    Models with random weights have none, and neither have data sets that are not recognised (:func:`data_of`).
    """
    return tuple(_comparisons(inputs))


def _comparisons(inputs: Inputs) -> Iterator[Comparison]:
    data = {dataset: data_of(pack) for dataset, pack in inputs.packs.items()}
    for row in inputs.ablation:
        model = inputs.models[row["model"]]
        if row["condition"] != REFERENCE or row["readout"] == FROZEN or model.random or not row["value"]:
            continue
        for anchor in anchors():
            asked = (model.architecture or "").split(".")[0], row["task"], data.get(row["dataset"])
            if asked == (anchor.architecture, anchor.task, anchor.data):
                yield Comparison(anchor, row)


def anchors_missed(inputs: Inputs) -> Markup:
    """Return a warning for the top of the report that names every anchor that the run misses, or nothing."""
    found = [each for each in comparisons(inputs) if each.missed]
    if not found:
        return NOTHING
    items = (Markup("<li>{}</li>").format(_sentence(each)) for each in found)
    return Markup(
        '<div class="note" role="note"><p><strong>Sanity check failed.</strong> The unchanged models should come near '
        "what their authors published. Check the weights, the image size and the data before you read any result of "
        "these models.</p>\n<ul>{}</ul></div>"
    ).format(Markup().join(items))


def _sentence(found: Comparison) -> Markup:
    anchor, row = found.anchor, found.row
    hint = (
        "Likely causes: other weights than the config says, or labels that do not fit the images."
        if found.missed == "below"
        else "Likely causes: test images among the training images, or other weights than the config says."
    )
    return Markup("{}: {} {} % {} on {}, {} the allowed {} to {} %; the authors report {} % ({}). {}").format(
        code(row["model"]),
        TASKS[anchor.task].metric,
        percent(row["value"]),
        interval(row["value_low"], row["value_high"]),
        anchor.label,
        found.missed,
        fixed(anchor.low, 1),
        fixed(anchor.high, 1),
        fixed(anchor.value, 1),
        anchor.source,
        hint,
    )


def anchors_compared(inputs: Inputs) -> Markup:
    """Return the table of every anchor that the run measured, met or missed, for the methods; nothing without any."""
    found = comparisons(inputs)
    if not found:
        return NOTHING
    table = Table(
        ident="anchors-table",
        caption="Unchanged models, compared with what their authors published",
        columns=(
            TableColumn("Model"),
            TableColumn("Data"),
            TableColumn("Metric"),
            TableColumn("Published, %", "number"),
            TableColumn("Allowed, %", "number"),
            TableColumn("This run, %", "number"),
            TableColumn("Result"),
            TableColumn("Source", "prose"),
        ),
        bodies=(Body(tuple(map(_row, found))),),
    )
    measured = dict.fromkeys(each.anchor.authors for each in found)
    return lines(
        (
            paragraph(
                "The allowed ranges are wide, because the protocols differ: the authors measured "
                f"{'; '.join(measured)}. "
                "They reveal broken weights, wrong pixels and wrong labels, not small differences."
            ),
            render(table),
        )
    )


def _row(found: Comparison) -> TableRow:
    anchor, row = found.anchor, found.row
    return TableRow(
        (
            code(row["model"]),
            anchor.label,
            TASKS[anchor.task].metric,
            fixed(anchor.value, 1),
            f"{fixed(anchor.low, 1)} to {fixed(anchor.high, 1)}",
            f"{percent(row['value'])} {interval(row['value_low'], row['value_high'])}",
            f"missed: {found.missed}" if found.missed else "met",
            anchor.source,
        )
    )
