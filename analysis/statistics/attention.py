"""Attention by layer: attention mass between token groups, and divergence under an intervention.

Jensen-Shannon divergence is in nats, of attention rows under a condition to those under `full`; attention mass is
the share that queries of one token group give to keys of another. Means over images, with intervals over images.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.engine.intervals import Interval, Resampled
from analysis.engine.metric import Counts
from analysis.outcomes.measures import LayerMeasures
from analysis.rows.layers import SMALLEST_DIVERGENCE, DivergenceRatioRow, TrendRow
from analysis.statistics.parts import at_layer, of_model, provenance
from config.analysis import AnalysisSettings
from config.vocabulary.measures import DIVERGENCE, GROUP_DIVERGENCES, GROUP_MASS
from config.vocabulary.replacements import REFERENCE


def is_of_attention(measure: str) -> bool:
    """Return whether a measure is a divergence of attention or an attention mass between token groups."""
    return measure in GROUP_DIVERGENCES or GROUP_MASS.fullmatch(measure) is not None


@dataclass(frozen=True, eq=False)
class Attention:
    """Measures of a model's attention on the images that have all of them.

    Attributes:
        measures: of the model.
        images: their identities, sorted.
        resampled: (measure, condition, layer) → mean, and (condition, base, layer) → ratio of mean divergences, with
            joint bootstrap resamples of the images.
    """

    measures: LayerMeasures
    images: tuple[str, ...]
    resampled: Resampled[Hashable]

    @classmethod
    def of(cls, one: LayerMeasures, settings: AnalysisSettings) -> Attention | None:
        """Resample the images jointly; None where the run has no measure of attention."""
        series = {
            (measure, condition, layer): values
            for measure, condition in _series(one, settings)
            for layer in one.layers
            if len(values := one.values(measure, condition, layer))
        }
        units = sorted(set.intersection(*(set(values.index) for values in series.values()))) if series else []
        if not units:
            return None
        counts: dict[Hashable, Counts] = {
            key: _ratio_of_sums(values.loc[units], values.loc[units] * 0 + 1) for key, values in series.items()
        }
        for condition, base in _alternatives(one, settings):
            for layer in one.layers:
                above, below = series.get((DIVERGENCE, condition, layer)), series.get((DIVERGENCE, base, layer))
                if above is not None and below is not None:
                    counts[condition, base, layer] = _ratio_of_sums(above.loc[units], below.loc[units])
        key = (settings.seed, "bootstrap", "measures", one.dataset)
        return cls(one, tuple(units), Resampled.of(counts, resamples=settings.resamples, key=key))

    def mean_interval(self, measure: str, condition: str, layer: int, level: float) -> Interval | None:
        """Return the interval of a mean over images; None where the measure is not reported under the condition."""
        if (measure, condition, layer) not in self.resampled.counts:
            return None
        return self.resampled.interval({(measure, condition, layer): 1.0}, level)

    def layers(self, measure: str, condition: str) -> list[int]:
        """Return the layers that have a measure under a condition."""
        return [layer for layer in self.measures.layers if (measure, condition, layer) in self.resampled.counts]


def divergence_ratio_rows(attention: Attention, settings: AnalysisSettings) -> Iterator[DivergenceRatioRow]:
    """Compute, by layer, the divergence under zeroing over that under each other replacement of the same tokens."""
    one, resampled = attention.measures, attention.resampled
    for condition, base in _alternatives(one, settings):
        for layer in one.layers:
            if (condition, base, layer) not in resampled.counts:
                continue
            above, below = (resampled.value({(DIVERGENCE, name, layer): 1.0}) for name in (condition, base))
            ratio: dict[Hashable, float] = {(condition, base, layer): 1.0}
            interval = resampled.interval(ratio, settings.level) if below >= SMALLEST_DIVERGENCE else None
            yield DivergenceRatioRow.of(
                at_layer(one, condition, layer),
                provenance(settings),
                base=base,
                n=len(attention.images),
                divergence=above,
                base_divergence=below,
                ratio=resampled.value(ratio) if interval else None,
                low=interval.low if interval else None,
                high=interval.high if interval else None,
                interval=interval.method if interval else None,
            )


def trend_rows(attention: Attention, settings: AnalysisSettings) -> Iterator[TrendRow]:
    """Test monotonicity of masses under `full` and of the divergence under each condition, over at least 3 layers."""
    resampled = attention.resampled
    for measure, condition in _series(attention.measures, settings):
        layers = attention.layers(measure, condition)
        if measure in GROUP_DIVERGENCES[1:] or len(layers) < 3:
            continue
        means = [resampled.value({(measure, condition, layer): 1.0}) for layer in layers]
        sign = 1 if means[-1] >= means[0] else -1
        steps: list[dict[Hashable, float]] = [
            {(measure, condition, after): sign, (measure, condition, before): -sign}
            for before, after in itertools.pairwise(layers)
        ]
        moves = [resampled.value(step) for step in steps]
        intervals = [resampled.interval(step, 1 - (1 - settings.level) / len(steps)) for step in steps]
        shown_with = sum(interval.low > 0 for interval in intervals)
        shown_against = sum(interval.high < 0 for interval in intervals)
        yield TrendRow.of(
            of_model(attention.measures),
            provenance(settings),
            condition=condition,
            measure=measure,
            n=len(attention.images),
            layers=len(layers),
            first=means[0],
            last=means[-1],
            direction="rises" if sign > 0 else "falls",
            with_trend=sum(move > 0 for move in moves),
            against=sum(move < 0 for move in moves),
            shown_with=shown_with,
            shown_against=shown_against,
            largest_against=sign * min(*moves, 0.0),
            reading=_reading(len(steps), shown_with, shown_against),
        )


def _reading(steps: int, shown_with: int, shown_against: int) -> str:
    if shown_against:
        return "not monotone"
    return "monotone" if shown_with == steps else "undecided"


def _series(one: LayerMeasures, settings: AnalysisSettings) -> Iterator[tuple[str, str]]:
    """Iterate over the reported pairs of measure and condition."""
    for condition in settings.conditions:
        if condition not in one.conditions:
            continue
        for measure in one.columns:
            if (measure in GROUP_DIVERGENCES and condition != REFERENCE) or (
                GROUP_MASS.fullmatch(measure) and condition == REFERENCE
            ):
                yield measure, condition


def _ratio_of_sums(numerator: pd.Series, denominator: pd.Series) -> Counts:
    return Counts(numerator.to_numpy(dtype=np.float64)[:, None], denominator.to_numpy(dtype=np.float64)[:, None])


def _alternatives(one: LayerMeasures, settings: AnalysisSettings) -> Iterator[tuple[str, str]]:
    """Iterate over pairs of conditions: zeroing a token group, and each other replacement of it."""
    present = [condition for condition in settings.conditions.values() if condition.name in one.conditions]
    for zero in present:
        for other in present:
            alike = zero.tokens == other.tokens and other.by != "zero" and other.of is None
            if zero.by == "zero" and zero.of is None and alike:
                yield zero.name, other.name
