"""Geometry and attention, layer by layer: medians and quartiles over the measured images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from analysis.outcomes.measures import KEYS, Measures
from analysis.outcomes.schema import REFERENCE

COLUMNS = (
    *("dataset", "model", "family", "scale", "condition", "layer", "measure"),
    *("n", "median", "q25", "q75", "mean"),
)
# Of single registers, and so told under full alone: under a condition they are read from the files themselves.
_OF_ONE_REGISTER = re.compile(r"(?:^|_)r\d+(?:_|$)")
# An index, of which there is no median.
_INDEX = re.compile(r"nearest_r\d+")


def measure_table(measures: Sequence[Measures], conditions: Iterable[str]) -> pd.DataFrame:
    """Summarise the measures of every model and data set.

    Args:
        measures: of every model and data set that has any.
        conditions: in display order.

    Returns:
        One row per dataset, model, condition, layer and measure (`COLUMNS`): the number of images,
        median, quartiles and mean, in display order. Empty where nothing was measured.
    """
    order = tuple(conditions)
    frames = [
        summarise(one.frame, order).assign(dataset=one.dataset, model=one.model, family=one.family, scale=one.scale)
        for one in measures
        if not one.frame.empty
    ]
    if not frames:
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.concat(frames, ignore_index=True)[list(COLUMNS)]


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
