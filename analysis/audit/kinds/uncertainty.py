"""Kinds that measure a difference by what is published of its uncertainty: standard deviations, bars, intervals."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from analysis.audit.kinds.case import ONE, Case, NumberTerm, mismatch, need
from analysis.audit.kinds.finding import Finding, Need, Value, Verdict, not_checkable_because, share_apart
from analysis.audit.kinds.reason import phrase
from analysis.audit.numbers import shown

# Standard errors beyond which sampling rarely takes a difference: a two-sided test at 0.05.
USUAL = Decimal("1.96")


def standard_errors(case: Case) -> Finding:
    """Claim that `first` and `second` differ by no more than sampling explains (with `apart`, by more).

    Their difference is measured in standard errors, sqrt(sum of sd²/n): one `sd` where only one of the two has a
    published spread, two where both have. `near` is the number of standard errors up to which a difference is one of
    sampling, 1.96 without it. Where the sentence has a `vague` word, or where nothing says how many units are behind
    one of the numbers, the finding is the number of standard errors.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = standard_errors(printed_case(first=["17.9"], second=["18.5"], sd=["2.83"], n=["200"]))
        >>> str(found.verdict), found.recomputed
        ('contradicted', '3 standard errors')
    """
    first, second, n = case.one("first"), case.one("second"), case.one("n")
    variance = sum((sd.value**2 for sd in case.parts["sd"]), Decimal(0))
    if n.value <= 0 or not variance:
        return not_checkable_because("Without a spread and a number of units there is no standard error.")
    error = (variance / n.value).sqrt()
    gap, width = abs(first.value - second.value), first.width + second.width
    allowed = case.options.near if case.options.near is not None else USUAL
    times = gap / error
    told = f"{shown(times, 3)} standard errors"
    reason = phrase(
        *(first.named, " and ", second.named, f" are {shown(gap, 4)} apart, {told} of {shown(error, 3)} "),
        *("(n = ", n.named, ")."),
    )
    wanted = case.options.apart
    turn = -1 if wanted else 1
    room = turn * (allowed * error - gap)
    holds = room >= 0 if not wanted else room > 0
    verdict = Verdict.CONSISTENT if holds else Verdict.ROUNDING
    if not holds and room + width <= 0:
        verdict = mismatch(first.sources | second.sources)
    failed = verdict.fails
    found = Finding(
        published=f"{'more' if wanted else 'no more'} than {shown(allowed)} standard errors",
        recomputed=told,
        tolerance=shown(width, 3),
        verdict=verdict,
        reason=(reason,),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=failed,
        gap=share_apart(gap, allowed * error) if failed else Decimal(0),
        conditions=lambda: _needs(case, allowed, width),
    )
    if not case.options.vague:
        return found
    sensitivity = f"It holds where '{case.options.vague}' allows {told}."
    return replace(found, verdict=Verdict.READING, changes=False, gap=Decimal(0)).with_sensitivity(sensitivity)


def _needs(case: Case, allowed: Decimal, width: Decimal) -> tuple[Need, ...]:
    # One need per number, because each bound is linear in one number alone.
    first, second, n = case.one("first"), case.one("second"), case.one("n")
    turn = -ONE if case.options.apart else ONE
    sds = case.parts["sd"]
    squares = sum((sd.value**2 for sd in sds), Decimal(0))
    difference = first.value - second.value
    sign = ONE if difference >= 0 else -ONE
    room = turn * (allowed * (squares / n.value).sqrt() - abs(difference)) + width
    away, towards = first.rates(-turn * sign), second.rates(turn * sign)
    needs = [need(room, away, towards)]
    # What the difference leaves once rounding is granted: the standard error has to be on its other side.
    rest = max(abs(difference) - turn * width, Decimal(0))
    if rest:
        enough = (allowed / rest) ** 2
        needs.append(need(turn * (squares * enough - n.value), n.rates(-turn)))
        for sd in sds:
            others = squares - sd.value**2
            least = n.value / enough - others
            if least > 0:
                needs.append(need(turn * (sd.value - least.sqrt()), sd.rates(turn)))
    return tuple(needs)


def intervals(case: Case) -> Finding:
    """Claim that two intervals overlap (with `apart`, that they do not); each role has a lower and an upper end.

    Bars whose meaning is not published say how far values lie apart, not whether a difference is one of sampling: for
    those, `vague` names the word that the bars are held against, and the finding is the overlap.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> found = intervals(printed_case(None, Options(apart=True), first=["5.3", "12.0"], second=["2.9", "5.2"]))
        >>> str(found.verdict), found.why
        ('consistent', '5.3 to 12.0 and 2.9 to 5.2 are 0.1 apart [5.3, 12.0, 2.9, 5.2].')
    """
    (low, high), (other_low, other_high) = case.parts["first"], case.parts["second"]
    gaps = ((high, other_low), (other_high, low))
    # Apart by the larger of the two distances; negative where they overlap.
    end, start = max(gaps, key=lambda pair: pair[1].value - pair[0].value)
    distance, width = start.value - end.value, start.width + end.width
    is_apart = distance > 0
    wanted = case.options.apart
    verdict = Verdict.CONSISTENT if is_apart is wanted else Verdict.ROUNDING
    if is_apart is not wanted and abs(distance) >= width:
        verdict = mismatch(frozenset[str]().union(*(t.sources for t in (low, high, other_low, other_high))))
    failed = verdict.fails
    told = "apart" if is_apart else "of overlap"
    numbers = (low, high, other_low, other_high)
    reason = phrase(
        f"{low.text} to {high.text} and {other_low.text} to {other_high.text} are {shown(abs(distance))} {told}",
        _cited(numbers),
        ".",
    )
    found = Finding(
        published="apart" if wanted else "overlap",
        recomputed=f"{shown(abs(distance))} {told}",
        tolerance=shown(width, 3),
        verdict=verdict,
        reason=(reason,),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=failed,
        gap=share_apart(start.value, end.value) if failed else Decimal(0),
        conditions=lambda: _apart(start, end) if wanted else tuple(_meets(a, b) for a, b in gaps),
    )
    if not case.options.vague:
        return found
    sensitivity = f"It holds where '{case.options.vague}' allows intervals with {shown(abs(distance))} {told}."
    return replace(found, verdict=Verdict.READING, changes=False, gap=Decimal(0)).with_sensitivity(sensitivity)


def _apart(start: NumberTerm, end: NumberTerm) -> tuple[Need, ...]:
    return (need(start.value - end.value + start.width + end.width, start.rates(), end.rates(-ONE)),)


def _meets(end: NumberTerm, start: NumberTerm) -> Need:
    return need(end.value - start.value + start.width + end.width, end.rates(), start.rates(-ONE))


def _cited(terms: tuple[NumberTerm, ...]) -> str:
    return f" [{', '.join(n.id for term in terms for n in term.numbers)}]"
