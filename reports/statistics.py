"""Tables of a run's tests: comparisons of models, equivalence, additivity, controls and readouts."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from config.analysis import Comparison
from config.vocabulary.replacements import REFERENCE
from reports.columns import (
    Shown,
    between,
    body,
    by_model,
    change,
    grouped,
    named,
    number,
    p,
    tabulate,
    text,
    whole_group_conditions,
)
from reports.inputs import Cells, Inputs
from reports.markup import aside, badge, code, definition_list, heading, pair
from reports.numbers import MISSING, count, fixed, interval, is_missing, percent, points
from reports.table import Body, Column, Row, Table

# Conclusion → colour, sign and meaning.
CONCLUSIONS = {
    "equivalent": ("consistent", "≈", "within the margin; no difference shown"),
    "negligible": ("rounding", "≲", "a difference, but within the margin"),
    "different": ("disagree", "≠", "a difference that is not shown to be within the margin"),
    "undecided": ("unchecked", "?", "neither is shown; more units are needed"),
}
READINGS = {
    "super-additive": ("disagree", "≫"),
    "sub-additive": ("rounding", "≪"),
    "opposite": ("disagree", "⇄"),
    "neither shown": ("unchecked", "?"),
    "monotone": ("consistent", "✓"),
    "not monotone": ("contradicted", "✕"),
    "undecided": ("unchecked", "?"),
}


def reading_badge(row: Cells) -> Markup:
    """Return what the interval of a sum or trend shows, as a label."""
    return badge(*READINGS[row["reading"]], row["reading"])


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
    needed = row["units_to_decide"]
    if is_missing(needed):
        return found
    return Markup("{} {}").format(found, aside(f"{count(needed)} to decide"))


def margin_table(inputs: Inputs) -> Table:
    """Return the margins of the config, with their reasons."""
    margins = inputs.settings.analysis.margins
    default = "every other task" if len(margins) > 1 else "every task"
    rows = [
        Row((default if task == "default" else task, fixed(100 * margin.size, 1), margin.reason))
        for task, margin in margins.items()
    ]
    return Table(
        ident="margins",
        caption="Margins of equivalence, fixed in the config before the run",
        columns=(Column("Task"), Column("Margin, pp", "number"), Column("Reason", "prose")),
        bodies=(Body(tuple(rows)),),
    )


def equivalence_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return changes from full with their conclusions: conditions as rows, tasks as columns. None if there are none."""
    shown = whole_group_conditions(inputs.settings)
    rows = [row for row in _reported(inputs, "equivalence", dataset) if row["condition"] in shown]
    if not rows:
        return None
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    cells = {(row["model"], row["condition"], row["task"]): row for row in rows}
    bodies = []
    for model in dict.fromkeys(row["model"] for row in rows):
        measured = {row["condition"] for row in rows if row["model"] == model}
        lines = [
            Row((code(condition), *(_equivalence_cell(cells.get((model, condition, task))) for task in tasks)))
            for condition in shown
            if condition in measured
        ]
        bodies.append(Body(tuple(lines), heading(model)))
    return Table(
        ident=f"equivalence-{dataset}",
        caption=f"Change from full on {dataset}, in percentage points, with its conclusion",
        columns=(Column("Condition"), *(Column(_sentence(task), "centred") for task in tasks)),
        bodies=tuple(bodies),
    )


def _equivalence_cell(row: Cells | None) -> str:
    if row is None:
        return MISSING
    key, sign, meaning = CONCLUSIONS[row["conclusion"]]
    needed = "" if is_missing(row["units_to_decide"]) else f"; {count(row['units_to_decide'])} units would decide"
    return badge(key, sign, points(row["delta"]), f"{row['conclusion']}: {meaning}{needed}")


def equivalence_key() -> Markup:
    """Return the meanings of the four conclusions."""
    entries = ((badge(key, sign, name), meaning) for name, (key, sign, meaning) in CONCLUSIONS.items())
    return definition_list(entries, "Meaning of the signs")


