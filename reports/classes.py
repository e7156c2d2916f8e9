"""Table of the classes that carry the change of a metric that is a mean over classes (mIoU)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from config.vocabulary.tasks import task_of
from reports.columns import Shown, body, by_model, grouped, named, reported, tabulate, whole_group_conditions
from reports.includes import Block, per_dataset
from reports.inputs import Cells, Inputs
from reports.markup import heading
from reports.numbers import change_of, count, interval, is_missing
from reports.table import Table

# Classes that are named in a row; all of them are in the file.
NAMED = 3


def class_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return how many classes a condition is shown to change, and which contribute most. None without classes."""
    conditions = whole_group_conditions(inputs.settings)
    rows = [row for row in reported(inputs, "class_deltas", dataset) if row["condition"] in conditions]
    families = {
        (of[0]["model"], of[0]["task"], of[0]["condition"]): of
        for of in grouped(by_model(rows, inputs), "model", "task", "readout", "condition")
    }
    first = [of[0] for of in families.values()]

    def of_family(row: Cells) -> Sequence[Cells]:
        return families[row["model"], row["task"], row["condition"]]

    def change(row: Cells) -> str:
        return change_of(str(sum(float(one["share"]) for one in of_family(row))), row["task"])

    def counted(sign: int) -> Shown:
        title = "Better" if sign > 0 else "Worse"
        return Shown(title, lambda row: count(sum(_shown(one) == sign for one in of_family(row))), "number")

    shown = (
        named("Condition", "condition"),
        Shown("Δ, pp", change, "number"),
        Shown("Classes", lambda row: count(len(of_family(row))), "number muted"),
        counted(-1),
        counted(1),
        Shown("Largest contributions (change of the class itself)", lambda row: _largest(of_family(row)), "prose"),
    )
    return tabulate(
        f"classes-{dataset}",
        f"Which classes carry the change of the metric on {dataset}",
        shown,
        (
            body(shown, of, heading(of[0]["model"], f"{of[0]['task']} · {of[0]['readout']} readout"))
            for of in grouped(first, "model", "task", "readout")
        ),
    )


def _shown(row: Cells) -> int:
    """Return 1 or −1 where the interval that holds for all classes is of a change for the better or the worse."""
    if is_missing(row["family_low"]) or float(row["family_low"]) <= 0 <= float(row["family_high"]):
        return 0
    return task_of(row["task"]).gain * (1 if float(row["family_low"]) > 0 else -1)


def _largest(rows: Sequence[Cells]) -> str:
    found = sorted((row for row in rows if _shown(row)), key=lambda row: -abs(float(row["share"])))
    return "; ".join(map(_contribution, found[:NAMED])) or "no class is shown to change"


def _contribution(row: Cells) -> str:
    def printed(cell: str) -> str:
        return change_of(cell, row["task"])

    bounds = interval(row["family_low"], row["family_high"], printed)
    return f"{row['category']} {printed(row['share'])} ({printed(row['delta'])} {bounds})"


INCLUDES: Mapping[str, tuple[Block, ...]] = {
    "classes": (per_dataset(class_table, "class_deltas", "This run has no task whose metric is a mean over classes."),),
}
