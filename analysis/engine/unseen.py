"""What n units cannot rule out: a share of all units that changes by the most possible, and is not among them.

A t test of units that hardly change takes their spread for that of all units. If a share ε of all units lost as much as
a unit can, n units would hold none of them with probability (1 − ε)^n, and look as these do. Whatever is concluded from
them has to be compatible with the worst such ε.
"""

from __future__ import annotations

import numpy as np

from analysis.engine.metric import FloatArray
from analysis.engine.roots import root_between
from analysis.engine.studentised import Studentised, mirrored, upper_p

# Shares that are tried; the largest p over a finer grid is not larger by more than a few thousandths of itself.
STEPS = 200


def bounded_upper_p(of: Studentised, hypothesis: float, *, units: int, largest: float) -> float:
    """Return the one-sided p-value of an estimate, never below what the data could have shown.

    Null hypothesis: the truth is at most `hypothesis`.

    p-value: the largest, over shares ε of units that change by −`largest` and are unseen, of (1 − ε)^n times the
    p-value of the studentised estimate if the truth of the seen units is at most what ε leaves to them,
    (hypothesis + ε largest) / (1 − ε). With ε = 0 it is the p-value of the estimate itself. If nothing changed in n
    units and the hypothesis is −margin, it is (1 − margin / (margin + …))^n with the whole margin unseen:
    (1 − margin)^n for outcomes between 0 and 1.

    Args:
        of: the estimate.
        hypothesis: largest value of the null hypothesis.
        units: number n of units.
        largest: most that a unit can change, above 0.

    Examples:
        No change in 50 units, and none in 300, against a loss of 0.01 in the mean of scores between 0 and 1:

        >>> nothing = Studentised(value=0.0, standard_error=0.0, freedom=49.0)
        >>> round(bounded_upper_p(nothing, -0.01, units=50, largest=1.0), 4)
        0.605
        >>> round(bounded_upper_p(nothing, -0.01, units=300, largest=1.0), 4)
        0.049
    """
    gap = of.value - hypothesis
    if gap <= 0:
        return float(upper_p(of, np.array(hypothesis)))
    # With this share unseen, the seen units have exactly the mean that they show.
    most = min(gap / (largest + of.value), 1.0) if largest + of.value > 0 else 1.0
    shares: FloatArray = most * np.linspace(0, 1, STEPS, endpoint=False)
    left = (hypothesis + shares * largest) / (1 - shares)
    unseen = np.exp(units * np.log1p(-shares))
    last = (1 - most) ** units * (1.0 if of.standard_error == 0 else 0.5)
    return float(max(np.max(unseen * upper_p(of, left)), last))


def bounded_bounds(of: Studentised, level: float, *, units: int, largest: float) -> tuple[float, float]:
    """Return the confidence interval of all values that `bounded_upper_p` does not reject on either side.

    Args:
        of: the estimate, between −`largest` and `largest`.
        level: confidence level, between 0 and 1.
        units: number of units.
        largest: most that a unit can change, above 0.

    Examples:
        Without any change among 50 units, a share of 1 − 0.025^(1/50) may still have changed:

        >>> nothing = Studentised(value=0.0, standard_error=0.0, freedom=49.0)
        >>> [round(bound, 4) for bound in bounded_bounds(nothing, 0.95, units=50, largest=1.0)]
        [-0.0711, 0.0711]
    """
    tail = (1 - level) / 2

    def distance(one: Studentised) -> float:
        def excess(reach: float) -> float:
            return bounded_upper_p(one, one.value - reach, units=units, largest=largest) - tail

        most = largest + one.value
        return root_between(excess, 0.0, most, tolerance=1e-9) if most > 0 and excess(most) < 0 else most

    return of.value - distance(of), of.value + distance(mirrored(of))
