"""The whole analysis as a function: outcomes and measures in, tables out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from tqdm import tqdm

from analysis.outcomes.common_units import compared_outcomes
from analysis.outcomes.files import Outcomes
from analysis.outcomes.measures import LayerMeasures
from analysis.rows.ablation import AblationRow
from analysis.rows.frames import frame_of
from analysis.rows.registry import DECLARED, TABLES, TESTS
from analysis.statistics.assembly import assembled
from analysis.statistics.comparisons import comparison_rows
from analysis.statistics.layers import layer_tables
from analysis.statistics.tables import replacement_table
from analysis.statistics.task import task_statistics
from config.analysis import AnalysisSettings


@dataclass(frozen=True)
class Study:
    """What came of a run: the rows of the ablation table, and every table that a reader cites.

    Attributes:
        ablation: in display order.
        tables: name → table, of `tables/<name>.csv`.
        tests: name → table, of `tests/<name>.csv`.
    """

    ablation: Sequence[AblationRow]
    tables: Mapping[str, pd.DataFrame]
    tests: Mapping[str, pd.DataFrame]


def study(outcomes: Sequence[Outcomes], measures: Sequence[LayerMeasures], settings: AnalysisSettings) -> Study:
    """Analyse a run. A part whose conditions or measures the run lacks has an empty table.

    Args:
        outcomes: of every task and model, refits and other features among them.
        measures: of every model and data set that has any.
        settings: what is reported, and how it is tested.

    Warns:
        UserWarning: models that a comparison compares are on different units.
    """
    by_task: dict[tuple[str, str], list[Outcomes]] = {
        (dataset, task): [] for dataset, tasks in settings.datasets.items() for task in tasks
    }
    for one in outcomes:
        by_task[one.dataset, one.task].append(one)
    with tqdm([part for part in by_task.values() if part], desc="tests and intervals", unit="task") as progress:
        parts = [task_statistics(part, settings) for part in progress]
    comparisons, nulls = comparison_rows(compared_outcomes(outcomes, settings), settings)
    found = {
        **assembled(parts, settings),
        **layer_tables(measures, settings),
        "comparisons": comparisons,
        "nulls": nulls,
    }
    frames = {name: frame_of(kind, found[name]) for name, kind in DECLARED.items() if name in found}
    ablation = [row for row in found["ablation"] if isinstance(row, AblationRow)]
    frames["replacement"] = replacement_table(ablation, settings)
    return Study(
        ablation=ablation,
        tables={name: frames[name] for name in TABLES if name in frames},
        tests={name: frames[name] for name in TESTS},
    )
