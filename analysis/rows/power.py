"""Rows of a plan: what a number of units would detect."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.rows.schema import Row, column


@dataclass(frozen=True, kw_only=True)
class PowerRow(Row):
    """One delta, or one declared comparison of two deltas, with a planned number of units.

    Texts are empty without a pilot. Powers are None where one unit of the pilot decides alone.
    """

    dataset: str = column("the data set of the pilot")
    task: str = column("the task")
    model: str = column("the model")
    against: str = column("the model whose delta is subtracted, in a comparison")
    readout: str = column("matched, frozen or direct")
    condition: str = column("what is replaced, by what")
    comparison: str = column("name of the comparison in the config")
    pilot_units: int | None = column("number of units of the pilot", default=None)
    spread_of: str = column("what the spread is: the rate of changed 0/1 outcomes, or the deviation of scores and ratios")
    spread: float | None = column(
        "share of units that change, or standard deviation of a unit's difference (standard error times root n)"
    )
    spread_low: float | None = column("lower end of the 90 % interval of spread", default=None)
    spread_high: float | None = column("upper end of it", default=None)
    units: int = column("planned number of units")
    alpha: float = column("error rate of each test")
    tests: int = column("tests that the test of a difference is adjusted for: its level is alpha divided by them")
    difference: float = column("true difference that is planned for", unit="fraction")
    power_difference: float | None = column("power of the two-sided test of that difference")
    power_difference_low: float | None = column("the same at spread_high", default=None)
    power_difference_high: float | None = column("the same at spread_low", default=None)
    margin: float = column("margin of equivalence", unit="fraction")
    margin_reason: str = column("why this margin, as the settings say")
    power_equivalence: float | None = column("power of the test of equivalence if the true difference is 0, not adjusted")
    power_equivalence_low: float | None = column("the same at spread_high", default=None)
    power_equivalence_high: float | None = column("the same at spread_low", default=None)
    detectable: float | None = column("true difference that is detected with the power asked for", unit="fraction")
    power: float = column("the power asked for")
    units_difference: int | None = column("units with which the difference is detected with the power asked for")
    units_equivalence: int | None = column("units with which equivalence is shown with the power asked for")
    decide_low: int | None = column(
        "fewest units with which one of the tests would decide with power 0.8, over the true differences that the pilot "
        "leaves open",
        default=None,
    )
    decide_high: int | None = column("most units with which one of them would decide, likewise", default=None)
    warning: str = column("what a reader should know; or empty")
