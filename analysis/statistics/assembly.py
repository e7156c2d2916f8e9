"""Join the statistics of data sets and tasks: what takes the p-values of all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from analysis.engine.permutation import PermutationDraws
from analysis.rows.ablation import AblationRow
from analysis.rows.contrasts import EquivalenceTest, ProbeVarianceRow, RandomPatchRow, ReadoutRow
from analysis.rows.layers import CurveRow
from analysis.rows.registers import AdditivityRow, CumulativeRow
from analysis.rows.schema import R, Row
from analysis.statistics.equivalence import equivalence_rows
from analysis.statistics.nulls import joined
from analysis.statistics.tables import in_display_order, with_adjusted_p
from config.analysis import AnalysisSettings


@dataclass(frozen=True, kw_only=True)
class TaskStatistics:
    """What comes of one data set and task; the tables are those of `analysis.rows.registry.PARTS`.

    Attributes:
        ablation: without its adjusted p-values.
        nulls: statistics of the tested rows of `ablation`, in their order, as observed and under permutations.
    """

    ablation: Sequence[AblationRow]
    equivalence: Sequence[EquivalenceTest]
    random_patches: Sequence[RandomPatchRow]
    readouts: Sequence[ReadoutRow]
    additivity: Sequence[AdditivityRow]
    cumulative: Sequence[CumulativeRow]
    probe_variance: Sequence[ProbeVarianceRow]
    layer_curves: Sequence[CurveRow]
    nulls: PermutationDraws


def assembled(parts: Sequence[TaskStatistics], settings: AnalysisSettings) -> Mapping[str, Sequence[Row]]:
    """Join what came of every data set and task: adjust p-values within families, and conclude from them.

    Args:
        parts: of every data set and task, in display order.
        settings: what is a family of tests, and the display order.

    Returns:
        Name → rows of the tables of `analysis.rows.registry.PARTS`.
    """
    tested = with_adjusted_p(
        _each(part.ablation for part in parts), [joined([part.nulls for part in parts])], settings.families
    )
    ablation = in_display_order(tested, settings)
    return {
        "ablation": ablation,
        "equivalence": equivalence_rows(_each(part.equivalence for part in parts), ablation),
        "random_patches": _each(part.random_patches for part in parts),
        "readouts": _each(part.readouts for part in parts),
        "additivity": _each(part.additivity for part in parts),
        "cumulative": _each(part.cumulative for part in parts),
        "probe_variance": _each(part.probe_variance for part in parts),
        "layer_curves": _each(part.layer_curves for part in parts),
    }


def _each(parts: Iterable[Iterable[R]]) -> list[R]:
    return [row for part in parts for row in part]
