"""The tests of a run: comparisons of models, equivalence, additivity, controls and readouts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from reports.inputs import Cells, Inputs
from reports.numbers import MISSING, count, fixed, interval, is_missing, p_value, percent, points
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
    "neither shown": ("unchecked", "?"),
    "monotone": ("consistent", "✓"),
    "not monotone": ("contradicted", "✕"),
    "undecided": ("unchecked", "?"),
}
_WHOLE_GROUPS = ({"cls"}, {"registers"})


def badge(key: str, sign: str, text: str, title: str = "") -> Markup:
    """A coloured label; its sign needs no colour."""
    hint = f' title="{escaped(title)}"' if title else ""
    return Markup(
        f'<span class="badge {key}"{hint}><span class="sign" aria-hidden="true">{sign}</span> {escaped(text)}</span>'
    )


def conclusion_badge(row: Cells) -> Markup:
    """The conclusion of a test of difference and one of equivalence."""
    key, sign, meaning = CONCLUSIONS[row["conclusion"]]
    return badge(key, sign, row["conclusion"], meaning)


def reading_badge(reading: str) -> Markup:
    """What an interval shows of a sum or a trend."""
    return badge(*READINGS[reading], reading)


def whole_group_conditions(settings: Mapping[str, object]) -> list[str]:
    """Conditions that replace CLS or all registers."""
    conditions = settings["conditions"]
    assert isinstance(conditions, Mapping)
    return [name for name, stated in conditions.items() if set((stated or {}).get("tokens", ())) in _WHOLE_GROUPS]


def code(name: str) -> Markup:
    """A name of a model or condition."""
    return Markup(f"<code>{escaped(name)}</code>")


def grouped(rows: Iterable[Cells], *names: str) -> Iterable[tuple[tuple[str, ...], list[Cells]]]:
    """Neighbouring rows that agree in some columns."""
    for key, group in groupby(rows, key=lambda row: tuple(row[name] for name in names)):
        yield key, list(group)


def comparison_tables(inputs: Inputs) -> list[tuple[str, str, list[Table]]]:
    """Declared comparison → its question and a table per data set; no table where the run lacks its models."""
    found = []
    for name, stated in inputs.settings["analysis"]["comparisons"].items():
        # Data sets, tasks and conditions come in display order.
        rows = [
            row for row in inputs.statistics["comparisons"] if row["comparison"] == name and row["readout"] != "frozen"
        ]
        tables = [_comparison_table(name, dataset, of) for (dataset,), of in grouped(rows, "dataset")]
        found.append((name, str(stated["question"]), tables))
    return found


def _comparison_table(name: str, dataset: str, rows: Sequence[Cells]) -> Table:
    return Table(
        ident=f"comparison-{name}-{dataset}",
        caption=f"{_sentence(name)} on {dataset}",
        columns=(
            Column("Models"),
            Column("Conclusion"),
            Column("Δ first", "number"),
            Column("Δ second", "number"),
            Column("Difference", "number"),
            Column("Interval", "number muted"),
            Column("p", "number"),
            Column("p, max-T", "number"),
            Column("p, Holm", "number muted"),
            Column("p, equiv.", "number"),
        ),
        bodies=tuple(
            Body(
                tuple(_comparison_row(row) for row in group),
                heading=Markup(
                    f"<b>{escaped(task)}</b> <small>{escaped(condition)} · {escaped(readout)} readout · "
                    f"n = {count(group[0]['n'])}</small>"
                ),
            )
            for (task, condition, readout), group in grouped(rows, "task", "condition", "readout")
        ),
    )


def _comparison_row(row: Cells) -> Row:
    return Row(
        (
            Markup(f"<code>{escaped(row['base'])}</code>, <code>{escaped(row['changed'])}</code>"),
            _with_units(row),
            points(row["base_delta"]),
            points(row["changed_delta"]),
            points(row["difference"]),
            interval(row["low"], row["high"], points) or MISSING,
            p_value(row["p"]),
            p_value(row["p_max_t"]),
            p_value(row["p_holm"]),
            p_value(row["p_equivalence"]),
        )
    )


def _with_units(row: Cells) -> Markup:
    needed = row["units_to_decide"]
    if is_missing(needed):
        return conclusion_badge(row)
    return Markup(f'{conclusion_badge(row).html} <span class="ident">{count(needed)} to decide</span>')


def margin_table(inputs: Inputs) -> Table:
    """The margins of the config, with their reasons."""
    return Table(
        ident="margins",
        caption="Margins, fixed in the config before the run",
        columns=(Column("Task"), Column("Margin, pp", "number"), Column("Because", "prose")),
        bodies=(
            Body(
                tuple(
                    Row(("every other task" if task == "default" and len(margins) > 1 else
                         "every task" if task == "default" else task,
                         fixed(100 * float(stated["margin"]), 1), str(stated["reason"])))
                    for margins in (inputs.settings["analysis"]["margins"],)
                    for task, stated in margins.items()
                )
            ),
        ),
    )  # fmt: skip


def equivalence_table(inputs: Inputs, dataset: str) -> Table | None:
    """What is preserved: models and conditions down, tasks across; None where a data set has nothing to show."""
    shown = whole_group_conditions(inputs.settings)
    rows = [
        row
        for row in inputs.statistics["equivalence"]
        if row["dataset"] == dataset and row["readout"] != "frozen" and row["condition"] in shown
    ]
    if not rows:
        return None
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    cells = {(row["model"], row["condition"], row["task"]): row for row in rows}
    bodies = []
    for model in dict.fromkeys(row["model"] for row in rows):
        measured = {row["condition"] for row in rows if row["model"] == model}
        conditions = [condition for condition in shown if condition in measured]
        bodies.append(
            Body(
                tuple(
                    Row((code(condition), *(_equivalence_cell(cells.get((model, condition, task))) for task in tasks)))
                    for condition in conditions
                ),
                heading=Markup(f"<b>{escaped(model)}</b>"),
            )
        )
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
    wide = 100 * (1 - 2 * float(inputs.settings["analysis"]["alpha"]))
    shown = set(whole_group_conditions(inputs.settings))
    rows = [
        row
        for row in inputs.statistics["equivalence"]
        if row["dataset"] == dataset
        and row["readout"] != "frozen"
        and row["condition"] in shown
        and row["conclusion"] == "undecided"
    ]
    if not rows:
        return None
    return Table(
        ident=f"undecided-{dataset}",
        caption=f"Undecided on {dataset}",
        columns=(
            Column("Condition"),
            Column("Task"),
            Column("Δ, pp", "number"),
            Column(f"{wide:g} % interval", "number muted"),
            Column("n", "number"),
            Column("n to decide", "number"),
        ),
        bodies=tuple(
            Body(
                tuple(
                    Row(
                        (
                            code(row["condition"]),
                            row["task"],
                            points(row["delta"]),
                            interval(row["low"], row["high"], points) or MISSING,
                            count(row["n"]),
                            count(row["units_to_decide"]),
                        )
                    )
                    for row in group
                ),
                heading=Markup(f"<b>{escaped(model)}</b>"),
            )
            for (model,), group in grouped(_by_model(rows, inputs), "model")
        ),
    )


def additivity_table(inputs: Inputs, dataset: str) -> Table | None:
    """All registers at once against the sum of each alone; None where the run has no single registers."""
    rows = [row for row in inputs.statistics["additivity"] if row["dataset"] == dataset and row["readout"] != "frozen"]
    largest = max((int(row["size"]) for row in rows), default=0)
    rows = [row for row in rows if int(row["size"]) == largest]
    if not rows:
        return None
    return Table(
        ident=f"additivity-{dataset}",
        caption=f"All {largest} registers at once, and one by one, on {dataset}",
        columns=(
            Column("Task"),
            Column("Condition"),
            Column("Together, pp", "number"),
            Column("Sum, pp", "number"),
            Column("Excess, pp", "number"),
            Column("Interval", "number muted"),
            Column("Reading"),
        ),
        bodies=tuple(
            Body(
                tuple(
                    Row(
                        (
                            row["task"],
                            code(row["condition"]),
                            points(row["delta"]),
                            points(row["predicted"]),
                            points(row["excess"]),
                            interval(row["excess_low"], row["excess_high"], points) or MISSING,
                            reading_badge(row["reading"]),
                        )
                    )
                    for row in group
                ),
                heading=Markup(f"<b>{escaped(model)}</b>"),
            )
            for (model,), group in grouped(_by_model(rows, inputs), "model")
        ),
    )


def random_patch_table(inputs: Inputs, dataset: str) -> Table | None:
    """Registers against random patches; None where the run drew none."""
    rows = [
        row for row in inputs.statistics["random_patches"] if row["dataset"] == dataset and row["readout"] != "frozen"
    ]
    if not rows:
        return None
    return Table(
        ident=f"random-patches-{dataset}",
        caption=f"Registers and random patches on {dataset}",
        columns=(
            Column("Task"),
            Column("Registers, pp", "number"),
            Column("Patches, pp", "number"),
            Column("SD of draws", "number muted"),
            Column("Range of draws", "number muted"),
            Column("Difference, pp", "number"),
            Column("Interval", "number muted"),
            Column("p, Holm", "number"),
        ),
        bodies=tuple(
            Body(
                tuple(
                    Row(
                        (
                            row["task"],
                            points(row["delta"]),
                            points(row["random_mean"]),
                            fixed(100 * float(row["random_spread"]), 2),
                            interval(row["random_most"], row["random_least"], points),
                            points(row["difference"]),
                            interval(row["low"], row["high"], points) or MISSING,
                            p_value(row["p_holm"]),
                        )
                    )
                    for row in group
                ),
                heading=Markup(
                    f"<b>{escaped(model)}</b> <small>{escaped(condition)} against "
                    f"{escaped(group[0]['draws_of_patches'])} draws of {escaped(group[0]['control'])}</small>"
                ),
            )
            for (model, condition), group in grouped(_by_model(rows, inputs), "model", "condition")
        ),
    )


def readout_table(inputs: Inputs, dataset: str) -> Table | None:
    """Matched against frozen; None where the run has one readout only."""
    shown = set(whole_group_conditions(inputs.settings))
    rows = [row for row in inputs.statistics["readouts"] if row["dataset"] == dataset and row["condition"] in shown]
    if not rows:
        return None
    return Table(
        ident=f"readouts-{dataset}",
        caption=f"Change against full under both readouts on {dataset}",
        columns=(
            Column("Condition"),
            Column("Task"),
            Column("Matched, pp", "number"),
            Column("Frozen, pp", "number"),
            Column("Frozen − matched", "number"),
            Column("Interval", "number muted"),
            Column("p, Holm", "number"),
        ),
        bodies=tuple(
            Body(
                tuple(
                    Row(
                        (
                            code(row["condition"]),
                            row["task"],
                            points(row["matched_delta"]),
                            points(row["frozen_delta"]),
                            points(row["difference"]),
                            interval(row["low"], row["high"], points) or MISSING,
                            p_value(row["p_holm"]),
                        )
                    )
                    for row in group
                ),
                heading=Markup(f"<b>{escaped(model)}</b>"),
            )
            for (model,), group in grouped(_by_model(rows, inputs), "model")
        ),
    )


def probe_variance_table(inputs: Inputs, dataset: str) -> Table | None:
    """What another training of the probe would change; None where no probe was refitted."""
    shown = {"full", *whole_group_conditions(inputs.settings)}
    rows = [
        row
        for row in inputs.statistics["probe_variance"]
        if row["dataset"] == dataset
        and row["condition"] in shown
        and (row["quantity"] == "delta" or row["condition"] == "full")
    ]
    if not rows:
        return None

    def show(row: Cells) -> Callable[[str], str]:
        return points if row["quantity"] == "delta" else percent

    return Table(
        ident=f"probe-variance-{dataset}",
        caption=f"Test units and training as sources of error on {dataset}",
        columns=(
            Column("Condition"),
            Column("Quantity"),
            Column("Estimate", "number"),
            Column("SE, test units", "number muted"),
            Column("SD, refits", "number muted"),
            Column("Test units alone", "number"),
            Column("Both", "number"),
        ),
        bodies=tuple(
            Body(
                tuple(
                    Row(
                        (
                            code(row["condition"]),
                            "value, %" if row["quantity"] == "value" else "Δ, pp",
                            show(row)(row["estimate"]),
                            fixed(100 * float(row["units_error"]), 2),
                            fixed(100 * float(row["training_error"]), 2),
                            interval(row["low"], row["high"], show(row)),
                            interval(row["total_low"], row["total_high"], show(row)),
                        )
                    )
                    for row in group
                ),
                heading=Markup(
                    f"<b>{escaped(model)}</b> <small>{escaped(task)} · {escaped(readout)} readout · "
                    f"{escaped(group[0]['refits'])} refits</small>"
                ),
            )
            for (model, task, readout), group in grouped(_by_model(rows, inputs), "model", "task", "readout")
        ),
    )


def _by_model(rows: Sequence[Cells], inputs: Inputs) -> list[Cells]:
    """Models and conditions as the config lists them; draws, which it does not, in the order of the table."""
    models, conditions = list(inputs.models), list(inputs.settings["conditions"])
    return sorted(
        rows,
        key=lambda row: (
            models.index(row["model"]),
            conditions.index(row["condition"]) if row["condition"] in conditions else len(conditions),
        ),
    )


def _sentence(name: str) -> str:
    return name.replace("_", " ").capitalize().replace("Cls", "CLS")
