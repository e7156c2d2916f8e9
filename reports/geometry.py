"""Tables of geometry and attention: effective ranks, compression, divergence ratios and trends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from config.vocabulary.measures import EFFECTIVE_RANK, Measure, variants_of
from config.vocabulary.replacements import REFERENCE
from reports.columns import (
    Shown,
    between,
    body,
    grouped,
    named,
    number,
    p,
    tabulate,
    whole_group_conditions,
)
from reports.includes import Block, per_dataset
from reports.inputs import Cells, Inputs
from reports.markup import heading, pair
from reports.numbers import MISSING, count, fixed, is_missing, percent, quantity
from reports.statistics import reading_badge
from reports.table import Body, Table


def rank_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return the median rank under full at the last layer by every definition, or None if none was measured."""
    rows = [row for row in inputs.measures if row["dataset"] == dataset and row["condition"] == REFERENCE]
    cells = {(row["model"], row["measure"]): row for row in _last_layers(rows)}
    measured = {measure for _, measure in cells}

    def variant(measure: Measure) -> Shown:
        show = percent if measure.percent else _rank
        return Shown(measure.title, lambda row: show(cells[row["model"], measure.name]["median"]), "number")

    shown = (
        named("Model", "model"),
        number("n", "n", count),
        number("Median", "median", _rank),
        between("Interval", "median_low", "median_high", _rank),
        between("Quartiles", "quartile_1", "quartile_3", _rank),
        *(variant(measure) for measure in variants_of(EFFECTIVE_RANK) if measure.name in measured),
    )
    main = [cells[model, EFFECTIVE_RANK] for model in inputs.models if (model, EFFECTIVE_RANK) in cells]
    caption = f"Effective rank of the patch tokens under full, last layer, {dataset}"
    return tabulate(f"ranks-{dataset}", caption, shown, [body(shown, main)] if main else [])


def compression_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return comparisons of ranks between models and between conditions at the last layer, or None."""
    conditions = whole_group_conditions(inputs.settings)
    rows = [row for row in inputs.statistics["compression"] if row["dataset"] == dataset]
    models = _last_layers([row for row in rows if row["base"] != row["model"]])
    within = [row for row in rows if row["base"] == row["model"] and row["condition"] in conditions]
    numbers = (
        number("From", "base_median", _rank),
        number("To", "median", _rank),
        number("Compression, %", "compression", percent),
        between(show=percent),
        p("p, Holm", "p_holm"),
        number("Detectable, %", "detectable", percent, muted=True),
    )
    by_pair = (Shown("Compared", lambda row: pair(row["base"], row["model"], " → ")), *numbers)
    by_condition = (named("Compared", "condition"), *numbers)
    bodies: list[Body] = [body(by_pair, models, "Models under full")] if models else []
    bodies += [body(by_condition, of, heading(of[0]["model"], "compared with full")) for of in grouped(within, "model")]
    caption = f"Compression of effective rank, last layer, {dataset}"
    return tabulate(f"compression-{dataset}", caption, by_pair, bodies)


def ratio_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return the divergence of attention under zeroing as a multiple of that under other replacements, or None."""
    conditions = whole_group_conditions(inputs.settings)
    rows = [
        row
        for row in inputs.statistics["divergence_ratios"]
        if row["dataset"] == dataset and row["condition"] in conditions and row["base"] in conditions
    ]
    shown = (
        Shown("Zeroed / other", lambda row: pair(row["condition"], row["base"])),
        number("Zeroed, nats", "divergence", quantity),
        number("Other, nats", "base_divergence", quantity),
        number("Ratio", "ratio", lambda ratio: "rounding" if is_missing(ratio) else _times(ratio)),
        between(show=_times),
    )
    caption = f"Divergence of attention from full, last layer, {dataset}"
    return tabulate(f"divergence-ratios-{dataset}", caption, shown, _models(shown, _last_layers(rows)))


def trend_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return whether attention changes monotonically across layers, or None if it was not measured."""
    conditions = {REFERENCE, *whole_group_conditions(inputs.settings)}
    rows = [row for row in inputs.statistics["trends"] if row["dataset"] == dataset and row["condition"] in conditions]
    shown = (
        Shown("Measure", lambda row: _measure(row["measure"])),
        named("Condition", "condition"),
        number("First", "first", quantity),
        number("Last", "last", quantity),
        Shown("Steps with, against the trend", lambda row: f"{row['with_trend']}, {row['against']}", "number"),
        Shown(
            "Largest step against it",
            lambda row: quantity(row["largest_against"]) if int(row["against"]) else MISSING,
            "number muted",
        ),
        Shown("Result", reading_badge),
    )
    return tabulate(f"trends-{dataset}", f"Trends across layers on {dataset}", shown, _models(shown, rows))


def _models(shown: Sequence[Shown], rows: Sequence[Cells]) -> list[Body]:
    return [
        body(shown, of, heading(of[0]["model"], f"n = {count(of[0]['n'])} images")) for of in grouped(rows, "model")
    ]


def _measure(name: str) -> str:
    if name == "js":
        return "divergence, nats"
    return name.removeprefix("mass_").replace("_to_", " → ")


def _last_layers(rows: Sequence[Cells]) -> list[Cells]:
    """Return the rows of each model's last layer."""
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


# What the statistics page includes: _generated/statistics_<name>.md.
INCLUDES: Mapping[str, tuple[Block, ...]] = {
    "geometry": (
        per_dataset(rank_table, "layer_measures", "This run measured no effective ranks."),
        per_dataset(compression_table, "compression"),
    ),
    "attention": (
        per_dataset(ratio_table, "divergence_ratios", "This run measured no attention."),
        per_dataset(trend_table, "trends"),
    ),
}
