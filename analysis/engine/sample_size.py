"""How many units would decide what the present sample leaves undecided."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from analysis.engine.metric import FloatArray

# Probability with which a sample that is called large enough decides.
POWER = 0.8


def standard_deviation(pseudo_values: FloatArray) -> float:
    """Return the standard deviation of jackknife pseudo-values, NaN left out; 0 for a single one.

    Examples:
        >>> standard_deviation(np.array([0.0, 1.0, np.nan, 2.0]))
        1.0
    """
    return float(np.nanstd(pseudo_values, ddof=1)) if pseudo_values.size > 1 else 0.0


def units_to_decide(
    difference: float,
    standard_deviation: float,
    margin: float,
    alpha: float,
    *,
    adjusted_by: float = 1.0,
    units_each: float = 1.0,
) -> int | None:
    """Return the number of units with which a test would decide with power 0.8, if the difference is as observed.

    It is the smaller of two sample sizes: for the test of the difference, and, where the difference lies within the
    margin, for equivalence. Both are by the normal approximation.

    Reference: Chow, Shao and Wang, "Sample size calculations in clinical research", 2008, section 3.1; for equivalence,
    the power of both one-sided tests together.

    Args:
        difference: observed difference.
        standard_deviation: of the jackknife pseudo-values of the difference.
        margin: equivalence margin, above 0.
        alpha: level of either test.
        adjusted_by: factor by which adjusting for other tests multiplied the p-value of the difference; the level of
            its test is divided by it.
        units_each: mean number of units per pseudo-value, above 1 where clusters are resampled.

    Returns:
        At least 2; None where the pseudo-values do not vary, so that nothing can be said about more units.

    Examples:
        A difference of 0.5 standard deviations needs ((1.960 + 0.842) / 0.5)² units:

        >>> units_to_decide(0.5, 1.0, margin=0.1, alpha=0.05)
        32
    """
    if standard_deviation == 0:
        return None
    size = abs(difference)
    # In units of the difference's standard error, whose inverse is √n / standard deviation.
    needed: list[float] = []
    if size > 0:
        needed.append(float(norm.ppf(1 - alpha / adjusted_by / 2) + norm.ppf(POWER)) / size)
    if size < margin:
        needed.append(_precision_for_equivalence(size, margin, alpha))
    return math.ceil(units_each * max(2, math.ceil((standard_deviation * min(needed)) ** 2)))


def _precision_for_equivalence(size: float, margin: float, alpha: float) -> float:
    """Return the inverse standard error with which both one-sided tests reject with power 0.8."""
    critical = float(norm.ppf(1 - alpha))

    def lacking(precision: float) -> float:
        near, far = (margin - size) * precision - critical, (margin + size) * precision - critical
        return float(norm.cdf(near) + norm.cdf(far)) - 1 - POWER

    # Enough for the nearer side with the error of both.
    enough = (critical + float(norm.ppf((1 + POWER) / 2))) / (margin - size)
    return float(brentq(lacking, 0.0, enough + 1e-9))
