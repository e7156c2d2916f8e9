"""Contents of the statistics page, as the modules of its tables register them."""

from __future__ import annotations

from collections.abc import Mapping

from reports import classes, equivalence, geometry, statistics
from reports.error_rates import error_rate_origin, error_rate_table
from reports.includes import Block
from reports.inputs import Inputs
from reports.markup import fenced, lines
from reports.table import render

INCLUDES: Mapping[str, tuple[Block, ...]] = {
    **equivalence.INCLUDES,
    **classes.INCLUDES,
    **statistics.INCLUDES,
    **geometry.INCLUDES,
    "error_rates": (lambda inputs: [error_rate_origin(inputs), render(error_rate_table(inputs))],),
}


def statistics_includes(inputs: Inputs) -> dict[str, str]:
    """Return file name → raw HTML in a fence."""
    return {
        f"statistics_{name}.md": fenced(lines(piece for block in blocks for piece in block(inputs)))
        for name, blocks in INCLUDES.items()
    }
