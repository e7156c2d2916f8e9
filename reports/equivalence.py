"""Tables of conclusions: comparisons of models, and changes from full compared with their margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from config.analysis import Comparison
from config.vocabulary.tasks import label_of
from reports.columns import (
    Shown,
    between,
    body,
    change,
    grouped,
    labels_column,
    named,
    number,
    of_models,
    p,
    reported,
    tabulate,
    text,
    whole_group_conditions,
)
from reports.includes import Block, per_dataset, plates
from reports.inputs import Cells, Inputs
from reports.markup import aside, badge, code, definition_list, heading, pair, paragraph, source_link
from reports.numbers import MISSING, change_with_unit, count, in_unit, is_missing, scale_of_changes, size_of
from reports.plates import null_plate
from reports.table import Body, Table, TableColumn, TableRow, render

# Conclusion → colour, sign and meaning.
CONCLUSIONS = {
    "equivalent": ("consistent", "≈", "within the margin; no difference shown"),
    "negligible": ("rounding", "≲", "a difference, but within the margin"),
    "different": ("disagree", "≠", "a difference that is not shown to be within the margin"),
    "undecided": ("unchecked", "?", "neither is shown; more units are needed"),
    "not decidable": ("unchecked", "∅", "neither is shown, and no data of so few units could show equivalence"),
}

_UNDECIDED = ("undecided", "not decidable")


def comparison_tables(inputs: Inputs) -> list[tuple[Comparison, list[Table]]]:
    """Return each declared comparison with one table per data set.

    There is no table if the run lacks the models to compare.
    """
    found = []
    for comparison in inputs.settings.analysis.comparisons:
        # Data sets, tasks and conditions come in display order.
        rows = [
            row
            for row in inputs.statistics["comparisons"]
            if row["comparison"] == comparison.name and row["readout"] != "frozen"
        ]
        tables = [_comparison_table(comparison.name, of_dataset) for of_dataset in grouped(rows, "dataset")]
        found.append((comparison, [table for table in tables if table is not None]))
    return found


def _comparison_table(name: str, rows: Sequence[Cells]) -> Table | None:
    dataset = rows[0]["dataset"]
    shown = (
        Shown("Models", lambda row: pair(row["base"], row["changed"])),
        Shown("Conclusion", _conclusion),
        change("Δ first", "base_delta"),
        change("Δ second", "changed_delta"),
        change("Difference", "difference"),
        between(),
        p("p", "p"),
        *labels_column(rows),
        p("p, max-T", "p_max_t"),
        p("p, Holm", "p_holm", muted=True),
        p("p, equiv.", "p_equivalence"),
    )
    return tabulate(
        f"comparison-{name}-{dataset}",
        f"{_sentence(name)} on {dataset}",
        shown,
        (
            body(
                shown,
                of,
                heading(of[0]["task"], f"{of[0]['condition']} · {of[0]['readout']} readout · n = {count(of[0]['n'])}"),
            )
            for of in grouped(rows, "task", "condition", "readout")
        ),
    )


def _conclusion(row: Cells) -> Markup:
    key, sign, meaning = CONCLUSIONS[row["conclusion"]]
    found = badge(key, sign, row["conclusion"], meaning)
    needed = _needed(row)
    return Markup("{} {}").format(found, aside(f"{needed} to decide")) if needed else found


def _needed(row: Cells) -> str:
    """Return the range of units that would decide, or an empty text."""
    if is_missing(row["units_low"]):
        return ""
    low, high = count(row["units_low"]), count(row["units_high"])
    return low if low == high else f"{low} to {high}"


def margin_table(inputs: Inputs) -> Table:
    """Return the margins of the config, with their reasons."""
    margins = inputs.settings.analysis.margins
    default = "every other task" if len(margins) > 1 else "every task"
    rows = [
        TableRow((default if task == "default" else task, _margin(task, margin.size), margin.reason))
        for task, margin in margins.items()
    ]
    return Table(
        ident="margins",
        caption="Margins of equivalence, fixed in the config before the run",
        columns=(TableColumn("Task"), TableColumn("Margin, pp", "number"), TableColumn("Reason", "prose")),
        bodies=(Body(tuple(rows)),),
    )


def unstated_note(inputs: Inputs) -> list[Markup]:
    """Return a remark for the top of tables of equivalence, where a task's margin is one that nobody stated."""
    settings = inputs.settings.for_analysis
    tasks = [task for task in settings.tasks if not settings.margin(task).stated]
    if not tasks:
        return []
    return [
        paragraph(
            f"No margin was stated for {', '.join(map(label_of, tasks))}. The default of this project stands in; "
            "whether smaller changes matter there has not been decided. Conclusions hold for that margin alone."
        )
    ]


