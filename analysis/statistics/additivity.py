"""Additivity of registers: replacing several at once compared with the sum of replacing each alone.

The article reads a collective loss beyond that sum as super-additivity. Both sides are measured on the same units,
so the excess has a paired interval.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from analysis.engine.intervals import Interval
from analysis.engine.metric_tests import sum_tests
from analysis.engine.multiplicity import holm_within_families
from analysis.engine.simultaneous import simultaneous_intervals
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import Cell, TaskOutcomes, Weights, delta, signed_sum
from analysis.rows.registers import AdditivityRow, CumulativeRow
from analysis.statistics.parts import detectable, provenance, scored
from config.analysis import AnalysisSettings
from config.conditions import Condition

_REGISTER = re.compile(r"r[1-9][0-9]*")

RegisterSet = frozenset[str]


@dataclass(frozen=True)
class _Joint:
    """Registers that a condition replaces together, and the conditions that replace each of them alone."""

    outcomes: Outcomes
    condition: str
    tokens: RegisterSet
    singles: tuple[str, ...]

    @property
    def together(self) -> Weights:
        return _delta(self.outcomes, self.condition)

    @property
    def alone(self) -> Weights:
        return signed_sum(*((1, _delta(self.outcomes, single)) for single in self.singles))

    @property
    def excess(self) -> Weights:
        return signed_sum((1, self.together), (-1, self.alone))


def register_sets(conditions: Mapping[str, Condition]) -> dict[str, dict[RegisterSet, str]]:
    """Map replacement → set of registers → the condition that replaces exactly them.

    What a condition replaces is read from its tokens, never from its name. `registers` stands for every register
    that a condition of the run names.
    """
    every = frozenset(
        token for condition in conditions.values() for token in condition.tokens if _REGISTER.fullmatch(token)
    )
    sets: dict[str, dict[RegisterSet, str]] = {}
    for condition in conditions.values():
        tokens = every if condition.tokens == ("registers",) else frozenset(condition.tokens)
        if condition.by and tokens and tokens <= every:
            sets.setdefault(condition.by, {}).setdefault(tokens, condition.name)
    return sets


def orders_within(sets: Mapping[RegisterSet, str]) -> list[tuple[str, ...]]:
    """Return every order of all registers for which each leading subset was measured."""
    registers = sorted(frozenset().union(*sets))
    return [
        order
        for order in itertools.permutations(registers)
        if all(frozenset(order[:step]) in sets for step in range(1, len(order) + 1))
    ]


def additivity_rows(measured: TaskOutcomes, settings: AnalysisSettings) -> Iterator[AdditivityRow]:
    """Compute the excess of every set of two or more registers that were also replaced alone."""
    for one, by, sets in _measured_sets(measured, settings):
        found = [
            _Joint(one, condition, tokens, tuple(sets[frozenset({token})] for token in sorted(tokens)))
            for tokens, condition in sorted(sets.items(), key=lambda entry: (len(entry[0]), sorted(entry[0])))
            if len(tokens) > 1 and all(frozenset({token}) in sets for token in tokens)
        ]
        key = (*measured.key(settings.seed, "additivity"), one.model, one.readout, by)
        excesses = [measured.estimate(joint.excess) for joint in found]
        tests = sum_tests(excesses, draws=settings.draws, key=key)
        holm = holm_within_families(np.array([test.p for test in tests]), [by] * len(tests))
        families = simultaneous_intervals(excesses, settings.level, draws=settings.draws, key=(*key, "simultaneous"))
        for joint, excess, test, p_holm, family in zip(found, excesses, tests, holm, families, strict=True):
            of_delta, of_sum, of_excess = (
                measured.interval(weights, settings.level) for weights in (joint.together, joint.alone, joint.excess)
            )
            change, prediction = measured.value(joint.together), measured.value(joint.alone)
            yield AdditivityRow.of(
                scored(one, measured.metric),
                provenance(settings),
                by=by,
                condition=joint.condition,
                registers=" ".join(sorted(joint.tokens)),
                size=len(joint.tokens),
                delta=change,
                delta_low=of_delta.low,
                delta_high=of_delta.high,
                predicted=prediction,
                predicted_low=of_sum.low,
                predicted_high=of_sum.high,
                excess=excess.value,
                excess_low=of_excess.low,
                excess_high=of_excess.high,
                excess_interval=of_excess.method,
                p=test.p,
                p_holm=float(p_holm),
                excess_family_low=family.low,
                excess_family_high=family.high,
                detectable=detectable(excess, settings),
                reading=_reading(change, prediction, of_delta, of_sum, family),
            )


def cumulative_rows(measured: TaskOutcomes, settings: AnalysisSettings) -> Iterator[CumulativeRow]:
    """Compute the mean curve over all measured orders, one row per number of registers."""
    for one, by, sets in _measured_sets(measured, settings):
        # Without each register alone there is no prediction.
        orders = [order for order in orders_within(sets) if all(frozenset({token}) in sets for token in order)]
        for step in range(1, len(orders[0]) + 1 if orders else 0):
            prefixes = [frozenset(order[:step]) for order in orders]
            share = 1 / len(orders)
            together = signed_sum(*((share, _delta(one, sets[tokens])) for tokens in prefixes))
            alone = signed_sum(
                *((share, _delta(one, sets[frozenset({token})])) for tokens in prefixes for token in tokens)
            )
            excess = signed_sum((1, together), (-1, alone))
            changes = [measured.value(_delta(one, sets[tokens])) for tokens in prefixes]
            of_delta = measured.interval(together, settings.level)
            # The first step is its own prediction.
            of_excess = measured.interval(excess, settings.level) if excess else None
            yield CumulativeRow.of(
                scored(one, measured.metric),
                provenance(settings),
                by=by,
                step=step,
                orders=len(orders),
                delta=measured.value(together),
                delta_low=of_delta.low,
                delta_high=of_delta.high,
                least=settings.task(measured.task).least_costly(changes),
                most=settings.task(measured.task).most_costly(changes),
                predicted=measured.value(alone),
                excess=measured.value(excess),
                excess_low=of_excess.low if of_excess else 0.0,
                excess_high=of_excess.high if of_excess else 0.0,
            )


def _measured_sets(
    measured: TaskOutcomes, settings: AnalysisSettings
) -> Iterator[tuple[Outcomes, str, dict[RegisterSet, str]]]:
    sets = register_sets(settings.conditions)
    for one in measured.outcomes:
        for by, of_kind in sets.items():
            found = {tokens: name for tokens, name in of_kind.items() if name in one.conditions}
            if len(found) > 1:
                yield one, by, found


def _delta(one: Outcomes, condition: str) -> Weights:
    return delta(Cell(one.model, one.readout, condition))


def _reading(change: float, prediction: float, of_change: Interval, of_sum: Interval, of_excess: Interval) -> str:
    if not _shown(of_excess):
        return "neither shown"
    if change * prediction < 0 and _shown(of_change) and _shown(of_sum):
        return "opposite"
    return "super-additive" if abs(change) > abs(prediction) else "sub-additive"


def _shown(interval: Interval) -> bool:
    return interval.low > 0 or interval.high < 0
