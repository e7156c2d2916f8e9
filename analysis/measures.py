"""Geometry and attention, layer by layer: medians and quartiles over the measured images."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.outcomes import REFERENCE
from analysis.settings import AnalysisSettings

KEYS = ("unit", "condition", "layer")
COLUMNS = (
    *("dataset", "model", "family", "scale", "condition", "layer", "measure"),
    *("n", "median", "q25", "q75", "mean"),
)
# Of single registers, and so told under full alone: under a condition they are read from the files themselves.
_OF_ONE_REGISTER = re.compile(r"(?:^|_)r\d+(?:_|$)")
# An index, of which there is no median.
_INDEX = re.compile(r"nearest_r\d+")


def gather_measures(folder: Path, settings: AnalysisSettings) -> pd.DataFrame:
    """Summarise `<folder>/<model>/<dataset>/<shard>.parquet` for every model and data set.

    Returns:
        One row per dataset, model, condition, layer and measure (`COLUMNS`): the number of images,
        median, quartiles and mean, in display order. Empty where nothing was measured.

    Raises:
        ValueError: a file lacks a key column.
    """
    frames = []
    for dataset in settings.datasets:
        for model in settings.models:
            shards = sorted(
                path for path in (folder / model / dataset).glob("*.parquet") if not path.stem.endswith(".spectra")
            )
            measured = [frame for frame in map(_read, shards) if not frame.empty]
            if measured:
                summary = summarise(pd.concat(measured), settings.conditions)
                family, scale = settings.families_of[model]
                frames.append(summary.assign(dataset=dataset, model=model, family=family, scale=scale))
    if not frames:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(frames, ignore_index=True)[list(COLUMNS)]


def _read(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    if missing := [key for key in KEYS if key not in frame.columns]:
        raise ValueError(f"{path}: missing column {', '.join(missing)}. Delete the file and extract again.")
    return frame


def summarise(measures: pd.DataFrame, conditions: Iterable[str]) -> pd.DataFrame:
    """Median, quartiles and mean of every measure by condition and layer, over the images that have it.

    Args:
        measures: a row per image, condition and layer.
        conditions: in display order.
    """
    names = [name for name in measures.columns if name not in KEYS and not _INDEX.fullmatch(name)]
    by_place = measures.groupby(["condition", "layer"], sort=False)[names]
    parts = {
        "n": by_place.count(),
        "median": by_place.median(),
        "q25": by_place.quantile(0.25),
        "q75": by_place.quantile(0.75),
        "mean": by_place.mean(),
    }
    columns = {
        name: part.melt(var_name="measure", ignore_index=False).set_index("measure", append=True)["value"]
        for name, part in parts.items()
    }
    long = pd.concat(columns, axis=1).reset_index()
    kept = (long["condition"] == REFERENCE) | ~long["measure"].str.contains(_OF_ONE_REGISTER)
    order = {name: place for place, name in enumerate(conditions)}
    place = {name: position for position, name in enumerate(names)}
    long = long[kept & (long["n"] > 0)]
    keys = [long["condition"].map(order), long["layer"], long["measure"].map(place)]
    sorted_rows = np.lexsort([key.to_numpy() for key in reversed(keys)])
    return long.iloc[sorted_rows].reset_index(drop=True)
