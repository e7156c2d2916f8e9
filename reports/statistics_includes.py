"""Contents of the statistics page: tables and figures, or a sentence where the run has no such measurement."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from config.analysis import Comparison
from reports.error_rates import error_rate_origin, error_rate_table
from reports.geometry import compression_table, rank_table, ratio_table, trend_table
from reports.inputs import Inputs
from reports.markup import fenced, lines, paragraph, source_link
from reports.plates import Plate, cumulative_plate, null_plate, render_plate
from reports.statistics import (
    additivity_table,
    comparison_tables,
    equivalence_key,
    equivalence_table,
    margin_table,
    probe_variance_table,
    random_patch_table,
    readout_table,
    undecided_table,
)
from reports.table import Table, render

PerDataset = Callable[[Inputs, str], Table | None]


def statistics_includes(inputs: Inputs) -> dict[str, str]:
    """Return file name → raw HTML in a fence."""
    parts = {
        "comparisons": _comparisons(inputs),
        "margins": [render(margin_table(inputs))],
        "equivalence": _each(
            inputs, equivalence_table, "tests/equivalence.csv", "This run measured no condition other than full."
        ),
        "undecided": _each(inputs, undecided_table, "tests/equivalence.csv", "No change above is undecided."),
        "additivity": [
            *_plates(inputs, cumulative_plate, "cumulative"),
            *_each(
                inputs,
                additivity_table,
                "tables/additivity.csv",
                "This run did not replace both single registers and all of them, so there is no sum to compare with.",
            ),
        ],
        "random_patches": _each(
            inputs,
            random_patch_table,
            "tests/random_patches.csv",
            "This run replaced no random patches, so there is nothing to compare registers with.",
        ),
        "geometry": [
            *_each(inputs, rank_table, "tables/layer_measures.csv", "This run measured no effective ranks."),
            *_each(inputs, compression_table, "tables/compression.csv", ""),
        ],
        "attention": [
            *_each(inputs, ratio_table, "tables/divergence_ratios.csv", "This run measured no attention."),
            *_each(inputs, trend_table, "tests/trends.csv", ""),
        ],
        "readouts": _each(
            inputs,
            readout_table,
            "tests/readouts.csv",
            "This run has no task with both a matched and a frozen readout.",
        ),
        "probe_variance": _each(
            inputs,
            probe_variance_table,
            "tables/probe_variance.csv",
            "No probe was refitted in this run, so its intervals do not include the variance of training.",
        ),
        "error_rates": [error_rate_origin(inputs), render(error_rate_table(inputs))],
    }
    parts["equivalence"].insert(0, equivalence_key())
    return {f"statistics_{name}.md": fenced(lines(blocks)) for name, blocks in parts.items()}


def _comparisons(inputs: Inputs) -> list[Markup]:
    blocks = _plates(inputs, null_plate, "comparisons")
    for comparison, tables in comparison_tables(inputs):
        blocks.append(Markup('<h3 id="{}">{}</h3>').format(comparison.name, comparison.question))
        blocks += [render(table) for table in tables] or [paragraph(_absent(comparison))]
        blocks += [source_link("tests/comparisons.csv")] if tables else []
    return blocks or [paragraph("The config declares no comparison.")]


def _absent(comparison: Comparison) -> str:
    kind = {"family": "families", "scale": "scales"}[comparison.along]
    return (
        f"Not available in this run. This comparison needs the {kind} {' and '.join(comparison.pair)} on the same "
        f"units, under {', '.join(comparison.conditions)}."
    )


def _each(inputs: Inputs, table: PerDataset, source: str, otherwise: str) -> list[Markup]:
    """Return one table per data set that has one; if none has, the sentence `otherwise` unless it is empty."""
    found = [shown for dataset in inputs.datasets if (shown := table(inputs, dataset)) is not None]
    if found:
        return [*map(render, found), source_link(source)]
    return [paragraph(otherwise)] if otherwise else []


def _plates(inputs: Inputs, plate: Callable[[Inputs, str], Plate], table: str) -> list[Markup]:
    """Return one figure per data set that has rows in a table."""
    present = {row["dataset"] for row in inputs.statistics[table]}
    return [render_plate(plate(inputs, dataset)) for dataset in inputs.datasets if dataset in present]
