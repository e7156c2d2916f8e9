"""Tables of a run's statistics: additivity, random patches, readouts and the variance of probe training."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import task_of
from reports.columns import (
    Shown,
    between,
    body,
    by_model,
    change,
    deviation,
    grouped,
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
from reports.markup import badge, heading
from reports.numbers import MISSING, change_of, fixed, interval, is_missing, value_of
from reports.plates import cumulative_plate
from reports.table import Table

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


def additivity_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return the change from replacing all registers next to the sum of single changes, or None if not measured."""
    rows = reported(inputs, "additivity", dataset)
    largest = max((int(row["size"]) for row in rows), default=0)
    shown = (
        text("Task", "task"),
        named("Condition", "condition"),
        change("Together, pp", "delta"),
        change("Sum, pp", "predicted"),
        change("Excess, pp", "excess"),
        between("Interval of all sets", low="excess_family_low", high="excess_family_high"),
        p("p, Holm", "p_holm"),
        Shown("Result", reading_badge),
    )
    return tabulate(
        f"additivity-{dataset}",
        f"All {largest} registers replaced together and one at a time, on {dataset}",
        shown,
        of_models(shown, [row for row in rows if int(row["size"]) == largest], inputs),
    )


def random_patch_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return changes under registers next to those under random patches, or None if there are none."""
    shown = (
        text("Task", "task"),
        change("Registers, pp", "delta"),
        change("Patches, pp", "random_mean"),
        deviation("SD of draws", "random_spread"),
        Shown("Range of draws", _range, "number muted"),
        change("Difference, pp", "difference"),
        between(),
        p("p, Holm", "p_holm"),
    )
    rows = by_model(reported(inputs, "random_patches", dataset), inputs)
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
    return tabulate(f"readouts-{dataset}", caption, shown, of_models(shown, rows, inputs))


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

    def printed(row: Cells, name: str) -> str:
        return (change_of if row["quantity"] == "delta" else value_of)(row[name], row["task"])

    def within(row: Cells, low: str, high: str) -> str:
        return f"[{printed(row, low)}, {printed(row, high)}]"

    def quantity(row: Cells) -> str:
        name, unit = ("value", "%") if row["quantity"] == "value" else ("Δ", "pp")
        task = task_of(row["task"])
        return f"{name}, {unit if task.percent else task.unit_of_changes}"

    shown = (
        named("Condition", "condition"),
        Shown("Quantity", quantity),
        Shown("Estimate", lambda row: printed(row, "estimate"), "number"),
        deviation("SE, test units", "units_error"),
        deviation("SD, refits", "training_error"),
        number("df", "freedom", lambda cell: fixed(float(cell), 1) if not is_missing(cell) else MISSING, muted=True),
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


def _range(row: Cells) -> str:
    low, high = sorted((row["random_most"], row["random_least"]), key=float)
    return interval(low, high, lambda end: change_of(end, row["task"]))


# What the statistics page includes: _generated/statistics_<name>.md.
INCLUDES: Mapping[str, tuple[Block, ...]] = {
    "additivity": (
        plates(cumulative_plate, "cumulative"),
        per_dataset(
            additivity_table,
            "additivity",
            "This run did not replace both single registers and all of them, so there is no sum to compare with.",
        ),
    ),
    "random_patches": (
        per_dataset(
            random_patch_table,
            "random_patches",
            "This run replaced no random patches, so there is nothing to compare registers with.",
        ),
    ),
    "readouts": (
        per_dataset(readout_table, "readouts", "This run has no task with both a matched and a frozen readout."),
    ),
    "probe_variance": (
        per_dataset(
            probe_variance_table,
            "probe_variance",
            "No probe was refitted in this run, so its intervals do not include the variance of training.",
        ),
    ),
}
