"""How many dimensions the patches of an image fill: effective rank by model, condition and layer.

Effective rank is skewed over images, so it is reported by its median. A median is no function of summed counts:
its interval is the BCa bootstrap over images, and two models are tested by the mean difference on the same images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from analysis.engine.intervals import Interval, bca_interval
from analysis.engine.medians import bootstrap_medians, bootstrap_weights, jackknife_medians
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.multiplicity import holm_within_families
from analysis.engine.permutation import Contrast, paired_permutation_tests
from analysis.outcomes.measures import Measures
from analysis.outcomes.schema import REFERENCE
from config.settings import AnalysisSettings

EFFECTIVE_RANK = "effective_rank"
MEASURES = (
    EFFECTIVE_RANK,
    "effective_rank_centred",
    "effective_rank_unnormalised",
    "participation_ratio",
    "patch_norm",
    "high_norm_share",
    "patch_cosine",
)


@dataclass(frozen=True)
class GeometryRow:
    """One measure of one model, condition and layer over images; the columns of `tables/geometry.csv`.

    The interval is that of the median: for the effective rank everywhere, for other measures under `full`.
    """

    dataset: str
    model: str
    family: str
    scale: str
    condition: str
    layer: int
    measure: str
    n: int
    median: float
    low: float | None
    high: float | None
    quartile_1: float
    quartile_3: float
    interval: str | None
    resamples: int
    level: float
    seed: int


@dataclass(frozen=True)
class CompressionRow:
    """Effective rank of one model or condition below that of another; the columns of `tables/compression.csv`.

    `compression` is 1 − median / base median, a fraction: 0.36 is a rank lower by 36 %. `difference` is the mean
    difference on the same images, and `p` tests it. `p_smallest` and `p_mc_error` are of that test. `p_holm`
    adjusts within a dataset, for the pairs of models (of every layer) and for the conditions, each by themselves.
    """

    dataset: str
    base: str
    base_condition: str
    model: str
    condition: str
    layer: int
    n: int
    base_median: float
    median: float
    compression: float
    low: float
    high: float
    interval: str
    difference: float
    p: float
    p_smallest: float
    p_mc_error: float
    p_holm: float
    draws: int
    resamples: int
    level: float
    seed: int


def geometry_rows(measures: Sequence[Measures], settings: AnalysisSettings) -> Iterator[GeometryRow]:
    """Median, quartiles and interval of every measure, in the order of models, conditions, layers and measures."""
    for one in measures:
        for condition in _in_order(one, settings):
            for layer in one.layers:
                for measure in MEASURES:
                    values = one.values(measure, condition, layer).to_numpy(dtype=np.float64)
                    if len(values):
                        yield _geometry_row(one, condition, layer, measure, values, settings)


def _geometry_row(
    one: Measures,
    condition: str,
    layer: int,
    measure: str,
    values: FloatArray,
    settings: AnalysisSettings,
) -> GeometryRow:
    interval = None
    if measure == EFFECTIVE_RANK or condition == REFERENCE:
        weights = _drawn(settings.seed, one.dataset, len(values), settings.resamples)
        interval = _median_interval(values, weights, settings.level)
    quartile_1, median, quartile_3 = np.quantile(values, [0.25, 0.5, 0.75])
    return GeometryRow(
        dataset=one.dataset,
        model=one.model,
        family=one.family,
        scale=one.scale,
        condition=condition,
        layer=layer,
        measure=measure,
        n=len(values),
        median=float(median),
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        quartile_1=float(quartile_1),
        quartile_3=float(quartile_3),
        interval=interval.method if interval else None,
        resamples=settings.resamples,
        level=settings.level,
        seed=settings.seed,
    )


def compression_rows(measures: Sequence[Measures], settings: AnalysisSettings) -> list[CompressionRow]:
    """Declared pairs of families under `full` at every layer, and every condition against `full` at the last one.

    A pair of models is compared at each scale and layer that both have, on the images that both have.
    """
    rows = list(_compressions(measures, settings))
    families = [(row.dataset, row.base == row.model) for row in rows]
    holm = holm_within_families(np.array([row.p for row in rows]), families)
    return [replace(row, p_holm=float(adjusted)) for row, adjusted in zip(rows, holm, strict=True)]


def _compressions(measures: Sequence[Measures], settings: AnalysisSettings) -> Iterator[CompressionRow]:
    for first, second in settings.compressions:
        for base in measures:
            for other in measures:
                if (base.family, other.family) == (first, second) and (base.dataset, base.scale) == (
                    other.dataset,
                    other.scale,
                ):
                    for layer in sorted(set(base.layers) & set(other.layers)):
                        yield from _compression(base, REFERENCE, other, REFERENCE, layer, settings)
    for one in measures:
        for condition in _in_order(one, settings):
            if condition != REFERENCE:
                yield from _compression(one, REFERENCE, one, condition, one.layers[-1], settings)


def _compression(
    base: Measures, base_condition: str, other: Measures, condition: str, layer: int, settings: AnalysisSettings
) -> Iterator[CompressionRow]:
    before = base.values(EFFECTIVE_RANK, base_condition, layer)
    after = other.values(EFFECTIVE_RANK, condition, layer)
    units = before.index.intersection(after.index, sort=True)
    if len(units) < 2:
        return
    ranks = [of.loc[units].to_numpy(dtype=np.float64) for of in (before, after)]
    weights = _drawn(settings.seed, base.dataset, len(units), settings.resamples)
    medians = [float(np.median(rank)) for rank in ranks]
    ratio = [bootstrap_medians(rank, weights) for rank in ranks]
    without = [jackknife_medians(rank) for rank in ranks]
    interval = bca_interval(
        1 - medians[1] / medians[0], 1 - ratio[1] / ratio[0], 1 - without[1] / without[0], settings.level
    )
    ones = np.ones((len(units), 1))
    contrast = Contrast.difference(Counts(ranks[0][:, None], ones), Counts(ranks[1][:, None], ones))
    (test,) = paired_permutation_tests(
        [contrast], draws=settings.draws, key=(settings.seed, "effective rank", base.dataset)
    )
    yield CompressionRow(
        dataset=base.dataset,
        base=base.model,
        base_condition=base_condition,
        model=other.model,
        condition=condition,
        layer=layer,
        n=len(units),
        base_median=medians[0],
        median=medians[1],
        compression=1 - medians[1] / medians[0],
        low=interval.low,
        high=interval.high,
        interval=interval.method,
        difference=test.statistic,
        p=test.p,
        p_smallest=test.smallest_p,
        p_mc_error=test.monte_carlo_error,
        p_holm=test.p,
        draws=test.draws,
        resamples=settings.resamples,
        level=settings.level,
        seed=settings.seed,
    )


def _median_interval(values: FloatArray, weights: NDArray[np.int32], level: float) -> Interval:
    if len(values) < 2:
        return Interval(float("nan"), float("nan"), "none")
    return bca_interval(float(np.median(values)), bootstrap_medians(values, weights), jackknife_medians(values), level)


@lru_cache(maxsize=4)
def _drawn(seed: int, dataset: str, units: int, resamples: int) -> NDArray[np.int32]:
    """One set of resamples for all series on as many images of a dataset."""
    return bootstrap_weights(units, resamples=resamples, key=(seed, "bootstrap", "measures", dataset))


def _in_order(one: Measures, settings: AnalysisSettings) -> list[str]:
    return [name for name in settings.conditions if name in one.conditions]
