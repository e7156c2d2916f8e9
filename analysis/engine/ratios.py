"""Ratios of the means of two positive measures of the same units, on the logarithm."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from analysis.engine.estimates import estimate
from analysis.engine.intervals import Interval
from analysis.engine.metric import Counts, FloatArray, jackknife_metrics
from analysis.engine.studentised import studentised, studentised_bounds


def ratio_of_means_interval(base: FloatArray, changed: FloatArray, level: float) -> Interval:
    """Return the confidence interval of the mean of one measure over that of another, on the same units.

    It is the skewness-corrected t interval of the logarithm of the ratio, whose pseudo-values are those of leaving out
    one unit after the other, with n − 1 degrees of freedom. The logarithm makes the bounds positive, and those of the
    inverse ratio the inverse of them.

    Reference: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11; Hall, "On the removal of
    skewness by transformation", Journal of the Royal Statistical Society B 54, 1992.

    Args:
        base: measure of every unit in the denominator, not negative, (units,).
        changed: measure of the same units in the numerator, not negative, (units,).
        level: confidence level, between 0 and 1.

    Returns:
        The interval; `none`, with NaN bounds, of fewer than two units, and where either mean is 0 without one of them.

    Examples:
        >>> base = np.exp(np.linspace(-1, 1, 60))
        >>> changed = 5 * base * np.tile([0.8, 1.2], 30)
        >>> found = ratio_of_means_interval(base, changed, 0.95)
        >>> round(found.low, 2), round(found.high, 2), found.method
        (4.72, 5.33, 'log ratio, skewness-corrected t')
    """
    none = Interval(math.nan, math.nan, "none")
    # Every mean without one unit has to be positive, and that one unit has not all of it.
    if len(base) < 2 or not all(one.sum() > one.max() for one in (base, changed)):
        return none
    counts = Counts(changed[:, None], base[:, None])
    ratio = estimate({"ratio": counts}, {"ratio": 1.0})
    value, without = math.log(ratio.value), np.log(jackknife_metrics(counts))
    pseudo_values = value + (len(base) - 1) * (without.mean() - without)
    # The measures vary together, and their logarithm is hardly decided by the units that hold most of one: fewer
    # degrees of freedom for those would cover 97 to 99 %.
    logarithm = replace(ratio, value=value, pseudo_values=pseudo_values, shares=None)
    bounds = studentised_bounds(studentised(logarithm), level)
    with np.errstate(over="ignore"):
        low, high = np.exp(bounds)
    return Interval(float(low), float(high), "log ratio, skewness-corrected t")
