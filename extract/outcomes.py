"""Outcomes: additive counts per unit, condition and category, the contract between extraction and analysis."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from config.files import written_whole
from config.settings import Model

COLUMNS = (
    "dataset",
    "task",
    "model",
    "family",
    "scale",
    "condition",
    "readout",
    "unit",
    "category",
    "numerator",
    "denominator",
)


@dataclass(frozen=True)
class Counts:
    """Counts of n units under one condition.

    Attributes:
        dataset, condition, readout: where they come from.
        units: identities, n.
        categories: identities of the counted categories, n ("" where a task has one).
        numerator, denominator: n each.
    """

    dataset: str
    condition: str
    readout: str
    units: NDArray[np.str_]
    categories: NDArray[np.str_]
    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]


def save_outcomes(counts: list[Counts], task: str, model: Model, path: Path) -> None:
    """Write the outcomes of one task and model."""
    frames = [
        pd.DataFrame(
            {
                "dataset": each.dataset,
                "task": task,
                "model": model.name,
                "family": model.family,
                "scale": model.scale,
                "condition": each.condition,
                "readout": each.readout,
                "unit": each.units,
                "category": each.categories,
                "numerator": each.numerator.astype(np.float64),
                "denominator": each.denominator.astype(np.float64),
            }
        )
        for each in counts
    ]
    with written_whole(path) as partial:
        pd.concat(frames, ignore_index=True)[list(COLUMNS)].to_parquet(partial, index=False)
