"""Bootstrap confidence intervals of values and signed sums of metrics of summed counts.

Units are resampled with all their conditions at once: one resamples × units matrix of weights times the stacked counts
gives the metric of every condition in every resample, and a difference is taken within a resample, so pairing is
respected. Discrete counts are resampled by pattern (`analysis.engine.patterns`). The intervals are about other units
from the same source; they hold the model, and a trained probe, fixed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

from analysis.engine.metric import Counts, FloatArray, jackknife_metrics, mean_of_ratios
from analysis.engine.patterns import Patterns
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
        low: lower bound.
        high: upper bound.
        method: `bca`; `percentile` where BCa is undefined; `constant` where every resample gives the estimate (zero
            width); `wilson` for a proportion of 0/1 outcomes; `none`, with NaN bounds, where fewer than two units leave
            nothing to resample.

    Examples:
        >>> Interval(0.25, 0.75, "bca").high
        0.75
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
    """Return the metric of several counts in every bootstrap resample of their common units.

    Where the units have few distinct patterns of counts, as 0/1 outcomes do, the number of units of each pattern is
    drawn from its multinomial distribution, and else the units themselves. Metrics have the same distribution either
    way, but the draws are others: the resamples of discrete counts depend on which counts are handed in together, and
    those of others do not.

    Args:
        counts: all on the same units in the same order; categories may differ in number.
        resamples: number of resamples, of n units out of n with replacement.
        key: seed and names that the resamples are keyed by (`keyed_generator`).
        block_bytes: bound on the memory of one block; without influence on the result.

    Returns:
        float64, (resamples, counts): fractions; NaN where a resample has nothing to count.

    Raises:
        ValueError: if there is no resample or no unit, or the counts differ in the number of units.

    Examples:
        Both conditions are resampled together, so a constant difference is the same in every resample:

        >>> import numpy as np
        >>> ones = np.ones((4, 1))
        >>> base = np.array([[0.0], [0.25], [0.5], [0.75]])
        >>> values = bootstrap_metrics([Counts(base, ones), Counts(base + 0.25, ones)], resamples=5, key=(0, "example"))
        >>> (values[:, 1] - values[:, 0]).tolist()
        [0.25, 0.25, 0.25, 0.25, 0.25]
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
    patterns = Patterns.of(stacked)
    drawn = units if patterns is None else len(patterns.rows)
    rows = max(1, block_bytes // (8 * (3 * drawn + stacked.shape[1])))
    if patterns is None:
        blocks = _resampled_units(units, resamples, rows, generator)
    else:
        stacked, blocks = patterns.rows, patterns.resamples(resamples, rows=rows, generator=generator)
    values = np.empty((resamples, len(counts)))
    start = 0
    for weights in blocks:
        sums = weights.astype(np.float64) @ stacked
        for index, (left, right) in enumerate(itertools.pairwise(edges)):
            numerator, denominator = np.split(sums[:, left:right], 2, axis=1)
            values[start : start + len(weights), index] = mean_of_ratios(numerator, denominator)
        start += len(weights)
    return values


def _resampled_units(
    units: int, resamples: int, rows: int, generator: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield how often each unit is in each resample, (resamples of a block, units)."""
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = generator.integers(0, units, size=(size, units))
        # One bincount for the block: resample i counts in its own range of bins.
        drawn += units * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units)


def bca_interval(estimate: float, replicates: FloatArray, jackknife: FloatArray, level: float) -> Interval:
    """Return the bias-corrected and accelerated (BCa) bootstrap interval.

    Degenerate cases, in this order:

    - fewer than two units: no interval (NaN);
    - all replicates equal the estimate: zero width. No difference among the units at hand does not exclude one among
      others: with no unit of n changed, up to about 3 / n of all units may still change (the rule of three);
    - the estimate lies outside all replicates, or the acceleration sends a percentile past its pole: BCa is undefined,
      and the percentile interval is returned;
    - the jackknife does not vary: the acceleration is 0.

    Reference: Efron, "Better bootstrap confidence intervals", Journal of the American Statistical Association 82, 1987;
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, eq. 14.9 to 14.15. Replicates that tie with the
    estimate count half, as in `scipy.stats.bootstrap`.

    Args:
        estimate: observed statistic.
        replicates: statistic in each resample, (resamples,); NaN (nothing to count) is left out.
        jackknife: statistic without each unit, (units,); NaN is left out.
        level: confidence level, between 0 and 1.

    Raises:
        ValueError: if the level is outside (0, 1), or no replicate is finite.

    Examples:
        Symmetric replicates around the estimate and a symmetric jackknife give the percentile interval:

        >>> import numpy as np
        >>> found = bca_interval(0.5, np.linspace(0, 1, 1001), np.array([0.4, 0.5, 0.6]), level=0.9)
        >>> found.method, round(found.low, 3), round(found.high, 3)
        ('bca', 0.05, 0.95)
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
    deviations = jackknife[np.isfinite(jackknife)]
    deviations = deviations.mean() - deviations
    deviations = np.where(np.abs(deviations) <= TIE_TOLERANCE, 0.0, deviations)
    squares = np.sum(deviations**2)
    acceleration = np.sum(deviations**3) / (6 * squares**1.5) if squares > 0 else 0.0
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
    """Return the level to ask of a bootstrap of few units, so that its interval has the coverage `level`.

    Resamples of n units vary by √((n − 1)/n) too little, and their percentiles are those of a normal distribution, not
    of Student's t. With the expanded level, the interval of a mean of normal values is the t interval.

    Reference: Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69, 2015;
    `ExpandProbs` of the R package resample.

    Args:
        level: confidence level, between 0 and 1.
        units: number of units, at least 2.

    Examples:
        >>> round(expanded_level(0.95, 50), 4), round(expanded_level(0.95, 5_000), 4)
        (0.9576, 0.9501)
    """
    tail = stdtrit(units - 1, (1 + level) / 2) * math.sqrt(units / (units - 1))
    return min(float(2 * ndtr(tail) - 1), LARGEST_LEVEL)


def wilson_interval(successes: int, trials: int, level: float) -> Interval:
    """Return Wilson's score interval of a proportion.

    Reference: Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
    Statistical Association 22, 1927; `statsmodels.stats.proportion.proportion_confint`.

    Args:
        successes: number of successes.
        trials: number of trials.
        level: confidence level, between 0 and 1.

    Examples:
        >>> found = wilson_interval(8, 10, level=0.95)
        >>> round(found.low, 3), round(found.high, 3)
        (0.49, 0.943)
    """
    share = successes / trials
    z = -float(ndtri((1 - level) / 2))
    shrinkage = 1 + z**2 / trials
    centre = (share + z**2 / (2 * trials)) / shrinkage
    half = z / shrinkage * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    # Without a failure, or without a success, a bound is 1 or 0 but for rounding.
    return Interval(max(0.0, centre - half), min(1.0, centre + half), "wilson")


@dataclass(frozen=True, eq=False)
class Resampled(Generic[Name]):
    """Metrics of several conditions on the same units: observed, resampled, and without each unit.

    Every signed sum of the metrics (a delta, a difference of deltas, a collective delta minus the sum of single ones)
    has its interval from these, with the units resampled jointly in all of its terms.

    Attributes:
        counts: counts by name, all on the same units in the same order.
        jackknife: metrics without each unit, (units, names).
        resamples: number of resamples.
        key: seed and names that the resamples are keyed by.

    Examples:
        The difference between two conditions on the same ten units:

        >>> import numpy as np
        >>> ones = np.ones((10, 1))
        >>> base, changed = np.linspace(0, 9, 10)[:, None], np.linspace(1, 8, 10)[:, None]
        >>> resampled = Resampled.of(
        ...     {"base": Counts(base, ones), "changed": Counts(changed, ones)}, resamples=2_000, key=(0, "example")
        ... )
        >>> delta = {"changed": 1.0, "base": -1.0}
        >>> abs(round(resampled.value(delta), 6))
        0.0
        >>> resampled.pseudo_values(delta).round(2).tolist()
        [1.0, 0.78, 0.56, 0.33, 0.11, -0.11, -0.33, -0.56, -0.78, -1.0]
        >>> interval = resampled.interval(delta, level=0.95)
        >>> interval.method, interval.low < 0 < interval.high
        ('bca', True)
    """

    counts: Mapping[Name, Counts]
    jackknife: FloatArray
    resamples: int
    key: tuple[str | int, ...]

    @classmethod
    def of(cls, counts: Mapping[Name, Counts], *, resamples: int, key: Sequence[str | int]) -> Resampled[Name]:
        """Return the resampled metrics of `counts`; arguments and errors are those of `bootstrap_metrics`."""
        jackknife = np.stack([jackknife_metrics(one) for one in counts.values()], axis=1)
        return cls(dict(counts), jackknife, resamples, tuple(key))

    def replicates(self, weights: Mapping[Name, float]) -> FloatArray:
        """Return a signed sum in each resample, (resamples,).

        Discrete counts are resampled for this sum alone (`bootstrap_metrics`), so that it does not depend on which
        other conditions there are. The resamples of units are drawn once, and shared by all other sums.
        """
        columns, signed = self._columns(weights)
        within = [self.counts[name] for name in weights]
        table = np.hstack([array for one in within for array in (one.numerator, one.denominator)])
        if Patterns.of(table) is None:
            found: FloatArray = self._by_units[:, columns] @ signed
            return found
        return bootstrap_metrics(within, resamples=self.resamples, key=self.key) @ signed

    @cached_property
    def _by_units(self) -> FloatArray:
        """Metrics in each resample of units, (resamples, names)."""
        return bootstrap_metrics(list(self.counts.values()), resamples=self.resamples, key=self.key)

    def value(self, weights: Mapping[Name, float]) -> float:
        """Return the observed signed sum."""
        return sum(weight * self.counts[name].value() for name, weight in weights.items())

    def interval(self, weights: Mapping[Name, float], level: float) -> Interval:
        """Return the interval of a signed sum.

        It is BCa, expanded for few units; for a single proportion of 0/1 outcomes it is Wilson's.

        Args:
            weights: weight by name; {changed: 1, base: −1} is a delta.
            level: confidence level, between 0 and 1.
        """
        if len(weights) == 1:
            ((name, weight),) = weights.items()
            counts = self.counts[name]
            if weight == 1 and counts.is_binary:
                return wilson_interval(int(counts.numerator.sum()), counts.units, level)
        units = len(self.jackknife)
        return self.plain_interval(weights, expanded_level(level, units) if units > 1 else level)

    def plain_interval(self, weights: Mapping[Name, float], level: float) -> Interval:
        """Return the BCa interval of a signed sum, not expanded, as `scipy.stats.bootstrap` does."""
        columns, signed = self._columns(weights)
        return bca_interval(self.value(weights), self.replicates(weights), self.jackknife[:, columns] @ signed, level)

    def pseudo_values(self, weights: Mapping[Name, float]) -> FloatArray:
        """Return the jackknife pseudo-values of a signed sum, (units,); their mean is the observed signed sum.

        They are centred (Efron and Tibshirani 1993, section 11.5): the unit's own difference where the metric is a
        mean, and its linear part where it is mIoU. NaN where the metric is undefined without the unit.
        """
        columns, signed = self._columns(weights)
        without = self.jackknife[:, columns] @ signed
        if len(without) < 2:
            return np.full(len(without), self.value(weights))
        pseudo_values: FloatArray = self.value(weights) + (len(without) - 1) * (np.nanmean(without) - without)
        return pseudo_values

    def standard_error(self, weights: Mapping[Name, float]) -> float:
        """Return the bootstrap standard error of a signed sum."""
        return float(np.nanstd(self.replicates(weights), ddof=1))

    def _columns(self, weights: Mapping[Name, float]) -> tuple[list[int], FloatArray]:
        place = {name: column for column, name in enumerate(self.counts)}
        return [place[name] for name in weights], np.array(list(weights.values()), dtype=np.float64)
