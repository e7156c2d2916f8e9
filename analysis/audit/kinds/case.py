"""What a kind judges: sums of published numbers by role, the number that the claim states, and options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from analysis.audit.kinds.finding import Need, Verdict
from analysis.audit.numbers import Interval, Quantity, shown, total
from analysis.audit.published import Published

LISTED = 4
ONE = Decimal(1)
RELATIONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}


@dataclass(frozen=True)
class Term:
    """A sum of published numbers, `plus` added and `minus` subtracted; usually one number."""

    plus: tuple[Published, ...]
    minus: tuple[Published, ...] = ()

    @property
    def numbers(self) -> tuple[Published, ...]:
        """Every number in it, the added ones first."""
        return self.plus + self.minus

    @property
    def value(self) -> Decimal:
        """The sum of the numbers as published."""
        added = sum((number.quantity.value for number in self.plus), Decimal(0))
        return added - sum((number.quantity.value for number in self.minus), Decimal(0))

    @property
    def interval(self) -> Interval:
        """Every sum that the numbers' rounding allows."""
        added = total(number.quantity.interval for number in self.plus)
        return added - total(number.quantity.interval for number in self.minus)

    @property
    def width(self) -> Decimal:
        """Half the width of the interval."""
        return self.interval.half_width

    @property
    def printed(self) -> Quantity | None:
        """The quantity if the term is one number, else None."""
        return self.plus[0].quantity if len(self.plus) == 1 and not self.minus else None

    @property
    def position(self) -> Decimal | None:
        """The place of its first number along a series (a layer, an x), if it has one."""
        return self.plus[0].position

    @property
    def sources(self) -> frozenset[str]:
        """The documents in which its numbers stand."""
        return frozenset(number.source for number in self.numbers)

    @property
    def text(self) -> str:
        """The arithmetic: `68.5 - 69.1`, or `0.1 + 0.2`; negative summands in parentheses."""
        added = " + ".join(_in_sum(n, i) for i, n in enumerate(self.plus))
        return added + "".join(f" - {_in_sum(n, 1)}" for n in self.minus)

    @property
    def bracketed(self) -> str:
        """The arithmetic, in parentheses unless it is one number without a sign."""
        text = self.text
        return f"({text})" if text.startswith("-") or self.printed is None else text

    @property
    def named(self) -> str:
        """The arithmetic, its result where there is one to show, and the identifiers."""
        result = "" if self.printed else f" = {shown(self.value)}"
        return f"{self.text}{result} [{', '.join(number.id for number in self.numbers)}]"

    def sized(self, absolute: bool) -> tuple[Decimal, Interval]:
        """Value and interval; with `absolute`, of its size."""
        if absolute:
            return abs(self.value), self.interval.magnitude()
        return self.value, self.interval

    def rates(self, rate: Decimal = ONE, absolute: bool = False) -> dict[str, Decimal]:
        """Identifier → change of `rate` times the term (with `absolute`, its size) per unit of the number."""
        signed = -rate if absolute and self.value < 0 else rate
        rates: dict[str, Decimal] = {}
        for numbers, sign in ((self.plus, signed), (self.minus, -signed)):
            for number in numbers:
                rates[number.id] = rates.get(number.id, Decimal(0)) + sign
        return rates


def _in_sum(number: Published, position: int) -> str:
    text = number.quantity.text if number.quantity.decimals is not None else shown(number.quantity.value)
    return f"({text})" if position and text.startswith("-") else text


@dataclass(frozen=True)
class Options:
    """Settings that a claim may give its kind; each kind says which it takes."""

    drop: bool = False
    absolute: bool = False
    attained: bool = False
    abrupt: bool = False
    relation: str | None = None
    direction: str = "rising"
    quantifier: str = "every"
    alpha: Decimal = Decimal("0.05")
    share: Decimal = Decimal("0.5")
    near: Decimal = Decimal(10)
    earliest: Decimal | None = None
    latest: Decimal | None = None
    n: Decimal | None = None
    classes: Decimal | None = None
    members: Decimal | None = None
    also_differs: str = ""
    needs: str = ""


@dataclass(frozen=True)
class Case:
    """What a kind judges: the number that the claim states, and the terms it rests on by role."""

    printed: Published | None
    parts: Mapping[str, tuple[Term, ...]]
    options: Options = field(default_factory=Options)

    def one(self, role: str) -> Term:
        """The only term of a role."""
        (term,) = self.parts[role]
        return term

    def maybe(self, role: str) -> Term | None:
        """The only term of a role that may be left out."""
        return next(iter(self.parts.get(role, ())), None)

    @property
    def stated(self) -> Published:
        """The number that the claim states; kinds that need one are only called with one."""
        if self.printed is None:
            raise ValueError("this kind needs the number that the claim states")
        return self.printed

    @property
    def relation(self) -> str:
        """The side of a stated limit: the option, or what the article put before the number."""
        return self.options.relation or self.stated.quantity.qualifier

    @property
    def sources(self) -> frozenset[str]:
        """The documents in which the stated number and all terms stand."""
        found = {source for terms in self.parts.values() for t in terms for source in t.sources}
        return frozenset(found | ({self.printed.source} if self.printed else set()))


def mismatch(sources: frozenset[str]) -> Verdict:
    """The verdict where numbers of these documents do not fit: one contradicts itself, several disagree."""
    return Verdict.CONTRADICTED if len(sources) == 1 else Verdict.SOURCES_DISAGREE


def stated_text(number: Published) -> str:
    """A stated number as printed, with its sign of comparison."""
    sign = number.quantity.qualifier if number.quantity.qualifier in (*RELATIONS, "~") else ""
    return sign + (shown(number.quantity.value) if number.quantity.decimals is None else number.quantity.text)


def listed(terms: Sequence[Term]) -> str:
    """The first terms with their identifiers, and how many more there are."""
    more = f"; and {len(terms) - LISTED} more" if len(terms) > LISTED else ""
    return "; ".join(term.named for term in terms[:LISTED]) + more


def need(room: Decimal, *rates: Mapping[str, Decimal]) -> Need:
    """A `Need` whose rates are summed over several terms."""
    together: dict[str, Decimal] = {}
    for each in rates:
        for key, rate in each.items():
            together[key] = together.get(key, Decimal(0)) + rate
    return Need(room, together)


def above(high: Term, low: Term, absolute: bool = False) -> tuple[Need, ...]:
    """That `high` is not below `low`, each widened by its rounding (with `absolute`, in size).

    A size is the larger of a number and its negative, so that `low` in size makes two needs. Where
    rounding alone lets `low` be zero, no size of `high` is below it.
    """
    (upper, _), (lower, _) = high.sized(absolute), low.sized(absolute)
    widths = high.width + low.width
    if not absolute:
        return (need(upper - lower + widths, high.rates(), low.rates(-ONE)),)
    raised = high.rates(ONE, absolute) if lower > widths else {}
    return (
        need(upper - low.value + widths, raised, low.rates(-ONE)),
        need(upper + low.value + widths, raised, low.rates()),
    )


def apart(first: Term, second: Term, allowed: Decimal) -> tuple[Need, Need]:
    """That two terms are no further apart than `allowed`, either way."""
    gap = first.value - second.value
    rates = (first.rates(), second.rates(-ONE))
    opposite = (first.rates(-ONE), second.rates())
    return need(allowed - gap, *opposite), need(allowed + gap, *rates)