def undecided_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return the undecided changes with the sample size that would decide them, or None if there are none."""
    conditions = whole_group_conditions(inputs.settings)
    rows = [
        row
        for row in _reported(inputs, "equivalence", dataset)
        if row["condition"] in conditions and row["conclusion"] == "undecided"
    ]
    wide = 100 * (1 - 2 * inputs.settings.analysis.alpha)
    shown = (
        named("Condition", "condition"),
        text("Task", "task"),
        change("Δ, pp", "delta"),
        between(f"{wide:g} % interval"),
        number("n", "n", count),
        number("n to decide", "units_to_decide", count),
    )
    return tabulate(f"undecided-{dataset}", f"Undecided on {dataset}", shown, _models(shown, rows, inputs))


def additivity_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return the change from replacing all registers next to the sum of single changes, or None if not measured."""
    rows = _reported(inputs, "additivity", dataset)
    largest = max((int(row["size"]) for row in rows), default=0)
    shown = (
        text("Task", "task"),
        named("Condition", "condition"),
        change("Together, pp", "delta"),
        change("Sum, pp", "predicted"),
        change("Excess, pp", "excess"),
        between(low="excess_low", high="excess_high"),
        Shown("Result", reading_badge),
    )
    return tabulate(
        f"additivity-{dataset}",
        f"All {largest} registers replaced together and one at a time, on {dataset}",
        shown,
        _models(shown, [row for row in rows if int(row["size"]) == largest], inputs),
    )


def random_patch_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return changes under registers next to those under random patches, or None if there are none."""
    shown = (
        text("Task", "task"),
        change("Registers, pp", "delta"),
        change("Patches, pp", "random_mean"),
        number("SD of draws", "random_spread", _error, muted=True),
        between("Range of draws", "random_most", "random_least"),
        change("Difference, pp", "difference"),
        between(),
        p("p, Holm", "p_holm"),
    )
    rows = by_model(_reported(inputs, "random_patches", dataset), inputs)
    return tabulate(
        f"random-patches-{dataset}",
        f"Registers and random patches on {dataset}",
        shown,
        (
            body(
                shown,
                of,
                heading(
                    of[0]["model"],
                    f"{of[0]['condition']} compared with {of[0]['draws_of_patches']} draws of {of[0]['control']}",
                ),
            )
            for of in grouped(rows, "model", "condition")
        ),
    )


def readout_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return changes under the matched and the frozen readout, or None if the run has only one."""
    conditions = whole_group_conditions(inputs.settings)
    rows = [
        row for row in inputs.statistics["readouts"] if row["dataset"] == dataset and row["condition"] in conditions
    ]
    shown = (
        named("Condition", "condition"),
        text("Task", "task"),
        change("Matched, pp", "matched_delta"),
        change("Frozen, pp", "frozen_delta"),
        change("Frozen − matched", "difference"),
        between(),
        p("p, Holm", "p_holm"),
    )
    caption = f"Change from full under both readouts on {dataset}"
    return tabulate(f"readouts-{dataset}", caption, shown, _models(shown, rows, inputs))


def probe_variance_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return standard errors from test units and from refitted probes, or None if no probe was refitted."""
    conditions = {REFERENCE, *whole_group_conditions(inputs.settings)}
    rows = [
        row
        for row in inputs.statistics["probe_variance"]
        if row["dataset"] == dataset
        and row["condition"] in conditions
        and (row["quantity"] == "delta" or row["condition"] == REFERENCE)
    ]

    def within(row: Cells, low: str, high: str) -> str:
        return interval(row[low], row[high], points if row["quantity"] == "delta" else percent)

    shown = (
        named("Condition", "condition"),
        Shown("Quantity", lambda row: "value, %" if row["quantity"] == "value" else "Δ, pp"),
        Shown("Estimate", lambda row: (points if row["quantity"] == "delta" else percent)(row["estimate"]), "number"),
        number("SE, test units", "units_error", _error, muted=True),
        number("SD, refits", "training_error", _error, muted=True),
        Shown("Test units alone", lambda row: within(row, "low", "high"), "number"),
        Shown("Both", lambda row: within(row, "total_low", "total_high"), "number"),
    )
    return tabulate(
        f"probe-variance-{dataset}",
        f"Sampling of test units and training of probes as sources of error on {dataset}",
        shown,
        (
            body(
                shown,
                of,
                heading(of[0]["model"], f"{of[0]['task']} · {of[0]['readout']} readout · {of[0]['refits']} refits"),
            )
            for of in grouped(by_model(rows, inputs), "model", "task", "readout")
        ),
    )


def _reported(inputs: Inputs, table: str, dataset: str) -> list[Cells]:
    """Return the rows of a data set, without frozen readouts."""
    return [row for row in inputs.statistics[table] if row["dataset"] == dataset and row["readout"] != "frozen"]


def _models(shown: Sequence[Shown], rows: Sequence[Cells], inputs: Inputs) -> list[Body]:
    return [body(shown, of, heading(of[0]["model"])) for of in grouped(by_model(rows, inputs), "model")]


def _error(share: str) -> str:
    """Print a standard error or deviation in percentage points."""
    return fixed(100 * float(share), 2)


def _sentence(name: str) -> str:
    return name.replace("_", " ").capitalize().replace("Cls", "CLS")
