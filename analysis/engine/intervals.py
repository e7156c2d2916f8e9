"""Bootstrap intervals over units for values and signed sums of metrics of summed counts.

Units are resampled with all their conditions at once: one resample × units matrix of weights times
the stacked counts gives the metric of every condition in every resample, and a difference is taken
within a resample, so pairing is respected. The intervals speak of other units from the same source;
they hold the model, and a trained probe, fixed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit
from statsmodels.stats.proportion import proportion_confint

from analysis.engine.metric import ROUNDING, Counts, FloatArray, mean_of_ratios
from config.keys import keyed_generator

Name = TypeVar("Name", bound=Hashable)

# Bound on what one block of resamples may occupy, in bytes; without influence on any result.
BLOCK_BYTES = 32 * 2**20

# No number of resamples in use has a percentile beyond it, and it is not 1, where BCa has no value.
LARGEST_LEVEL = 1 - 1e-9

# Replicates closer than this to the estimate are ties with it: rounding of a ratio of sums.
TIE_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval, in the unit of the estimate.

    Attributes:
        method: how it was made: `bca`; `percentile` where BCa is undefined; `constant` where every
            resample gives the estimate (zero width); `wilson` for a proportion of 0/1 outcomes;
            `none`, with NaN bounds, where fewer than two units leave nothing to resample.
    """

    low: float
    high: float
    method: str


def bootstrap_metrics(
    counts: Sequence[Counts],
    *,
    resamples: int,
    key: Sequence[str | int],
    block_bytes: int = BLOCK_BYTES,
) -> FloatArray:
    """The metric of every element of `counts` in every bootstrap resample of their common units.

    Args:
        counts: all on the same units in the same order; categories may differ in number.
        resamples: resamples of n units out of n with replacement.
        key: seed and names that the resamples are keyed by (`keyed_generator`).
        block_bytes: bound on the memory of one block; without influence on the result.

    Returns:
        float64, resamples × len(counts): fractions. NaN where a resample has nothing to count.

    Raises:
        ValueError: fewer than one resample, no units, or different numbers of units.
    """
    if resamples < 1:
        raise ValueError(f"bootstrap_metrics: resamples must be at least 1, got {resamples}.")
    units = counts[0].units if counts else 0
    if units == 0 or any(one.units != units for one in counts):
        raise ValueError(
            f"bootstrap_metrics: counts need the same units, at least one; got {[one.units for one in counts]}."
        )
    generator = keyed_generator(*key)
    stacked = np.hstack([array for one in counts for array in (one.numerator, one.denominator)])
    edges = np.cumsum([0, *(2 * one.categories for one in counts)])
    rows = max(1, block_bytes // (8 * (3 * units + stacked.shape[1])))
    values = np.empty((resamples, len(counts)))
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = generator.integers(0, units, size=(size, units))
        # One bincount for the block: resample i counts in its own range of bins.
        drawn += units * np.arange(size)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)
        sums = weights.astype(np.float64) @ stacked
        for index, (left, right) in enumerate(itertools.pairwise(edges)):
            numerator, denominator = np.split(sums[:, left:right], 2, axis=1)
            values[start : start + size, index] = mean_of_ratios(numerator, denominator)
    return values


def jackknife_metrics(counts: Counts) -> FloatArray:
    """The metric without each unit in turn, (units,): total minus the unit's counts, no loop."""
    numerator, denominator = counts.numerator.sum(axis=0), counts.denominator.sum(axis=0)
    return mean_of_ratios(numerator - counts.numerator, denominator - counts.denominator, ROUNDING * denominator)


def bca_interval(estimate: float, replicates: FloatArray, jackknife: FloatArray, level: float) -> Interval:
    """Bias-corrected and accelerated bootstrap interval.

    Efron, "Better bootstrap confidence intervals", JASA 82, 1987; Efron and Tibshirani, "An
    Introduction to the Bootstrap", 1993, eq. 14.9 to 14.15, with ties of replicates and estimate
    counted half, as in `scipy.stats.bootstrap`.

    Degenerate cases, in this order:
        fewer than two units: no interval (NaN);
        all replicates equal the estimate: zero width. Nothing varied between the units at hand,
            which does not exclude variation among others: with no unit of n changed, up to about
            3 / n of all units may still change (the rule of three);
        the estimate lies outside all replicates, or the acceleration sends a percentile past its
            pole: BCa is undefined, the plain percentile interval is given;
        the jackknife does not vary: acceleration 0.

    Args:
        estimate: the observed statistic.
        replicates: the statistic in each resample, (resamples,); NaN (nothing to count) is left
            out.
        jackknife: the statistic without each unit, (units,); NaN is left out.
        level: coverage, between 0 and 1.

    Raises:
        ValueError: level outside (0, 1), or no finite replicate.
    """
    if not 0 < level < 1:
        raise ValueError(f"bca_interval: level must lie between 0 and 1, got {level}.")
    replicates = replicates[np.isfinite(replicates)]
    if replicates.size == 0:
        raise ValueError("bca_interval: no resample has anything to count.")
    if jackknife.size < 2:
        return Interval(math.nan, math.nan, "none")
    offset = replicates - estimate
    tied = np.abs(offset) <= TIE_TOLERANCE
    if tied.all():
        return Interval(estimate, estimate, "constant")

    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    below = (np.sum((offset < 0) & ~tied) + tied.sum() / 2) / replicates.size
    influence = jackknife[np.isfinite(jackknife)]
    influence = influence.mean() - influence
    influence = np.where(np.abs(influence) <= TIE_TOLERANCE, 0.0, influence)
    spread = np.sum(influence**2)
    acceleration = np.sum(influence**3) / (6 * spread**1.5) if spread > 0 else 0.0
    if 0 < below < 1:
        bias = ndtri(below)
        shifted = bias + ndtri(tails)
        pole = 1 - acceleration * shifted
        if np.all(pole > 0):
            low, high = np.quantile(replicates, ndtr(bias + shifted / pole))
            return Interval(float(low), float(high), "bca")
    low, high = np.quantile(replicates, tails)
    return Interval(float(low), float(high), "percentile")


