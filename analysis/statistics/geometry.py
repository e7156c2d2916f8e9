"""Compression of effective rank: ranks of models and conditions compared on the same images.

Effective rank is skewed over images, so it is reported by its median, and two of them by the ratio of their medians on
the same images: one estimand for the interval and for the test.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from analysis.engine.intervals import Interval
from analysis.engine.medians import SAME, RatioOfMedians, bootstrap_weights, ratio_of_medians
from analysis.engine.metric import FloatArray
from analysis.engine.multiplicity import holm_within_families
from analysis.engine.sample_size import detectable_difference
from analysis.outcomes.measures import LayerMeasures
from analysis.rows.layers import CompressionRow
from analysis.statistics.parts import bounds, provenance
from config.analysis import AnalysisSettings
from config.vocabulary.measures import EFFECTIVE_RANK
from config.vocabulary.replacements import REFERENCE


def compression_rows(measures: Sequence[LayerMeasures], settings: AnalysisSettings) -> list[CompressionRow]:
    """Compare declared pairs of families under `full` at every layer, and every condition with `full` at the last.

    A pair of models is compared at each scale and layer that both have, on the images that both have.
    """
    rows = list(_compressions(measures, settings))
    families = [(row.dataset, row.base == row.model) for row in rows]
    holm = holm_within_families(np.array([math.nan if row.p is None else row.p for row in rows]), families)
    return [
        replace(row, p_holm=None if math.isnan(adjusted) else float(adjusted))
        for row, adjusted in zip(rows, holm, strict=True)
    ]


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
    if len(units) == 0:
        return
    ranks = before.loc[units].to_numpy(dtype=np.float64), after.loc[units].to_numpy(dtype=np.float64)
    medians = [float(np.median(rank)) for rank in ranks]
    place = f"{base.model} under {base_condition} and {other.model} under {condition}, layer {layer}, {base.dataset}"
    weights = _drawn(settings.seed, base.dataset, len(units), settings.resamples)
    found = Compression.of(*ranks, weights, settings, place)
    yield CompressionRow.of(
        bounds(found.interval),
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
        compression=1 - medians[1] / medians[0] if medians[0] > 0 else math.nan,
        p=found.p,
        p_holm=found.p,
        detectable=found.detectable,
        resamples=settings.resamples,
    )


@dataclass(frozen=True)
class Compression:
    """Interval and test of 1 − the ratio of two medians, and what the test detects.

    Attributes:
        interval: of the compression; `none` where there is no ratio to estimate.
        p: of the hypothesis that the medians are equal; None without an interval.
        detectable: smallest compression that the test detects with power 0.8; None where the ratio does not vary.
    """

    interval: Interval
    p: float | None = None
    detectable: float | None = None

    @classmethod
    def of(
        cls, base: FloatArray, changed: FloatArray, weights: NDArray[np.int32], settings: AnalysisSettings, place: str
    ) -> Compression:
        """Compare two measures of the same images; warn where a value that is not positive leaves no ratio.

        Args:
            base: measure compared with, (images,).
            changed: measure, (images,).
            weights: how often each image is drawn, (resamples, images).
            settings: of the run.
            place: what is compared, for the warning.
        """
        lowest = min(float(base.min()), float(changed.min()))
        if lowest <= 0:
            warnings.warn(
                f"compression of {place}: a rank of {lowest:g} is not positive, and has no logarithm. "
                "An effective rank is at least 1; were these measures written by other code?",
                stacklevel=2,
            )
        if lowest <= 0 or len(base) < 2:
            return cls(Interval(math.nan, math.nan, "none"))
        found = ratio_of_medians(base, changed, weights, settings.level)
        interval = Interval(1 - found.interval.high, 1 - found.interval.low, found.interval.method)
        return cls(interval, found.p, _detectable(found, len(base), settings.alpha))


def _detectable(found: RatioOfMedians, units: int, alpha: float) -> float | None:
    if found.standard_error <= SAME:
        return None
    return -math.expm1(-detectable_difference(found.standard_error, units - 1, alpha))


@lru_cache(maxsize=4)
def _drawn(seed: int, dataset: str, units: int, resamples: int) -> NDArray[np.int32]:
    """Return the resamples shared by all series with this number of images of a dataset."""
    return bootstrap_weights(units, resamples=resamples, key=(seed, "bootstrap", "measures", dataset))


def _in_order(one: LayerMeasures, settings: AnalysisSettings) -> list[str]:
    return [name for name in settings.conditions if name in one.conditions]
