"""What happens inside, layer by layer: figures, and the medians after the last layer."""

from __future__ import annotations

from collections.abc import Sequence

from reports.definitions import definition_list
from reports.inputs import Cells, Inputs
from reports.numbers import MISSING, count, fixed
from reports.outcomes import slug
from reports.plates import Plate, figure_of
from reports.table import Body, Column, Markup, Row, Table, Text, escaped

# Figure → what it shows, in words, and the table that it is drawn from.
FIGURES = {
    "divergence": (
        "Divergence of attention from full, by layer and replacement of the registers, on a logarithmic axis; "
        "dotted lines are means, and a point at the foot is rounding",
        "layer_measures",
    ),
    "patch_cosine": (
        "Mean cosine between each patch and itself under full, by layer and replacement",
        "layer_measures",
    ),
    "effective_rank": (
        "Effective rank of the patches by layer: families under full, and below them replacements of the registers",
        "layer_measures",
    ),
    "attention_to_registers": (
        "Attention given to the registers by CLS, registers and patches under full",
        "layer_measures",
    ),
    "token_curves": ("Accuracy of a linear probe on each token, by layer, under full; chance in grey", "layer_curves"),
}
_LAST = {
    "effective_rank": "Effective rank",
    "patch_cosine": "Patch cosine",
    "patch_norm": "Patch norm",
    "high_norm_share": "High norms, %",
    "js": "JS, nats",
    "mass_cls_to_registers": "CLS to registers, %",
    "mass_patches_to_registers": "Patches to registers, %",
}
_PERCENT = {"high_norm_share", "mass_cls_to_registers", "mass_patches_to_registers"}


def layer_plate(inputs: Inputs, dataset: str, figure: str) -> Plate:
    """One of `FIGURES`, of one data set."""
    shown, source = FIGURES[figure]
    return Plate(
        ident=f"{slug(figure)}-{slug(dataset)}",
        file=figure_of(inputs, dataset, f"{figure}.svg"),
        alt=f"{shown}, on {dataset}; a panel per model.",
        caption=f"{shown}; {dataset}.",
        sources=(f"tables/{source}.csv",),
        wide=True,
    )


def last_layer_table(inputs: Inputs, dataset: str) -> Table | None:
    """Medians and quartiles of geometry and attention after the last layer; None where nothing was measured."""
    columns = (Column("Condition"), *(Column(title, "number") for title in _LAST.values()))
    bodies = []
    for model, rows in _last_layer(inputs, dataset).items():
        conditions = dict.fromkeys(row["condition"] for row in rows)
        cells = {(row["condition"], row["measure"]): row for row in rows}
        lines = tuple(
            Row(
                (
                    Markup(f"<code>{escaped(condition)}</code>"),
                    *(_median(cells.get((condition, measure)), measure) for measure in _LAST),
                ),
                classes="reference" if condition == "full" else "",
            )
            for condition in conditions
        )
        bodies.append(Body(lines, heading=Markup(f"<b>{escaped(model)}</b> <small>{escaped(_facts(rows))}</small>")))
    if not bodies:
        return None
    caption = f"Medians after the last layer on {dataset}; first and third quartile below"
    return Table(f"last-layer-{slug(dataset)}", caption, columns, tuple(bodies), classes="ablation")


def measure_definitions() -> str:
    """What stands under the tables."""
    entries: Sequence[tuple[Text, Text]] = (
        ("Effective rank", "exp of the entropy of the eigenvalues of the patches’ Gram matrix, rows of unit length"),
        ("Patch cosine", "mean over patches of the cosine with the same patch under full, after the final norm"),
        ("Patch norm", "mean length of the block’s raw output at the patches"),
        ("High norms", "share of patches longer than three times the median of their image"),
        ("JS", "Jensen–Shannon divergence of attention from full, mean over heads and query tokens"),
        ("To registers", "attention mass that the group’s queries give to the registers, mean over heads"),
    )
    return definition_list(entries, "Definitions of the measures")


def _last_layer(inputs: Inputs, dataset: str) -> dict[str, list[Cells]]:
    of_model: dict[str, list[Cells]] = {}
    for row in inputs.measures:
        if row["dataset"] == dataset:
            of_model.setdefault(row["model"], []).append(row)
    last = {model: max(int(row["layer"]) for row in rows) for model, rows in of_model.items()}
    return {model: [row for row in rows if int(row["layer"]) == last[model]] for model, rows in of_model.items()}


def _facts(rows: Sequence[Cells]) -> str:
    sizes = sorted({int(row["n"]) for row in rows if row["measure"] in _LAST}, reverse=True)
    layer = rows[0]["layer"]
    return f"{rows[0]['family']}, scale {rows[0]['scale']} · layer {layer} · n = {' and '.join(map(count, sizes))}"


def _median(row: Cells | None, measure: str) -> Text:
    if row is None:
        return MISSING
    scale, decimals = (100, 1) if measure in _PERCENT else (1, 3 if measure in ("js", "patch_cosine") else 2)
    middle, low, high = (fixed(scale * float(row[name]), decimals) for name in ("median", "quartile_1", "quartile_3"))
    return Markup(f'{middle}<br><small class="muted">{low} to {high}</small>')
