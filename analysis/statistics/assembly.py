"""Join the statistics of data sets and tasks: what takes the p-values of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.engine.permutation import PermutationDraws
from analysis.rows.ablation import AblationRow
from analysis.rows.contrasts import EquivalenceTest
from analysis.rows.registry import PARTS
from analysis.rows.schema import R, Row
from analysis.statistics.equivalence import equivalence_rows
from analysis.statistics.nulls import joined
from analysis.statistics.tables import in_display_order, with_adjusted_p
from config.analysis import AnalysisSettings


@dataclass(frozen=True, kw_only=True)
class TaskStatistics:
    """What comes of one data set and task.

    Attributes:
        rows: table → its rows, of the tables `analysis.rows.registry.PARTS`; those of the ablation table without
            adjusted p-values.
        nulls: statistics of the tested rows of the ablation table, in their order, as observed and under permutations.
    """

    rows: Mapping[str, Sequence[Row]]
    nulls: PermutationDraws

    def of(self, name: str, kind: type[R]) -> list[R]:
        """Return the rows of a table, typed."""
        return [row for row in self.rows[name] if isinstance(row, kind)]


def assembled(parts: Sequence[TaskStatistics], settings: AnalysisSettings) -> Mapping[str, Sequence[Row]]:
    """Join what came of every data set and task: adjust p-values within families, and conclude from them.

    Args:
        parts: of every data set and task, in display order.
        settings: what is a family of tests, and the display order.

    Returns:
        Name → rows of the tables of `analysis.rows.registry.PARTS`.
    """
    tested = with_adjusted_p(
        [row for part in parts for row in part.of("ablation", AblationRow)],
        [joined([part.nulls for part in parts])],
        settings.families,
    )
    ablation = in_display_order(tested, settings)
    equivalence = [row for part in parts for row in part.of("equivalence", EquivalenceTest)]
    return {
        **{name: [row for part in parts for row in part.rows[name]] for name in PARTS},
        "ablation": ablation,
        "equivalence": equivalence_rows(equivalence, ablation),
    }
