"""Cases, the input of every kind: sums of published numbers by role, the stated number, and options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property

from analysis.audit.kinds.finding import Need, Verdict
from analysis.audit.kinds.reason import Citation, Phrase, joined, phrase
from analysis.audit.numbers import Bounds, Quantity, parse_printed, shown, total
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
class NumberTerm:
    """A sum of published numbers, `plus` added and `minus` subtracted; usually one number.

    Examples:
        >>> change = NumberTerm((printed_number("68.5"),), (printed_number("69.1"),))
        >>> change.named.text
        '68.5 - 69.1 = -0.6 [68.5, 69.1]'
        >>> change.bounds
        Bounds(low=Decimal('-0.70'), high=Decimal('-0.50'))
    """

    plus: tuple[Published, ...]
    minus: tuple[Published, ...] = ()

    @property
    def numbers(self) -> tuple[Published, ...]:
        """Every number of the sum, the added ones first."""
        return self.plus + self.minus

    @cached_property
    def value(self) -> Decimal:
        """The sum of the numbers as published."""
        added = sum((number.quantity.value for number in self.plus), Decimal(0))
        return added - sum((number.quantity.value for number in self.minus), Decimal(0))

    @cached_property
    def bounds(self) -> Bounds:
        """The bounds of the sum, given the rounding of its numbers."""
        added = total(number.quantity.bounds for number in self.plus)
        return added - total(number.quantity.bounds for number in self.minus)

    @cached_property
    def width(self) -> Decimal:
        """Half the distance between the bounds."""
        return self.bounds.half_width

    @property
    def printed(self) -> Quantity | None:
        """The quantity, if the term is a single number; else None."""
        return self.plus[0].quantity if len(self.plus) == 1 and not self.minus else None

    @property
    def position(self) -> Decimal | None:
        """The position of its first number along a series (a layer, an x), if any."""
        return self.plus[0].position

    @property
    def sources(self) -> frozenset[str]:
        """The documents that its numbers come from."""
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
    def named(self) -> Phrase:
        """The arithmetic with its result, if it is more than one number, and the identifiers."""
        result = "" if self.printed else f" = {shown(self.value)}"
        return phrase(f"{self.text}{result}", Citation(tuple(number.id for number in self.numbers)))

    def sized(self, absolute: bool) -> tuple[Decimal, Bounds]:
        """Return value and bounds; with `absolute`, those of the absolute value."""
        if absolute:
            return abs(self.value), self.bounds.magnitude()
        return self.value, self.bounds

    def rates(self, rate: Decimal = ONE, absolute: bool = False) -> dict[str, Decimal]:
        """Return the change of `rate` times the term per unit of each number, by identifier.

        Args:
            rate: factor of the term.
            absolute: whether the absolute value of the term is meant.
        """
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
    """Settings of a claim for its kind; `KINDS` lists which kind takes which."""

    drop: bool = False
    absolute: bool = False
    attained: bool = False
    abrupt: bool = False
    relation: str | None = None
    direction: str = "rising"
    quantifier: str = "every"
    alpha: Decimal = Decimal("0.05")
    share: Decimal | None = None
    near: Decimal | None = None
    earliest: Decimal | None = None
    latest: Decimal | None = None
    n: Decimal | None = None
    classes: Decimal | None = None
    members: Decimal | None = None
    also_differs: str = ""
    needs: str = ""
    vague: str = ""
    rounded: bool = False
    or_equal: bool = False
    apart: bool = False
    column: str = ""
    words: tuple[str, ...] = ()
    per_item: Decimal | None = None
    versions: bool = False
    test: str = ""
    tails: str | None = None
    level: Decimal = Decimal("0.95")
    lowest: Decimal | None = None
    highest: Decimal | None = None
    items: Decimal | None = None


@dataclass(frozen=True)
class Case:
    """The input of a kind: the number that the claim states, if any, and the terms it rests on, by role."""

    printed: Published | None
    parts: Mapping[str, tuple[NumberTerm, ...]]
    options: Options = field(default_factory=Options)

    def one(self, role: str) -> NumberTerm:
        """Return the only term of a role."""
        (term,) = self.parts[role]
        return term

    def maybe(self, role: str) -> NumberTerm | None:
        """Return the only term of an optional role, or None."""
        return next(iter(self.parts.get(role, ())), None)

    @property
    def stated(self) -> Published:
        """The number that the claim states, for kinds that need one."""
        if self.printed is None:
            raise ValueError("this kind needs the number that the claim states")
        return self.printed

    @property
    def limit(self) -> Published:
        """The stated number as a limit: exactly that number, unless the article marks it as approximate."""
        stated = self.stated
        if stated.quantity.is_approximate:
            return stated
        return replace(stated, quantity=stated.quantity.exactly())

    @property
    def relation(self) -> str:
        """The side of a stated limit: the option, or else the qualifier of the number."""
        return self.options.relation or self.stated.quantity.qualifier

    @property
    def sources(self) -> frozenset[str]:
        """The documents that the stated number and all terms come from."""
        found = {source for terms in self.parts.values() for t in terms for source in t.sources}
        return frozenset(found | ({self.printed.source} if self.printed else set()))


def may_be_on_side(bounds: Bounds, relation: str, limit: Bounds) -> bool:
    """Tell whether some value within bounds is on one side of some limit within bounds.

    Examples:
        >>> value, limit = parse_printed("1.0").bounds, parse_printed("<1").bounds
        >>> may_be_on_side(value, "<", limit), may_be_on_side(value, ">=", limit)
        (True, True)
        >>> may_be_on_side(parse_printed("1.5").bounds, "<=", limit)
        False
    """
    low, high = (bounds, limit) if relation.startswith("<") else (limit, bounds)
    return low.may_be_at_most(high) if relation.endswith("=") else low.may_be_below(high)


def mismatch(sources: frozenset[str]) -> Verdict:
    """Return the verdict for numbers that do not agree: one document contradicts itself, several disagree.

    Examples:
        >>> str(mismatch(frozenset({"article text"}))), str(mismatch(frozenset({"article text", "figure 2"})))
        ('contradicted', 'sources disagree')
    """
    return Verdict.CONTRADICTED if len(sources) == 1 else Verdict.SOURCES_DISAGREE


def stated_text(number: Published) -> str:
    """Return a stated number as printed, with its sign of comparison."""
    sign = number.quantity.qualifier if number.quantity.qualifier in (*RELATIONS, "~") else ""
    return sign + (shown(number.quantity.value) if number.quantity.decimals is None else number.quantity.text)


def listed(terms: Sequence[NumberTerm]) -> Phrase:
    """Return the first terms with their identifiers, and the number of the others."""
    more = f"; and {len(terms) - LISTED} more" if len(terms) > LISTED else ""
    return phrase(joined("; ", (term.named for term in terms[:LISTED])), more)


def need(room: Decimal, *rates: Mapping[str, Decimal]) -> Need:
    """Return a `Need` whose rates are summed over several terms."""
    together: dict[str, Decimal] = {}
    for each in rates:
        for key, rate in each.items():
            together[key] = together.get(key, Decimal(0)) + rate
    return Need(room, together)


def above(high: NumberTerm, low: NumberTerm, absolute: bool = False) -> tuple[Need, ...]:
    """Return the needs for `high` not to lie below `low`, each widened by its rounding.

    With `absolute` the absolute values are compared. Since an absolute value is the larger of a number and its
    negative, `low` then makes two needs; where rounding alone lets `low` be zero, `high` cannot lie below it.
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


