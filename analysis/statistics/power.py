"""Power of the tests of a planned study, from the outcomes of a pilot or from assumptions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from analysis.engine.best_interval import warnings_of
from analysis.engine.planning import Plan, assumed_plan, pilot_spread, plans_from
from analysis.engine.sample_size import uncertainty, units_for, units_to_decide_range
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import TaskOutcomes, Weights, delta, task_outcomes
from analysis.rows.power import PowerRow
from analysis.statistics.pairs import compared_pairs
from config.analysis import AnalysisSettings
from config.vocabulary.replacements import REFERENCE


@dataclass(frozen=True)
class Planned:
    """What is planned.

    Attributes:
        units: numbers of units, at least 2 each.
        alpha: error rate of each test.
        difference: true difference that is to be detected; None for the margin.
        tests: that the test of a difference is adjusted for.
        power: asked for.
    """

    units: Sequence[int]
    alpha: float
    difference: float | None = None
    tests: int = 1
    power: float = 0.8


@dataclass(frozen=True)
class _Named:
    """Which delta, or comparison of deltas, a row is of."""

    dataset: str = ""
    task: str = ""
    model: str = ""
    against: str = ""
    readout: str = ""
    condition: str = ""
    comparison: str = ""


def power_from_pilot(
    outcomes: Sequence[Outcomes], settings: AnalysisSettings, planned: Planned, *, comparisons: bool = False
) -> list[PowerRow]:
    """Return what every delta of a pilot would show with planned numbers of units.

    Args:
        outcomes: of the pilot.
        settings: of its analysis; they hold the margins, and the comparisons.
        planned: what is planned; its α is used, and not that of the settings.
        comparisons: whether the declared comparisons have rows too.
    """
    rows: list[PowerRow] = []
    for measured in task_outcomes(outcomes, settings):
        for one, cell in measured.cells():
            if cell.condition != REFERENCE:
                named = _Named(one.dataset, one.task, one.model, "", one.readout, cell.condition)
                rows += _of_pilot(measured, delta(cell), named, settings, planned)
        for comparison in settings.comparisons if comparisons else ():
            for pair in compared_pairs(comparison, measured):
                one, other = pair.changed, pair.base
                named = _Named(
                    one.dataset, one.task, one.model, other.model, one.readout, pair.condition, comparison.name
                )
                rows += _of_pilot(measured, pair.weights(), named, settings, planned)
    return rows


def power_from_assumptions(
    planned: Planned,
    margin: float,
    margin_reason: str,
    *,
    rate_changed: float | None = None,
    deviation: float | None = None,
    cluster_size: float = 1.0,
    icc: float = 0.0,
) -> list[PowerRow]:
    """Return what a study without a pilot would show with planned numbers of units.

    Args:
        planned: what is planned.
        margin: of equivalence.
        margin_reason: why this one.
        rate_changed: share of units that change, for paired 0/1 outcomes.
        deviation: standard deviation of the units' differences; one of the two is needed.
        cluster_size: units per cluster.
        icc: intraclass correlation of the units' differences.
    """
    plan = assumed_plan(rate_changed=rate_changed, deviation=deviation, cluster_size=cluster_size, icc=icc)
    spread = deviation if rate_changed is None else rate_changed
    difference = margin if planned.difference is None else planned.difference
    needed = _Needed.of(plan, difference, margin, planned)
    return [
        PowerRow(
            **vars(_Named()),
            spread_of="deviation" if rate_changed is None else "rate",
            spread=spread,
            units=units,
            **_stated(planned, difference, margin, margin_reason),
            power_difference=plan.power_of_difference(difference, units, planned.alpha, planned.tests),
            power_equivalence=plan.power_of_equivalence(units, margin, planned.alpha),
            detectable=plan.detectable(units, planned.alpha, planned.power, planned.tests),
            units_difference=needed.difference,
            units_equivalence=needed.equivalence,
            warning="",
        )
        for units in planned.units
    ]


@dataclass(frozen=True)
class _Needed:
    """Units with which the power asked for is reached; None where no number reaches it."""

    difference: int | None
    equivalence: int | None

    @classmethod
    def of(cls, plan: Plan, difference: float, margin: float, planned: Planned) -> _Needed:
        return cls(
            units_for(
                lambda units: plan.power_of_difference(difference, units, planned.alpha, planned.tests), planned.power
            ),
            units_for(lambda units: plan.power_of_equivalence(units, margin, planned.alpha), planned.power),
        )


def _of_pilot(
    measured: TaskOutcomes, change: Weights, named: _Named, settings: AnalysisSettings, planned: Planned
) -> Iterator[PowerRow]:
    estimate, margin = measured.estimate(change), settings.margin(measured.task)
    difference = margin.size if planned.difference is None else planned.difference
    stated = _stated(planned, difference, margin.size, margin.reason)
    spread = pilot_spread(estimate)
    if spread is None:
        for units in planned.units:
            yield PowerRow(
                **vars(named),
                pilot_units=estimate.units,
                spread_of="deviation",
                spread=None,
                units=units,
                **stated,
                power_difference=None,
                power_equivalence=None,
                detectable=None,
                units_difference=None,
                units_equivalence=None,
                warning="one unit of the pilot decides alone",
            )
        return
    plans = plans_from(estimate, spread)
    needed = _Needed.of(plans.shown, difference, margin.size, planned)
    known = uncertainty(estimate)
    decide = units_to_decide_range(known, margin.size, planned.alpha, adjusted_by=planned.tests) if known else None
    for units in planned.units:
        # More spread is less power: the range of powers is that of spreads, turned around.
        of_difference, of_equivalence = (
            _range([power(plan, units) for plan in plans])
            for power in _powers(difference, margin.size, planned)
        )
        yield PowerRow(
            **vars(named),
            pilot_units=estimate.units,
            spread_of="rate" if spread.is_rate else "deviation",
            spread=spread.value,
            spread_low=spread.low,
            spread_high=spread.high,
            units=units,
            **stated,
            power_difference=of_difference[0],
            power_difference_low=of_difference[1],
            power_difference_high=of_difference[2],
            power_equivalence=of_equivalence[0],
            power_equivalence_low=of_equivalence[1],
            power_equivalence_high=of_equivalence[2],
            detectable=plans.shown.detectable(units, planned.alpha, planned.power, planned.tests),
            units_difference=needed.difference,
            units_equivalence=needed.equivalence,
            decide_low=decide.low if decide else None,
            decide_high=decide.high if decide else None,
            warning="; ".join(warnings_of(estimate)),
        )


def _powers(difference: float, margin: float, planned: Planned) -> Sequence[Callable[[Plan, int], float]]:
    return (
        lambda plan, units: plan.power_of_difference(difference, units, planned.alpha, planned.tests),
        lambda plan, units: plan.power_of_equivalence(units, margin, planned.alpha),
    )


def _range(powers: Sequence[float]) -> tuple[float, float, float]:
    """Return the power at the spread shown, and the lowest and the highest of all."""
    return powers[0], min(powers), max(powers)


def _stated(planned: Planned, difference: float, margin: float, reason: str) -> dict[str, float | int | str]:
    return {
        "alpha": planned.alpha,
        "tests": planned.tests,
        "difference": difference,
        "margin": margin,
        "margin_reason": reason,
        "power": planned.power,
    }
