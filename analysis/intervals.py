"""Bootstrap intervals over units for values and differences of a metric of summed counts.

Units are resampled with all their conditions at once: one resample × units matrix of weights times
the stacked counts gives the metric of every condition in every resample, and a difference is taken
within a resample, so pairing is respected. The intervals speak of other units from the same source;
they hold the model, and a trained probe, fixed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from statsmodels.stats.proportion import proportion_confint

from analysis.metric import ROUNDING, Counts, FloatArray, metric
from config.keys import keyed_generator

# Bound on what one block of resamples may occupy, in bytes; without influence on any result.
BLOCK_BYTES = 32 * 2**20

# Replicates closer than this to the estimate are ties with it: rounding of a ratio of sums.
TIE_TOLERANCE = 1e-12


@dataclass(frozen=True)
class Interval:
    """A two-sided confidence interval, in the unit of the estimate.

    Attributes:
        method: how it was made: `bca`; `percentile` where BCa is undefined; `constant` where every
            resample gives the estimate (zero width); `wilson` for a proportion of exactly 0 or 1;
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
            values[start : start + size, index] = metric(numerator, denominator)
    return values


def jackknife_metrics(counts: Counts) -> FloatArray:
    """The metric without each unit in turn, (units,): total minus the unit's counts, no loop."""
    numerator, denominator = counts.numerator.sum(axis=0), counts.denominator.sum(axis=0)
    return metric(numerator - counts.numerator, denominator - counts.denominator, ROUNDING * denominator)


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


def value_interval(counts: Counts, replicates: FloatArray, level: float) -> Interval:
    """Interval of a value: BCa, or Wilson's for a 0/1 proportion of exactly 0 or 1.

    The bootstrap cannot leave a proportion at its bound and would call it certain; Wilson's score
    interval does not (Wilson, JASA 22, 1927; `statsmodels.stats.proportion.proportion_confint`).
    It stands in only there, so that all other intervals have one definition.

    Args:
        counts: units × categories.
        replicates: this metric's column of `bootstrap_metrics`, (resamples,).
        level: coverage, between 0 and 1.
    """
    estimate = counts.value()
    if counts.is_binary and estimate in (0.0, 1.0):
        low, high = proportion_confint(int(counts.numerator.sum()), counts.units, alpha=1 - level, method="wilson")
        return Interval(float(low), float(high), "wilson")
    return bca_interval(estimate, replicates, jackknife_metrics(counts), level)


def difference_interval(
    base: Counts,
    changed: Counts,
    base_replicates: FloatArray,
    changed_replicates: FloatArray,
    level: float,
) -> Interval:
    """BCa interval of metric(changed) − metric(base), units resampled jointly in both.

    Args:
        base, changed: the same units in the same order, units × categories.
        base_replicates, changed_replicates: two columns of one `bootstrap_metrics` call,
            (resamples,), so that row i of both is the same resample of units.
        level: coverage, between 0 and 1.
    """
    return bca_interval(
        changed.value() - base.value(),
        changed_replicates - base_replicates,
        jackknife_metrics(changed) - jackknife_metrics(base),
        level,
    )
