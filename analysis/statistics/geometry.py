"""Compression of effective rank: ranks of models and conditions compared on the same images.

Effective rank is skewed over images, so it is reported by its median. A median is no function of summed counts:
its interval is the BCa bootstrap over images, and two models are tested by the mean difference on the same images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from analysis.engine.contrasts import Contrast
from analysis.engine.intervals import Interval, bca_interval
from analysis.engine.medians import bootstrap_medians, bootstrap_weights, jackknife_medians
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.multiplicity import holm_within_families
from analysis.engine.p_values import paired_permutation_tests
from analysis.outcomes.measures import LayerMeasures
from analysis.rows.layers import CompressionRow
from analysis.statistics.parts import bounds, provenance, tested
from config.analysis import AnalysisSettings
from config.vocabulary.measures import EFFECTIVE_RANK
from config.vocabulary.replacements import REFERENCE


def compression_rows(measures: Sequence[LayerMeasures], settings: AnalysisSettings) -> list[CompressionRow]:
    """Compare declared pairs of families under `full` at every layer, and every condition with `full` at the last.

    A pair of models is compared at each scale and layer that both have, on the images that both have.
    """
    rows = list(_compressions(measures, settings))
    families = [(row.dataset, row.base == row.model) for row in rows]
    holm = holm_within_families(np.array([row.p for row in rows]), families)
    return [replace(row, p_holm=float(adjusted)) for row, adjusted in zip(rows, holm, strict=True)]


def _compressions(measures: Sequence[LayerMeasures], settings: AnalysisSettings) -> Iterator[CompressionRow]:
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
    base: LayerMeasures,
    base_condition: str,
    other: LayerMeasures,
    condition: str,
    layer: int,
    settings: AnalysisSettings,
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
    yield CompressionRow.of(
        bounds(interval),
        tested(test),
        provenance(settings),
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
        difference=test.statistic,
    )


def median_interval(values: FloatArray, dataset: str, settings: AnalysisSettings) -> Interval:
    """Return the BCa interval of the median of a measure of each image, (images,); `none` of fewer than two images."""
    if len(values) < 2:
        return Interval(float("nan"), float("nan"), "none")
    weights = _drawn(settings.seed, dataset, len(values), settings.resamples)
    return bca_interval(
        float(np.median(values)), bootstrap_medians(values, weights), jackknife_medians(values), settings.level
    )


@lru_cache(maxsize=4)
def _drawn(seed: int, dataset: str, units: int, resamples: int) -> NDArray[np.int32]:
    """Return the resamples shared by all series with this number of images of a dataset."""
    return bootstrap_weights(units, resamples=resamples, key=(seed, "bootstrap", "measures", dataset))


def _in_order(one: LayerMeasures, settings: AnalysisSettings) -> list[str]:
    return [name for name in settings.conditions if name in one.conditions]
