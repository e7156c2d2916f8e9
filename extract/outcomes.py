"""Outcomes: additive counts per unit, condition and category, the contract between extraction and analysis."""

from collections.abc import Sequence
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
    "features",
    "layer",
    "refit",
    "unit",
    "cluster",
    "category",
    "numerator",
    "denominator",
)


@dataclass(frozen=True)
class Counts:
    """Counts of n units under one condition.

    Attributes:
        dataset, condition, readout: where they come from.
        features: which tokens were read: cls, r1, …, register_mean, patch_mean or patches.
        layer: after which layer, counted from 0.
        units: identities, n.
        categories: identities of the counted categories, n ("" where a task has one).
        numerator, denominator: n each.
        clusters: identities of what is exchanged together, n; the units themselves where None.
        refit: 0 for the probe that is reported, 1, 2, … for one fitted on a resample of its training images.
    """

    dataset: str
    condition: str
    readout: str
    features: str
    layer: int
    units: NDArray[np.str_]
    categories: NDArray[np.str_]
    numerator: NDArray[np.float64]
    denominator: NDArray[np.float64]
    clusters: NDArray[np.str_] | None = None
    refit: int = 0

    @classmethod
    def of_correct(
        cls,
        dataset: str,
        condition: str,
        readout: str,
        features: str,
        layer: int,
        units: NDArray[np.str_],
        correct: NDArray[np.bool_],
        refit: int = 0,
    ) -> "Counts":
        """Return the counts of units that are right or wrong: correct / 1."""
        one = np.ones(len(units))
        blank = np.full(len(units), "")
        return cls(dataset, condition, readout, features, layer, units, blank, correct.astype(float), one, None, refit)


@dataclass(frozen=True)
class Fit:
    """What is told of a fitted probe: where it belongs, and how its penalty was chosen."""

    dataset: str
    condition: str
    features: str
    layer: int
    strength: float
    held_out_loss: float
    iterations: int
    training_rows: int


def save_outcomes(counts: Sequence[Counts], task: str, model: Model, path: Path) -> None:
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
                "features": each.features,
                "layer": np.int64(each.layer),
                "refit": np.int64(each.refit),
                "unit": each.units,
                "cluster": each.units if each.clusters is None else each.clusters,
                "category": each.categories,
                "numerator": each.numerator.astype(np.float64),
                "denominator": each.denominator.astype(np.float64),
            }
        )
        for each in counts
    ]
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(COLUMNS))
    with written_whole(path) as partial:
        whole[list(COLUMNS)].to_parquet(partial, index=False)


def save_fits(fits: Sequence[Fit], path: Path) -> None:
    """Write what is told of the probes of one task and model."""
    frame = pd.DataFrame(fits, columns=list(Fit.__dataclass_fields__))
    with written_whole(path) as partial:
        frame.to_csv(partial, index=False, float_format="%.6g", lineterminator="\n")
