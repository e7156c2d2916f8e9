"""The layers page: figures by layer, and tables of the medians after the last layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from config.vocabulary.measures import HIGH_NORM_SHARE, MEASURES, Measure
from config.vocabulary.replacements import REFERENCE
from reports.inputs import Cells, Inputs
from reports.markup import code, definition_list, heading, slug
from reports.numbers import MISSING, count, fixed, percent
from reports.plates import Plate, figure_of
from reports.table import Body, Table, TableColumn, TableRow


@dataclass(frozen=True)
class LayerFigure:
    """A figure of the layers page.

    Attributes:
        shown: what it shows.
        otherwise: what was not measured where it shows nothing, as in "… on photos".
        explained: further explanation, a sentence or more.
        source: the table that it is drawn from.
        needed: the task without which a data set has no such figure.
    """

    shown: str
    otherwise: str
    explained: str = ""
    source: str = "layer_measures"
    needed: str = ""


_NO_REPLACEMENT = "no replacement of registers was measured inside the layers"
FIGURES = {
    "divergence": LayerFigure(
        "Divergence of attention from full, by layer and replacement of the registers",
        _NO_REPLACEMENT,
        "The axis is logarithmic. Solid lines are medians, dotted lines are means, and points at the bottom edge are "
        "rounding error.",
    ),
    "patch_cosine": LayerFigure(
        "Mean cosine similarity of each patch with itself under full, by layer and replacement of the registers",
        _NO_REPLACEMENT,
    ),
    "effective_rank": LayerFigure(
        "Effective rank of the patch tokens by layer",
        "no geometry was measured",
        "Families under full are above, replacements of the registers below.",
    ),
    "patch_norms": LayerFigure(
        "Norms of the patch tokens by layer and replacement of the registers, one panel per model",
        "no geometry was measured",
        "Above is the mean norm of an image’s patches, on a logarithmic axis. Below is the percentage of its patches "
        "whose norm exceeds three times their median. Solid lines are medians over images, bands extend from the first "
        "to the third quartile, and dotted lines below are means.",
    ),
    "attention_to_registers": LayerFigure(
        "Attention mass from CLS, registers and patches to the registers, by layer, under full",
        "no attention to registers was measured",
    ),
    "token_curves": LayerFigure(
        "Accuracy of a linear probe on each token, by layer, under full",
        "no token was classified",
        "The chance level is grey.",
        source="layer_curves",
        needed="classification",
    ),
}
NOTABLE_SHARE = 0.01  # mean share of high-norm patches from which a layer is said to have outliers
_LAST = tuple(
    MEASURES[name]
    for name in (
        *("effective_rank", "patch_cosine", "patch_norm", "high_norm_share", "js"),
        *("mass_cls_to_registers", "mass_patches_to_registers"),
    )
)


def layer_plate(inputs: Inputs, dataset: str, figure: str) -> Plate:
    """Return one of `FIGURES` for one data set."""
    shown = FIGURES[figure]
    words = f"{shown.shown}, on {dataset}. {shown.explained}{_outliers(inputs, dataset, figure)}".rstrip()
    return Plate(
        ident=f"{slug(figure)}-{slug(dataset)}",
        file=figure_of(inputs, dataset, f"{figure}.svg"),
        alt=words,
        caption=words,
        sources=(f"tables/{shown.source}.csv",),
        wide=True,
    )


def _outliers(inputs: Inputs, dataset: str, figure: str) -> str:
    """Say after which layer patches of each model have outliers first, and most, under full; empty elsewhere."""
    if figure != "patch_norms":
        return ""
    shares: dict[str, dict[int, float]] = {}
    for row in inputs.measures:
        if (row["dataset"], row["measure"], row["condition"]) == (dataset, HIGH_NORM_SHARE, REFERENCE):
            shares.setdefault(row["model"], {})[int(row["layer"])] = float(row["mean"])
    found = []
    for model, by_layer in shares.items():
        above = [layer for layer, share in sorted(by_layer.items()) if share >= NOTABLE_SHARE]
        if above:
            most = max(by_layer, key=by_layer.__getitem__)
            largest = percent(str(by_layer[most]))
            found.append(f"{model} first after layer {above[0]}, and most after layer {most} ({largest} % on average)")
    number = percent(str(NOTABLE_SHARE))
    if not found:
        return f" Under full, no model has {number} % or more of such patches after any layer." if shares else ""
    return f" Under full, {number} % or more of the patches are such outliers: {'; '.join(found)}."


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
