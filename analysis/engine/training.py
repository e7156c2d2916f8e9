"""Training as a level of error: what refitted probes add to intervals and tests over units.

A reported value is of one training run. Another run of the same training gives another value, and how much it differs
is known from few refits: their variance adds to that of the units, with degrees of freedom of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.special import stdtrit

from analysis.engine.estimates import Estimate
from analysis.engine.intervals import Interval
from analysis.engine.roots import root_between
from analysis.engine.studentised import Studentised, studentised, with_training

# Appended to the method of an interval that holds what training adds.
AND_REFITS = " and refits"

# p-values are found within these bounds, and to this relative distance. At 0.5 an interval has no width.
SMALLEST, LARGEST, CLOSE = 1e-9, 0.499, 1e-3


def trained(estimate: Estimate) -> Studentised:
    """Return the standard error of an estimate over units, and over refits where there are any.

    Skewness is not corrected for.

    Args:
        estimate: with at least two pseudo-values.

    Examples:
        >>> import numpy as np
        >>> once = Estimate(0.0, np.array([-1.0, 1.0] * 50))
        >>> again = Estimate(0.0, np.array([-1.0, 1.0] * 50), refitted=np.array([-0.1, 0.0, 0.1]))
        >>> round(trained(once).standard_error, 3), round(trained(again).standard_error, 3)
        (0.101, 0.142)
    """
    of = studentised(estimate, corrected=False)
    return of if estimate.refitted is None else with_training(of, estimate.refitted)


def widened(interval: Interval, estimate: Estimate, level: float) -> Interval:
    """Return an interval over units, widened by what training adds.

    Each half of it is √(h² + r²), where h is its width over units and r² what the squared half-width of a t interval
    grows by when the variance of refits is added with Satterthwaite's degrees of freedom (`with_training`). Where the
    interval over units is a t interval, this is the t interval with both variances. A score interval keeps its width
    where no unit changed, and training alone then adds t with refits − 1 degrees of freedom.

    Reference: Zou and Donner, "Construction of confidence limits about effect measures: a general approach", Statistics
    in Medicine 27, 2008, for adding squares of half-widths.

    Args:
        interval: over units, at `level`.
        estimate: what it is of; with refits.
        level: confidence level, between 0 and 1.

    Examples:
        >>> import numpy as np
        >>> of = Estimate(0.0, np.zeros(100), units=100, refitted=np.array([-0.01, 0.0, 0.01]))
        >>> found = widened(Interval(-0.037, 0.037, "score"), of, 0.95)
        >>> round(found.low, 3), round(found.high, 3), found.method
        (-0.057, 0.057, 'score and refits')
    """
    alone, both = studentised(estimate, corrected=False), trained(estimate)
    halves = [float(stdtrit(one.freedom, (1 + level) / 2)) * one.standard_error for one in (alone, both)]
    added = max(halves[1] ** 2 - halves[0] ** 2, 0.0)
    low = estimate.value - math.hypot(estimate.value - interval.low, math.sqrt(added))
    high = estimate.value + math.hypot(interval.high - estimate.value, math.sqrt(added))
    return Interval(low, high, interval.method + AND_REFITS)


def inclusion_p(interval: Callable[[float], Interval], value: float, margin: float) -> float:
    """Return the p-value of equivalence by inclusion of intervals: the smallest α whose 1 − 2α interval is within.

    Args:
        interval: confidence level → interval of the estimate.
        value: the estimate.
        margin: equivalence margin, above 0.

    Returns:
        Between `SMALLEST` and 0.5; 0.5 where the estimate itself is not within the margin.

    Examples:
        >>> from analysis.engine.studentised import studentised_bounds
        >>> of = Studentised(0.0, 0.01, 50.0)
        >>> round(inclusion_p(lambda level: Interval(*studentised_bounds(of, level), "t"), 0.0, 0.02), 4)
        0.0255
    """
    if abs(value) >= margin:
        return 0.5

    def room(logarithm: float) -> float:
        found = interval(1 - 2 * math.exp(logarithm))
        return min(found.low + margin, margin - found.high)

    lowest, highest = math.log(SMALLEST), math.log(LARGEST)
    if room(lowest) > 0:
        return SMALLEST
    if room(highest) < 0:
        return 0.5
    return math.exp(root_between(room, lowest, highest, tolerance=CLOSE))
