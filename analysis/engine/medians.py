"""Medians: the interval of one, and the ratio of two, from bootstrap resamples of the units that they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, stdtr, stdtrit

from analysis.engine.intervals import Interval
from analysis.engine.metric import FloatArray
from config.keys import keyed_generator

# Logarithms of ratios that are closer than this are rounding.
SAME = 1e-12


def bootstrap_weights(units: int, *, resamples: int, key: Sequence[str | int]) -> NDArray[np.int32]:
    """Return how often each unit is drawn in each bootstrap resample, (resamples, units).

    Args:
        units: number of units, which is also the size of a resample.
        resamples: number of resamples.
        key: seed and names that the resamples are keyed by (`keyed_generator`).

    Examples:
        >>> weights = bootstrap_weights(5, resamples=3, key=(0, "example"))
        >>> weights.shape, weights.sum(axis=1).tolist()
        ((3, 5), [5, 5, 5])
    """
    generator = keyed_generator(*key)
    drawn = generator.integers(0, units, size=(resamples, units)) + units * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units).astype(np.int32)


def bootstrap_medians(values: FloatArray, weights: NDArray[np.int32]) -> FloatArray:
    """Return the median of each resample, (resamples,).

    With the values sorted, the median of a resample is where the running sum of its weights passes the middle.

    Args:
        values: (units,).
        weights: how often each unit is drawn, (resamples, units) (`bootstrap_weights`).

    Examples:
        A resample with every value once, and one of 1, 5, 5:

        >>> import numpy as np
        >>> bootstrap_medians(np.array([5.0, 1.0, 2.0]), np.array([[1, 1, 1], [2, 1, 0]], dtype=np.int32)).tolist()
        [2.0, 5.0]
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    running = np.cumsum(weights[:, order], axis=1)
    lower = (running < (len(values) + 1) // 2).sum(axis=1)
    upper = (running < len(values) // 2 + 1).sum(axis=1)
    medians: FloatArray = (ranked[lower] + ranked[upper]) / 2
    return medians


def jackknife_medians(values: FloatArray) -> FloatArray:
    """Return the median without each value in turn, (units,).

    Args:
        values: (units,), at least two.

    Examples:
        >>> import numpy as np
        >>> jackknife_medians(np.array([1.0, 2.0, 4.0])).tolist()
        [3.0, 2.5, 1.5]
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    left = len(values) - 1
    ranks = np.arange(len(values))
    # Leaving out a value moves up by one what stands at or above its rank.
    middles = [np.where(ranks > at, ranked[at], ranked[at + 1]) for at in ((left - 1) // 2, left // 2)]
    medians = np.empty(len(values))
    medians[order] = (middles[0] + middles[1]) / 2
    return medians


def median_interval(values: FloatArray, level: float) -> Interval:
    """Return the confidence interval of a median from order statistics.

    The d-th smallest and d-th largest value hold the median unless fewer than d values lie on one side of it, which
    has a binomial probability whatever the distribution. Few levels are reached exactly, so the bounds lie between
    those of two neighbouring d (Hettmansperger and Sheather's interpolation, within a percentage point of the level).

    Reference: Hettmansperger and Sheather, "Confidence intervals based on interpolated order statistics", Statistics
    and Probability Letters 4, 1986; Nyblom, "Note on interpolated order statistics", same journal 14, 1992.

    Args:
        values: (units,).
        level: confidence level, between 0 and 1.

    Returns:
        The interval; `none`, with NaN bounds, where the smallest and the largest value do not reach the level: of
        fewer than 6 units at 0.95.

    Examples:
        Without interpolation the 2nd and the 9th of ten values hold the median in 97.9 %, and the 3rd and the 8th in
        89.1 %:

        >>> found = median_interval(np.arange(1.0, 11.0), 0.95)
        >>> round(found.low, 2), round(found.high, 2), found.method
        (2.66, 8.34, 'order statistics')
        >>> median_interval(np.arange(5.0), 0.95).method
        'none'
    """
    n = len(values)
    depths = np.arange(1, n // 2 + 1)
    reached = 1 - 2 * bdtr(depths - 1, n, 0.5)
    enough = np.flatnonzero(reached >= level)
    if len(enough) == 0:
        return Interval(math.nan, math.nan, "none")
    depth = int(depths[enough[-1]])
    ranked = np.sort(values)
    outer = np.array([ranked[depth - 1], ranked[n - depth]])
    # The next order statistics further in: the middle itself where there are none left.
    inner = np.array([ranked[depth], ranked[n - depth - 1]]) if 2 * depth < n else outer
    wide = float(reached[depth - 1])
    narrow = max(float(1 - 2 * bdtr(depth, n, 0.5)), 0.0)
    share = (wide - level) / (wide - narrow)
    weight = (n - depth) * share / (depth + (n - 2 * depth) * share)
    low, high = (1 - weight) * outer + weight * inner
    return Interval(float(low), float(high), "order statistics")


@dataclass(frozen=True)
class RatioOfMedians:
    """The ratio of the medians of two measures of the same units, its interval and its test: one estimand.

    Attributes:
        ratio: median of the second over the median of the first.
        interval: of the ratio.
        p: p-value of the hypothesis that the true ratio is 1; the interval at level 1 − p just holds 1, unless p is the
            smallest possible.
        standard_error: bootstrap standard error of the logarithm of the ratio.

    Examples:
        >>> RatioOfMedians(0.8, Interval(0.7, 0.9, "log ratio t"), 0.001, 0.06).ratio
        0.8
    """

    ratio: float
    interval: Interval
    p: float
    standard_error: float


def ratio_of_medians(base: FloatArray, changed: FloatArray, weights: NDArray[np.int32], level: float) -> RatioOfMedians:
    """Return the ratio of two medians of the same units, with its interval and its test.

    Null hypothesis: the medians of the two measures over all units are equal.

    p-value: two-sided, of the logarithm of the ratio divided by its bootstrap standard error, by Student's t with
    n − 1 degrees of freedom. Both measures are resampled together, and the interval is the same t statistic turned
    round. (A median has no acceleration to estimate: without one unit it takes two or three values, and BCa makes its
    percentiles of them. Measures that go together leave the standard error too large rather than too small, so the
    coverage is at least the level.) The smallest p is 2 / 2^n, that of n units which all changed the same way.

    Reference: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 12 (bootstrap standard errors and
    t intervals), on the logarithm as for any ratio of positive quantities.

    Args:
        base: first measure of every unit, positive, (units,).
        changed: second measure of the same units, positive, (units,).
        weights: how often each unit is drawn, (resamples, units) (`bootstrap_weights`).
        level: confidence level, between 0 and 1.

    Raises:
        ValueError: if a value is not positive, or there are fewer than two units.

    Examples:
        >>> base = np.exp(np.linspace(-1, 1, 60))
        >>> found = ratio_of_medians(base, 0.8 * base, bootstrap_weights(60, resamples=999, key=(1, "example")), 0.95)
        >>> round(found.ratio, 3), round(found.interval.low, 3), round(found.interval.high, 3), found.p < 1e-17
        (0.8, 0.8, 0.8, True)
    """
    if len(base) < 2 or len(base) != len(changed):
        raise ValueError(f"ratio_of_medians: needs two units with both measures, got {len(base)} and {len(changed)}.")
    if min(base.min(), changed.min()) <= 0:
        raise ValueError("ratio_of_medians: a value that is not positive has no logarithm.")
    estimate = math.log(float(np.median(changed)) / float(np.median(base)))
    replicates = np.log(bootstrap_medians(changed, weights) / bootstrap_medians(base, weights))
    error, freedom = float(replicates.std(ddof=1)), len(base) - 1
    reach = float(stdtrit(freedom, (1 + level) / 2)) * error
    low, high = math.exp(estimate - reach), math.exp(estimate + reach)
    if error <= SAME * max(1.0, abs(estimate)):
        p = 1.0 if abs(estimate) <= SAME else 0.0
    else:
        p = float(2 * stdtr(freedom, -abs(estimate) / error))
    p = max(p, 2.0**-freedom)
    return RatioOfMedians(math.exp(estimate), Interval(low, high, "log ratio t"), p, error)
