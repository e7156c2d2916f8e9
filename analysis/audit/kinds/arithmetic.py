"""Kinds that compute a number from others and hold it against the stated one."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from analysis.audit.kinds.case import ONE, RELATIONS, Case, Term, mismatch, need, stated_text
from analysis.audit.kinds.finding import Finding, Need, Value, Verdict, share_apart, worst
from analysis.audit.numbers import Interval, Quantity, rounds_to, shown, total


def compared(
    case: Case,
    value: Decimal,
    interval: Interval,
    arithmetic: str,
    rates: Mapping[str, Decimal],
    neutral: Decimal | None = None,
) -> Finding:
    """Hold a recomputed value against the stated one: as printed, within intervals, or neither.

    The conclusion changes where the two lie on different sides of `neutral` (no change at all) beyond
    rounding: an increase stated for a decrease is more than a wrong number.

    Args:
        case: with the stated number.
        value: recomputed from the numbers as published.
        interval: of every value that their rounding allows.
        arithmetic: for the reader.
        rates: identifier → change of `value` per unit of the number.
        neutral: the value that means "no change", if the kind has one.
    """
    printed = case.stated.quantity
    distance = abs(value - printed.value)
    verdict, flag = _judged(case, value, interval)
    changes = (
        flag is Value.OFF
        and neutral is not None
        and not interval.overlaps(Interval(neutral, neutral))
        and not printed.interval.overlaps(Interval(neutral, neutral))
        and (value > neutral) != (printed.value > neutral)
    )
    tolerance = printed.interval.half_width + interval.half_width
    why = f"{arithmetic} = {shown(value)}; stated {stated_text(case.stated)}."
    if flag is not Value.AS_PRINTED:
        why += f" They differ by {shown(distance)}; rounding allows {shown(tolerance, 3)}."
    stated = {case.stated.id: ONE}
    away = {key: -rate for key, rate in rates.items()}
    return Finding(
        stated_text(case.stated),
        shown(value),
        shown(tolerance, 3),
        verdict,
        flag,
        changes,
        why,
        gap=Decimal(0) if verdict.rank <= Verdict.ROUNDING.rank else share_apart(value, printed.value),
        needs=(
            need(tolerance + value - printed.value, rates, {case.stated.id: -ONE}),
            need(tolerance - value + printed.value, away, stated),
        ),
    )


def _judged(case: Case, value: Decimal, interval: Interval) -> tuple[Verdict, Value]:
    printed = case.stated.quantity
    if rounds_to(value, printed):
        return Verdict.CONSISTENT, Value.AS_PRINTED
    unit = printed.unit_of_last_digit()
    if interval.overlaps(printed.interval):
        if unit is None or printed.qualifier == "~":
            return Verdict.CONSISTENT, Value.AS_PRINTED
        return Verdict.ROUNDING, Value.WITHIN_ROUNDING
    near = unit is not None and abs(value - printed.value) < unit
    return mismatch(case.sources), Value.NEAR if near else Value.OFF


def delta(case: Case) -> Finding:
    """A stated change is `to` minus `from`; with `drop`, `from` minus `to`."""
    to, origin = case.one("to"), case.one("from")
    first, second = (origin, to) if case.options.drop else (to, origin)
    return compared(
        case,
        first.value - second.value,
        first.interval - second.interval,
        f"{first.text} - {second.bracketed}",
        need(Decimal(0), first.rates(), second.rates(-ONE)).rates,
        neutral=Decimal(0),
    )


def sum_of_parts(case: Case) -> Finding:
    """A stated total is the sum of its `parts`."""
    parts = case.parts["parts"]
    return compared(
        case,
        sum((part.value for part in parts), Decimal(0)),
        total(part.interval for part in parts),
        " + ".join(part.bracketed for part in parts),
        need(Decimal(0), *(part.rates() for part in parts)).rates,
        neutral=Decimal(0),
    )


def mean(case: Case) -> Finding:
    """A stated value is the unweighted mean of the `values`."""
    values = case.parts["values"]
    share = 1 / Decimal(len(values))
    return compared(
        case,
        sum((term.value for term in values), Decimal(0)) * share,
        total(term.interval for term in values).times(share),
        f"mean of {', '.join(term.text for term in values)}",
        need(Decimal(0), *(term.rates(share) for term in values)).rates,
    )


def ratio(case: Case) -> Finding:
    """A stated quotient is `numerator` over `denominator`; "~" allows a tenth of the stated one.

    A denominator whose interval holds zero makes the claim not checkable.
    """
    top, bottom = case.one("numerator"), case.one("denominator")
    arithmetic = f"{top.bracketed} / {bottom.bracketed}"
    try:
        interval = top.interval / bottom.interval
    except ZeroDivisionError:
        return undefined(case, f"{arithmetic}: the denominator may be zero within its rounding.")
    value = top.value / bottom.value
    return compared(case, value, interval, arithmetic, _quotient_rates(top, bottom), neutral=ONE)


def _quotient_rates(top: Term, bottom: Term) -> Mapping[str, Decimal]:
    value = top.value / bottom.value
    return need(Decimal(0), top.rates(1 / bottom.value), bottom.rates(-value / bottom.value)).rates


def factor(case: Case) -> Finding:
    """At every place, `larger` is the stated factor ("~250×") times `smaller`.

    With the option `relation`, at least (or at most) that many times. A factor has no unit and a fall
    below 1 turns it round, which changes the conclusion. A `smaller` that may be zero within its
    rounding makes the claim not checkable.
    """
    stated = case.stated.quantity
    relation = case.options.relation
    pairs = list(zip(case.parts["larger"], case.parts["smaller"], strict=True))
    quotients, needs = [], list[Need]()
    for top, bottom in pairs:
        try:
            interval = top.interval / bottom.interval
        except ZeroDivisionError:
            return undefined(case, f"{top.bracketed} / {bottom.bracketed}: what divides may be zero within rounding.")
        value, rates = top.value / bottom.value, _quotient_rates(top, bottom)
        allowed = stated.interval.half_width + interval.half_width
        if relation is None or relation.startswith("<"):
            down = {key: -rate for key, rate in rates.items()}
            needs.append(need(allowed - value + stated.value, down, {case.stated.id: ONE}))
        if relation is None or relation.startswith(">"):
            needs.append(need(allowed + value - stated.value, rates, {case.stated.id: -ONE}))
        quotients.append((value, interval, top, bottom, _factor_holds(value, interval, stated, relation)))
    verdict = worst(found for *_, found in quotients)
    value, interval, top, bottom, _ = max(quotients, key=lambda q: (q[4].rank, share_apart(q[0], stated.value)))
    failed = verdict.rank > Verdict.ROUNDING.rank
    turned = failed and stated.value > 1 and interval.high < 1
    sign = relation or stated.qualifier
    why = f"{top.named} / {bottom.named} = {shown(value)}; stated {sign}{stated.text}×."
    if len(quotients) > 1:
        low, high = (pick(q[0] for q in quotients) for pick in (min, max))
        why += f" The {len(quotients)} factors run from {shown(low)} to {shown(high)}."
    return Finding(
        f"{sign}{stated.text}×",
        shown(value),
        shown(stated.interval.half_width + interval.half_width, 3),
        mismatch(case.sources) if failed else verdict,
        Value.OFF if failed else Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.AS_PRINTED,
        turned,
        why,
        gap=share_apart(value, stated.value) if failed else Decimal(0),
        needs=tuple(needs),
    )


def _factor_holds(value: Decimal, interval: Interval, stated: Quantity, relation: str | None) -> Verdict:
    if relation is not None:
        met = RELATIONS[relation](value, stated.value)
        upper = relation.startswith("<")
        near = interval.low <= stated.interval.high if upper else interval.high >= stated.interval.low
    else:
        met = rounds_to(value, stated)
        near = interval.overlaps(stated.interval)
        met = met or (near and stated.qualifier == "~")
    return Verdict.CONSISTENT if met else Verdict.ROUNDING if near else Verdict.CONTRADICTED


def percent_change(case: Case) -> Finding:
    """A stated percentage is 100 (`to` - `from`) / `from`; with `drop`, its negative."""
    to, origin = case.one("to"), case.one("from")
    sign = Decimal(-100 if case.options.drop else 100)
    change = f"{origin.text} - {to.text}" if case.options.drop else f"{to.text} - {origin.text}"
    arithmetic = f"100 x ({change}) / {origin.text}"
    try:
        # As 1 - to/from: each number enters once, so the interval is exact.
        quotient = to.interval / origin.interval
    except ZeroDivisionError:
        return undefined(case, f"{arithmetic}: the starting value may be zero within its rounding.")
    rates = {key: rate * sign for key, rate in _quotient_rates(to, origin).items()}
    return compared(
        case,
        (to.value / origin.value - 1) * sign,
        (quotient - Interval(ONE, ONE)).times(sign),
        arithmetic,
        rates,
        neutral=Decimal(0),
    )


def undefined(case: Case, why: str) -> Finding:
    """The finding of a claim whose arithmetic has no result."""
    return Finding(stated_text(case.stated), "", "", Verdict.NOT_CHECKABLE, Value.NOT_STATED, False, why)
