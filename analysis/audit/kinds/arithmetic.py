"""Kinds that recompute a stated number from others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from analysis.audit.kinds.agreement import AS_ROUNDED
from analysis.audit.kinds.case import ONE, RELATIONS, Case, NumberTerm, may_be_on_side, mismatch, need, stated_text
from analysis.audit.kinds.finding import Finding, Need, Value, Verdict, not_checkable_because, share_apart, worst
from analysis.audit.kinds.reason import Phrase, phrase
from analysis.audit.numbers import Bounds, Quantity, shown, total
from analysis.audit.rounding import Rounded, is_exact_tie, rounded, tie_told

# Fewer roundings than these may well point the same way; a coincidence rarer than this is not one.
SEVERAL, RARE = 5, Decimal("0.0001")


def compared(
    case: Case,
    value: Decimal,
    bounds: Bounds,
    arithmetic: str,
    rates: Mapping[str, Decimal],
    neutral: Decimal | None = None,
    divides: bool = False,
    errors: Sequence[Decimal] = (),
) -> Finding:
    """Compare a recomputed value with the stated one: equal as printed, within rounding, or neither.

    The conclusion changes where the two lie on different sides of `neutral` (no change) beyond rounding: an increase
    that is in fact a decrease is more than a wrong number.

    Args:
        case: with the stated number.
        value: recomputed from the numbers as published.
        bounds: of the recomputed value, given the rounding of the numbers.
        arithmetic: the computation, for the reader.
        rates: identifier → change of `value` per unit of the number.
        neutral: the value that means "no change", if the kind has one.
        divides: whether the result of exact numbers may still be rounded; a sum of counts is a count.
        errors: half widths of the roundings that add up in the result, where there are several. They rarely point the
            same way: by Hoeffding's inequality, the chance that they add up to t is at most exp(-t² / (2 Σ width²)).
    """
    printed = case.stated.quantity
    unit = printed.unit_of_last_digit()
    if divides and unit is not None and printed.bounds.is_exact:
        printed = replace(printed, bounds=Bounds(printed.value - unit / 2, printed.value + unit / 2))
    distance = abs(value - printed.value)
    verdict, flag = _judged(case, printed, value, bounds)
    chance = _chance(errors, distance - printed.bounds.half_width)
    unlikely = verdict is Verdict.ROUNDING and len(errors) >= SEVERAL and chance < RARE
    if unlikely:
        verdict, flag = mismatch(case.sources), Value.OFF
    changes = (
        flag is Value.OFF
        and neutral is not None
        and not bounds.overlaps(Bounds(neutral, neutral))
        and not printed.bounds.overlaps(Bounds(neutral, neutral))
        and (value > neutral) != (printed.value > neutral)
    )
    tolerance = printed.bounds.half_width + bounds.half_width
    reason = [phrase(f"{arithmetic} = {shown(value)}; stated {stated_text(case.stated)}.")]
    if flag is not Value.AS_PRINTED:
        allowed = f"rounding allows less than {shown(tolerance, 3)}" if tolerance else "all numbers are exact"
        reason.append(phrase(f"They differ by {shown(distance)}; {allowed}."))
    if unlikely:
        reason.append(phrase(f"So many roundings would add up to that in less than 1 of {shown(1 / RARE)} cases."))
    if flag is Value.TIE:
        reason.append(phrase(tie_told(value, printed)))
    stated = {case.stated.id: ONE}
    away = {key: -rate for key, rate in rates.items()}
    return Finding(
        published=stated_text(case.stated),
        recomputed=shown(value),
        tolerance=shown(tolerance, 3),
        verdict=verdict,
        reason=tuple(reason),
        value=flag,
        changes=changes,
        gap=share_apart(value, printed.value) if verdict.fails else Decimal(0),
        conditions=lambda: (
            need(tolerance + value - printed.value, rates, {case.stated.id: -ONE}),
            need(tolerance - value + printed.value, away, stated),
        ),
    )


def _chance(errors: Sequence[Decimal], apart: Decimal) -> Decimal:
    squares = sum((width**2 for width in errors), Decimal(0))
    return (-(apart**2) / (2 * squares)).exp() if squares and apart > 0 else ONE


def _judged(case: Case, printed: Quantity, value: Decimal, bounds: Bounds) -> tuple[Verdict, Value]:
    exact = printed.bounds.is_exact and bounds.is_exact
    if rounded(value, printed) is Rounded.TO_IT and not (exact and value != printed.value):
        return Verdict.CONSISTENT, Value.AS_PRINTED
    unit = printed.unit_of_last_digit()
    if not exact and not printed.is_approximate and is_exact_tie(value, bounds.half_width, printed):
        return Verdict.TIE, Value.TIE
    if bounds.overlaps(printed.bounds):
        if unit is None or printed.is_approximate:
            return Verdict.CONSISTENT, Value.AS_PRINTED
        return Verdict.ROUNDING, Value.WITHIN_ROUNDING
    near = unit is not None and abs(value - printed.value) < unit
    return mismatch(case.sources), Value.NEAR if near else Value.OFF


def delta(case: Case) -> Finding:
    """Claim that a stated change is `to` minus `from`; with `drop`, `from` minus `to`.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = delta(printed_case("-4.9", from_=["69.1"], to=["64.3"]))
        >>> str(found.verdict), found.why
        ('consistent only with rounding', '64.3 - 69.1 = -4.8; stated -4.9. They differ by 0.1; rounding allows less \
than 0.15.')
    """
    to, origin = case.one("to"), case.one("from")
    first, second = (origin, to) if case.options.drop else (to, origin)
    return compared(
        case,
        first.value - second.value,
        first.bounds - second.bounds,
        f"{first.text} - {second.bracketed}",
        need(Decimal(0), first.rates(), second.rates(-ONE)).rates,
        neutral=Decimal(0),
    )


def sum_of_parts(case: Case) -> Finding:
    """Claim that a stated total is the sum of its `parts`.

    The rounding of many parts rarely adds up: where it would take a coincidence of less than one in ten thousand, the
    total is off, even if the worst case allows it.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = sum_of_parts(printed_case("-5.1", parts=["-4.9", "-0.2", "0.1", "-0.1"]))
        >>> str(found.verdict), found.why
        ('consistent', '(-4.9) + (-0.2) + 0.1 + (-0.1) = -5.1; stated -5.1.')
    """
    parts = case.parts["parts"]
    return compared(
        case,
        sum((part.value for part in parts), Decimal(0)),
        total(part.bounds for part in parts),
        " + ".join(part.bracketed for part in parts),
        need(Decimal(0), *(part.rates() for part in parts)).rates,
        neutral=Decimal(0),
        errors=_roundings(parts),
    )


def _roundings(terms: Sequence[NumberTerm], share: Decimal = ONE) -> list[Decimal]:
    """Return what each rounded number of some terms may be off by, `share` times."""
    widths = (number.quantity.bounds.half_width * share for term in terms for number in term.numbers)
    return [width for width in widths if width]


def mean(case: Case) -> Finding:
    """Claim that a stated value is the unweighted mean of the `values`; many roundings are combined as in a sum.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = mean(printed_case("0.10", values=["0.13", "0.11", "0.11"]))
        >>> str(found.verdict), found.recomputed
        ('contradicted', '0.116667')
    """
    values = case.parts["values"]
    share = 1 / Decimal(len(values))
    return compared(
        case,
        sum((term.value for term in values), Decimal(0)) * share,
        total(term.bounds for term in values).times(share),
        f"mean of {', '.join(term.text for term in values)}",
        need(Decimal(0), *(term.rates(share) for term in values)).rates,
        divides=True,
        errors=_roundings(values, share),
    )


def ratio(case: Case) -> Finding:
    """Claim that a stated quotient is `numerator` over `denominator`; "~" allows a tenth of the stated one.

    A denominator whose bounds include zero makes the claim not checkable.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = ratio(printed_case("~34", numerator=["0.180"], denominator=["0.005"]))
        >>> str(found.verdict), found.recomputed
        ('consistent', '36')
    """
    top, bottom = case.one("numerator"), case.one("denominator")
    arithmetic = f"{top.bracketed} / {bottom.bracketed}"
    try:
        bounds = top.bounds / bottom.bounds
    except ZeroDivisionError:
        return undefined(case, f"{arithmetic}: the denominator may be zero within its rounding.")
    value = top.value / bottom.value
    return compared(case, value, bounds, arithmetic, _quotient_rates(top, bottom), neutral=ONE, divides=True)


def _quotient_rates(top: NumberTerm, bottom: NumberTerm) -> Mapping[str, Decimal]:
    value = top.value / bottom.value
    return need(Decimal(0), top.rates(1 / bottom.value), bottom.rates(-value / bottom.value)).rates


def factor(case: Case) -> Finding:
    """Claim that `larger` is everywhere the stated factor ("~250×") times `smaller`.

    With the option `relation`, at least (or at most) that many times. A factor has no unit, and a factor below 1 where
    one above 1 is stated changes the conclusion. A `smaller` that may be zero within its rounding makes the claim not
    checkable.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> found = factor(printed_case("5", Options(relation=">="), larger=["36.6"], smaller=["7.0"]))
        >>> str(found.verdict), found.why
        ('consistent', '36.6 [36.6] / 7.0 [7.0] = 5.22857; stated >=5×.')
    """
    relation = case.options.relation
    stated = (case.stated if relation is None else case.limit).quantity
    pairs = list(zip(case.parts["larger"], case.parts["smaller"], strict=True))
    quotients, needs = [], list[Need]()
    for top, bottom in pairs:
        try:
            bounds = top.bounds / bottom.bounds
        except ZeroDivisionError:
            return undefined(case, f"{top.bracketed} / {bottom.bracketed}: what divides may be zero within rounding.")
        value, rates = top.value / bottom.value, _quotient_rates(top, bottom)
        allowed = stated.bounds.half_width + bounds.half_width
        if relation is None or relation.startswith("<"):
            down = {key: -rate for key, rate in rates.items()}
            needs.append(need(allowed - value + stated.value, down, {case.stated.id: ONE}))
        if relation is None or relation.startswith(">"):
            needs.append(need(allowed + value - stated.value, rates, {case.stated.id: -ONE}))
        quotients.append((value, bounds, top, bottom, _factor_holds(value, bounds, stated, relation)))
    verdict = worst(found for *_, found in quotients)
    value, bounds, top, bottom, _ = max(quotients, key=lambda q: (q[4].rank, share_apart(q[0], stated.value)))
    failed = verdict.fails
    turned = failed and stated.value > 1 and bounds.high < 1
    sign = relation or stated.qualifier
    reason = [phrase(top.named, " / ", bottom.named, f" = {shown(value)}; stated {sign}{stated.text}×.")]
    if len(quotients) > 1:
        low, high = (pick(q[0] for q in quotients) for pick in (min, max))
        reason.append(phrase(f"The {len(quotients)} factors run from {shown(low)} to {shown(high)}."))
    return Finding(
        published=f"{sign}{stated.text}×",
        recomputed=shown(value),
        tolerance=shown(stated.bounds.half_width + bounds.half_width, 3),
        verdict=mismatch(case.sources) if failed else verdict,
        reason=tuple(reason),
        value=Value.OFF if failed else AS_ROUNDED.get(verdict, Value.AS_PRINTED),
        changes=turned,
        gap=share_apart(value, stated.value) if failed else Decimal(0),
        conditions=lambda: needs,
    )


def _factor_holds(value: Decimal, bounds: Bounds, stated: Quantity, relation: str | None) -> Verdict:
    if relation is not None:
        met = RELATIONS[relation](value, stated.value)
        near = may_be_on_side(bounds, relation, stated.bounds)
    else:
        met = rounded(value, stated) is Rounded.TO_IT
        near = bounds.overlaps(stated.bounds)
        met = met or (near and stated.is_approximate)
        if not met and is_exact_tie(value, bounds.half_width, stated):
            return Verdict.TIE
    return Verdict.CONSISTENT if met else Verdict.ROUNDING if near else Verdict.CONTRADICTED


def percent_change(case: Case) -> Finding:
    """Claim that a stated percentage is 100 (`to` - `from`) / `from`; with `drop`, its negative.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> found = percent_change(printed_case("36", Options(drop=True), from_=["13.5"], to=["8.7"]))
        >>> str(found.verdict), found.why
        ('consistent', '100 x (13.5 - 8.7) / 13.5 = 35.5556; stated 36.')
    """
    to, origin = case.one("to"), case.one("from")
    sign = Decimal(-100 if case.options.drop else 100)
    change = f"{origin.text} - {to.text}" if case.options.drop else f"{to.text} - {origin.text}"
    arithmetic = f"100 x ({change}) / {origin.text}"
    try:
        # As 1 - to/from: each number enters once, so the bounds are exact.
        quotient = to.bounds / origin.bounds
    except ZeroDivisionError:
        return undefined(case, f"{arithmetic}: the starting value may be zero within its rounding.")
    rates = {key: rate * sign for key, rate in _quotient_rates(to, origin).items()}
    return compared(
        case,
        (to.value / origin.value - 1) * sign,
        (quotient - Bounds(ONE, ONE)).times(sign),
        arithmetic,
        rates,
        neutral=Decimal(0),
        divides=True,
    )


def undefined(case: Case, why: str | Phrase) -> Finding:
    """Return the finding of a claim whose arithmetic has no result."""
    return not_checkable_because(why, published=stated_text(case.stated))
