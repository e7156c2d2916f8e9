"""What the statistics page includes: a table and a figure where a run has them, a sentence where it has not."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reports.error_rates import error_rate_origin, error_rate_table
from reports.geometry import compression_table, rank_table, ratio_table, trend_table
from reports.inputs import Inputs
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
from reports.table import Table, escaped, fenced, render, source_link

PerDataset = Callable[[Inputs, str], Table | None]


def statistics_includes(inputs: Inputs) -> dict[str, str]:
    """File name → raw HTML in a fence."""
    parts = {
        "comparisons": _comparisons(inputs),
        "margins": [render(margin_table(inputs))],
        "equivalence": _each(
            inputs, equivalence_table, "tests/equivalence.csv", "This run measured no condition beside full."
        ),
        "undecided": _each(inputs, undecided_table, "tests/equivalence.csv", "Every change above is decided."),
        "additivity": [
            *_plates(inputs, cumulative_plate, "cumulative"),
            *_each(
                inputs,
                additivity_table,
                "tables/additivity.csv",
                "This run did not replace single registers beside all of them, so there is no sum to compare with.",
            ),
        ],
        "random_patches": _each(
            inputs,
            random_patch_table,
            "tests/random_patches.csv",
            "This run replaced no random patches, so registers have nothing to be compared with.",
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
            "No probe of this run was trained again, so its intervals leave out what training adds.",
        ),
        "error_rates": [error_rate_origin(inputs), render(error_rate_table(inputs))],
    }
    parts["equivalence"].insert(0, equivalence_key())
    return {f"statistics_{name}.md": fenced("\n".join(blocks)) for name, blocks in parts.items()}


def _comparisons(inputs: Inputs) -> list[str]:
    blocks = _plates(inputs, null_plate, "comparisons")
    for name, question, tables in comparison_tables(inputs):
        blocks.append(f'<h3 id="{escaped(name)}">{escaped(question)}</h3>')
        blocks += [render(table) for table in tables] or [f"<p>{escaped(_absent(inputs, name))}</p>"]
        blocks += [source_link("tests/comparisons.csv")] if tables else []
    return blocks or ["<p>The config declares no comparison.</p>"]


def _absent(inputs: Inputs, name: str) -> str:
    stated = inputs.settings["analysis"]["comparisons"][name]
    kind, pair = ("families", stated["families"]) if "families" in stated else ("scales", stated["scales"])
    return (
        f"Not in this run: it needs the {kind} {' and '.join(pair)} on the same units, under "
        f"{', '.join(stated['conditions'])}."
    )


def _each(inputs: Inputs, table: PerDataset, source: str, otherwise: str) -> list[str]:
    """A table for every data set that has one, or a sentence; nothing where the sentence is empty."""
    found = [shown for dataset in inputs.datasets if (shown := table(inputs, dataset)) is not None]
    if found:
        return [*map(render, found), source_link(source)]
    return [f"<p>{escaped(otherwise)}</p>"] if otherwise else []


def _plates(inputs: Inputs, plate: Callable[[Inputs, str], Plate], table: str) -> list[str]:
    """A figure for every data set that a table has rows of."""
    present: Iterable[str] = dict.fromkeys(row["dataset"] for row in inputs.statistics[table])
    return [render_plate(plate(inputs, dataset)) for dataset in inputs.datasets if dataset in present]
