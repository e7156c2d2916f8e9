"""Kinds that hold several numbers for the same quantity, or two quantities said to be alike."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import combinations

from analysis.audit.kinds.case import ONE, Case, Term, apart, mismatch, need, stated_text
from analysis.audit.kinds.finding import HELD, Finding, Value, Verdict, share_apart
from analysis.audit.numbers import rounds_to, shown


def agreement(first: Term, second: Term) -> Verdict:
    """Whether two terms are the same number, the finer one rounded to the digits of the coarser."""
    coarse, fine = (first, second) if first.width >= second.width else (second, first)
    meets = coarse.interval.overlaps(fine.interval)
    printed = coarse.printed
    if printed is None or printed.decimals is None:
        # Digitised and stored values have no printed digits: to overlap is to agree.
        return Verdict.CONSISTENT if meets else Verdict.SOURCES_DISAGREE
    if rounds_to(fine.value, printed):
        return Verdict.CONSISTENT
    return Verdict.ROUNDING if meets else Verdict.SOURCES_DISAGREE


def flag_of(verdict: Verdict, first: Term, second: Term) -> Value:
    """The flag of two terms that are said to be equal and compare as `verdict`."""
    if verdict is Verdict.CONSISTENT:
        return Value.AS_PRINTED
    if verdict is Verdict.ROUNDING:
        return Value.WITHIN_ROUNDING
    units = [t.printed.unit_of_last_digit() for t in (first, second) if t.printed is not None]
    distance = abs(first.value - second.value)
    return Value.NEAR if any(unit is not None and distance < unit for unit in units) else Value.OFF


def equality(case: Case) -> Finding:
    """All `values`, and the stated number if any, are the same quantity in several places."""
    values = case.parts["values"]
    return _all_equal(case, (Term((case.printed,)), *values) if case.printed is not None else values)


def baseline(case: Case) -> Finding:
    """A score and its change imply the unablated score: `scores` minus `changes`, pair by pair.

    Each implied baseline has to be the stated one, else the changes were taken from another. With
    `drop`, changes are drops and are added.
    """
    return _all_equal(case, (Term((case.stated,)), *implied(case)))


def implied(case: Case) -> tuple[Term, ...]:
    """The unablated scores that the pairs of a `baseline` claim imply."""
    return tuple(
        Term((*score.plus, *change.plus), (*score.minus, *change.minus))
        if case.options.drop
        else Term((*score.plus, *change.minus), (*score.minus, *change.plus))
        for score, change in zip(case.parts["scores"], case.parts["changes"], strict=True)
    )


def _all_equal(case: Case, values: Sequence[Term]) -> Finding:
    pairs = [(a, b, agreement(a, b)) for a, b in combinations(values, 2)]
    first, second, verdict = max(pairs, key=lambda pair: (pair[2].rank, abs(pair[0].value - pair[1].value)))
    gap = abs(first.value - second.value)
    most = ", the most of all pairs" if len(pairs) > 1 else ""
    tolerance = first.width + second.width
    failed = verdict not in HELD
    return Finding(
        stated_text(case.printed) if case.printed else shown(values[0].value),
        "; ".join(shown(term.value) for term in (values[1:] if case.printed else values)),
        shown(tolerance, 3),
        mismatch(first.sources | second.sources) if failed else verdict,
        flag_of(verdict, first, second),
        False,
        f"{first.named} and {second.named} are {shown(gap)} apart{most}; rounding allows {shown(tolerance, 3)}.",
        gap=share_apart(first.value, second.value) if failed else Decimal(0),
        needs=tuple(each for a, b, _ in pairs for each in apart(a, b, a.width + b.width)),
    )


def value_range(case: Case) -> Finding:
    """All `values` lie between stated ends `low` and `high`; with `attained`, the ends are met.

    A range in prose may mean either; without `attained` it only has to hold the values.
    """
    low, high = case.one("low"), case.one("high")
    values = sorted(case.parts["values"], key=lambda term: term.value)
    smallest, largest = values[0], values[-1]
    published = f"{low.text} to {high.text}"
    ends = f"from {smallest.named} to {largest.named}"
    inside = [t for t in values if low.value <= t.value <= high.value]
    needs = [
        each
        for t in values
        for each in (
            need(t.value - low.value + t.width + low.width, t.rates(), low.rates(-ONE)),
            need(high.value - t.value + t.width + high.width, t.rates(-ONE), high.rates()),
        )
    ]
    if case.options.attained:
        met = [(term, end, agreement(term, end)) for term, end in ((smallest, low), (largest, high))]
        term, end, verdict = max(met, key=lambda pair: (pair[2].rank, abs(pair[0].value - pair[1].value)))
        # Where the next value would meet the end as well, the outermost cannot change the verdict alone.
        nexts = {id(smallest): values[1:2], id(largest): values[-2:-1]}
        needs += [
            each
            for t, e, _ in met
            if not any(agreement(other, e) in HELD for other in nexts[id(t)])
            for each in apart(t, e, t.width + e.width)
        ]
        why = f"The values run {ends}; stated {published}."
    else:
        beyond = [t for t in values if t.interval.high < low.interval.low or t.interval.low > high.interval.high]
        verdict = Verdict.SOURCES_DISAGREE if beyond else Verdict.CONSISTENT
        if len(inside) < len(values) and not beyond:
            verdict = Verdict.ROUNDING
        far_below = low.value - smallest.value > largest.value - high.value
        term, end = (smallest, low) if far_below else (largest, high)
        why = f"{len(inside)} of {len(values)} values lie in {published}; they run {ends}."
    failed = verdict not in HELD
    held = Value.AS_PRINTED if verdict is Verdict.CONSISTENT else Value.WITHIN_ROUNDING
    return Finding(
        published,
        f"{smallest.text} to {largest.text}",
        shown(max(low.width, high.width), 3),
        mismatch(case.sources) if failed else verdict,
        Value.OFF if failed else held,
        False,
        why,
        gap=share_apart(term.value, end.value) if failed else Decimal(0),
        needs=tuple(needs),
    )


def sameness(case: Case) -> Finding:
    """`first` and `second`, pair by pair, differ by at most a stated margin.

    A claim of sameness without a margin cannot fail, so it is not checkable; the largest difference
    is given all the same.
    """
    pairs = list(zip(case.parts["first"], case.parts["second"], strict=True))
    a, b = max(pairs, key=lambda pair: abs(pair[0].value - pair[1].value))
    gap = abs(a.value - b.value)
    arithmetic = f"The largest of {len(pairs)} differences is {shown(gap)}: {a.named} and {b.named}."
    if case.printed is None:
        return Finding(
            "no margin stated",
            shown(gap),
            "",
            Verdict.NOT_CHECKABLE,
            Value.NOT_STATED,
            False,
            f"{arithmetic} {case.options.needs}".strip(),
        )
    margin = case.printed.quantity
    failed = gap - a.width - b.width > margin.interval.high
    verdict = Verdict.CONSISTENT if gap <= margin.value else Verdict.ROUNDING
    needs = []
    for x, y in pairs:
        allowed = margin.interval.high + x.width + y.width
        for each in apart(x, y, allowed):
            needs.append(need(each.room, each.rates, {case.printed.id: ONE}))
    return Finding(
        "<=" + margin.text,
        shown(gap),
        shown(margin.interval.half_width + a.width + b.width, 3),
        Verdict.CONTRADICTED if failed else verdict,
        Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING and not failed else Value.NOT_STATED,
        failed,
        arithmetic,
        gap=share_apart(gap, margin.value) if failed else Decimal(0),
        needs=tuple(needs),
    )
