"""Root of a function of one variable between two bounds."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable


def root_between(function: Callable[[float], float], low: float, high: float, tolerance: float) -> float:
    """Return a root of a continuous function between two points at which its signs differ.

    Inverse quadratic interpolation where three points show that it converges, bisection elsewhere. `scipy.optimize`
    has the same, and takes longer to import than a small analysis to compute.

    Reference: Chandrupatla, "A new hybrid quadratic/bisection algorithm for finding the zero of a nonlinear function
    without using derivatives", Advances in Engineering Software 28, 1997.

    Args:
        function: continuous between the bounds.
        low: lower bound.
        high: upper bound.
        tolerance: largest error of the root, besides rounding.

    Raises:
        ValueError: if the function has the same sign at both bounds.

    Examples:
        >>> round(root_between(lambda x: x**2 - 2, 0.0, 2.0, tolerance=1e-12), 9)
        1.414213562
    """
    new, other = low, high
    at_new, at_other = function(low), function(high)
    if at_new * at_other > 0:
        raise ValueError(f"root_between: {at_new} at {low} and {at_other} at {high} have the same sign.")
    step = 0.5
    # Where it started, in case that an end is a root.
    best, at_best = (new, at_new) if abs(at_new) < abs(at_other) else (other, at_other)
    while at_best != 0:
        smallest = (2 * sys.float_info.epsilon * abs(best) + tolerance / 2) / abs(other - new)
        if smallest > 0.5:
            break
        # Not closer to an end than the tolerance, so that the bracket closes from both sides.
        point = new + min(max(step, smallest), 1 - smallest) * (other - new)
        value = function(point)
        if (value > 0) == (at_new > 0):
            left, at_left = new, at_new
        else:
            left, at_left = other, at_other
            other, at_other = new, at_new
        new, at_new = point, value
        best, at_best = (new, at_new) if abs(at_new) < abs(at_other) else (other, at_other)
        step = _step((new, other, left), (at_new, at_other, at_left))
    return best


def _step(points: tuple[float, float, float], values: tuple[float, float, float]) -> float:
    """Return the share of the bracket, from its new end, at which to go on: interpolated, or one half."""
    (new, other, left), (at_new, at_other, at_left) = points, values
    along = (new - other) / (left - other)
    up = (at_new - at_other) / (at_left - at_other)
    if not (up**2 < along and (1 - up) ** 2 < 1 - along) or not math.isfinite(up):
        return 0.5
    return at_new / (at_other - at_new) * at_left / (at_other - at_left) + (left - new) / (other - new) * at_new / (
        at_left - at_new
    ) * at_other / (at_left - at_other)
