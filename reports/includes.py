"""Parts of a page that a run may lack: a table or a figure per data set, or a sentence."""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from analysis.rows.registry import TABLES
from reports.inputs import Inputs
from reports.markup import paragraph, source_link
from reports.plates import Plate, is_drawn, render_plate
from reports.table import Table, render

# A part of an included file: pieces of HTML, or none.
Block = Callable[[Inputs], list[Markup]]


def per_dataset(table: Callable[[Inputs, str], Table | None], of: str, otherwise: str = "") -> Block:
    """Return the block of one table per data set.

    Args:
        table: of a data set, or None where there is nothing to show.
        of: the table of the run (`analysis.rows.registry`) that it is made from.
        otherwise: the sentence where no data set has one; none where empty.
    """

    def block(inputs: Inputs) -> list[Markup]:
        found = [shown for dataset in inputs.datasets if (shown := table(inputs, dataset)) is not None]
        if found:
            return [*map(render, found), source_link(f"{'tables' if of in TABLES else 'tests'}/{of}.csv")]
        return [paragraph(otherwise)] if otherwise else []

    return block


def plates(plate: Callable[[Inputs, str], Plate], of: str) -> Block:
    """Return the block of one figure per data set that has rows in the table `of`, where it shows anything."""

    def block(inputs: Inputs) -> list[Markup]:
        present = {row["dataset"] for row in inputs.statistics[of]}
        made = [plate(inputs, dataset) for dataset in inputs.datasets if dataset in present]
        return [render_plate(each) for each in made if is_drawn(inputs, each)]

    return block
