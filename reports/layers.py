"""The layers page: figures by layer, and tables of the medians after the last layer."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from config.vocabulary.measures import MEASURES, Measure
from config.vocabulary.replacements import REFERENCE
from reports.inputs import Cells, Inputs
from reports.markup import code, definition_list, heading, slug
from reports.numbers import MISSING, count, fixed
from reports.plates import Plate, figure_of
from reports.table import Body, Table, TableColumn, TableRow

# Figure → what it shows, further explanation, and the table that it is drawn from.
FIGURES = {
    "divergence": (
        "Divergence of attention from full, by layer and replacement of the registers",
        "The axis is logarithmic. Solid lines are medians, dotted lines are means, and points at the bottom edge are "
        "rounding error.",
        "layer_measures",
    ),
    "patch_cosine": (
        "Mean cosine similarity of each patch with itself under full, by layer and replacement of the registers",
        "",
        "layer_measures",
    ),
    "effective_rank": (
        "Effective rank of the patch tokens by layer",
        "Families under full are above, replacements of the registers below.",
        "layer_measures",
    ),
    "attention_to_registers": (
        "Attention mass from CLS, registers and patches to the registers, by layer, under full",
        "",
        "layer_measures",
    ),
    "token_curves": (
        "Accuracy of a linear probe on each token, by layer, under full",
        "The chance level is grey.",
        "layer_curves",
    ),
}
_LAST = tuple(
    MEASURES[name]
    for name in (
        *("effective_rank", "patch_cosine", "patch_norm", "high_norm_share", "js"),
        *("mass_cls_to_registers", "mass_patches_to_registers"),
    )
)


def layer_plate(inputs: Inputs, dataset: str, figure: str) -> Plate:
    """Return one of `FIGURES` for one data set."""
    shown, explained, source = FIGURES[figure]
    words = f"{shown}, on {dataset}. {explained}".rstrip()
    return Plate(
        ident=f"{slug(figure)}-{slug(dataset)}",
        file=figure_of(inputs, dataset, f"{figure}.svg"),
        alt=words,
        caption=words,
        sources=(f"tables/{source}.csv",),
        wide=True,
    )


def last_layer_table(inputs: Inputs, dataset: str) -> Table | None:
    """Return medians and quartiles of geometry and attention after the last layer, or None if there are none."""
    columns = (TableColumn("Condition"), *(TableColumn(measure.title, "number") for measure in _LAST))
    bodies = []
    for model, rows in _last_layer(inputs, dataset).items():
        conditions = dict.fromkeys(row["condition"] for row in rows)
        cells = {(row["condition"], row["measure"]): row for row in rows}
        shown = tuple(
            TableRow(
                (code(condition), *(_median(cells.get((condition, measure.name)), measure) for measure in _LAST)),
                classes="reference" if condition == REFERENCE else "",
            )
            for condition in conditions
        )
        bodies.append(Body(shown, heading(model, _facts(rows))))
    if not bodies:
        return None
    caption = f"Medians after the last layer on {dataset}, with the first and third quartile below each"
    return Table(f"last-layer-{slug(dataset)}", caption, columns, tuple(bodies), classes="ablation")


def measure_definitions() -> Markup:
    """Return the definitions of the measures in the tables."""
    return definition_list(((measure.label, measure.definition) for measure in _LAST), "Definitions of the measures")


def _last_layer(inputs: Inputs, dataset: str) -> dict[str, list[Cells]]:
    of_model: dict[str, list[Cells]] = {}
    for row in inputs.measures:
        if row["dataset"] == dataset:
            of_model.setdefault(row["model"], []).append(row)
    last = {model: max(int(row["layer"]) for row in rows) for model, rows in of_model.items()}
    return {model: [row for row in rows if int(row["layer"]) == last[model]] for model, rows in of_model.items()}


def _facts(rows: Sequence[Cells]) -> str:
    sizes = sorted(
        {int(row["n"]) for row in rows if row["measure"] in {measure.name for measure in _LAST}}, reverse=True
    )
    layer = rows[0]["layer"]
    return f"{rows[0]['family']}, scale {rows[0]['scale']} · layer {layer} · n = {' and '.join(map(count, sizes))}"


def _median(row: Cells | None, measure: Measure) -> str:
    if row is None:
        return MISSING
    scale = 100 if measure.percent else 1
    middle, low, high = (
        fixed(scale * float(row[name]), measure.decimals) for name in ("median", "quartile_1", "quartile_3")
    )
    return Markup('{}<br><small class="muted">{} to {}</small>').format(middle, low, high)
