"""Rows of the classes behind a mean over classes."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.rows.bases import Bounded, ScoredUnder
from analysis.rows.schema import column


@dataclass(frozen=True, kw_only=True)
class ClassDeltaRow(ScoredUnder, Bounded):
    """One class of a task whose metric is a mean over classes, under one condition.

    What belongs to the delta is None where the class occurs under one of full and the condition only, and p also where
    one unit alone decides the class.
    """

    category: str = column("the class")
    present: int = column("units (or clusters) in which the class occurs, under full or under the condition")
    full_value: float | None = column("the ratio of the class under full", unit="fraction")
    value: float | None = column("the ratio of the class under the condition", unit="fraction")
    delta: float | None = column("value minus full_value; low and high are of it", unit="fraction")
    family_low: float | None = column(
        "lower end of the interval of delta that holds for all classes of its model, readout and condition at once",
        unit="fraction",
    )
    family_high: float | None = column("upper end of it", unit="fraction")
    p: float | None = column("p-value of the jackknife t test that delta is 0, two-sided, over units alone")
    p_holm: float | None = column("p, adjusted for the classes of its model, readout and condition by Holm's method")
    detectable: float | None = column("true delta that the test by itself detects with power 0.8", unit="fraction")
    share: float = column(
        "what the class contributes to the change of the metric; the classes add up to it", unit="fraction"
    )
    warning: str = column("what a reader of the interval should know, such as one unit that holds most of it; or empty")
    level: float = column("coverage of the intervals", unit="fraction")
    draws: int = column("permutations of signs behind family_low and family_high")
    seed: int = column("seed of the run; with names, the key of every draw")
