"""Where attention goes, layer by layer, and how far an intervention bends it.

Jensen-Shannon divergence is in nats, of attention rows under a condition to those under `full`; attention mass is
the share that queries of one token group give to keys of another. Means over images, with intervals over images.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.engine.intervals import Resampled
from analysis.engine.metric import Counts
from analysis.outcomes.measures import Measures
from analysis.outcomes.schema import REFERENCE
from config.settings import AnalysisSettings

DIVERGENCES = ("js", "js_cls", "js_registers", "js_patches")
_MASS = re.compile(r"mass_(cls|registers|patches)_to_(cls|registers|patches)")

# A mean divergence below this is rounding of float32 attention; a ratio to it would be a ratio to noise.
SMALLEST_DIVERGENCE = 1e-7


@dataclass(frozen=True)
class AttentionRow:
    """The mean of one measure of attention; the columns of `tables/attention.csv`."""

    dataset: str
    model: str
    family: str
    scale: str
    condition: str
    layer: int
    measure: str
    n: int
    mean: float
    low: float
    high: float
    interval: str
    resamples: int
    level: float
    seed: int


@dataclass(frozen=True)
class DivergenceRatioRow:
    """How many times as far one replacement bends attention as another; `tables/divergence_ratios.csv`.

    `ratio` is the mean divergence under `condition` over that under `base`, on the same images. It and its interval
    are empty where the divergence under `base` is rounding.
    """

    dataset: str
    model: str
    family: str
    scale: str
    condition: str
    base: str
    layer: int
    n: int
    divergence: float
    base_divergence: float
    ratio: float | None
    low: float | None
    high: float | None
    interval: str | None
    resamples: int
    level: float
    seed: int


@dataclass(frozen=True)
class TrendRow:
    """Whether a mean rises or falls from layer to layer; the columns of `tests/trends.csv`.

    `with_trend` and `against` count the steps in and against the direction from the first layer to the last;
    `shown_with` and `shown_against` those whose interval excludes 0, at a level adjusted for the number of steps
    (Bonferroni). `largest_against` is the largest step against the direction, 0 where there is none.
    """

    dataset: str
    model: str
    family: str
    scale: str
    condition: str
    measure: str
    n: int
    layers: int
    first: float
    last: float
    direction: str
    with_trend: int
    against: int
    shown_with: int
    shown_against: int
    largest_against: float
    reading: str
    level: float
    seed: int


@dataclass(frozen=True, eq=False)
class Attention:
    """What a model's attention does on the images that have every measure of it.

    Attributes:
        measures: of the model.
        units: number of images.
        resampled: (measure, condition, layer) → mean, and (condition, base, layer) → ratio of mean divergences, with
            joint bootstrap resamples of the images.
    """

    measures: Measures
    units: int
    resampled: Resampled[Hashable]

    @classmethod
    def of(cls, one: Measures, settings: AnalysisSettings) -> Attention | None:
        """None where the run holds no measure of attention."""
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
                above, below = series.get(("js", condition, layer)), series.get(("js", base, layer))
                if above is not None and below is not None:
                    counts[condition, base, layer] = _ratio_of_sums(above.loc[units], below.loc[units])
        key = (settings.seed, "bootstrap", "measures", one.dataset)
        return cls(one, len(units), Resampled.of(counts, resamples=settings.resamples, key=key))

    def layers(self, measure: str, condition: str) -> list[int]:
        """Layers that have a measure under a condition."""
        return [layer for layer in self.measures.layers if (measure, condition, layer) in self.resampled.counts]


def attention_rows(attention: Attention, settings: AnalysisSettings) -> Iterator[AttentionRow]:
    """Means of the divergences under every condition, and of the masses under `full`."""
    for measure, condition in _series(attention.measures, settings):
        for layer in attention.layers(measure, condition):
            mean: dict[Hashable, float] = {(measure, condition, layer): 1.0}
            interval = attention.resampled.interval(mean, settings.level)
            yield AttentionRow(
                **_where(attention.measures),
                condition=condition,
                layer=layer,
                measure=measure,
                n=attention.units,
                mean=attention.resampled.value(mean),
                low=interval.low,
                high=interval.high,
                interval=interval.method,
                resamples=settings.resamples,
                level=settings.level,
                seed=settings.seed,
            )


def divergence_ratio_rows(attention: Attention, settings: AnalysisSettings) -> Iterator[DivergenceRatioRow]:
    """Zeroing against every other replacement of the same tokens, layer by layer."""
    one, resampled = attention.measures, attention.resampled
    for condition, base in _alternatives(one, settings):
        for layer in one.layers:
            if (condition, base, layer) not in resampled.counts:
                continue
            above, below = (resampled.value({("js", name, layer): 1.0}) for name in (condition, base))
            ratio: dict[Hashable, float] = {(condition, base, layer): 1.0}
            interval = resampled.interval(ratio, settings.level) if below >= SMALLEST_DIVERGENCE else None
            yield DivergenceRatioRow(
                **_where(one),
                condition=condition,
                base=base,
                layer=layer,
                n=attention.units,
                divergence=above,
                base_divergence=below,
                ratio=resampled.value(ratio) if interval else None,
                low=interval.low if interval else None,
                high=interval.high if interval else None,
                interval=interval.method if interval else None,
                resamples=settings.resamples,
                level=settings.level,
                seed=settings.seed,
            )


def trend_rows(attention: Attention, settings: AnalysisSettings) -> Iterator[TrendRow]:
    """Every mass under `full` and the divergence under every condition, over three layers or more."""
    resampled = attention.resampled
    for measure, condition in _series(attention.measures, settings):
        layers = attention.layers(measure, condition)
        if measure in DIVERGENCES[1:] or len(layers) < 3:
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
        yield TrendRow(
            **_where(attention.measures),
            condition=condition,
            measure=measure,
            n=attention.units,
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
            level=settings.level,
            seed=settings.seed,
        )


def _reading(steps: int, shown_with: int, shown_against: int) -> str:
    if shown_against:
        return "not monotone"
    return "monotone" if shown_with == steps else "undecided"


def _series(one: Measures, settings: AnalysisSettings) -> Iterator[tuple[str, str]]:
    """Which measures are reported under which condition."""
    for condition in settings.conditions:
        if condition not in one.conditions:
            continue
        for measure in one.columns:
            if (measure in DIVERGENCES and condition != REFERENCE) or (
                _MASS.fullmatch(measure) and condition == REFERENCE
            ):
                yield measure, condition


def _ratio_of_sums(numerator: pd.Series, denominator: pd.Series) -> Counts:
    return Counts(numerator.to_numpy(dtype=np.float64)[:, None], denominator.to_numpy(dtype=np.float64)[:, None])


def _alternatives(one: Measures, settings: AnalysisSettings) -> Iterator[tuple[str, str]]:
    """Zeroing a token group, and each other replacement of the same tokens."""
    present = [condition for condition in settings.conditions.values() if condition.name in one.conditions]
    for zero in present:
        for other in present:
            alike = zero.tokens == other.tokens and other.by != "zero" and other.of is None
            if zero.by == "zero" and zero.of is None and alike:
                yield zero.name, other.name


def _where(one: Measures) -> dict[str, str]:
    return {"dataset": one.dataset, "model": one.model, "family": one.family, "scale": one.scale}
