"""What a design is: how data sets are drawn, what judges them, and what rate is expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.error_rates.procedures import Key

Simulate = Callable[[int, np.random.Generator, Key], Sequence[bool]]


@dataclass(frozen=True)
class Design:
    """A way to draw data sets, and what is counted in each.

    Attributes:
        quantity: kind of the rate: type I error, family-wise error, coverage, size of equivalence.
        procedures: what is judged, one verdict of `simulate` each.
        data: how a data set is drawn, in words.
        n: number of units, or of clusters, in a data set.
        low: lower limit of the rate; 0 where fewer errors are no fault.
        high: upper limit of the rate.
        expected: nominal rate, or the attainable one where the p-values take few values.
        simulate: draws a data set of `n` units from a generator and returns one verdict per procedure.
        compared: procedures that are shown for comparison with the judged ones, and have no limits.
        note: why the limits are wider than the nominal rate asks, where they are; printed beside them.
    """

    quantity: str
    procedures: tuple[str, ...]
    data: str
    n: int
    low: float
    high: float
    expected: float
    simulate: Simulate
    compared: tuple[str, ...] = ()
    note: str = ""
