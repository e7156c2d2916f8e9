"""Simultaneous intervals of a family: all of them hold their true values at once with the stated probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import stdtr, stdtrit

from analysis.engine.best_interval import best_interval
from analysis.engine.estimates import Estimate
from analysis.engine.intervals import Interval
from analysis.engine.metric_tests import signs_of
from analysis.engine.permutation import permute
from analysis.engine.studentised import studentised


def simultaneous_level(estimates: Sequence[Estimate], level: float, *, draws: int, key: Sequence[str | int]) -> float:
    """Return the level at which each interval of a family has to be computed for all of them to hold at once.

    The largest of the family's t statistics is drawn by permuting the signs of the centred pseudo-values, the same
    units in all estimates, so that dependence between them is kept. The level is that of the t interval whose critical
    value is the `level` quantile of this maximum: between `level` and Bonferroni's.

    Reference: Westfall and Young, "Resampling-based multiple testing", 1993; Chernozhukov, Chetverikov and Kato,
    "Gaussian approximations and multiplier bootstrap for maxima of sums of high-dimensional random vectors", Annals of
    Statistics 41, 2013.

    Args:
        estimates: of a family, all on the same units in the same order.
        level: confidence level of the family, between 0 and 1.
        draws: number of random permutations of the signs.
        key: seed and names that the draws are keyed by (`permute`).

    Examples:
        Ten independent estimates ask for about 0.995 each, and ten that are one and the same for 0.95:

        >>> generator = np.random.default_rng(1)
        >>> apart = [Estimate(0.0, values, units=200) for values in generator.normal(size=(10, 200))]
        >>> round(simultaneous_level(apart, 0.95, draws=4999, key=(1, "example")), 2)
        0.99
        >>> round(simultaneous_level([apart[0]] * 10, 0.95, draws=4999, key=(1, "example")), 2)
        0.95
    """
    varying = [one for one in estimates if one.is_determined and studentised(one).standard_error > 0]
    if not varying:
        return level
    contrasts = [
        signs_of(replace(one, pseudo_values=one.pseudo_values - np.nanmean(one.pseudo_values))) for one in varying
    ]
    drawn = permute(contrasts, draws=draws, key=key)
    n = contrasts[0].units
    # A permuted mean over its root mean square, and the t statistic that it gives: signs leave the squares as they are.
    ratio = np.abs(drawn.null / drawn.scale).max(axis=1)
    largest = ratio * np.sqrt((n - 1) / np.maximum(n - ratio**2, 1e-12))
    critical = max(float(np.quantile(largest, level)), float(stdtrit(n - 1, (1 + level) / 2)))
    bonferroni = 1 - (1 - level) / len(estimates)
    return min(float(2 * stdtr(n - 1, critical) - 1), bonferroni)


def simultaneous_intervals(
    estimates: Sequence[Estimate], level: float, *, draws: int, key: Sequence[str | int]
) -> list[Interval]:
    """Return intervals that hold the true values of all estimates at once with probability `level`.

    Each is `best_interval` at `simultaneous_level`, so that each keeps the method that its data ask for.

    Args:
        estimates: of a family, all on the same units in the same order.
        level: confidence level of the family, between 0 and 1.
        draws: number of random permutations of the signs.
        key: seed and names that the draws are keyed by (`permute`).

    Examples:
        >>> generator = np.random.default_rng(1)
        >>> family = [Estimate(float(x.mean()), x, units=50, differing=50) for x in generator.normal(size=(2, 50))]
        >>> one, two = simultaneous_intervals(family, 0.95, draws=999, key=(1, "example"))
        >>> one.low < best_interval(family[0], 0.95).low, one.method
        (True, 'skewness-corrected t')
    """
    each = simultaneous_level(estimates, level, draws=draws, key=key) if estimates else level
    return [best_interval(one, each) for one in estimates]
