"""Geometry and attention after every layer: median, quartiles and mean over images, with intervals.

Effective rank is skewed over images, so it is reported by its median, with an interval from order statistics.
Divergence and attention mass are reported by their means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from analysis.engine.intervals import Interval
from analysis.engine.medians import median_interval
from analysis.outcomes.measures import KEYS, LayerMeasures
from analysis.rows.layers import LayerMeasureRow
from analysis.statistics.attention import Attention, is_of_attention
from analysis.statistics.parts import at_layer, provenance
from config.analysis import AnalysisSettings
from config.vocabulary.measures import EFFECTIVE_RANK, GEOMETRY_COLUMNS
from config.vocabulary.replacements import REFERENCE

# Of single registers: reported under full alone. Under a condition they are read from the files themselves.
_OF_ONE_REGISTER = re.compile(r"(?:^|_)r\d+(?:_|$)")
# An index, of which there is no median.
_INDEX = re.compile(r"nearest_r\d+")


def layer_measure_rows(
    one: LayerMeasures, attention: Attention | None, settings: AnalysisSettings
) -> Iterator[LayerMeasureRow]:
    """Summarise every measure of a model by condition and layer.

    Args:
        one: measures of the model on a data set.
        attention: its measures of attention, where it has any. What is reported of attention is over the images that
            have all of them.
        settings: of the run; conditions come in their order, measures in that of the file.
    """
    frame = one.frame.astype(dict.fromkeys(one.columns, np.float64))
    if attention is not None:
        attended = list(filter(is_of_attention, one.columns))
        frame.loc[~frame["unit"].isin(attention.images), attended] = np.nan
    for row in summarise(frame, settings.conditions).to_dict("records"):
        measure, condition, layer = row["measure"], row["condition"], row["layer"]
        median = _median_interval(one, measure, condition, layer, settings)
        mean = attention.mean_interval(measure, condition, layer, settings.level) if attention else None
        yield LayerMeasureRow.of(
            at_layer(one, condition, layer),
            provenance(settings),
            measure=measure,
            n=row["n"],
            median=row["median"],
            median_low=median.low if median else None,
            median_high=median.high if median else None,
            median_interval=median.method if median else None,
            quartile_1=row["quartile_1"],
            quartile_3=row["quartile_3"],
            mean=row["mean"],
            mean_low=mean.low if mean else None,
            mean_high=mean.high if mean else None,
            mean_interval=mean.method if mean else None,
        )


def _median_interval(
    one: LayerMeasures, measure: str, condition: str, layer: int, settings: AnalysisSettings
) -> Interval | None:
    if measure == EFFECTIVE_RANK or (measure in GEOMETRY_COLUMNS and condition == REFERENCE):
        values = one.values(measure, condition, layer).to_numpy(dtype=np.float64)
        return median_interval(values, settings.level)
    return None


def summarise(measures: pd.DataFrame, conditions: Iterable[str]) -> pd.DataFrame:
    """Return n, median, quartiles and mean of every measure over the images that have it.

    Args:
        measures: one row per image, condition and layer.
        conditions: in display order.

    Returns:
        One row per condition, layer and measure: n, median, quartile_1, quartile_3 and mean.
    """
    names = [name for name in measures.columns if name not in KEYS and not _INDEX.fullmatch(name)]
    by_place = measures.groupby(["condition", "layer"], sort=False)[names]
    parts = {
        "n": by_place.count(),
        "median": by_place.median(),
        "quartile_1": by_place.quantile(0.25),
        "quartile_3": by_place.quantile(0.75),
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
    return long.iloc[sorted_rows]
