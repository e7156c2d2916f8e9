"""The cross-source sweep: compare every pair of published numbers for the same quantity.

Claims follow the sentences of the article; the sweep finds what no sentence mentions. Numbers are paired by
`quantities.yaml`. In addition to published numbers there are *derived* changes, an ablated score minus the unablated
one of the same document, which are compared with published changes. A pair that differs by more than rounding may still
come from two runs: the largest difference between published repeats of the same kind of measurement is their run-to-run
spread, and a smaller difference is not a finding.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from itertools import combinations

from analysis.audit.kinds.agreement import agreement
from analysis.audit.kinds.case import NumberTerm
from analysis.audit.kinds.finding import Verdict
from analysis.audit.numbers import shown
from analysis.audit.published import Published, PublishedNumbers
from analysis.audit.quantities import CHANGE, FULL, QuantityName, Vocabulary

POINTS = ("%", "pp")
Spreads = Mapping[tuple[str, str], Decimal]


class Agreement(StrEnum):
    """How well two numbers for one quantity agree, best first."""

    SAME = "same"
    ROUNDING = "within rounding"
    TIE = "at a tie"
    SPREAD = "within the spread of repeats"
    BEYOND = "beyond rounding and repeats"
    UNKNOWN = "beyond rounding, no repeats published"

    @property
    def differs(self) -> bool:
        """Whether the pair differs by more than rounding and repeats explain."""
        return self in (Agreement.BEYOND, Agreement.UNKNOWN)


@dataclass(frozen=True)
class SourceValue:
    """A value for a quantity: a published number, or a change derived from two."""

    name: QuantityName
    term: NumberTerm
    unit: str
    derived: bool = False

    @property
    def ids(self) -> tuple[str, ...]:
        """Identifiers of its numbers."""
        return tuple(number.id for number in self.term.numbers)

    @property
    def source(self) -> str:
        """The documents that it comes from."""
        return " and ".join(sorted(self.term.sources))


@dataclass(frozen=True)
class Pair:
    """Two values for one quantity."""

    first: SourceValue
    second: SourceValue
    spread: Decimal | None
    agreement: Agreement
    superseded: bool

    @property
    def sides(self) -> tuple[SourceValue, SourceValue]:
        """Both values."""
        return self.first, self.second

    @property
    def ids(self) -> tuple[str, ...]:
        """Identifiers of the numbers of both values."""
        return (*self.first.ids, *self.second.ids)

    @property
    def apart(self) -> Decimal:
        """Their absolute difference."""
        return abs(self.first.term.value - self.second.term.value)

    def row(self) -> dict[str, str]:
        """Return the row of `sources.csv`."""
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


def _side(side: str, reading: SourceValue) -> dict[str, str]:
    return {
        side: " - ".join(
            filter(None, ("+".join(n.id for n in reading.term.plus), "+".join(n.id for n in reading.term.minus)))
        ),
        f"{side}_value": shown(reading.term.value),
        f"{side}_source": reading.source,
    }


def sweep(numbers: PublishedNumbers, vocabulary: Vocabulary, spreads: Spreads | None = None) -> tuple[Pair, ...]:
    """Compare every pair of values for one quantity; pairs that differ come first, in order of their distance.

    Two derived changes are not paired with each other, because the scores they are derived from are.

    Args:
        numbers: as published.
        vocabulary: names the quantity of each number.
        spreads: largest difference of published repeats by task and metric; by default those of these numbers.

    Examples:
        >>> from pathlib import Path
        >>> from analysis.audit.published import load_published
        >>> from analysis.audit.quantities import load_vocabulary
        >>> folder = Path("docs/examples/invented_article")
        >>> first, *others = sweep(load_published(folder), load_vocabulary(folder))
        >>> first.first.name.text, str(first.apart), str(first.agreement)
        ('naming, accuracy change, beta, masked, layer 6', '1.3', 'beyond rounding, no repeats published')
    """
    groups: dict[QuantityName, list[SourceValue]] = defaultdict(list)
    readings = list(_readings(numbers.values(), vocabulary))
    for reading in (*readings, *_derived(readings, vocabulary)):
        groups[reading.name].append(reading)
    pairs = [
        (first, second)
        for group in groups.values()
        for first, second in combinations(group, 2)
        if not (first.derived and second.derived)
    ]
    known = _spreads(pairs, vocabulary) if spreads is None else spreads
    found = [_compared(first, second, known, vocabulary) for first, second in pairs]
    return tuple(sorted(found, key=_by_distance))


def _by_distance(pair: Pair) -> tuple[bool, bool, Decimal, str, str]:
    largest = max(abs(pair.first.term.value), abs(pair.second.term.value), Decimal(1))
    return (
        pair.superseded,
        not pair.agreement.differs,
        -pair.apart / (pair.spread or largest),
        pair.first.name.text,
        _side("first", pair.first)["first"] + _side("second", pair.second)["second"],
    )


def _readings(numbers: Iterable[Published], vocabulary: Vocabulary) -> Iterator[SourceValue]:
    for number in numbers:
        found = vocabulary.name(number)
        if found is None:
            continue
        name, sign = found
        one = number.percent()
        if sign < 0:
            one = replace(one, quantity=one.quantity.negative())
        yield SourceValue(name, NumberTerm((one,)), "%" if one.unit in POINTS else one.unit)


def _derived(readings: Sequence[SourceValue], vocabulary: Vocabulary) -> Iterator[SourceValue]:
    levels = {(r.source, r.name): r for r in readings if not r.name.metric.endswith(CHANGE)}
    changes = {r.name for r in readings if r.name.metric.endswith(CHANGE)}
    for (source, name), ablated in levels.items():
        change = replace(name, metric=name.metric + CHANGE)
        if name.condition == FULL or change not in changes:
            continue
        unablated = replace(name, condition=FULL)
        full = levels.get((source, unablated)) or levels.get((vocabulary.baselines.get(source, ""), unablated))
        if full is not None:
            yield SourceValue(change, NumberTerm(ablated.term.plus, full.term.plus), ablated.unit, derived=True)


def spreads_of(pairs: Iterable[Pair], vocabulary: Vocabulary) -> Spreads:
    """Return the largest difference of published repeats by task and metric."""
    return _spreads([pair.sides for pair in pairs], vocabulary)


def _spreads(pairs: Sequence[tuple[SourceValue, SourceValue]], vocabulary: Vocabulary) -> Spreads:
    spreads: dict[tuple[str, str], Decimal] = {}
    for first, second in pairs:
        if frozenset((first.source, second.source)) in vocabulary.repeats:
            kind = (first.name.task, first.name.metric.removesuffix(CHANGE))
            apart = abs(first.term.value - second.term.value)
            spreads[kind] = max(spreads.get(kind, Decimal(0)), apart)
    return spreads


def _compared(first: SourceValue, second: SourceValue, spreads: Spreads, vocabulary: Vocabulary) -> Pair:
    spread = spreads.get((first.name.task, first.name.metric.removesuffix(CHANGE)))
    found = agreement(first.term, second.term)
    apart = abs(first.term.value - second.term.value)
    if found is Verdict.CONSISTENT:
        compares = Agreement.SAME
    elif found is Verdict.ROUNDING:
        compares = Agreement.ROUNDING
    elif found is Verdict.TIE:
        compares = Agreement.TIE
    elif spread is None:
        compares = Agreement.UNKNOWN
    else:
        within = apart - first.term.width - second.term.width <= spread
        compares = Agreement.SPREAD if within else Agreement.BEYOND
    old = any(vocabulary.is_superseded(source) for r in (first, second) for source in r.term.sources)
    return Pair(first, second, spread, compares, old)
