"""Tables of result files: each column declares what it shows of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from config.settings import Settings
from config.vocabulary.tasks import FROZEN
from reports.inputs import Cells, Inputs
from reports.markup import code, heading
from reports.numbers import MISSING, change_of, change_with_unit, interval, is_missing, p_value, size_of
from reports.table import Body, Table, TableColumn, TableRow

_WHOLE_GROUPS = ("cls", "registers")


@dataclass(frozen=True)
class Shown:
    """A column: its title, what it shows of a row, and the classes of its cells."""

    title: str
    cell: Callable[[Cells], str]
    classes: str = ""


def text(title: str, name: str) -> Shown:
    """Return a column that shows the text of the file."""
    return Shown(title, lambda row: row[name])


def named(title: str, name: str) -> Shown:
    """Return a column of names of models or conditions."""
    return Shown(title, lambda row: code(row[name]))


def number(title: str, name: str, show: Callable[[str], str], *, muted: bool = False) -> Shown:
    """Return a column of numbers, printed by `show`."""
    return Shown(title, lambda row: show(row[name]), "number muted" if muted else "number")


def change(title: str, name: str) -> Shown:
    """Return a column of differences, in percentage points or in the unit that the cell names."""
    return Shown(title, lambda row: change_with_unit(row[name], row["task"]), "number")


def deviation(title: str, name: str) -> Shown:
    """Return a column of standard errors or deviations, in the unit of the differences next to it."""
    return Shown(title, lambda row: size_of(row[name], row["task"], 2), "number muted")


def p(title: str, name: str, *, muted: bool = False) -> Shown:
    """Return a column of p-values."""
    return number(title, name, p_value, muted=muted)


def labels_column(rows: Iterable[Cells]) -> list[Shown]:
    """Return the column of the test of labels, where it is another test than that of the metric."""
    return (
        [p("p, any class", "p_exchange", muted=True)] if any(not is_missing(row["p_exchange"]) for row in rows) else []
    )


def between(
    title: str = "Interval", low: str = "low", high: str = "high", show: Callable[[str], str] | None = None
) -> Shown:
    """Return a column of intervals, printed by `show` (by default as differences of the row's task)."""

    def cell(row: Cells) -> str:
        return interval(row[low], row[high], show or (lambda end: change_of(end, row["task"]))) or MISSING

    return Shown(title, cell, "number muted")


def body(shown: Sequence[Shown], rows: Iterable[Cells], heading: str = "") -> Body:
    """Return rows that belong together."""
    return Body(tuple(TableRow(tuple(column.cell(row) for column in shown)) for row in rows), heading)


def tabulate(ident: str, caption: str, shown: Sequence[Shown], bodies: Iterable[Body]) -> Table | None:
    """Return a table of the given bodies, or None if there are none."""
    whole = tuple(bodies)
    if not whole:
        return None
    return Table(ident, caption, tuple(TableColumn(column.title, column.classes) for column in shown), whole)


def grouped(rows: Iterable[Cells], *names: str) -> Iterable[list[Cells]]:
    """Yield groups of consecutive rows that agree in the named columns."""
    for _, group in groupby(rows, key=lambda row: tuple(row[name] for name in names)):
        yield list(group)


def by_model(rows: Iterable[Cells], inputs: Inputs) -> list[Cells]:
    """Return rows sorted by model and condition in the order of the config."""
    models, conditions = list(inputs.models), list(inputs.settings.conditions)
    return sorted(rows, key=lambda row: (models.index(row["model"]), conditions.index(row["condition"])))


def whole_group_conditions(settings: Settings) -> list[str]:
    """Return the conditions that replace CLS or all registers, recognised by the tokens that they replace."""
    return [name for name, condition in settings.conditions.items() if condition.group in _WHOLE_GROUPS]


def reported(inputs: Inputs, table: str, dataset: str) -> list[Cells]:
    """Return the rows of a data set, without frozen readouts."""
    return [row for row in inputs.statistics[table] if row["dataset"] == dataset and row["readout"] != FROZEN]


def of_models(shown: Sequence[Shown], rows: Iterable[Cells], inputs: Inputs) -> list[Body]:
    """Return rows grouped under the name of their model, in the order of the config."""
    return [body(shown, of, heading(of[0]["model"])) for of in grouped(by_model(rows, inputs), "model")]