def _margin(task: str, size: float) -> str:
    return in_unit(size_of(str(size), task, 1), task)


def equivalence_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return changes from full with their conclusions: conditions as rows, tasks as columns. None if there are none."""
    shown = whole_group_conditions(inputs.settings)
    rows = [row for row in reported(inputs, "equivalence", dataset) if row["condition"] in shown]
    if not rows:
        return None
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    cells = {(row["model"], row["condition"], row["task"]): row for row in rows}
    bodies = []
    for model in dict.fromkeys(row["model"] for row in rows):
        measured = {row["condition"] for row in rows if row["model"] == model}
        lines = [
            TableRow((code(condition), *(_equivalence_cell(cells.get((model, condition, task))) for task in tasks)))
            for condition in shown
            if condition in measured
        ]
        bodies.append(Body(tuple(lines), heading(model)))
    return Table(
        ident=f"equivalence-{dataset}",
        caption=f"Change from full on {dataset}, {scale_of_changes(tasks)}, with its conclusion",
        columns=(TableColumn("Condition"), *(TableColumn(_sentence(task), "centred") for task in tasks)),
        bodies=tuple(bodies),
    )


def _equivalence_cell(row: Cells | None) -> str:
    if row is None:
        return MISSING
    key, sign, meaning = CONCLUSIONS[row["conclusion"]]
    needed = f"; {_needed(row)} units would decide" if _needed(row) else ""
    return badge(key, sign, change_with_unit(row["delta"], row["task"]), f"{row['conclusion']}: {meaning}{needed}")


def equivalence_key() -> Markup:
    """Return the meanings of the conclusions."""
    entries = ((badge(key, sign, name), meaning) for name, (key, sign, meaning) in CONCLUSIONS.items())
    return definition_list(entries, "Meaning of the signs")


def undecided_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return the undecided changes with the range of units that would decide them, or None if there are none."""
    conditions = whole_group_conditions(inputs.settings)
    rows = [
        row
        for row in reported(inputs, "equivalence", dataset)
        if row["condition"] in conditions and row["conclusion"] in _UNDECIDED
    ]
    wide = 100 * (1 - 2 * inputs.settings.analysis.alpha)
    shown = (
        named("Condition", "condition"),
        text("Task", "task"),
        change("Δ, pp", "delta"),
        between(f"{wide:g} % interval"),
        number("n", "n", count),
        change("Detectable, pp", "detectable"),
        Shown("n to decide", lambda row: _needed(row) or MISSING, "number"),
    )
    return tabulate(f"undecided-{dataset}", f"Undecided on {dataset}", shown, of_models(shown, rows, inputs))


def _sentence(name: str) -> str:
    return name.replace("_", " ").capitalize().replace("Cls", "CLS")


def _comparisons(inputs: Inputs) -> list[Markup]:
    blocks = plates(null_plate, "comparisons")(inputs)
    blocks += unstated_note(inputs) if inputs.statistics["comparisons"] else []
    for comparison, tables in comparison_tables(inputs):
        blocks.append(Markup('<h3 id="{}">{}</h3>').format(comparison.name, comparison.question))
        blocks += [render(table) for table in tables] or [paragraph(_absent(comparison))]
        blocks += [source_link("tests/comparisons.csv")] if tables else []
    return blocks or [paragraph("The config declares no comparison.")]


def _absent(comparison: Comparison) -> str:
    kind = {"family": "families", "scale": "scales"}[comparison.along]
    return (
        f"Not available in this run. This comparison needs the {kind} {' and '.join(comparison.pair)} on the same "
        f"units, under {', '.join(comparison.conditions)}."
    )


# What the statistics page includes: _generated/statistics_<name>.md.
INCLUDES: Mapping[str, tuple[Block, ...]] = {
    "comparisons": (_comparisons,),
    "margins": (lambda inputs: [render(margin_table(inputs))],),
    "equivalence": (
        unstated_note,
        lambda inputs: [equivalence_key()],
        per_dataset(equivalence_table, "equivalence", "This run measured no condition other than full."),
    ),
    "undecided": (per_dataset(undecided_table, "equivalence", "No change above is undecided."),),
}
