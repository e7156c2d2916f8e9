"""Outcomes: additive counts per unit, condition and category, the contract between extraction and analysis."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from config.files import write_csv, written_whole
from config.settings import Model
from config.vocabulary.tasks import REFUSED

SCHEMA = pa.schema(
    {
        "dataset": pa.string(),
        "task": pa.string(),
        "model": pa.string(),
        "family": pa.string(),
        "scale": pa.string(),
        "condition": pa.string(),
        "readout": pa.string(),
        "features": pa.string(),
        "layer": pa.int64(),
        "refit": pa.int64(),
        "unit": pa.string(),
        "cluster": pa.string(),
        "category": pa.string(),
        "numerator": pa.float64(),
        "denominator": pa.float64(),
    }
)
ROWS = 2**18  # held as columns before they are written


@dataclass(frozen=True)
class OutcomeCounts:
    """Counts of n units under one condition.

    Attributes:
        dataset, condition, readout: where they come from.
        features: which tokens were read: cls, r1, …, register_mean, patch_mean or patches.
        layer: after which layer, counted from 0.
        units: identities, n.
        categories: identities of the counted categories, n ("" where a task has one).
        numerator, denominator: n each.
        clusters: identities of what is permuted together, n; the units themselves where None.
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
    ) -> "OutcomeCounts":
        """Return the counts of units that are right or wrong: correct / 1."""
        one = np.ones(len(units))
        blank = np.full(len(units), "")
        return cls(dataset, condition, readout, features, layer, units, blank, correct.astype(float), one, None, refit)


@dataclass(frozen=True)
class Fit:
    """Summary of a fitted probe: what it was fitted on, and how its regularisation was chosen.

    Attributes:
        dataset, condition, features, layer: what it was fitted on.
        strength: inverse regularisation strength C that was chosen.
        held_out_loss: mean log-loss on the held-out part of the training data; NaN where there was one C only.
        iterations: of the last fit.
        training_rows: that it was fitted on.
        converged: whether the solver reached its tolerance: for this probe, for those that C was chosen by, and for
            its refits.
    """

    dataset: str
    condition: str
    features: str
    layer: int
    strength: float
    held_out_loss: float
    iterations: int
    training_rows: int
    converged: bool = True


def save_outcomes(
    counts: Sequence[OutcomeCounts], task: str, model: Model, path: Path, refused: Sequence[str] = ()
) -> None:
    """Write the outcomes of one task and model, a part at a time.

    Args:
        counts: one entry per condition, readout, features and layer.
        task: as reported.
        model: whose outcomes they are.
        path: of the file.
        refused: why there are none on some data sets; kept in the file, so that it may have no rows.
    """
    schema = SCHEMA.with_metadata({REFUSED: "; ".join(refused)}) if refused else SCHEMA
    with written_whole(path) as partial, pq.ParquetWriter(partial, schema) as file:
        waiting: list[pa.Table] = []
        for each in counts:
            waiting.append(_table(each, task, model))
            if sum(map(len, waiting)) >= ROWS:
                file.write_table(pa.concat_tables(waiting))
                waiting.clear()
        if waiting:
            file.write_table(pa.concat_tables(waiting))


def _table(counts: OutcomeCounts, task: str, model: Model) -> pa.Table:
    n = len(counts.units)
    columns = {
        "dataset": pa.repeat(counts.dataset, n),
        "task": pa.repeat(task, n),
        "model": pa.repeat(model.name, n),
        "family": pa.repeat(model.family, n),
        "scale": pa.repeat(model.scale, n),
        "condition": pa.repeat(counts.condition, n),
        "readout": pa.repeat(counts.readout, n),
        "features": pa.repeat(counts.features, n),
        "layer": pa.repeat(counts.layer, n),
        "refit": pa.repeat(counts.refit, n),
        "unit": pa.array(counts.units),
        "cluster": pa.array(counts.units if counts.clusters is None else counts.clusters),
        "category": pa.array(counts.categories),
        "numerator": pa.array(counts.numerator, pa.float64()),
        "denominator": pa.array(counts.denominator, pa.float64()),
    }
    return pa.table(columns, SCHEMA)


def save_fits(fits: Sequence[Fit], path: Path) -> None:
    """Write the summaries of the probes of one task and model."""
    write_csv(path, list(Fit.__dataclass_fields__), map(asdict, fits), digits=6)