def expanded_level(level: float, units: int) -> float:
    """The level to ask of a bootstrap of few units, so that it covers what `level` promises.

    Resamples of n units vary by √((n − 1)/n) too little, and their percentiles are those of a normal distribution, not
    of Student's t; for normal data this makes the interval of a mean the t interval (Hesterberg, "What teachers should
    know about the bootstrap", The American Statistician 69, 2015; `ExpandProbs` of the R package resample). 95 % asks
    for 95.8 % of 50 units, and for 95.0 % of 5,000.

    Args:
        level: coverage, between 0 and 1.
        units: at least 2.
    """
    tail = stdtrit(units - 1, (1 + level) / 2) * math.sqrt(units / (units - 1))
    return min(float(2 * ndtr(tail) - 1), LARGEST_LEVEL)


def wilson_interval(successes: int, trials: int, level: float) -> Interval:
    """Wilson's score interval of a proportion.

    Wilson, JASA 22, 1927; `statsmodels.stats.proportion.proportion_confint`.
    """
    low, high = proportion_confint(successes, trials, alpha=1 - level, method="wilson")
    return Interval(float(low), float(high), "wilson")


@dataclass(frozen=True, eq=False)
class Resampled(Generic[Name]):
    """Values of several metrics on the same units: as observed, resampled, and without each unit.

    Every signed sum of the values (a delta, a difference of deltas, a collective delta minus the sum of single
    ones) has its interval from these, with the units resampled jointly in all of its terms.

    Attributes:
        counts: name → counts, all on the same units in the same order.
        replicates: resamples × names.
        jackknife: units × names.
    """

    counts: Mapping[Name, Counts]
    replicates: FloatArray
    jackknife: FloatArray

    @classmethod
    def of(cls, counts: Mapping[Name, Counts], *, resamples: int, key: Sequence[str | int]) -> Resampled[Name]:
        """Resample the units of `counts` (`bootstrap_metrics`, whose arguments and errors these are)."""
        every = list(counts.values())
        return cls(
            counts=dict(counts),
            replicates=bootstrap_metrics(every, resamples=resamples, key=key),
            jackknife=np.stack([jackknife_metrics(one) for one in every], axis=1),
        )

    def value(self, weights: Mapping[Name, float]) -> float:
        """The signed sum as observed."""
        return sum(weight * self.counts[name].value() for name, weight in weights.items())

    def interval(self, weights: Mapping[Name, float], level: float) -> Interval:
        """Interval of a signed sum: BCa, expanded for few units, or Wilson's for a single proportion of 0/1 outcomes.

        Args:
            weights: name → weight; {changed: 1, base: −1} is a delta.
            level: coverage, between 0 and 1.
        """
        if len(weights) == 1:
            ((name, weight),) = weights.items()
            counts = self.counts[name]
            if weight == 1 and counts.is_binary:
                return wilson_interval(int(counts.numerator.sum()), counts.units, level)
        units = len(self.jackknife)
        return self.plain_interval(weights, expanded_level(level, units) if units > 1 else level)

    def plain_interval(self, weights: Mapping[Name, float], level: float) -> Interval:
        """BCa interval of a signed sum, as `scipy.stats.bootstrap` has it: a little short where units are few."""
        columns, signed = self._columns(weights)
        return bca_interval(
            self.value(weights), self.replicates[:, columns] @ signed, self.jackknife[:, columns] @ signed, level
        )

    def influence(self, weights: Mapping[Name, float]) -> FloatArray:
        """What each unit contributes to a signed sum, (units,): their mean is the sum as observed.

        Jackknife pseudo-values, centred (Efron and Tibshirani 1993, section 11.5): exactly the unit's own difference
        where the metric is a mean, and its linear part where it is mIoU. NaN where the metric is undefined without
        the unit.
        """
        columns, signed = self._columns(weights)
        without = self.jackknife[:, columns] @ signed
        if len(without) < 2:
            return np.full(len(without), self.value(weights))
        influence: FloatArray = self.value(weights) + (len(without) - 1) * (np.nanmean(without) - without)
        return influence

    def spread(self, weights: Mapping[Name, float]) -> float:
        """Bootstrap standard error of a signed sum."""
        columns, signed = self._columns(weights)
        return float(np.nanstd(self.replicates[:, columns] @ signed, ddof=1))

    def _columns(self, weights: Mapping[Name, float]) -> tuple[list[int], FloatArray]:
        place = {name: column for column, name in enumerate(self.counts)}
        return [place[name] for name in weights], np.array(list(weights.values()), dtype=np.float64)
