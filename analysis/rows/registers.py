"""Rows on whether registers add up: several replaced at once, and one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.rows.bases import Provenance, Scored, ScoredUnder
from analysis.rows.schema import Row, column


@dataclass(frozen=True, kw_only=True)
class Excess(Row):
    """Change under joint replacement, compared with the sum of the single changes."""

    delta: float = column("change against full with these registers replaced together", unit="fraction")
    delta_low: float = column("lower end of the interval of delta", unit="fraction")
    delta_high: float = column("upper end of the interval of delta", unit="fraction")
    predicted: float = column("sum of the changes with each of them replaced alone", unit="fraction")
    excess: float = column("delta minus predicted", unit="fraction")
    excess_low: float = column("lower end of the interval of excess", unit="fraction")
    excess_high: float = column("upper end of the interval of excess", unit="fraction")


@dataclass(frozen=True, kw_only=True)
class AdditivityRow(ScoredUnder, Excess, Provenance):
    """Several registers replaced at once."""

    by: str = column("the replacement")
    registers: str = column("the registers that the condition replaces")
    size: int = column("how many they are")
    predicted_low: float = column("lower end of the interval of predicted", unit="fraction")
    predicted_high: float = column("upper end of the interval of predicted", unit="fraction")
    excess_interval: str = column("method of the interval of excess")
    p: float = column("p-value of the paired test that the excess is 0, two-sided")
    p_holm: float = column("p, adjusted by Holm's method for the sets of its model, readout and replacement")
    excess_family_low: float = column(
        "lower end of the interval of excess that holds for all those sets at once", unit="fraction"
    )
    excess_family_high: float = column("upper end of it", unit="fraction")
    detectable: float | None = column(
        "true excess that the test, not adjusted, detects with power 0.8", unit="fraction"
    )
    reading: str = column(
        "what the family's interval of excess shows: super-additive (a greater change than the sum, be it a loss or a "
        "gain), sub-additive (a smaller one), opposite (a loss where the sum is a gain, or the reverse), or neither "
        "shown"
    )


@dataclass(frozen=True, kw_only=True)
class CumulativeRow(Scored, Excess, Provenance):
    """Registers replaced one after the other: means over all orders whose every step was measured."""

    by: str = column("the replacement")
    step: int = column("how many registers are replaced")
    orders: int = column("how many orders were measured at every step")
    least: float = column("the smallest loss of any order at this step", unit="fraction")
    most: float = column("the largest loss of any order at this step", unit="fraction")
