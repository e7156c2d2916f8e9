"""The CSV tables that a reader cites, each a pure function of results."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.ablation import AblationRow
from analysis.known_answers import Check
from analysis.multiplicity import holm_within_families
from analysis.settings import AnalysisSettings
from config.files import write_whole

ARTICLE_TASKS = ("classification", "retrieval", "correspondence", "segmentation")
# The article's table of replacements: condition → its label there, and the controls that it lacks.
REPLACEMENTS = {
    "full": "Full",
    "zero_registers": "Zero registers",
    "mean_registers": "Mean-sub",
    "noise_registers": "Noise-sub",
    "resample_registers": "Resample",
    "shuffle_registers": "Shuffle",
    "shuffle_trajectory_registers": "Shuffle, one donor",
}

# Columns that would come out as objects where a row, or every row, has nothing in them.
_FRACTIONS = (
    *("delta", "delta_low", "delta_high"),
    *("p", "p_exact", "p_smallest", "p_mc_error", "p_holm"),
)
_COUNTS = ("draws",)


def in_display_order(rows: Iterable[AblationRow], settings: AnalysisSettings) -> list[AblationRow]:
    """Datasets, tasks, models and conditions as the settings list them; readouts by name."""

    def place(row: AblationRow) -> tuple[int, int, int, str, int]:
        return (
            list(settings.datasets).index(row.dataset),
            settings.datasets[row.dataset].index(row.task),
            settings.models.index(row.model),
            row.readout,
            settings.conditions.index(row.condition),
        )

    return sorted(rows, key=place)


def with_adjusted_p(rows: Sequence[AblationRow], families: Sequence[str]) -> list[AblationRow]:
    """Fill in `p_holm`: rows that agree in the columns `families` are one family of tests."""
    p = np.array([math.nan if row.p is None else row.p for row in rows])
    family = [tuple(getattr(row, name) for name in families) for row in rows]
    return [
        replace(row, p_holm=None if math.isnan(adjusted) else float(adjusted))
        for row, adjusted in zip(rows, holm_within_families(p, family), strict=True)
    ]


def ablation_table(rows: Sequence[AblationRow]) -> pd.DataFrame:
    """One row per dataset, task, model, readout and condition, in the order given."""
    table = pd.DataFrame([asdict(row) for row in rows], columns=[field.name for field in fields(AblationRow)])
    return table.astype(dict.fromkeys(_FRACTIONS, "float64") | dict.fromkeys(_COUNTS, "Int64"))


def replacement_table(rows: Sequence[AblationRow], settings: AnalysisSettings) -> pd.DataFrame:
    """The article's layout: what register content may be replaced by, percent as printed strings.

    One row per dataset and condition in Full, Zero registers, Mean-sub, Noise-sub, Shuffle, and the
    two controls that the article lacks; one
    column `<task>/<model>` per model that has a condition on registers, matched readout where a
    probe is trained. Empty where something was not measured.
    """
    reported = [row for row in rows if row.readout != "frozen"]
    registered = {row.model for row in reported if row.condition.endswith("_registers")}
    printed = {
        (row.dataset, row.condition, row.task, row.model): f"{100 * row.value:.1f}"
        for row in reported
        if row.model in registered and row.condition in REPLACEMENTS
    }
    lines = {(dataset, condition) for dataset, condition, _, _ in printed}
    cells = {(task, model) for _, _, task, model in printed if task in ARTICLE_TASKS}
    columns = [cell for cell in itertools.product(settings.tasks, settings.models) if cell in cells]
    return pd.DataFrame(
        [
            [
                dataset,
                REPLACEMENTS[condition],
                *(printed.get((dataset, condition, task, model), "") for task, model in columns),
            ]
            for dataset, condition in itertools.product(settings.datasets, REPLACEMENTS)
            if (dataset, condition) in lines
        ],
        columns=["dataset", "condition", *(f"{task}/{model}" for task, model in columns)],
    )


def known_answer_table(checks: Sequence[Check]) -> pd.DataFrame:
    """One row per check; `passed` as the words true and false."""
    table = pd.DataFrame([asdict(check) for check in checks], columns=[field.name for field in fields(Check)])
    for name in ("observed", "low", "high"):
        table[name] = table[name].astype("float64")
    table["passed"] = table["passed"].map({True: "true", False: "false"}).astype(str)
    return table


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table, whole or not at all; the same table gives the same bytes."""
    # Adding 0 turns -0.0 into 0.0: which of the two a sum ends in is an accident of rounding.
    table = table.copy()
    for name in table.select_dtypes("float64").columns:
        table[name] = table[name] + 0.0
    text = table.to_csv(index=False, float_format="%.10g", lineterminator="\n")
    write_whole(path, text.encode("utf-8"))
