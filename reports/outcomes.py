"""The result tables: the article's replacement table, as published and as measured, and every ablation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from config.errors import InputError
from config.vocabulary.replacements import REFERENCE, REPLACEMENTS
from config.vocabulary.tasks import task_of
from reports.inputs import Cells, CsvTable
from reports.markup import code, heading, slug
from reports.numbers import MISSING, change_of, count, interval, is_missing, p_value, scale_of_values, value_of
from reports.table import Body, Span, Table, TableColumn, TableRow

CONTROLS_TABLE = "controls table"
_FULL = REFERENCE.capitalize()
# Condition of the published numbers → its row in the article's table, which the run's table repeats.
PUBLISHED_ROWS = {
    "full": _FULL,
    "zero registers": REPLACEMENTS["zero"].article_label,
    "mean-sub registers": REPLACEMENTS["mean"].article_label,
    "noise-sub registers": REPLACEMENTS["noise"].article_label,
    "shuffled registers": REPLACEMENTS["shuffle"].article_label,
}


@dataclass(frozen=True)
class Section:
    """The ablations of one data set and task."""

    dataset: str
    task: str
    rows: tuple[Cells, ...]

    @property
    def ident(self) -> str:
        """Identifier, unique on the page and safe in links."""
        return f"ablation-{slug(self.dataset)}-{slug(self.task)}"


def task_title(task: str) -> str:
    """Return a task's name as a heading: `Cycle consistency`, `PCK per image`."""
    words = task.replace("_", " ")
    return words[0].upper() + words[1:] if not words.startswith("pck") else words.replace("pck", "PCK", 1)


def ablation_sections(rows: Iterable[Cells]) -> tuple[Section, ...]:
    """Return the rows of the ablation table by data set and task, in the order given."""
    grouped: dict[tuple[str, str], list[Cells]] = {}
    for row in rows:
        grouped.setdefault((row["dataset"], row["task"]), []).append(row)
    return tuple(Section(dataset, task, tuple(found)) for (dataset, task), found in grouped.items())


def published_replacements(published: Sequence[Cells]) -> Table:
    """Return the replacement table as the article prints it, digits unchanged.

    Raises:
        InputError: the published numbers do not include it.
    """
    rows = [row for row in published if row["location"] == CONTROLS_TABLE]
    if not rows:
        raise InputError(
            f"tables.csv of the published numbers: no row has the location {CONTROLS_TABLE!r}, from which "
            "the published replacement table is built. Is --published the right folder?"
        )
    cells = {
        (PUBLISHED_ROWS.get(row["condition"], row["condition"]), (row["task"], row["model"])): row["value"]
        for row in rows
    }
    return _replacements(
        "published-replacements",
        "Published: the article’s models, ViT-S, percent",
        list(dict.fromkeys(PUBLISHED_ROWS.get(row["condition"], row["condition"]) for row in rows)),
        _by_task((row["task"], row["model"]) for row in rows),
        cells,
    )


def measured_replacements(table: CsvTable, dataset: str) -> tuple[Table, ...]:
    """Return the run's replacement tables of one data set, one per task; none if no replacement was measured."""
    rows = [row for row in table.rows if row["dataset"] == dataset]
    named = [column for column in table.columns if "/" in column]
    columns = [column for column in named if any(not is_missing(row[column]) for row in rows)]
    cells = {(row["condition"], _task_and_model(column)): row[column] for row in rows for column in columns}
    places = _by_task(_task_and_model(column) for column in columns)
    return tuple(
        _replacements(
            f"replacements-{slug(dataset)}-{slug(task)}",
            f"This run: {dataset}, {scale_of_values(task)}",
            [row["condition"] for row in rows],
            list(of_task),
            cells,
        )
        for task, of_task in groupby(places, key=lambda place: place[0])
    )


def _task_and_model(column: str) -> tuple[str, str]:
    task, _, model = column.partition("/")
    return task, model


def _by_task(columns: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    unique = list(dict.fromkeys(columns))
    tasks = list(dict.fromkeys(task for task, _ in unique))
    return sorted(unique, key=lambda column: tasks.index(column[0]))


def _replacements(
    ident: str,
    caption: str,
    conditions: Sequence[str],
    columns: Sequence[tuple[str, str]],
    cells: Mapping[tuple[str, tuple[str, str]], str],
) -> Table:
    spans = [Span("", 1)]
    titles = [TableColumn("Condition")]
    for task, group in groupby(columns, key=lambda column: column[0]):
        models = [model for _, model in group]
        spans.append(Span(task_title(task), len(models)))
        # The first column of a task carries the rule that sets the tasks apart.
        titles += [
            TableColumn(model, "number" if position else "number first") for position, model in enumerate(models)
        ]
    rows = tuple(
        TableRow(
            (
                condition,
                *(_printed(cells.get((condition, column), "")) for column in columns),
            ),
            classes="reference" if condition == _FULL else "",
        )
        for condition in conditions
    )
    return Table(ident, caption, tuple(titles), (Body(rows),), tuple(spans), "replacements")


def _printed(text: str) -> str:
    return MISSING if is_missing(text) else text


def ablation_table(section: Section) -> Table:
    """Return value, change, intervals and p-values of every model and condition of a section."""
    task = task_of(section.task)
    return Table(
        ident=f"{section.ident}-table",
        caption=f"{task_title(section.task)} on {section.dataset}: {section.rows[0]['metric']}",
        columns=(
            TableColumn("Condition"),
            TableColumn("Value, %" if task.percent else titled("Value", task.value_unit), "number"),
            TableColumn("Interval", "number muted"),
            TableColumn("Δ, pp" if task.percent else titled("Δ", task.value_unit), "number"),
            TableColumn("Interval of Δ", "number muted"),
            TableColumn("p", "number"),
            *([TableColumn("p, any class", "number muted")] if tests_labels(section.rows) else []),
            TableColumn("p, max-T", "number"),
            TableColumn("p, Holm", "number muted"),
            TableColumn("p, exact", "number muted"),
        ),
        bodies=tuple(_bodies(section)),
        classes="ablation",
    )


def tests_labels(rows: Iterable[Cells]) -> bool:
    """Return whether permuting labels is another test than that of the metric."""
    return any(not is_missing(row["p_exchange"]) for row in rows)


def titled(words: str, unit: str) -> str:
    """Return the title of a column with its unit, if it has one."""
    return f"{words}, {unit}" if unit else words


def _bodies(section: Section) -> Iterator[Body]:
    def model_of(row: Cells) -> tuple[str, str]:
        return row["model"], row["readout"]

    for (model, readout), group in groupby(section.rows, key=model_of):
        rows = list(group)
        first = rows[0]
        facts = f"{first['family']}, scale {first['scale']} · {readout} readout · n = {count(first['n'])}"
        yield Body(
            tuple(_ablation_row(row, labels=tests_labels(section.rows)) for row in rows),
            heading=heading(model, facts),
        )


def _ablation_row(row: Cells, *, labels: bool) -> TableRow:
    task = row["task"]
    return TableRow(
        (
            code(row["condition"]),
            value_of(row["value"], task),
            interval(row["value_low"], row["value_high"], partial(value_of, task=task)) or MISSING,
            change_of(row["delta"], task),
            interval(row["delta_low"], row["delta_high"], partial(change_of, task=task)) or MISSING,
            p_value(row["p"]),
            *([p_value(row["p_exchange"])] if labels else []),
            p_value(row["p_max_t"]),
            p_value(row["p_holm"]),
            p_value(row["p_exact"]),
        ),
        classes="reference" if is_missing(row["delta"]) else "",
    )
