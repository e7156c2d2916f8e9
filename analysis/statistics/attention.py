"""Attention by layer: attention mass between token groups, and divergence under an intervention.

Jensen-Shannon divergence is in nats, of attention rows under a condition to those under `full`; attention mass is
the share that queries of one token group give to keys of another. Means over images, with intervals over images by the
jackknife: neither needs any draw.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from analysis.engine.best_interval import best_interval
from analysis.engine.estimates import Estimate, estimate
from analysis.engine.intervals import Interval
from analysis.engine.metric import Counts, FloatArray, jackknife_metrics
from analysis.engine.ratios import ratio_of_means_interval
from analysis.outcomes.measures import LayerMeasures
from analysis.rows.layers import SMALLEST_DIVERGENCE, DivergenceRatioRow, TrendRow
from analysis.statistics.parts import at_layer, of_model, provenance
from config.analysis import AnalysisSettings
from config.vocabulary.measures import DIVERGENCE, GROUP_DIVERGENCES, GROUP_MASS
from config.vocabulary.replacements import REFERENCE


def is_of_attention(measure: str) -> bool:
    """Return whether a measure is a divergence of attention or an attention mass between token groups."""
    return measure in GROUP_DIVERGENCES or GROUP_MASS.fullmatch(measure) is not None


# Measure, condition and layer.
Place = tuple[str, str, int]


@dataclass(frozen=True, eq=False)
class Attention:
    """Measures of a model's attention on the images that have all of them.

    Attributes:
        measures: of the model.
        images: their identities, sorted.
        values: measure of every image, by measure, condition and layer.
    """

    measures: LayerMeasures
    images: tuple[str, ...]
    values: Mapping[Place, FloatArray]

    @classmethod
    def of(cls, one: LayerMeasures, settings: AnalysisSettings) -> Attention | None:
        """Collect the reported measures; None where the run has no measure of attention."""
        series = {
            (measure, condition, layer): values
            for measure, condition in _series(one, settings)
            for layer in one.layers
            if len(values := one.values(measure, condition, layer))
        }
        units = sorted(set.intersection(*(set(values.index) for values in series.values()))) if series else []
        if not units:
            return None
        complete = {place: values.loc[units].to_numpy(dtype=np.float64) for place, values in series.items()}
        return cls(one, tuple(units), complete)

    def mean(self, place: Place) -> float:
        """Return a mean over images."""
        return float(self.values[place].mean())

    def mean_interval(self, measure: str, condition: str, layer: int, level: float) -> Interval | None:
        """Return the interval of a mean over images; None where the measure is not reported under the condition."""
        place = (measure, condition, layer)
        return best_interval(self._estimate({place: 1.0}), level) if place in self.values else None

    def step_interval(self, before: Place, after: Place, level: float) -> Interval:
        """Return the interval of the mean after one layer minus that after another, on the same images."""
        return best_interval(self._estimate({after: 1.0, before: -1.0}), level)

    def layers(self, measure: str, condition: str) -> list[int]:
        """Return the layers that have a measure under a condition."""
        return [layer for layer in self.measures.layers if (measure, condition, layer) in self.values]

    def _estimate(self, weights: Mapping[Place, float]) -> Estimate:
        found = estimate({place: self._counts[place] for place in weights}, weights, without=self._without)
        # A divergence or share is no 0/1 outcome, even where it is 0 in every image.
        return replace(found, changes=None, successes=None)

    @cached_property
    def _counts(self) -> Mapping[Place, Counts]:
        return {place: Counts(of[:, None], np.ones((len(of), 1))) for place, of in self.values.items()}

    @cached_property
    def _without(self) -> Mapping[Place, FloatArray]:
        return {place: jackknife_metrics(counts) for place, counts in self._counts.items()}


def divergence_ratio_rows(attention: Attention, settings: AnalysisSettings) -> Iterator[DivergenceRatioRow]:
    """Compute, by layer, the divergence under zeroing over that under each other replacement of the same tokens."""
    one = attention.measures
    for condition, base in _alternatives(one, settings):
        for layer in one.layers:
            zeroed = attention.values.get((DIVERGENCE, condition, layer))
            other = attention.values.get((DIVERGENCE, base, layer))
            if zeroed is None or other is None:
                continue
            above, below = float(zeroed.mean()), float(other.mean())
            rounding = below < SMALLEST_DIVERGENCE
            interval = None if rounding else ratio_of_means_interval(other, zeroed, settings.level)
            yield DivergenceRatioRow.of(
                at_layer(one, condition, layer),
                provenance(settings),
                base=base,
                n=len(attention.images),
                divergence=above,
                base_divergence=below,
                ratio=above / below if interval else None,
                low=interval.low if interval else None,
                high=interval.high if interval else None,
                interval=interval.method if interval else None,
            )


def trend_rows(attention: Attention, settings: AnalysisSettings) -> Iterator[TrendRow]:
    """Test monotonicity of masses under `full` and of the divergence under each condition, over at least 3 layers."""
    for measure, condition in _series(attention.measures, settings):
        places = [(measure, condition, layer) for layer in attention.layers(measure, condition)]
        if measure in GROUP_DIVERGENCES[1:] or len(places) < 3:
            continue
        means = [attention.mean(place) for place in places]
        rises = means[-1] >= means[0]
        # In the direction of the trend, so that a step with it is above 0.
        steps = [pair if rises else pair[::-1] for pair in itertools.pairwise(places)]
        moves = [attention.mean(after) - attention.mean(before) for before, after in steps]
        level = 1 - (1 - settings.level) / len(steps)
        intervals = [attention.step_interval(before, after, level) for before, after in steps]
        shown_with = sum(interval.low > 0 for interval in intervals)
        shown_against = sum(interval.high < 0 for interval in intervals)
        yield TrendRow.of(
            of_model(attention.measures),
            provenance(settings),
            condition=condition,
            measure=measure,
            n=len(attention.images),
            layers=len(places),
            first=means[0],
            last=means[-1],
            direction="rises" if rises else "falls",
            with_trend=sum(move > 0 for move in moves),
            against=sum(move < 0 for move in moves),
            shown_with=shown_with,
            shown_against=shown_against,
            largest_against=(1 if rises else -1) * min(*moves, 0.0),
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


def _alternatives(one: LayerMeasures, settings: AnalysisSettings) -> Iterator[tuple[str, str]]:
    """Iterate over pairs of conditions: zeroing a token group, and each other replacement of it."""
    present = [condition for condition in settings.conditions.values() if condition.name in one.conditions]
    for zero in present:
        for other in present:
            alike = zero.tokens == other.tokens and other.by != "zero" and other.of is None
            if zero.by == "zero" and zero.of is None and alike:
                yield zero.name, other.name
