"""The CSV tables that a reader cites, each a pure function of results."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.engine.multiplicity import holm_within_families, max_t_within_families
from analysis.engine.permutation import PermutationDraws
from analysis.rows.ablation import AblationRow, Check
from analysis.rows.frames import frame_of
from config.analysis import AnalysisSettings
from config.conditions import register_conditions
from config.files import write_csv
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import FROZEN, task_of


def in_display_order(rows: Iterable[AblationRow], settings: AnalysisSettings) -> list[AblationRow]:
    """Datasets, tasks, models and conditions as the settings list them; readouts by name."""

    def place(row: AblationRow) -> tuple[int, int, int, str, int]:
        return (
            list(settings.datasets).index(row.dataset),
            settings.datasets[row.dataset].index(row.task),
            settings.models.index(row.model),
            row.readout,
            list(settings.conditions).index(row.condition),
        )

    return sorted(rows, key=place)


def with_adjusted_p(
    rows: Sequence[AblationRow], permutations: Sequence[PermutationDraws], families: Sequence[str]
) -> list[AblationRow]:
    """Fill in `p_holm` and `p_max_t`: rows that agree in the columns `families` are one family of tests.

    `permutations` are those of the rows that were tested, in their order.
    """
    p = np.array([math.nan if row.p is None else row.p for row in rows])
    family = [tuple(getattr(row, name) for name in families) for row in rows]
    tested = [name for name, row in zip(family, rows, strict=True) if row.p is not None]
    joint = iter(max_t_within_families(permutations, tested, p[~np.isnan(p)]).tolist())
    return [
        row if row.p is None else replace(row, p_holm=float(adjusted), p_max_t=next(joint))
        for row, adjusted in zip(rows, holm_within_families(p, family), strict=True)
    ]


def replacement_table(rows: Sequence[AblationRow], settings: AnalysisSettings) -> pd.DataFrame:
    """The article's layout: what register content may be replaced by, values as printed: percent, or as they are.

    One row per data set and condition that replaces all registers, full first and then in the order of the
    replacements, under the article's labels where it has one; one column `<task>/<model>` per model that has a
    condition on registers, matched readout where a probe is trained. Empty where something was not measured.
    """
    lines_of = register_conditions(settings.conditions, article=True)
    reported = [row for row in rows if row.readout != FROZEN]
    registered = {row.model for row in reported if row.condition in lines_of and row.condition != REFERENCE}
    printed = {
        (row.dataset, row.condition, row.task, row.model): _printed(row)
        for row in reported
        if row.model in registered and row.condition in lines_of
    }
    lines = {(dataset, condition) for dataset, condition, _, _ in printed}
    cells = {(task, model) for _, _, task, model in printed if task_of(task).of_article}
    columns = [cell for cell in itertools.product(settings.tasks, settings.models) if cell in cells]
    return pd.DataFrame(
        [
            [dataset, label, *(printed.get((dataset, condition, task, model), "") for task, model in columns)]
            for dataset, (condition, label) in itertools.product(settings.datasets, lines_of.items())
            if (dataset, condition) in lines
        ],
        columns=["dataset", "condition", *(f"{task}/{model}" for task, model in columns)],
    )


def _printed(row: AblationRow) -> str:
    return f"{100 * row.value:.1f}" if task_of(row.task).percent else f"{row.value:.4g}"


def known_answer_table(checks: Sequence[Check]) -> pd.DataFrame:
    """One row per check; `passed` as the words true and false."""
    return frame_of(Check, checks)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a data frame as CSV, whole or not at all; missing values are empty cells."""
    filled = table.astype(object).where(table.notna(), None)
    rows = ({str(name): cell for name, cell in row.items()} for row in filled.to_dict("records"))
    write_csv(path, list(table.columns), rows)
