"""Additivity of registers: replacing several at once compared with the sum of replacing each alone.

The article reads a collective loss beyond that sum as super-additivity. Both sides are measured on the same units,
so the excess has a paired interval.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping

from analysis.engine.intervals import Interval
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import Cell, TaskOutcomes, Weights, delta, signed_sum
from analysis.rows.registers import AdditivityRow, CumulativeRow
from analysis.statistics.parts import provenance, scored
from config.analysis import AnalysisSettings
from config.conditions import Condition

_REGISTER = re.compile(r"r[1-9][0-9]*")

RegisterSet = frozenset[str]


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
        for tokens, condition in sorted(sets.items(), key=lambda entry: (len(entry[0]), sorted(entry[0]))):
            singles = [sets.get(frozenset({token})) for token in sorted(tokens)]
            if len(tokens) < 2 or None in singles:
                continue
            together = _delta(one, condition)
            alone = signed_sum(*((1, _delta(one, str(single))) for single in singles))
            excess = signed_sum((1, together), (-1, alone))
            of_delta, of_sum, of_excess = (
                measured.interval(weights, settings.level) for weights in (together, alone, excess)
            )
            change, prediction = measured.value(together), measured.value(alone)
            yield AdditivityRow.of(
                scored(one, measured.metric),
                provenance(settings),
                by=by,
                condition=condition,
                registers=" ".join(sorted(tokens)),
                size=len(tokens),
                delta=change,
                delta_low=of_delta.low,
                delta_high=of_delta.high,
                predicted=prediction,
                predicted_low=of_sum.low,
                predicted_high=of_sum.high,
                excess=measured.value(excess),
                excess_low=of_excess.low,
                excess_high=of_excess.high,
                reading=_reading(change, prediction, of_delta, of_sum, of_excess),
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
