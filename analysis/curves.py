"""Layer curves: what can be read from each token after each layer, with intervals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from analysis.ablation import METRICS
from analysis.intervals import bootstrap_metrics, value_interval
from analysis.metric import Counts
from analysis.settings import AnalysisSettings

COLUMNS = (
    *("dataset", "task", "metric", "model", "family", "scale", "condition", "features", "layer"),
    *("n", "value", "value_low", "value_high", "value_interval", "level"),
)


def layer_curves(folder: Path, settings: AnalysisSettings) -> pd.DataFrame:
    """Values along the layers of every condition that was recorded after several.

    Matched readout where a probe is trained. Intervals are those of the ablation table: BCa over
    units, with the same resamples for every token and layer of a data set and task.

    Args:
        folder: of `<task>/<model>.parquet`.
        settings: of the run.

    Returns:
        One row per dataset, task, model, condition, features and layer (`COLUMNS`).
    """
    rows = [
        row
        for task in settings.tasks
        for model in settings.models
        if (path := folder / task / f"{model}.parquet").exists()
        for row in _curves(pd.read_parquet(path), task, settings)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _curves(frame: pd.DataFrame, task: str, settings: AnalysisSettings) -> Iterator[tuple[object, ...]]:
    if not {"features", "layer", "refit"} <= set(frame.columns):
        return
    frame = frame[(frame["refit"] == 0) & (frame["readout"] != "frozen") & (frame["category"] == "")]
    several = frame.groupby(["dataset", "condition"])["layer"].transform("nunique") > 1
    for (dataset, condition), found in frame[several].groupby(["dataset", "condition"], sort=False):
        places = {place: _counts(rows) for place, rows in found.groupby(["features", "layer"])}
        replicates = bootstrap_metrics(
            list(places.values()), resamples=settings.resamples, key=(settings.seed, "bootstrap", str(dataset), task)
        )
        first = found.iloc[0]
        for column, ((features, layer), counts) in enumerate(places.items()):
            interval = value_interval(counts, replicates[:, column], settings.level)
            yield (
                *(dataset, task, METRICS.get(task, "ratio of counts"), first["model"], first["family"]),
                *(first["scale"], condition, features, layer, counts.units, counts.value()),
                *(interval.low, interval.high, interval.method, settings.level),
            )


def _counts(rows: pd.DataFrame) -> Counts:
    ordered = rows.sort_values("unit")
    return Counts(*(ordered[[name]].to_numpy() for name in ("numerator", "denominator")))
