"""All statistics of one data set and task, up to what takes the p-values of others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from analysis.engine.permutation import PermutationDraws
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import TaskOutcomes, task_outcomes
from analysis.rows.registry import PARTS
from analysis.rows.schema import Row
from analysis.statistics.ablation import ablation_rows
from analysis.statistics.additivity import additivity_rows, cumulative_rows
from analysis.statistics.assembly import TaskStatistics
from analysis.statistics.classes import class_delta_rows
from analysis.statistics.equivalence import equivalence_tested
from analysis.statistics.layer_curves import curve_rows
from analysis.statistics.nulls import joined
from analysis.statistics.random_patches import random_patch_rows
from analysis.statistics.readouts import probe_variance_rows, readout_rows
from config.analysis import AnalysisSettings

# Table of `analysis.rows.registry.PARTS` → what computes its rows from outcomes on the same units. Those that take more
# than that are in `task_statistics`.
STATISTICS: Mapping[str, Callable[[TaskOutcomes, AnalysisSettings], Iterable[Row]]] = {
    "class_deltas": class_delta_rows,
    "random_patches": random_patch_rows,
    "readouts": readout_rows,
    "additivity": additivity_rows,
    "cumulative": cumulative_rows,
    "probe_variance": probe_variance_rows,
}


def task_statistics(outcomes: Sequence[Outcomes], settings: AnalysisSettings) -> TaskStatistics:
    """Compute every value, interval and test of one data set and task.

    Args:
        outcomes: of every model, refits and other features among them.
        settings: of the run.
    """
    groups = task_outcomes(outcomes, settings)
    nulls: list[PermutationDraws] = []
    found: dict[str, list[Row]] = {name: [] for name in PARTS}
    for group in groups:
        ablation, permuted = ablation_rows(group, settings, groups=len(groups))
        nulls += [permuted] if permuted else []
        parts: Mapping[str, Iterable[Row]] = {
            "ablation": ablation,
            "equivalence": equivalence_tested(group, ablation, settings),
            **{name: rows(group, settings) for name, rows in STATISTICS.items()},
        }
        for name, part in parts.items():
            found[name].extend(part)
    found["layer_curves"].extend(curve_rows(outcomes, settings))
    return TaskStatistics(rows=found, nulls=joined(nulls))
