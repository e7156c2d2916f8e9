"""The cross-source sweep: every pair of published numbers for the same quantity, compared.

Claims follow the article's sentences; this finds what no sentence mentions. Numbers are paired by
`quantities.yaml`. Beside published numbers stand *derived* changes: an ablated score minus the unablated
one of the same document, held against published changes. A pair that differs by more than rounding may
still be two runs: the largest difference between published repeats of the same kind of measurement is
their run-to-run spread, and a smaller difference is no finding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from itertools import combinations

from analysis.audit.kinds.agreement import agreement
from analysis.audit.kinds.case import Term
from analysis.audit.kinds.finding import Verdict
from analysis.audit.numbers import shown
from analysis.audit.published import Published, PublishedNumbers
from analysis.audit.quantities import CHANGE, FULL, QuantityName, Vocabulary

COLUMNS = (
    *("quantity", "task", "metric", "model", "scale", "condition", "token", "layer"),
    *("first", "first_value", "first_source", "second", "second_value", "second_source"),
    *("unit", "apart", "rounding", "spread", "agreement", "superseded"),
)
POINTS = ("%", "pp")


class Agreement(StrEnum):
    """How two numbers for one quantity compare, best first."""

    SAME = "same"
    ROUNDING = "within rounding"
    SPREAD = "within the spread of repeats"
    BEYOND = "beyond rounding and repeats"
    UNKNOWN = "beyond rounding, no repeats published"

    @property
    def differs(self) -> bool:
        """Whether the pair is worth a reader's attention."""
        return self in (Agreement.BEYOND, Agreement.UNKNOWN)


@dataclass(frozen=True)
class Reading:
    """A value for a quantity: a published number, or a change derived from two."""

    name: QuantityName
    term: Term
    unit: str
    derived: bool = False

    @property
    def source(self) -> str:
        """The documents in which it stands."""
        return " and ".join(sorted(self.term.sources))


@dataclass(frozen=True)
class Pair:
    """Two values for one quantity."""

    first: Reading
    second: Reading
    spread: Decimal | None
    agreement: Agreement
    superseded: bool

    @property
    def apart(self) -> Decimal:
        """The size of their difference."""
        return abs(self.first.term.value - self.second.term.value)

    def row(self) -> dict[str, str]:
        """The row of `sources.csv`."""
        name = self.first.name
        return {
            "quantity": name.text,
            **{field: getattr(name, field) for field in ("task", "metric", "model", "scale")},
            **{field: getattr(name, field) for field in ("condition", "token", "layer")},
            **_side("first", self.first),
            **_side("second", self.second),
            "unit": self.first.unit,
            "apart": shown(self.apart),
            "rounding": shown(self.first.term.width + self.second.term.width, 3),
            "spread": "" if self.spread is None else shown(self.spread, 3),
            "agreement": self.agreement.value,
            "superseded": "yes" if self.superseded else "no",
        }


def _side(side: str, reading: Reading) -> dict[str, str]:
    return {
        side: " - ".join(
            filter(None, ("+".join(n.id for n in reading.term.plus), "+".join(n.id for n in reading.term.minus)))
        ),
        f"{side}_value": shown(reading.term.value),
        f"{side}_source": reading.source,
    }


def sweep(numbers: PublishedNumbers, vocabulary: Vocabulary) -> tuple[Pair, ...]:
    """Every pair of values for one quantity, those that differ first, by how far they are apart in spreads.

    Two derived changes are not paired with each other: what they derive from is.
    """
    groups: dict[QuantityName, list[Reading]] = defaultdict(list)
    readings = list(_readings(numbers.values(), vocabulary))
    for reading in (*readings, *_derived(readings, vocabulary)):
        groups[reading.name].append(reading)
    pairs = [
        (first, second)
        for group in groups.values()
        for first, second in combinations(group, 2)
        if not (first.derived and second.derived)
    ]
    spreads = _spreads(pairs, vocabulary)
    found = [_compared(first, second, spreads, vocabulary) for first, second in pairs]
    return tuple(sorted(found, key=_gravity))


def _gravity(pair: Pair) -> tuple[bool, bool, Decimal, str, str]:
    largest = max(abs(pair.first.term.value), abs(pair.second.term.value), Decimal(1))
    return (
        pair.superseded,
        not pair.agreement.differs,
        -pair.apart / (pair.spread or largest),
        pair.first.name.text,
        _side("first", pair.first)["first"] + _side("second", pair.second)["second"],
    )


def _readings(numbers: Iterable[Published], vocabulary: Vocabulary) -> Iterator[Reading]:
    for number in numbers:
        found = vocabulary.name(number)
        if found is None:
            continue
        name, sign = found
        one = number.percent()
        if sign < 0:
            one = replace(one, quantity=one.quantity.negative())
        yield Reading(name, Term((one,)), "%" if one.unit in POINTS else one.unit)


def _derived(readings: Sequence[Reading], vocabulary: Vocabulary) -> Iterator[Reading]:
    levels = {(r.source, r.name): r for r in readings if not r.name.metric.endswith(CHANGE)}
    changes = {r.name for r in readings if r.name.metric.endswith(CHANGE)}
    for (source, name), ablated in levels.items():
        change = replace(name, metric=name.metric + CHANGE)
        if name.condition == FULL or change not in changes:
            continue
        unablated = replace(name, condition=FULL)
        full = levels.get((source, unablated)) or levels.get((vocabulary.baselines.get(source, ""), unablated))
        if full is not None:
            yield Reading(change, Term(ablated.term.plus, full.term.plus), ablated.unit, derived=True)


def _spreads(pairs: Sequence[tuple[Reading, Reading]], vocabulary: Vocabulary) -> Mapping[tuple[str, str], Decimal]:
    spreads: dict[tuple[str, str], Decimal] = {}
    for first, second in pairs:
        if frozenset((first.source, second.source)) in vocabulary.repeats:
            kind = (first.name.task, first.name.metric.removesuffix(CHANGE))
            apart = abs(first.term.value - second.term.value)
            spreads[kind] = max(spreads.get(kind, Decimal(0)), apart)
    return spreads


def _compared(
    first: Reading, second: Reading, spreads: Mapping[tuple[str, str], Decimal], vocabulary: Vocabulary
) -> Pair:
    spread = spreads.get((first.name.task, first.name.metric.removesuffix(CHANGE)))
    found = agreement(first.term, second.term)
    apart = abs(first.term.value - second.term.value)
    if found is Verdict.CONSISTENT:
        compares = Agreement.SAME
    elif found is Verdict.ROUNDING:
        compares = Agreement.ROUNDING
    elif spread is None:
        compares = Agreement.UNKNOWN
    else:
        within = apart - first.term.width - second.term.width <= spread
        compares = Agreement.SPREAD if within else Agreement.BEYOND
    old = any(vocabulary.is_superseded(source) for r in (first, second) for source in r.term.sources)
    return Pair(first, second, spread, compares, old)
