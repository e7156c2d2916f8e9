"""Power of the tests of a planned study, from the outcomes of a pilot or from assumptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from analysis.engine.best_interval import warnings_of
from analysis.engine.estimates import Estimate
from analysis.engine.planning import Plan, assumed_plan, pilot_spread, plans_from
from analysis.engine.sample_size import uncertainty, units_for, units_to_decide_range
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import delta, task_outcomes
from analysis.rows.power import OfPilot, PowerRow, Stated
from analysis.statistics.pairs import compared_pairs
from config.analysis import AnalysisSettings, Margin
from config.vocabulary.replacements import REFERENCE


@dataclass(frozen=True)
class Planned:
    """What is planned.

    Attributes:
        units: numbers of units, at least 2 each.
        alpha: error rate of each test.
        difference: true difference that is to be detected; None for the margin.
        tests: that the test of a difference is adjusted for. Those of equivalence are not adjusted.
        power: asked for.
    """

    units: Sequence[int]
    alpha: float
    difference: float | None = None
    tests: int = 1
    power: float = 0.8

    def stated(self, margin: Margin) -> Stated:
        """Return what the rows say of it."""
        return Stated(
            alpha=self.alpha,
            tests=self.tests,
            difference=margin.size if self.difference is None else self.difference,
            margin=margin.size,
            margin_reason=margin.reason,
            power=self.power,
        )


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
        stated = planned.stated(settings.margin(measured.task))
        for one, cell in measured.cells():
            if cell.condition != REFERENCE:
                of = _of(one, cell.condition)
                rows += _planned_rows(of, stated, measured.estimate(delta(cell)), planned.units)
        for comparison in settings.comparisons if comparisons else ():
            for pair in compared_pairs(comparison, measured):
                of = _of(pair.changed, pair.condition, pair.base.model, comparison.name)
                rows += _planned_rows(of, stated, measured.estimate(pair.weights()), planned.units)
    return rows


def _of(one: Outcomes, condition: str, against: str = "", comparison: str = "") -> OfPilot:
    return OfPilot(
        dataset=one.dataset,
        task=one.task,
        model=one.model,
        against=against,
        readout=one.readout,
        condition=condition,
        comparison=comparison,
    )


def power_from_assumptions(
    planned: Planned,
    margin: Margin,
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
        rate_changed: share of units that change, for paired 0/1 outcomes.
        deviation: standard deviation of the units' differences; exactly one of the two is needed.
        cluster_size: units per cluster.
        icc: intraclass correlation of the units' differences.
    """
    plan = assumed_plan(rate_changed=rate_changed, deviation=deviation, cluster_size=cluster_size, icc=icc)
    nothing = OfPilot(dataset="", task="", model="", against="", readout="", condition="", comparison="")
    stated = planned.stated(margin)
    of_difference, of_equivalence = _powers(stated)
    needed = [units_for(partial(power, plan), planned.power) for power in (of_difference, of_equivalence)]
    return [
        PowerRow.of(
            nothing,
            stated,
            spread_of="deviation" if rate_changed is None else "rate",
            spread=deviation if rate_changed is None else rate_changed,
            units=units,
            power_difference=of_difference(plan, units),
            power_equivalence=of_equivalence(plan, units),
            detectable=plan.detectable(units, planned.alpha, planned.power, planned.tests),
            units_difference=needed[0],
            units_equivalence=needed[1],
            warning="",
        )
        for units in planned.units
    ]


def _planned_rows(of: OfPilot, stated: Stated, estimate: Estimate, planned: Sequence[int]) -> Iterator[PowerRow]:
    spread, known = pilot_spread(estimate), uncertainty(estimate)
    if spread is None or known is None:
        for units in planned:
            yield _undecided(of, stated, estimate, units)
        return
    plans = plans_from(estimate, spread)
    powers = _powers(stated)
    needed = [units_for(partial(power, plans.shown), stated.power) for power in powers]
    decide = units_to_decide_range(known, stated.margin, stated.alpha, adjusted_by=stated.tests)
    for units in planned:
        difference, equivalence = ([power(plan, units) for plan in plans] for power in powers)
        yield PowerRow.of(
            of,
            stated,
            pilot_units=estimate.units,
            spread_of="rate" if spread.is_rate else "deviation",
            spread=spread.value,
            spread_low=spread.low,
            spread_high=spread.high,
            units=units,
            power_difference=difference[0],
            power_difference_low=min(difference),
            power_difference_high=max(difference),
            power_equivalence=equivalence[0],
            power_equivalence_low=min(equivalence),
            power_equivalence_high=max(equivalence),
            detectable=plans.shown.detectable(units, stated.alpha, stated.power, stated.tests),
            units_difference=needed[0],
            units_equivalence=needed[1],
            decide_low=decide.low if decide else None,
            decide_high=decide.high if decide else None,
            warning="; ".join(warnings_of(estimate)),
        )


def _undecided(of: OfPilot, stated: Stated, estimate: Estimate, units: int) -> PowerRow:
    return PowerRow.of(
        of,
        stated,
        pilot_units=estimate.units,
        spread_of="deviation",
        spread=None,
        units=units,
        power_difference=None,
        power_equivalence=None,
        detectable=None,
        units_difference=None,
        units_equivalence=None,
        warning="one unit of the pilot decides alone",
    )


def _powers(stated: Stated) -> tuple[Callable[[Plan, int], float], Callable[[Plan, int], float]]:
    """Return the powers of both tests, as functions of a plan and a number of units."""
    return (
        lambda plan, units: plan.power_of_difference(stated.difference, units, stated.alpha, stated.tests),
        lambda plan, units: plan.power_of_equivalence(units, stated.margin, stated.alpha),
    )
