"""The power of an audit: change one printed number at a time, and see whether any verdict notices.

    python -m analysis.audit.mutations analysis/published --out analysis/published

renews the committed result; every audit computes its own. Every printed number is moved up and down by one and by two
units of its last digit, and its sign is turned; every claim and every comparison of sources that rests on it is judged
again. A change is *noticed* where one of their verdicts gets worse, and *accused* where one that did not fail does.

- `mutations.csv`: one row per number and change,
- `power.csv`: the share noticed by kind of claim and by change, and over the whole audit.

An audit that notices little says little by acquitting. A number is *pinned* where some claim or comparison holds it
from both sides to within two units of its last digit: the other side was published at least as precisely. There, a
change of one digit ought to be noticed; elsewhere it often cannot be, and `why_not` says why.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from analysis.audit.claims import PERCENT_UNITS, load_claims
from analysis.audit.kinds import HELD
from analysis.audit.numbers import Quantity, parse_printed
from analysis.audit.published import Published, PublishedNumbers, load_published
from analysis.audit.quantities import Vocabulary, load_vocabulary
from analysis.audit.sources import Agreement, Pair, spreads_of, sweep
from analysis.audit.verdicts import Judged, judge
from analysis.rows.audit import MutationRow, PowerRow
from analysis.rows.schema import names_of
from config.errors import report_errors
from config.files import write_csv

ONE_DIGIT, TWO_DIGITS, SIGN = "one digit", "two digits", "sign"
CHANGES = (ONE_DIGIT, TWO_DIGITS, SIGN)
SOURCES, ALL = "comparison of sources", "whole audit"
# Units of the last digit between the two ends of what an equally precise number allows.
PINNED = Decimal(2)
AGREES = (Agreement.SAME, Agreement.ROUNDING, Agreement.TIE)
RANKS = {agreement: rank for rank, agreement in enumerate(Agreement)}


@dataclass(frozen=True)
class Outcome:
    """What one claim, or all comparisons of sources, make of one change."""

    kind: str
    by: str
    pinned: bool
    noticed: bool
    accused: bool


@dataclass(frozen=True)
class Mutation:
    """A printed number, changed, and what the audit makes of it.

    Attributes:
        number: as published.
        change: one digit, two digits or sign.
        to: the changed number as it would have been printed.
        outcomes: of the claims and comparisons that rest on it and held before.
        why_not: why it was not noticed, empty where it was.
    """

    number: Published
    change: str
    to: str
    outcomes: tuple[Outcome, ...]
    why_not: str

    @property
    def pinned(self) -> bool:
        """Whether some claim or comparison holds the number to its last digit."""
        return any(each.pinned for each in self.outcomes)

    @property
    def noticed(self) -> bool:
        """Whether some verdict got worse."""
        return any(each.noticed for each in self.outcomes)

    @property
    def accused(self) -> bool:
        """Whether something that did not fail does."""
        return any(each.accused for each in self.outcomes)

    def row(self) -> dict[str, str]:
        """Return the row of `mutations.csv`."""
        return {
            "number": self.number.id,
            "printed": self.number.quantity.text,
            "change": self.change,
            "to": self.to,
            "pinned": _yes(self.pinned),
            "noticed": _yes(self.noticed),
            "accused": _yes(self.accused),
            "by": ";".join(each.by for each in self.outcomes if each.noticed),
            "why_not": self.why_not,
        }


class Audited:
    """A folder with its claims judged and its sources compared, to try changes on.

    Args:
        numbers: as published.
        vocabulary: names the quantity of each number; None where sources are not compared.
        judged: every claim.
        pairs: every comparison of sources.
    """

    def __init__(
        self,
        numbers: PublishedNumbers,
        vocabulary: Vocabulary | None,
        judged: Iterable[Judged],
        pairs: Iterable[Pair],
    ) -> None:
        self.numbers = numbers
        self.vocabulary = vocabulary
        self._claims: dict[str, list[Judged]] = defaultdict(list)
        for item in judged:
            for key in item.claim.ids:
                self._claims[key].append(item)
        pairs = [pair for pair in pairs if not pair.superseded]
        self._spreads = {} if vocabulary is None else spreads_of(pairs, vocabulary)
        self._places = {key: place for place, key in enumerate(self.numbers)}
        self._pairs: dict[str, list[Pair]] = defaultdict(list)
        for pair in pairs:
            for key in pair.ids:
                self._pairs[key].append(pair)

    def printed(self) -> Iterator[Published]:
        """Yield every printed number, in the order of the files."""
        return (number for number in self.numbers.values() if number.quantity.decimals is not None)

    def mutations(self, key: str) -> Iterator[Mutation]:
        """Yield every change of a printed number."""
        number = self.numbers[key]
        for change, text in changes(number.quantity):
            quantity = parse_printed(text, number.quantity.qualifier, number.unit)
            outcomes = tuple(self._outcomes(key, self.numbers.changed(key, quantity)))
            noticed = any(each.noticed for each in outcomes)
            yield Mutation(number, change, text, outcomes, "" if noticed else self._why_not(number, outcomes))

    def _outcomes(self, key: str, changed: PublishedNumbers) -> Iterator[Outcome]:
        for before in self._claims[key]:
            if before.verdict in HELD:
                after = judge(before.claim, changed)
                noticed = after.verdict.rank > before.verdict.rank
                pinned = _is_pinned(before, self.numbers[key])
                yield Outcome(before.reading.kind, before.claim.id, pinned, noticed, after.fails)
        if self.vocabulary is not None:
            yield from self._compared(key, changed, self.vocabulary)

    def _compared(self, key: str, changed: PublishedNumbers, vocabulary: Vocabulary) -> Iterator[Outcome]:
        held = [pair for pair in self._pairs[key] if pair.agreement in AGREES]
        if not held:
            return
        # The numbers of these pairs alone: comparing all sources again would take as long as the audit.
        keys = sorted({each for pair in held for each in pair.ids}, key=self._places.__getitem__)
        few = PublishedNumbers(changed.folder, {each: changed[each] for each in keys})
        after = {frozenset(pair.ids): pair for pair in sweep(few, vocabulary, self._spreads)}
        again = [(pair, after[frozenset(pair.ids)]) for pair in held]
        own = self.numbers[key].percent().quantity.bounds.half_width
        pinned = any(other.term.width <= own for pair in held for other in pair.sides if key not in other.ids)
        noticed = any(RANKS[now.agreement] > RANKS[then.agreement] for then, now in again)
        yield Outcome(SOURCES, SOURCES, pinned, noticed, any(now.agreement.differs for _, now in again))

    def _why_not(self, number: Published, outcomes: Sequence[Outcome]) -> str:
        if number.quantity.is_approximate:
            return "it is printed as approximate"
        if any(each.pinned for each in outcomes):
            return "the other side rounds to the changed number as well"
        if outcomes:
            held = [item for item in self._claims[number.id] if item.verdict in HELD]
            if any(_window(item, number) is not None for item in held):
                return "the other side is less precise"
            return "it is in limits or orders with room to spare"
        if self._claims[number.id] or self._pairs[number.id]:
            return "what rests on it does not hold, or cannot be checked"
        return "no claim or comparison rests on it"


def changes(quantity: Quantity) -> Iterator[tuple[str, str]]:
    """Yield every change of a printed number: its name, and the number as it would have been printed.

    Examples:
        >>> [text for _, text in changes(parse_printed("-0.1"))]
        ['0.0', '-0.2', '0.1', '-0.3', '0.1']
        >>> list(changes(parse_printed("0.0")))[-1]
        ('two digits', '-0.2')
    """
    unit = quantity.unit_of_last_digit()
    if unit is None:
        return
    for change, digits in ((ONE_DIGIT, 1), (ONE_DIGIT, -1), (TWO_DIGITS, 2), (TWO_DIGITS, -2)):
        yield change, f"{quantity.value + digits * unit:f}"
    if quantity.value:
        yield SIGN, f"{-quantity.value:f}"


def _window(item: Judged, number: Published) -> Decimal | None:
    """Return how far a number may move, from end to end, in units of its last digit; None if one end is open."""
    unit = number.quantity.unit_of_last_digit() or Decimal(1)
    if item.reading.unit in PERCENT_UNITS and number.unit == "fraction":
        unit *= 100
    rooms: dict[bool, Decimal] = {}
    for need in item.finding.needs:
        rate = need.rates.get(number.id, Decimal(0))
        if rate:
            room = need.room / abs(rate)
            rooms[rate > 0] = min(rooms.get(rate > 0, room), room)
    return sum(rooms.values()) / unit if len(rooms) == 2 else None


def _is_pinned(item: Judged, number: Published) -> bool:
    window = _window(item, number)
    return window is not None and window <= PINNED


def power_rows(mutations: Iterable[Mutation]) -> Iterator[dict[str, str]]:
    """Yield the rows of `power.csv`: for each kind and change, and for the whole audit, what was tried and noticed.

    For a kind, a trial is a claim, a number and a change; for the whole audit, it is a number that something rests on,
    and a change.
    """
    trials: dict[tuple[str, str], list[Outcome | Mutation]] = defaultdict(list)
    for mutation in mutations:
        if mutation.outcomes:
            trials[ALL, mutation.change].append(mutation)
        for outcome in mutation.outcomes:
            trials[outcome.kind, mutation.change].append(outcome)
    kinds = [*sorted({kind for kind, _ in trials} - {ALL}), ALL]
    for kind in kinds:
        for change in CHANGES:
            tried = trials.get((kind, change), [])
            pinned = [each for each in tried if each.pinned]
            yield {
                "kind": kind,
                "change": change,
                "tried": str(len(tried)),
                "noticed": str(sum(each.noticed for each in tried)),
                "accused": str(sum(each.accused for each in tried)),
                "pinned": str(len(pinned)),
                "pinned_noticed": str(sum(each.noticed for each in pinned)),
                "pinned_accused": str(sum(each.accused for each in pinned)),
            }


def audited(folder: Path) -> Audited:
    """Judge the claims and compare the sources of a folder, to try changes on."""
    numbers, vocabulary = load_published(folder), load_vocabulary(folder)
    judged = [judge(claim, numbers) for claim in load_claims(folder)]
    return Audited(numbers, vocabulary, judged, () if vocabulary is None else sweep(numbers, vocabulary))


def mutate(subject: Audited) -> tuple[Mutation, ...]:
    """Return every change of every printed number, and what the audit makes of it."""
    return tuple(each for number in subject.printed() for each in subject.mutations(number.id))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def write_power(mutations: Sequence[Mutation], out: Path) -> None:
    """Write `mutations.csv` and `power.csv` to a folder."""
    write_csv(out / "mutations.csv", names_of(MutationRow), (each.row() for each in mutations))
    write_csv(out / "power.csv", names_of(PowerRow), power_rows(mutations))


def shares(rows: Iterable[Mapping[str, str]]) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Return pinned trials that were noticed, and all of them, by kind and change."""
    return {(row["kind"], row["change"]): (int(row["pinned_noticed"]), int(row["pinned"])) for row in rows}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: change every printed number and write what the audit notices."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.audit.mutations",
        description="Change every printed number by a digit, two, or its sign, and see which verdicts notice.",
    )
    parser.add_argument("folder", type=Path, help="folder with claims.yaml and the published numbers")
    parser.add_argument("--out", type=Path, required=True, help="folder for mutations.csv and power.csv")
    options = parser.parse_args(arguments)
    mutations = mutate(audited(options.folder))
    write_power(mutations, options.out)
    noticed, tried = shares(power_rows(mutations))[ALL, ONE_DIGIT]
    print(f"{len(mutations)} changes; of one digit, {noticed} of {tried} noticed where the other side is as precise.")


if __name__ == "__main__":
    report_errors(main)
