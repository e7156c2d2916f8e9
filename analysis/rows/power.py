"""Rows of a plan: what a number of units would detect."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.rows.schema import Row, column


@dataclass(frozen=True, kw_only=True)
class OfPilot(Row):
    """Which delta of a pilot, or comparison of two deltas, a row is of; empty without a pilot."""

    dataset: str = column("the data set of the pilot")
    task: str = column("the task")
    model: str = column("the model")
    against: str = column("the model whose delta is subtracted, in a comparison")
    readout: str = column("matched, frozen or direct")
    condition: str = column("what is replaced, by what")
    comparison: str = column("name of the comparison in the config")


@dataclass(frozen=True, kw_only=True)
class Stated(Row):
    """What a plan is made for."""

    alpha: float = column("error rate of each test")
    tests: int = column("tests that the test of a difference is adjusted for: its level is alpha divided by them")
    difference: float = column("true difference that is planned for", unit="fraction")
    margin: float = column("margin of equivalence", unit="fraction")
    margin_reason: str = column("why this margin, as the settings say")
    power: float = column("the power asked for")


@dataclass(frozen=True, kw_only=True)
class PowerRow(OfPilot, Stated):
    """One delta, or one declared comparison of two deltas, with a planned number of units.

    Powers are None where one unit of the pilot decides alone.
    """

    pilot_units: int | None = column("number of units of the pilot", default=None)
    spread_of: str = column("rate (share of 0/1 outcomes that change) or deviation (of scores and ratios)")
    spread: float | None = column(
        "share of units that change, or standard deviation of a unit's difference (standard error times root n)"
    )
    spread_low: float | None = column("lower end of the 90 % interval of spread", default=None)
    spread_high: float | None = column("upper end of it", default=None)
    units: int = column("planned number of units")
    power_difference: float | None = column("power of the two-sided test of the difference")
    power_difference_low: float | None = column("the same at the spread of its interval that costs most", default=None)
    power_difference_high: float | None = column("the same at the spread that costs least", default=None)
    power_equivalence: float | None = column("power of the test of equivalence if the true difference is 0")
    power_equivalence_low: float | None = column("the same at the spread that costs most", default=None)
    power_equivalence_high: float | None = column("the same at the spread that costs least", default=None)
    detectable: float | None = column("true difference that is detected with the power asked for", unit="fraction")
    units_difference: int | None = column("units with which the difference is detected with the power asked for")
    units_equivalence: int | None = column("units with which equivalence is shown with the power asked for")
    decide_low: int | None = column(
        "fewest units with which one of the tests would decide with power 0.8, over the true differences that the "
        "pilot leaves open",
        default=None,
    )
    decide_high: int | None = column("most units with which one of them would decide, likewise", default=None)
    warning: str = column("what a reader should know; or empty")
