"""Do registers add up? Replacing several at once against the sum of replacing each alone.

The article reads a collective loss beyond that sum as super-additivity. Both sides are measured on the same units,
so the excess has a paired interval.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from analysis.engine.intervals import Interval
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import Cell, Measured, Weights, delta, signed_sum
from config.settings import AnalysisSettings, Condition

_REGISTER = re.compile(r"r[1-9][0-9]*")

RegisterSet = frozenset[str]


@dataclass(frozen=True)
class AdditivityRow:
    """Several registers replaced at once; the columns of `tables/additivity.csv`. Fractions.

    `predicted` is the sum of the deltas of each of them alone, `excess` is `delta` − `predicted`, and `reading` says
    what its interval shows: super-additive (a greater change than the sum, be it a loss or a gain), sub-additive (a
    smaller one), opposite (a loss where the sum is a gain, or a gain where it is a loss), or neither.
    """

    dataset: str
    task: str
    metric: str
    model: str
    family: str
    scale: str
    readout: str
    by: str
    condition: str
    registers: str
    size: int
    n: int
    delta: float
    delta_low: float
    delta_high: float
    predicted: float
    predicted_low: float
    predicted_high: float
    excess: float
    excess_low: float
    excess_high: float
    reading: str
    level: float
    seed: int


@dataclass(frozen=True)
class CumulativeRow:
    """Registers replaced one after the other; the columns of `tables/cumulative.csv`. Fractions.

    Means over all orders whose every step was measured; `least` and `most` are the smallest and the
    largest loss of any order at this step.
    """

    dataset: str
    task: str
    metric: str
    model: str
    family: str
    scale: str
    readout: str
    by: str
    step: int
    orders: int
    n: int
    delta: float
    delta_low: float
    delta_high: float
    least: float
    most: float
    predicted: float
    excess: float
    excess_low: float
    excess_high: float
    level: float
    seed: int


def register_sets(conditions: Mapping[str, Condition]) -> dict[str, dict[RegisterSet, str]]:
    """Replacement → set of registers → the condition that replaces exactly them.

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
    """Every order of all registers whose first one, first two, … were each measured together."""
    registers = sorted(frozenset().union(*sets))
    return [
        order
        for order in itertools.permutations(registers)
        if all(frozenset(order[:step]) in sets for step in range(1, len(order) + 1))
    ]


def additivity_rows(measured: Measured, settings: AnalysisSettings) -> Iterator[AdditivityRow]:
    """Every set of two or more registers whose members were also replaced alone."""
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
            yield AdditivityRow(
                **_where(measured, one),
                by=by,
                condition=condition,
                registers=" ".join(sorted(tokens)),
                size=len(tokens),
                n=one.size,
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
                level=settings.level,
                seed=settings.seed,
            )


def cumulative_rows(measured: Measured, settings: AnalysisSettings) -> Iterator[CumulativeRow]:
    """The mean curve over all measured orders, a row for each number of registers."""
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
            losses = [measured.value(_delta(one, sets[tokens])) for tokens in prefixes]
            of_delta = measured.interval(together, settings.level)
            # The first step is its own prediction.
            of_excess = measured.interval(excess, settings.level) if excess else None
            yield CumulativeRow(
                **_where(measured, one),
                by=by,
                step=step,
                orders=len(orders),
                n=one.size,
                delta=measured.value(together),
                delta_low=of_delta.low,
                delta_high=of_delta.high,
                least=max(losses),
                most=min(losses),
                predicted=measured.value(alone),
                excess=measured.value(excess),
                excess_low=of_excess.low if of_excess else 0.0,
                excess_high=of_excess.high if of_excess else 0.0,
                level=settings.level,
                seed=settings.seed,
            )


def _measured_sets(
    measured: Measured, settings: AnalysisSettings
) -> Iterator[tuple[Outcomes, str, dict[RegisterSet, str]]]:
    sets = register_sets(settings.conditions)
    for one in measured.outcomes:
        for by, of_kind in sets.items():
            found = {tokens: name for tokens, name in of_kind.items() if name in one.conditions}
            if len(found) > 1:
                yield one, by, found


def _delta(one: Outcomes, condition: str) -> Weights:
    return delta(Cell(one.model, one.readout, condition))


def _where(measured: Measured, one: Outcomes) -> dict[str, str]:
    names = ("dataset", "task", "model", "family", "scale", "readout")
    return {"metric": measured.metric, **{name: getattr(one, name) for name in names}}


def _reading(change: float, prediction: float, of_change: Interval, of_sum: Interval, of_excess: Interval) -> str:
    if not _shown(of_excess):
        return "neither shown"
    if change * prediction < 0 and _shown(of_change) and _shown(of_sum):
        return "opposite"
    return "super-additive" if abs(change) > abs(prediction) else "sub-additive"


def _shown(interval: Interval) -> bool:
    return interval.low > 0 or interval.high < 0
