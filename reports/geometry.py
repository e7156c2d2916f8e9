"""Geometry and attention: effective ranks, compression, divergence and trends, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from reports.inputs import Cells, Inputs
from reports.numbers import MISSING, count, fixed, interval, is_missing, p_value, percent, quantity
from reports.statistics import code, grouped, reading_badge, whole_group_conditions
from reports.table import Body, Column, Markup, Row, Table, escaped

_VARIANTS = {
    "effective_rank": "Effective rank",
    "effective_rank_centred": "Centred",
    "effective_rank_unnormalised": "Unnormalised",
    "participation_ratio": "Participation ratio",
}


def rank_table(inputs: Inputs, dataset: str) -> Table | None:
    """Median rank under full at the last layer, in every variant; None where no rank was measured."""
    rows = [row for row in inputs.statistics["geometry"] if row["dataset"] == dataset and row["condition"] == "full"]
    rows = [row for row in rows if row["measure"] in _VARIANTS]
    if not rows:
        return None
    last = {model: max(int(row["layer"]) for row in rows if row["model"] == model) for model in inputs.models
            if any(row["model"] == model for row in rows)}  # fmt: skip
    cells = {(row["model"], row["measure"]): row for row in rows if int(row["layer"]) == last[row["model"]]}
    present = [name for name in _VARIANTS if any(measure == name for _, measure in cells)]
    return Table(
        ident=f"ranks-{dataset}",
        caption=f"Effective rank of the patches under full, last layer, {dataset}",
        columns=(
            Column("Model"),
            Column("n", "number"),
            Column("Median", "number"),
            Column("Interval", "number muted"),
            Column("Quartiles", "number muted"),
            *(Column(_VARIANTS[name], "number") for name in present[1:]),
        ),
        bodies=(
            Body(
                tuple(
                    Row(
                        (
                            code(model),
                            count(cells[model, present[0]]["n"]),
                            _rank(cells[model, present[0]]["median"]),
                            interval(cells[model, present[0]]["low"], cells[model, present[0]]["high"], _rank),
                            interval(
                                cells[model, present[0]]["quartile_1"], cells[model, present[0]]["quartile_3"], _rank
                            ),
                            *(_rank(cells[model, name]["median"]) for name in present[1:]),
                        )
                    )
                    for model in last
                )
            ),
        ),
    )


def compression_table(inputs: Inputs, dataset: str) -> Table | None:
    """Ranks of families and conditions against each other at the last layer; None where there are none."""
    shown = set(whole_group_conditions(inputs.settings))
    rows = [row for row in inputs.statistics["compression"] if row["dataset"] == dataset]
    between = _last_layers([row for row in rows if row["base"] != row["model"]])
    within = [row for row in rows if row["base"] == row["model"] and row["condition"] in shown]
    bodies = []
    if between:
        bodies.append(Body(tuple(_compression_row(row, _models(row)) for row in between), heading="Models under full"))
    for (model,), group in grouped(within, "model"):
        bodies.append(
            Body(
                tuple(_compression_row(row, code(row["condition"])) for row in group),
                heading=Markup(f"<b>{escaped(model)}</b> <small>against full</small>"),
            )
        )
    if not bodies:
        return None
    return Table(
        ident=f"compression-{dataset}",
        caption=f"Compression of effective rank, last layer, {dataset}",
        columns=(
            Column("Compared"),
            Column("From", "number"),
            Column("To", "number"),
            Column("Compression, %", "number"),
            Column("Interval", "number muted"),
            Column("p, Holm", "number"),
        ),
        bodies=tuple(bodies),
    )


def _models(row: Cells) -> Markup:
    return Markup(f"<code>{escaped(row['base'])}</code> → <code>{escaped(row['model'])}</code>")


def _compression_row(row: Cells, name: Markup) -> Row:
    return Row(
        (
            name,
            _rank(row["base_median"]),
            _rank(row["median"]),
            percent(row["compression"]),
            interval(row["low"], row["high"]) or MISSING,
            p_value(row["p_holm"]),
        )
    )


def ratio_table(inputs: Inputs, dataset: str) -> Table | None:
    """How many times as far zeroing bends attention, last layer; None where no divergence was measured."""
    shown = set(whole_group_conditions(inputs.settings))
    rows = [
        row
        for row in inputs.statistics["divergence_ratios"]
        if row["dataset"] == dataset and row["condition"] in shown and row["base"] in shown
    ]
    rows = _last_layers(rows)
    if not rows:
        return None
    return Table(
        ident=f"divergence-ratios-{dataset}",
        caption=f"Divergence of attention to full, last layer, {dataset}",
        columns=(
            Column("Zeroed, over"),
            Column("Zeroed, nats", "number"),
            Column("Other, nats", "number"),
            Column("Ratio", "number"),
            Column("Interval", "number muted"),
        ),
        bodies=tuple(
            Body(
                tuple(
                    Row(
                        (
                            Markup(f"<code>{escaped(row['condition'])}</code>, <code>{escaped(row['base'])}</code>"),
                            quantity(row["divergence"]),
                            quantity(row["base_divergence"]),
                            "rounding" if is_missing(row["ratio"]) else _times(row["ratio"]),
                            interval(row["low"], row["high"], _times) or MISSING,
                        )
                    )
                    for row in group
                ),
                heading=Markup(f"<b>{escaped(model)}</b> <small>n = {count(group[0]['n'])} images</small>"),
            )
            for (model,), group in grouped(rows, "model")
        ),
    )


def trend_table(inputs: Inputs, dataset: str) -> Table | None:
    """Whether attention moves one way through the layers; None where none was measured."""
    shown = {"full", *whole_group_conditions(inputs.settings)}
    rows = [row for row in inputs.statistics["trends"] if row["dataset"] == dataset and row["condition"] in shown]
    if not rows:
        return None
    return Table(
        ident=f"trends-{dataset}",
        caption=f"From layer to layer on {dataset}",
        columns=(
            Column("Measure"),
            Column("Condition"),
            Column("First", "number"),
            Column("Last", "number"),
            Column("Steps along, against", "number"),
            Column("Largest step against", "number muted"),
            Column("Reading"),
        ),
        bodies=tuple(
            Body(
                tuple(
                    Row(
                        (
                            _measure(row["measure"]),
                            code(row["condition"]),
                            quantity(row["first"]),
                            quantity(row["last"]),
                            f"{row['with_trend']}, {row['against']}",
                            quantity(row["largest_against"]) if int(row["against"]) else MISSING,
                            reading_badge(row["reading"]),
                        )
                    )
                    for row in group
                ),
                heading=Markup(f"<b>{escaped(model)}</b> <small>n = {count(group[0]['n'])} images</small>"),
            )
            for (model,), group in grouped(rows, "model")
        ),
    )


def _measure(name: str) -> str:
    if name == "js":
        return "divergence, nats"
    return name.removeprefix("mass_").replace("_to_", " → ")


def _last_layers(rows: Sequence[Cells]) -> list[Cells]:
    """The rows of each model's last layer."""
    last: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row.get("base_condition", ""), row["model"])
        last[key] = max(last.get(key, 0), int(row["layer"]))
    return [row for row in rows if int(row["layer"]) == last[row.get("base_condition", ""), row["model"]]]


def _rank(text: str) -> str:
    return MISSING if is_missing(text) else fixed(float(text), 1)


def _times(text: str) -> str:
    value = float(text)
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
