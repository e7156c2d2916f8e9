"""Which classes carry the change of a metric that is a mean over classes (mIoU)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.engine.best_interval import best_interval, warnings_of
from analysis.engine.estimates import Estimate, estimate
from analysis.engine.intervals import Interval
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.metric_tests import jackknife_p
from analysis.engine.multiplicity import holm_within_families
from analysis.engine.simultaneous import simultaneous_level
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import Cell, TaskOutcomes
from analysis.rows.bases import Scored
from analysis.rows.classes import ClassDeltaRow
from analysis.statistics.parts import bounds, detectable, scored
from config.analysis import AnalysisSettings
from config.vocabulary.replacements import REFERENCE

# A class of which one unit holds more than this share is said to.
MOST = 0.5


@dataclass(frozen=True, eq=False)
class _Class:
    """One class under full and under a condition, on the units in which it occurs.

    Attributes:
        name: of the class.
        present: whether the class occurs, by unit (or cluster).
        full_value, value: its ratio under full and under the condition; NaN where it does not occur.
        share: its contribution to the change of the metric.
        delta: estimate of its change; None where it occurs under one of the two only.
        held: largest share of the class that one unit holds.
    """

    name: str
    present: NDArray[np.bool_]
    full_value: float
    value: float
    share: float
    delta: Estimate | None
    held: float

    @property
    def p(self) -> float:
        """The p-value of the change; NaN where one unit decides it alone."""
        if self.delta is None or not self.delta.is_determined:
            return math.nan
        # No fewer than with permuted signs: two units that lose alike have no standard error, and are still two.
        return max(jackknife_p(self.delta), min(1.0, 2.0 ** (1 - self.delta.differing)))


def class_delta_rows(measured: TaskOutcomes, settings: AnalysisSettings) -> Iterator[ClassDeltaRow]:
    """Compute the change of every class of every condition; nothing where the metric has one category.

    Null hypothesis: the true ratio of the class (its IoU) is the same under full and under the condition.

    A class is estimated from the units in which it occurs: others say nothing of it, and counting them as units without
    a change would make an interval of two images as narrow as one of hundreds.
    """
    families = [
        (
            one,
            cell,
            _classes(one, measured.counts[cell._replace(condition=REFERENCE)], measured.counts[cell], measured.span),
        )
        for one, cell in measured.cells()
        if cell.condition != REFERENCE and len(one.categories) > 1
    ]
    every = [(cell, of) for _, cell, found in families for of in found]
    # Of all families in one call: it costs the same for one and for hundreds.
    holm = iter(holm_within_families(np.array([of.p for _, of in every]), [cell for cell, _ in every]))
    for one, cell, found in families:
        level = simultaneous_level(
            [_on_all_units(of.delta, of.present) for of in found if of.delta is not None],
            settings.level,
            draws=settings.draws,
            key=measured.key(settings.seed, "classes"),
        )
        where = scored(one, measured.metric)
        for of in found:
            yield _row(of, float(next(holm)), level, where, cell, measured.span, settings)


def _classes(one: Outcomes, full: Counts, changed: Counts, span: float | None) -> list[_Class]:
    sides = [(side.numerator.sum(axis=0), side.denominator.sum(axis=0)) for side in (full, changed)]
    ratios = [np.divide(up, down, out=np.full(len(down), math.nan), where=down > 0) for up, down in sides]
    occurring = [int((down > 0).sum()) for _, down in sides]
    found = []
    for place, name in enumerate(one.categories):
        of_class = [side.of_category(place) for side in (full, changed)]
        held = of_class[0].denominator[:, 0] + of_class[1].denominator[:, 0]
        present = held > 0
        if not present.any():
            continue
        before, after = (float(ratio[place]) for ratio in ratios)
        # The metric is a mean over the classes that occur, whose number a condition can change.
        share = np.nan_to_num(after) / occurring[1] - np.nan_to_num(before) / occurring[0]
        delta = None
        if np.isfinite(before) and np.isfinite(after):
            delta = estimate(
                {side: Counts(of.numerator[present], of.denominator[present]) for side, of in enumerate(of_class)},
                {1: 1.0, 0: -1.0},
                cluster_sizes=None if one.sizes is None else one.sizes[present],
                span=span,
            )
        found.append(_Class(name, present, before, after, float(share), delta, float(held.max() / held.sum())))
    return found


def _on_all_units(delta: Estimate, present: NDArray[np.bool_]) -> Estimate:
    """Return an estimate whose other units say nothing, so that all classes are on the same units."""
    values: FloatArray = np.zeros(len(present))
    if delta.is_determined:
        values[present] = np.nan_to_num(delta.pseudo_values - np.nanmean(delta.pseudo_values))
    return Estimate(0.0, values, units=len(values))


def _row(
    of: _Class,
    p_holm: float,
    level: float,
    where: Scored,
    cell: Cell,
    span: float | None,
    settings: AnalysisSettings,
) -> ClassDeltaRow:
    alone, family = (_interval(of.delta, one, span) for one in (settings.level, level))
    return ClassDeltaRow.of(
        where,
        bounds(alone),
        condition=cell.condition,
        category=of.name,
        present=int(of.present.sum()),
        full_value=_or_none(of.full_value),
        value=_or_none(of.value),
        delta=None if of.delta is None else of.delta.value,
        family_low=_or_none(family.low),
        family_high=_or_none(family.high),
        p=_or_none(of.p),
        p_holm=_or_none(p_holm),
        detectable=None if of.delta is None else detectable(of.delta, settings),
        share=of.share,
        warning="; ".join(_warnings(of, cell)),
        level=settings.level,
        draws=settings.draws,
        seed=settings.seed,
    )


def _interval(delta: Estimate | None, level: float, span: float | None) -> Interval:
    if delta is None:
        return Interval(math.nan, math.nan, "none")
    found = best_interval(delta, level)
    if span is None:
        return found
    # With few units t reaches beyond what a ratio can change by.
    low, high = (min(max(bound, -span), span) for bound in (found.low, found.high))
    return Interval(low, high, found.method)


def _warnings(of: _Class, cell: Cell) -> Sequence[str]:
    if of.delta is None:
        missing = REFERENCE if math.isnan(of.full_value) else cell.condition
        return (f"does not occur under {missing}",)
    if not of.delta.is_determined:
        return ("one unit alone decides the class",)
    told = [f"one of {int(of.present.sum())} units holds {of.held:.0%} of the class"] if of.held > MOST else []
    return (*told, *warnings_of(of.delta))


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
