"""Kinds of claim: one small pure function each.

A kind takes the published numbers that a claim rests on and returns what they give when recomputed,
the tolerance that their printed digits allow, a verdict, and the arithmetic. Nothing here knows the
article. A new kind is a function and a row of `KINDS`.

Three rules hold for all of them.

- *Rounding first* (`statcheck`, `scrutiny`): a printed number is widened by half a unit of its last
  digit, a digitised one by its precision, before anything is judged.
- *A wrong number is not a wrong conclusion*: a number that is off has severity `rounding` (by less
  than one unit of its last printed digit) or `number`; a bound, an order, a trend or an inference
  that fails has severity `conclusion`.
- *Who disagrees with whom*: if all numbers stand in one document, a mismatch is a contradiction; if
  they stand in different ones (text, a figure, the data of a plot), the sources disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import combinations, pairwise

from analysis.audit.numbers import Interval, Quantity, rounds_to, shown, total
from analysis.audit.published import Published

LISTED = 4


class Verdict(StrEnum):
    """What the published numbers say of a claim, most favourable first."""

    CONSISTENT = "consistent"
    ROUNDING = "consistent only with rounding"
    NOT_CHECKABLE = "not checkable"
    UNSUPPORTED = "unsupported"
    SOURCES_DISAGREE = "sources disagree"
    CONTRADICTED = "contradicted"


class Severity(StrEnum):
    """How much it matters, least first."""

    NONE = "none"
    ROUNDING = "rounding"
    NUMBER = "number"
    CONCLUSION = "conclusion"


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
    def printed(self) -> Quantity | None:
        """The quantity if the term is one number, else None."""
        return self.plus[0].quantity if len(self.plus) == 1 and not self.minus else None

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
    def named(self) -> str:
        """The arithmetic, its result where there is one to show, and the identifiers."""
        result = "" if self.printed else f" = {shown(self.value)}"
        return f"{self.text}{result} [{_names(self)}]"


@dataclass(frozen=True)
class Options:
    """Settings that a claim may give its kind; each kind says which it takes."""

    drop: bool = False
    absolute: bool = False
    attained: bool = False
    relation: str | None = None
    direction: str = "rising"
    alpha: Decimal = Decimal("0.05")
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

    @property
    def stated(self) -> Published:
        """The number that the claim states; kinds that need one are only called with one."""
        if self.printed is None:
            raise ValueError("this kind needs the number that the claim states")
        return self.printed

    @property
    def sources(self) -> frozenset[str]:
        """The documents in which the stated number and all terms stand."""
        found = {source for terms in self.parts.values() for t in terms for source in t.sources}
        return frozenset(found | ({self.printed.source} if self.printed else set()))


@dataclass(frozen=True)
class Finding:
    """The outcome of a claim: numbers as text for a reader, verdict, severity, arithmetic."""

    published: str
    recomputed: str
    tolerance: str
    verdict: Verdict
    severity: Severity
    why: str


def _in_sum(number: Published, position: int) -> str:
    text = number.quantity.text if number.quantity.decimals is not None else _value(number)
    return f"({text})" if position and text.startswith("-") else text


def _value(number: Published) -> str:
    return shown(number.quantity.value)


def _names(term: Term) -> str:
    return ", ".join(number.id for number in term.numbers)


def _stated(number: Published) -> str:
    qualifier = number.quantity.qualifier
    sign = qualifier if qualifier in ("<", "<=", ">", ">=", "~") else ""
    return sign + (_value(number) if number.quantity.decimals is None else number.quantity.text)


def _mismatch(case: Case) -> Verdict:
    return Verdict.CONTRADICTED if len(case.sources) == 1 else Verdict.SOURCES_DISAGREE


def _compared(case: Case, value: Decimal, interval: Interval, arithmetic: str) -> Finding:
    """Hold a recomputed value against the stated one: as printed, within intervals, or neither."""
    printed = case.stated.quantity
    unit = printed.unit_of_last_digit()
    distance = abs(value - printed.value)
    if rounds_to(value, printed):
        verdict, severity = Verdict.CONSISTENT, Severity.NONE
    elif interval.overlaps(printed.interval):
        exact = unit is None or printed.qualifier == "~"
        verdict = Verdict.CONSISTENT if exact else Verdict.ROUNDING
        severity = Severity.NONE if exact else Severity.ROUNDING
    else:
        near = unit is not None and distance < unit
        verdict, severity = _mismatch(case), Severity.ROUNDING if near else Severity.NUMBER
    tolerance = printed.interval.half_width + interval.half_width
    why = f"{arithmetic} = {shown(value)}; stated {_stated(case.stated)}."
    if severity is not Severity.NONE:
        why += f" They differ by {shown(distance)}; rounding allows {shown(tolerance, 3)}."
    return Finding(_stated(case.stated), shown(value), shown(tolerance, 3), verdict, severity, why)


def delta(case: Case) -> Finding:
    """A stated change is `to` minus `from`; with `drop`, `from` minus `to`."""
    to, origin = case.one("to"), case.one("from")
    first, second = (origin, to) if case.options.drop else (to, origin)
    return _compared(
        case,
        first.value - second.value,
        first.interval - second.interval,
        f"{first.text} - {_bracketed(second)}",
    )


def _bracketed(term: Term) -> str:
    text = term.text
    return f"({text})" if text.startswith("-") or term.printed is None else text


def sum_of_parts(case: Case) -> Finding:
    """A stated total is the sum of its `parts`."""
    parts = case.parts["parts"]
    return _compared(
        case,
        sum((part.value for part in parts), Decimal(0)),
        total(part.interval for part in parts),
        " + ".join(_bracketed(part) for part in parts),
    )


def mean(case: Case) -> Finding:
    """A stated value is the unweighted mean of the `values`."""
    values = case.parts["values"]
    share = 1 / Decimal(len(values))
    return _compared(
        case,
        sum((term.value for term in values), Decimal(0)) * share,
        total(term.interval for term in values).times(share),
        f"mean of {', '.join(term.text for term in values)}",
    )


def ratio(case: Case) -> Finding:
    """A stated factor is `numerator` over `denominator`; "~" allows a tenth of the stated factor.

    A denominator whose interval holds zero makes the claim not checkable.
    """
    top, bottom = case.one("numerator"), case.one("denominator")
    arithmetic = f"{_bracketed(top)} / {_bracketed(bottom)}"
    try:
        interval = top.interval / bottom.interval
    except ZeroDivisionError:
        return _undefined(case, f"{arithmetic}: the denominator may be zero within its rounding.")
    return _compared(case, top.value / bottom.value, interval, arithmetic)


def percent_change(case: Case) -> Finding:
    """A stated percentage is 100 (`to` - `from`) / `from`; with `drop`, its negative."""
    to, origin = case.one("to"), case.one("from")
    sign = Decimal(-100 if case.options.drop else 100)
    arithmetic = (
        f"100 x ({origin.text} - {to.text}) / {origin.text}"
        if case.options.drop
        else f"100 x ({to.text} - {origin.text}) / {origin.text}"
    )
    try:
        # As 1 - to/from: each number enters once, so the interval is exact.
        quotient = to.interval / origin.interval
    except ZeroDivisionError:
        return _undefined(case, f"{arithmetic}: the starting value may be zero within its rounding.")
    one = Interval(Decimal(1), Decimal(1))
    return _compared(case, (to.value / origin.value - 1) * sign, (quotient - one).times(sign), arithmetic)


def _undefined(case: Case, why: str) -> Finding:
    return Finding(_stated(case.stated), "", "", Verdict.NOT_CHECKABLE, Severity.NONE, why)


RELATIONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}


def bound(case: Case) -> Finding:
    """Every one of `values` (with `absolute`, its size) stays on the stated side of a stated limit.

    The side is the option `relation`, or the qualifier of the stated number. A value beyond the
    limit counts as inside where the two, each widened by its rounding, still meet: "<14 %" admits
    14.01 as consistent only with rounding. The verdict is `sources disagree` where one document
    keeps the limit and another does not, `contradicted` where none keeps it.
    """
    limit = case.stated.quantity
    relation = case.options.relation or limit.qualifier
    holds = RELATIONS[relation]
    upper = relation.startswith("<")
    kept, rounded, broken = [], [], []
    for term in case.parts["values"]:
        value, interval = _sized(term, case.options.absolute)
        if holds(value, limit.value):
            kept.append(term)
        elif interval.low <= limit.interval.high if upper else interval.high >= limit.interval.low:
            rounded.append(term)
        else:
            broken.append(term)
    ordered = sorted(case.parts["values"], key=lambda t: _sized(t, case.options.absolute)[0], reverse=upper)
    extreme, _ = _sized(ordered[0], case.options.absolute)
    if broken:
        guilty = frozenset().union(*(term.sources for term in broken))
        innocent = [t for t in (*kept, *rounded) if not t.sources & guilty]
        verdict = Verdict.SOURCES_DISAGREE if innocent else Verdict.CONTRADICTED
        severity = Severity.CONCLUSION
    elif rounded:
        verdict, severity = Verdict.ROUNDING, Severity.ROUNDING
    else:
        verdict, severity = Verdict.CONSISTENT, Severity.NONE
    outside = [t for t in ordered if t in broken or t in rounded]
    size = "in size " if case.options.absolute else ""
    why = (
        f"{len(kept)} of {len(ordered)} values are {size}{relation} {limit.text}; "
        f"the {'largest' if upper else 'smallest'} is {ordered[0].named}."
    )
    if outside:
        why += f" Outside: {_listed(outside)}."
    return Finding(
        relation + limit.text,
        shown(extreme),
        shown(limit.interval.half_width, 3),
        verdict,
        severity,
        why,
    )


def _sized(term: Term, absolute: bool) -> tuple[Decimal, Interval]:
    if absolute:
        return abs(term.value), term.interval.magnitude()
    return term.value, term.interval


def _listed(terms: Sequence[Term]) -> str:
    more = f"; and {len(terms) - LISTED} more" if len(terms) > LISTED else ""
    return "; ".join(term.named for term in terms[:LISTED]) + more


def value_range(case: Case) -> Finding:
    """All `values` lie between stated ends `low` and `high`; with `attained`, the ends are met.

    A range in prose may mean either; without `attained` it only has to hold the values.
    """
    low, high = case.one("low"), case.one("high")
    values = sorted(case.parts["values"], key=lambda term: term.value)
    smallest, largest = values[0], values[-1]
    tolerance = max(low.interval.half_width, high.interval.half_width)
    published, found = f"{low.text} to {high.text}", f"{smallest.text} to {largest.text}"
    if case.options.attained:
        pairs = ((smallest, low), (largest, high))
        met = [_agreement(term, end) for term, end in pairs]
        verdict = max(met, key=_rank)
        if verdict is Verdict.SOURCES_DISAGREE:
            verdict = _mismatch(case)
        why = f"The values run from {smallest.named} to {largest.named}; stated {published}."
    else:
        outside = [t for t in values if not low.value <= t.value <= high.value]
        beyond = [t for t in outside if t.interval.high < low.interval.low or t.interval.low > high.interval.high]
        verdict = Verdict.ROUNDING if outside else Verdict.CONSISTENT
        if beyond:
            verdict = _mismatch(case)
        why = f"{len(values) - len(outside)} of {len(values)} values lie in {published}; "
        why += f"they run from {smallest.named} to {largest.named}."
    return Finding(published, found, shown(tolerance, 3), verdict, _severity(verdict, Severity.NUMBER), why)


_RANKS = {verdict: rank for rank, verdict in enumerate(Verdict)}


def _rank(verdict: Verdict) -> int:
    return _RANKS[verdict]


def _severity(verdict: Verdict, mismatch: Severity) -> Severity:
    if verdict in (Verdict.CONSISTENT, Verdict.NOT_CHECKABLE):
        return Severity.NONE
    return Severity.ROUNDING if verdict is Verdict.ROUNDING else mismatch


def _agreement(first: Term, second: Term) -> Verdict:
    """Whether two terms are the same number, the finer one rounded to the digits of the coarser."""
    widths = (first.interval.half_width, second.interval.half_width)
    coarse, fine = (first, second) if widths[0] >= widths[1] else (second, first)
    printed = coarse.printed
    if printed is not None and printed.decimals is not None:
        if rounds_to(fine.value, printed):
            return Verdict.CONSISTENT
        meets = coarse.interval.overlaps(fine.interval)
        return Verdict.ROUNDING if meets else Verdict.SOURCES_DISAGREE
    # Digitised and stored values have no printed digits: to overlap is to agree.
    meets = coarse.interval.overlaps(fine.interval)
    return Verdict.CONSISTENT if meets else Verdict.SOURCES_DISAGREE


def equality(case: Case) -> Finding:
    """All `values`, and the stated number if any, are the same quantity in several places."""
    values = case.parts["values"]
    if case.printed is not None:
        values = (Term((case.printed,)), *values)
    pairs = [(a, b, _agreement(a, b)) for a, b in combinations(values, 2)]
    verdict = max((found for _, _, found in pairs), key=_rank)
    worst = max(pairs, key=lambda pair: (_rank(pair[2]), abs(pair[0].value - pair[1].value)))
    first, second, _ = worst
    gap = abs(first.value - second.value)
    tolerance = first.interval.half_width + second.interval.half_width
    units = [t.printed.unit_of_last_digit() for t in (first, second) if t.printed is not None]
    near = any(unit is not None and gap < unit for unit in units)
    most = ", the most of all pairs" if len(pairs) > 1 else ""
    why = f"{first.named} and {second.named} are {shown(gap)} apart{most}; rounding allows "
    why += f"{shown(tolerance, 3)}."
    return Finding(
        _stated(case.printed) if case.printed else shown(values[0].value),
        "; ".join(shown(term.value) for term in case.parts["values"]),
        shown(tolerance, 3),
        verdict,
        _severity(verdict, Severity.ROUNDING if near else Severity.NUMBER),
        why,
    )


def order(case: Case) -> Finding:
    """Every one of `smaller` is below every one of `larger` (with `absolute`, in size).

    Values that tie within their rounding are consistent only with rounding.
    """
    absolute = case.options.absolute
    low = max(case.parts["smaller"], key=lambda term: _sized(term, absolute)[0])
    high = min(case.parts["larger"], key=lambda term: _sized(term, absolute)[0])
    (below, low_interval), (above, high_interval) = _sized(low, absolute), _sized(high, absolute)
    if below < above:
        verdict = Verdict.CONSISTENT
    elif low_interval.low <= high_interval.high:
        verdict = Verdict.ROUNDING
    else:
        verdict = Verdict.CONTRADICTED
    sign = "<" if below < above else ">="
    size = " in size" if absolute else ""
    return Finding(
        "",
        f"{shown(below)} {sign} {shown(above)}",
        shown(low_interval.half_width + high_interval.half_width, 3),
        verdict,
        _severity(verdict, Severity.CONCLUSION),
        f"Largest{size} of the smaller: {low.named}; smallest{size} of the larger: {high.named}.",
    )


def monotone(case: Case) -> Finding:
    """Each of `series` is above the one before it (with `direction: falling`, below)."""
    series = case.parts["series"]
    falling = case.options.direction == "falling"
    steps = [(b, a) if falling else (a, b) for a, b in pairwise(series)]
    against = [(a, b) for a, b in steps if a.value >= b.value]
    clear = [(a, b) for a, b in against if a.interval.low > b.interval.high]
    verdict = Verdict.ROUNDING if against else Verdict.CONSISTENT
    if clear:
        verdict = Verdict.CONTRADICTED
    word = "falls" if falling else "rises"
    why = f"{len(steps) - len(against)} of {len(steps)} steps {word.rstrip('s')}: "
    why += ", ".join(shown(term.value, 4) for term in series) + "."
    if against:
        why += " Against it: " + "; ".join(
            f"{b.named} after {a.named}" if not falling else f"{a.named} after {b.named}" for a, b in against[:LISTED]
        )
        why += f"; and {len(against) - LISTED} more." if len(against) > LISTED else "."
    return Finding(
        word,
        f"{len(steps) - len(against)} of {len(steps)} steps",
        shown(max(term.interval.half_width for term in series), 3),
        verdict,
        _severity(verdict, Severity.CONCLUSION),
        why,
    )


def sameness(case: Case) -> Finding:
    """`first` and `second`, pair by pair, differ by at most a stated margin.

    A claim of sameness without a margin cannot fail, so it is not checkable; the largest difference
    is given all the same.
    """
    pairs = list(zip(case.parts["first"], case.parts["second"], strict=True))
    gaps = [(abs(a.value - b.value), (a.interval - b.interval).magnitude()) for a, b in pairs]
    gap, interval = max(gaps, key=lambda item: item[0])
    a, b = pairs[[item[0] for item in gaps].index(gap)]
    arithmetic = f"The largest of {len(pairs)} differences is {shown(gap)}: {a.named} and {b.named}."
    if case.printed is None:
        return Finding(
            "no margin stated",
            shown(gap),
            "",
            Verdict.NOT_CHECKABLE,
            Severity.NONE,
            f"{arithmetic} {case.options.needs}".strip(),
        )
    margin = case.printed.quantity
    if gap <= margin.value:
        verdict = Verdict.CONSISTENT
    else:
        inside = interval.low <= margin.interval.high
        verdict = Verdict.ROUNDING if inside else Verdict.CONTRADICTED
    return Finding(
        "<=" + margin.text,
        shown(gap),
        shown(margin.interval.half_width + interval.half_width, 3),
        verdict,
        _severity(verdict, Severity.CONCLUSION),
        arithmetic,
    )


def nonsignificance(case: Case) -> Finding:
    """A p-value at or above `alpha` is read as evidence that two things are the same.

    The inference does not follow, whatever the p-value: a test that fails to find a difference may
    lack the data to find it (Altman and Bland, 1995). What would follow from an equivalence test
    against a margin fixed beforehand is not published. A p-value below `alpha` contradicts the
    claim.
    """
    p = case.stated.quantity
    alpha = case.options.alpha
    if p.value >= alpha or (p.qualifier == "" and p.interval.high >= alpha):
        verdict = Verdict.UNSUPPORTED
        why = (
            f"p = {p.text} is not below {shown(alpha)}: no difference was shown, which does not "
            "show that there is none. Sameness needs an equivalence test, or an interval inside a "
            "margin."
        )
    else:
        verdict = Verdict.CONTRADICTED
        why = f"p = {_stated(case.stated)} is below {shown(alpha)}: the test found a difference."
    return Finding(_stated(case.stated), "", shown(alpha), verdict, Severity.CONCLUSION, why)


def not_checkable(case: Case) -> Finding:
    """The numbers that a claim rests on were not published; `needs` says which would decide it."""
    return Finding(
        _stated(case.printed) if case.printed else "",
        "",
        "",
        Verdict.NOT_CHECKABLE,
        Severity.NONE,
        case.options.needs,
    )


@dataclass(frozen=True)
class Kind:
    """A kind of claim: its function, and what a claim of this kind must and may give.

    `roles` maps each role to its smallest and largest number of terms. `states` says whether the
    claim states a number: True, False, or None for either. `same_unit` is off where the stated
    number has another unit than its parts (a ratio of percentages).
    """

    evaluate: Callable[[Case], Finding]
    roles: Mapping[str, tuple[int, int]]
    states: bool | None
    options: frozenset[str] = frozenset()
    same_unit: bool = True


MANY = 1000
KINDS: Mapping[str, Kind] = {
    "delta": Kind(delta, {"from": (1, 1), "to": (1, 1)}, True, frozenset({"drop"})),
    "sum": Kind(sum_of_parts, {"parts": (1, MANY)}, True),
    "mean": Kind(mean, {"values": (1, MANY)}, True),
    "ratio": Kind(ratio, {"numerator": (1, 1), "denominator": (1, 1)}, True, same_unit=False),
    "percent_change": Kind(percent_change, {"from": (1, 1), "to": (1, 1)}, True, frozenset({"drop"}), same_unit=False),
    "bound": Kind(bound, {"values": (1, MANY)}, True, frozenset({"absolute", "relation"})),
    "range": Kind(
        value_range,
        {"low": (1, 1), "high": (1, 1), "values": (1, MANY)},
        False,
        frozenset({"attained"}),
    ),
    "equality": Kind(equality, {"values": (1, MANY)}, None),
    "order": Kind(order, {"smaller": (1, MANY), "larger": (1, MANY)}, False, frozenset({"absolute"})),
    "monotone": Kind(monotone, {"series": (2, MANY)}, False, frozenset({"direction"})),
    "sameness": Kind(sameness, {"first": (1, MANY), "second": (1, MANY)}, None, frozenset({"needs"})),
    "nonsignificance": Kind(nonsignificance, {}, True, frozenset({"alpha"}), same_unit=False),
    "not_checkable": Kind(not_checkable, {}, None, frozenset({"needs"}), same_unit=False),
}
