"""The tests of a run: comparisons of models, equivalence, additivity, controls and readouts."""

from __future__ import annotations

from collections.abc import Sequence

from reports.columns import (
    Shown,
    badge,
    between,
    body,
    by_model,
    change,
    code,
    grouped,
    heading,
    named,
    number,
    p,
    pair,
    tabulate,
    text,
    whole_group_conditions,
)
from reports.inputs import Cells, Inputs
from reports.numbers import MISSING, count, fixed, interval, is_missing, percent, points
from reports.table import Body, Column, Markup, Row, Table, Text, escaped

# Conclusion → colour, sign and what it means.
CONCLUSIONS = {
    "equivalent": ("consistent", "≈", "within the margin, and no difference shown"),
    "negligible": ("rounding", "≲", "a difference, and within the margin"),
    "different": ("disagree", "≠", "a difference, not shown to be within the margin"),
    "undecided": ("unchecked", "?", "neither shown: more units are needed"),
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
    """What an interval shows of a sum or a trend."""
    return badge(*READINGS[row["reading"]], row["reading"])


def comparison_tables(inputs: Inputs) -> list[tuple[str, str, list[Table]]]:
    """Declared comparison → its question and a table per data set; no table where the run lacks its models."""
    found = []
    for name, stated in inputs.settings["analysis"]["comparisons"].items():
        # Data sets, tasks and conditions come in display order.
        rows = [
            row for row in inputs.statistics["comparisons"] if row["comparison"] == name and row["readout"] != "frozen"
        ]
        tables = [_comparison_table(name, of_dataset) for of_dataset in grouped(rows, "dataset")]
        found.append((name, str(stated["question"]), [table for table in tables if table is not None]))
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
    return Markup(f'{found.html} <span class="ident">{count(needed)} to decide</span>')


def margin_table(inputs: Inputs) -> Table:
    """The margins of the config, with their reasons."""
    margins = inputs.settings["analysis"]["margins"]
    default = "every other task" if len(margins) > 1 else "every task"
    rows = [
        Row((default if task == "default" else task, fixed(100 * float(stated["margin"]), 1), str(stated["reason"])))
        for task, stated in margins.items()
    ]
    return Table(
        ident="margins",
        caption="Margins, fixed in the config before the run",
        columns=(Column("Task"), Column("Margin, pp", "number"), Column("Because", "prose")),
        bodies=(Body(tuple(rows)),),
    )


def equivalence_table(inputs: Inputs, dataset: str) -> Table | None:
    """What is preserved: models and conditions down, tasks across; None where a data set has nothing to show."""
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
        caption=f"What is preserved on {dataset}: change against full, percentage points",
        columns=(Column("Condition"), *(Column(_sentence(task), "centred") for task in tasks)),
        bodies=tuple(bodies),
    )


def _equivalence_cell(row: Cells | None) -> Text:
    if row is None:
        return MISSING
    key, sign, meaning = CONCLUSIONS[row["conclusion"]]
    needed = "" if is_missing(row["units_to_decide"]) else f"; {count(row['units_to_decide'])} units would decide"
    return badge(key, sign, points(row["delta"]), f"{row['conclusion']}: {meaning}{needed}")


def equivalence_key() -> str:
    """The four conclusions, in words, as HTML."""
    items = " ".join(
        f"<div><dt>{badge(key, sign, name).html}</dt><dd>{escaped(meaning)}</dd></div>"
        for name, (key, sign, meaning) in CONCLUSIONS.items()
    )
    return f'<dl class="definitions" aria-label="What the signs mean">{items}</dl>'


def undecided_table(inputs: Inputs, dataset: str) -> Table | None:
    """Changes that neither test decides, with the sample that would; None where there are none."""
    conditions = whole_group_conditions(inputs.settings)
    rows = [
        row
        for row in _reported(inputs, "equivalence", dataset)
        if row["condition"] in conditions and row["conclusion"] == "undecided"
    ]
    wide = 100 * (1 - 2 * float(inputs.settings["analysis"]["alpha"]))
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
    """All registers at once against the sum of each alone; None where the run has no single registers."""
    rows = _reported(inputs, "additivity", dataset)
    largest = max((int(row["size"]) for row in rows), default=0)
    shown = (
        text("Task", "task"),
        named("Condition", "condition"),
        change("Together, pp", "delta"),
        change("Sum, pp", "predicted"),
        change("Excess, pp", "excess"),
        between(low="excess_low", high="excess_high"),
        Shown("Reading", reading_badge),
    )
    return tabulate(
        f"additivity-{dataset}",
        f"All {largest} registers at once, and one by one, on {dataset}",
        shown,
        _models(shown, [row for row in rows if int(row["size"]) == largest], inputs),
    )


def random_patch_table(inputs: Inputs, dataset: str) -> Table | None:
    """Registers against random patches; None where the run drew none."""
    shown = (
        text("Task", "task"),
        change("Registers, pp", "delta"),
        change("Patches, pp", "random_mean"),
        number("SD of draws", "random_spread", _spread, muted=True),
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
                    f"{of[0]['condition']} against {of[0]['draws_of_patches']} draws of {of[0]['control']}",
                ),
            )
            for of in grouped(rows, "model", "condition")
        ),
    )


def readout_table(inputs: Inputs, dataset: str) -> Table | None:
    """Matched against frozen; None where the run has one readout only."""
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
    caption = f"Change against full under both readouts on {dataset}"
    return tabulate(f"readouts-{dataset}", caption, shown, _models(shown, rows, inputs))


def probe_variance_table(inputs: Inputs, dataset: str) -> Table | None:
    """What another training of the probe would change; None where no probe was refitted."""
    conditions = {"full", *whole_group_conditions(inputs.settings)}
    rows = [
        row
        for row in inputs.statistics["probe_variance"]
        if row["dataset"] == dataset
        and row["condition"] in conditions
        and (row["quantity"] == "delta" or row["condition"] == "full")
    ]

    def within(row: Cells, low: str, high: str) -> str:
        return interval(row[low], row[high], points if row["quantity"] == "delta" else percent)

    shown = (
        named("Condition", "condition"),
        Shown("Quantity", lambda row: "value, %" if row["quantity"] == "value" else "Δ, pp"),
        Shown("Estimate", lambda row: (points if row["quantity"] == "delta" else percent)(row["estimate"]), "number"),
        number("SE, test units", "units_error", _spread, muted=True),
        number("SD, refits", "training_error", _spread, muted=True),
        Shown("Test units alone", lambda row: within(row, "low", "high"), "number"),
        Shown("Both", lambda row: within(row, "total_low", "total_high"), "number"),
    )
    return tabulate(
        f"probe-variance-{dataset}",
        f"Test units and training as sources of error on {dataset}",
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
    """The rows of a data set, without frozen readouts."""
    return [row for row in inputs.statistics[table] if row["dataset"] == dataset and row["readout"] != "frozen"]


def _models(shown: Sequence[Shown], rows: Sequence[Cells], inputs: Inputs) -> list[Body]:
    return [body(shown, of, heading(of[0]["model"])) for of in grouped(by_model(rows, inputs), "model")]


def _spread(share: str) -> str:
    """A standard error or deviation, in percentage points."""
    return fixed(100 * float(share), 2)


def _sentence(name: str) -> str:
    return name.replace("_", " ").capitalize().replace("Cls", "CLS")