def apart(first: NumberTerm, second: NumberTerm, allowed: Decimal) -> tuple[Need, Need]:
    """Return the needs for two terms to differ by at most `allowed`, in either direction."""
    gap = first.value - second.value
    rates = (first.rates(), second.rates(-ONE))
    opposite = (first.rates(-ONE), second.rates())
    return need(allowed - gap, *opposite), need(allowed + gap, *rates)


def printed_number(text: str, unit: str = "%", source: str = "article text") -> Published:
    """Return a number as an article prints it, with its text as identifier; `10.7@6` is 10.7 at position 6.

    Examples:
        >>> printed_number("<1").quantity.qualifier, printed_number("10.7@6").position
        ('<', Decimal('6'))
    """
    number, _, position = text.partition("@")
    return Published(text, parse_printed(number, unit=unit), unit, source, Decimal(position) if position else None)


def printed_case(
    states: str | None = None, options: Options | None = None, unit: str = "%", **parts: Sequence[str]
) -> Case:
    """Return a case of printed numbers of one document, to try a kind with.

    Args:
        states: the number that the claim states, as printed.
        options: settings of the kind.
        unit: of all numbers.
        parts: role → numbers as printed, one per term. A keyword of Python takes an underscore: `from_`.

    Examples:
        >>> from analysis.audit.kinds import KINDS
        >>> found = KINDS["delta"].evaluate(printed_case("-14.2", from_=["72.9"], to=["58.9"]))
        >>> str(found.verdict), found.why
        ('contradicted', '58.9 - 72.9 = -14; stated -14.2. They differ by 0.2; rounding allows less than 0.15.')
    """
    terms = {
        role.rstrip("_"): tuple(NumberTerm((printed_number(number, unit),)) for number in numbers)
        for role, numbers in parts.items()
    }
    return Case(None if states is None else printed_number(states, unit), terms, options or Options())


def row_case(states: str | None, options: Options, rows: Sequence[Mapping[str, str]]) -> Case:
    """Return a case of one number per row, with the rows, to try a kind with that counts by their columns."""
    values = tuple(
        NumberTerm((replace(printed_number("1", "count"), id=f"row {line}", row=row),))
        for line, row in enumerate(rows, 1)
    )
    return Case(None if states is None else printed_number(states, "count"), {"values": values}, options)
