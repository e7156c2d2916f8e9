"""Kinds about the course of a quantity along a series: layer by layer, or condition by condition.

Only published positions count: a claim about twelve layers of which seven were published is judged on the seven, and
the arithmetic lists them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from analysis.audit.kinds.arithmetic import undefined
from analysis.audit.kinds.case import LISTED, ONE, Case, NumberTerm, above, mismatch, need
from analysis.audit.kinds.finding import HELD, Finding, Need, Value, Verdict, not_checkable_because, share_apart
from analysis.audit.kinds.reason import joined, phrase
from analysis.audit.numbers import shown

HALF, QUARTER = Decimal("0.5"), Decimal("0.25")
# Shares of the largest value at which an onset is tried, where the article does not say what emerging means.
SHARE_STEP = Decimal("0.05")
SHARES = tuple(SHARE_STEP * place for place in range(1, 20))


def _positions(terms: tuple[NumberTerm, ...]) -> str:
    return ", ".join(shown(t.position) if t.position is not None else t.text for t in terms)


def _course(terms: tuple[NumberTerm, ...]) -> str:
    return ", ".join(shown(term.value, 4) for term in terms)


def monotone(case: Case) -> Finding:
    """Claim that each of `series` is above the one before it (with `direction: falling`, below).

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = monotone(printed_case(series=["1.0", "2.0", "1.8"]))
        >>> str(found.verdict), found.why
        ('contradicted', '1 of 2 steps rise: 1, 2, 1.8. Against it: 1.8 [1.8] after 2.0 [2.0].')
    """
    series = case.parts["series"]
    falling = case.options.direction == "falling"
    steps = [(b, a) if falling else (a, b) for a, b in pairwise(series)]
    against = [(a, b) for a, b in steps if a.value >= b.value]
    clear = [(a, b) for a, b in against if not a.bounds.may_be_below(b.bounds)]
    verdict = Verdict.ROUNDING if against else Verdict.CONSISTENT
    if clear:
        verdict = mismatch(case.sources)
    word = "fall" if falling else "rise"
    reason = [phrase(f"{len(steps) - len(against)} of {len(steps)} steps {word}: {_course(series)}.")]
    if against:
        pairs = [(a, b) if falling else (b, a) for a, b in against[:LISTED]]
        told = joined("; ", (phrase(later.named, " after ", sooner.named) for later, sooner in pairs))
        more = f"; and {len(against) - LISTED} more." if len(against) > LISTED else "."
        reason.append(phrase("Against it: ", told, more))
    return Finding(
        published=f"{word}s",
        recomputed=f"{len(steps) - len(against)} of {len(steps)} steps",
        tolerance=shown(max(term.width for term in series), 3),
        verdict=verdict,
        reason=tuple(reason),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=bool(clear),
        gap=max((share_apart(a.value, b.value) for a, b in clear), default=Decimal(0)),
        conditions=lambda: (each for a, b in steps for each in above(b, a)),
    )


def peak(case: Case) -> Finding:
    """Claim that `series` is largest at the stated position (with `direction: falling`, smallest).

    A position that was not published makes the claim not checkable; a tie within rounding is consistent only with
    rounding.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = peak(printed_case("6", series=["0.1@0", "3.4@6", "10.7@10", "3.0@11"]))
        >>> str(found.verdict), found.why
        ('contradicted', 'Of the positions 0, 6, 10, 11 the largest is at 10: 10.7 [10.7@10]. At 6: 3.4 [3.4@6].')
    """
    place, series = case.stated.quantity.value, case.parts["series"]
    falling = case.options.direction == "falling"
    at = next((t for t in series if t.position is not None and abs(t.position - place) < HALF), None)
    if at is None:
        return undefined(case, f"Published positions are {_positions(series)}; {shown(place)} is not among them.")
    highest = min(series, key=lambda t: t.value) if falling else max(series, key=lambda t: t.value)
    others = [t for t in series if t is not at]
    low, high = (at, highest) if falling else (highest, at)
    clear = not low.bounds.may_be_at_most(high.bounds)
    rounded = highest is not at
    verdict = mismatch(case.sources) if clear else Verdict.ROUNDING if rounded else Verdict.CONSISTENT
    word = "smallest" if falling else "largest"
    found = shown(highest.position) if highest.position is not None else highest.text
    stay = Need(HALF, {case.stated.id: ONE}), Need(HALF, {case.stated.id: -ONE})
    return Finding(
        published=shown(place),
        recomputed=found,
        tolerance="0",
        verdict=verdict,
        reason=(
            phrase(f"Of the positions {_positions(series)} the {word} is at {found}: ", highest.named, "."),
            phrase(f"At {shown(place)}: ", at.named, "."),
        ),
        value=Value.OFF if clear else Value.WITHIN_ROUNDING if rounded else Value.AS_PRINTED,
        changes=clear,
        gap=share_apart(at.value, highest.value) if clear else Decimal(0),
        conditions=lambda: (*(each for t in others for each in (above(t, at) if falling else above(at, t))), *stay),
    )


def onset(case: Case) -> Finding:
    """Claim that `series` emerges within a window of positions, neither before it nor only after it.

    It emerges where it first reaches a `share` of its largest value. Where the article gives none, that is half, and
    the finding says for which shares the claim holds; a claim that holds for some from a quarter to three quarters, and
    not for all, depends on the reading. The ends of the window are stated numbers (`first`, `last`) or, where the
    article uses words such as "mid-layers", the options `earliest` and `latest`; either may be left open. With
    `abrupt`, at least half of the whole rise from the first position must happen between the last position before the
    window and the highest inside it.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> found = onset(printed_case(None, Options(latest=Decimal(6)), series=["1.0@0", "5.4@6", "7.0@11"]))
        >>> str(found.verdict), found.recomputed
        ('consistent', '6')
        >>> found.sensitivity
        'It holds where emerging means reaching 5 to 75 % of the largest value.'
    """
    if case.options.share is not None:
        return _onset(case, case.options.share)
    found = _onset(case, HALF)
    if found.verdict is Verdict.NOT_CHECKABLE:
        return found
    holding = [share for share in SHARES if _onset(case, share).verdict in HELD]
    if not holding:
        return found.with_sensitivity("It holds for no share of the largest value.")
    likely = [share in holding for share in SHARES if QUARTER <= share <= 1 - QUARTER]
    verdict = Verdict.READING if any(likely) and not all(likely) else found.verdict
    told = f"It holds where emerging means reaching {runs(holding)} % of the largest value."
    return replace(found, verdict=verdict).with_sensitivity(told)


def runs(shares: Sequence[Decimal]) -> str:
    """Return shares of `SHARES` as percent, neighbours joined.

    Examples:
        >>> runs(SHARES[:3] + SHARES[-1:])
        '5 to 15, 95'
    """
    runs: list[list[Decimal]] = []
    for share in shares:
        if runs and share - runs[-1][-1] == SHARE_STEP:
            runs[-1].append(share)
        else:
            runs.append([share])
    ends = ((shown(run[0] * 100), shown(run[-1] * 100)) for run in runs)
    return ", ".join(low if low == high else f"{low} to {high}" for low, high in ends)


def _onset(case: Case, share: Decimal) -> Finding:
    series = case.parts["series"]
    ends = [
        (term.value if term is not None else option)
        for term, option in (
            (case.maybe("first"), case.options.earliest),
            (case.maybe("last"), case.options.latest),
        )
    ]
    first, last = ends
    before = [t for t in series if first is not None and t.position is not None and t.position < first]
    inside = [t for t in series if t not in before and (last is None or t.position is None or t.position <= last)]
    window = f"{shown(first) if first is not None else 'the start'} to {shown(last) if last is not None else 'the end'}"
    if not inside:
        why = f"None of the published positions, {_positions(series)}, lies in {window}."
        return not_checkable_because(why, published=window)
    top, best = max(series, key=lambda t: t.value), max(inside, key=lambda t: t.value)
    start, foot = series[0], before[-1] if before else series[0]

    def conditions(best: NumberTerm, top: NumberTerm) -> list[Need]:
        needs = [_reaches(best, t, share) for t in series if t not in inside]
        needs += [_below(t, top, share) for t in before]
        return [*needs, _sudden(best, foot, top, start)] if case.options.abrupt else needs

    needs = conditions(best, top)
    carried = [t for t in inside if t.value >= share * top.value and all(each.room >= 0 for each in conditions(t, top))]
    needs += _ends(case, inside, share * top.value, carried)
    rounding = [_slackening(each, series) for each in needs]
    worst_room = min((each.room - width for each, width in zip(needs, rounding, strict=True)), default=Decimal(0))
    broken = [n for n, width in zip(needs, rounding, strict=True) if n.room < 0 or (n.room == 0 and width)]
    against = frozenset[str]().union(*(term.sources for term in series))
    verdict = mismatch(against) if broken else Verdict.ROUNDING if worst_room < 0 else Verdict.CONSISTENT
    # Where the second highest inside would carry the claim as well, the highest cannot change the verdict alone.
    rest = [t for t in inside if t is not best]
    if rest:
        second = max(rest, key=lambda t: t.value)
        highest = max((t for t in series if t is not best), key=lambda t: t.value)
        if all(each.room >= 0 for each in conditions(second, highest)):
            needs = [Need(each.room, _without(each.rates, best)) for each in needs]
    reached = next((t for t in series if t.value >= share * top.value), top)
    found = shown(reached.position) if reached.position is not None else reached.text
    level = f"{shown(share)} of its largest value, {shown(share * top.value, 4)}"
    reason = [
        phrase(f"At {_positions(series)} it is {_course(series)}."),
        phrase(f"It first reaches {level}, at {found}: ", reached.named, f"; the claim has {window}."),
    ]
    if case.options.abrupt:
        rise = top.value - start.value
        part = (best.value - foot.value) / rise if rise else Decimal(0)
        reason.append(phrase(f"{shown(100 * part, 3)} % of the rise falls in there."))
    too_soon = max(before, key=lambda t: t.value, default=best)
    gap = share_apart(too_soon.value, share * top.value) if broken and reached in before else Decimal(0)
    if broken and reached not in before:
        gap = share_apart(best.value, share * top.value)
    return Finding(
        published=window,
        recomputed=found,
        tolerance="0",
        verdict=verdict,
        reason=tuple(reason),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=bool(broken),
        gap=gap,
        conditions=lambda: needs,
    )


def _without(rates: Mapping[str, Decimal], term: NumberTerm) -> Mapping[str, Decimal]:
    return {key: rate for key, rate in rates.items() if key not in {number.id for number in term.numbers}}


def _ends(case: Case, inside: list[NumberTerm], level: Decimal, carried: list[NumberTerm]) -> list[Need]:
    """Return the needs for a stated window to contain the first position at `level`, and one that carries the claim."""
    first, last = case.maybe("first"), case.maybe("last")
    reached = [t.position for t in inside if t.value >= level and t.position is not None]
    enough = [t.position for t in carried if t.position is not None]
    needs = [need(reached[0] - first.value, first.rates(-ONE))] if first is not None and reached else []
    return needs + ([need(last.value - enough[0], last.rates())] if last is not None and enough else [])


def _reaches(best: NumberTerm, other: NumberTerm, share: Decimal) -> Need:
    room = best.value - share * other.value + best.width + share * other.width
    return need(room, best.rates(), other.rates(-share))


def _below(term: NumberTerm, top: NumberTerm, share: Decimal) -> Need:
    room = share * top.value - term.value + term.width + share * top.width
    return need(room, top.rates(share), term.rates(-ONE))


def _sudden(best: NumberTerm, foot: NumberTerm, top: NumberTerm, start: NumberTerm) -> Need:
    room = best.value - foot.value - HALF * (top.value - start.value) + best.width + foot.width
    return need(room, best.rates(), foot.rates(-ONE), top.rates(-HALF), start.rates(HALF))


def _slackening(each: Need, series: tuple[NumberTerm, ...]) -> Decimal:
    # What rounding alone contributed to the room of a need.
    widths = {number.id: number.quantity.bounds.half_width for term in series for number in term.numbers}
    return sum((abs(rate) * widths.get(key, Decimal(0)) for key, rate in each.rates.items()), Decimal(0))
