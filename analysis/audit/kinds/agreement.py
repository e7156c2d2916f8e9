"""Kinds that compare several numbers of one quantity, or two quantities that are said to be alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import combinations

from analysis.audit.kinds.case import ONE, Case, NumberTerm, apart, mismatch, need, stated_text
from analysis.audit.kinds.finding import HELD, Finding, Value, Verdict, not_checkable_because, share_apart
from analysis.audit.kinds.reason import Phrase, phrase
from analysis.audit.numbers import shown
from analysis.audit.rounding import Rounded, is_exact_tie, rounded, tie_told

# What a verdict that rests on rounding says of the stated value.
AS_ROUNDED = {Verdict.ROUNDING: Value.WITHIN_ROUNDING, Verdict.TIE: Value.TIE}


def agreement(first: NumberTerm, second: NumberTerm) -> Verdict:
    """Tell whether two terms are the same number, the more precise one rounded to the digits of the other.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> first, second = printed_case(values=["67.3", "67.34"]).parts["values"]
        >>> str(agreement(first, second))
        'consistent'
    """
    coarse, fine = (first, second) if first.width >= second.width else (second, first)
    meets = coarse.bounds.overlaps(fine.bounds)
    if coarse.bounds.is_exact:
        return Verdict.CONSISTENT if meets else Verdict.SOURCES_DISAGREE
    printed = coarse.printed
    if printed is None or printed.decimals is None:
        if not meets:
            return Verdict.SOURCES_DISAGREE
        # Digitised and stored values have no printed digits: they agree where their bounds overlap. A sum of printed
        # numbers has digits.
        printed_sum = all(number.quantity.decimals is not None for number in coarse.numbers)
        digits = fine.printed if fine.printed is not None and fine.printed.decimals is not None else None
        away = digits is not None and rounded(coarse.value, digits) is Rounded.AWAY
        return Verdict.ROUNDING if printed_sum and away else Verdict.CONSISTENT
    if rounded(fine.value, printed) is Rounded.TO_IT:
        return Verdict.CONSISTENT
    if is_exact_tie(fine.value, fine.width, printed):
        return Verdict.TIE
    return Verdict.ROUNDING if meets else Verdict.SOURCES_DISAGREE


def flag_of(verdict: Verdict, first: NumberTerm, second: NumberTerm) -> Value:
    """Return the flag of two terms that should be equal and whose agreement is `verdict`."""
    if verdict is Verdict.CONSISTENT:
        return Value.AS_PRINTED
    if verdict in AS_ROUNDED:
        return AS_ROUNDED[verdict]
    units = [t.printed.unit_of_last_digit() for t in (first, second) if t.printed is not None]
    distance = abs(first.value - second.value)
    return Value.NEAR if any(unit is not None and distance < unit for unit in units) else Value.OFF


def equality(case: Case) -> Finding:
    """Claim that all `values`, and the stated number if any, are one quantity in several places.

    With `versions`, the places are versions of one document: a number that changed between them is a revision, which
    the finding tells and does not hold against the article.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = equality(printed_case("-0.7", values=["-0.6", "-0.7"]))
        >>> str(found.verdict), found.why
        ('contradicted', '-0.7 [-0.7] and -0.6 [-0.6] are 0.1 apart, the most of all pairs; rounding allows less than \
0.1.')
    """
    values = case.parts["values"]
    found = _all_equal(case, (NumberTerm((case.printed,)), *values) if case.printed is not None else values)
    if found.verdict.fails and case.options.versions:
        revised = replace(found, verdict=Verdict.READING, value=Value.NOT_STATED, gap=Decimal(0))
        return revised.with_sensitivity("It holds within a version only: the number was revised.")
    return found


def _tie(first: NumberTerm, second: NumberTerm) -> Phrase:
    fine, coarse = (first, second) if first.width < second.width else (second, first)
    assert coarse.printed is not None  # a tie lies between printed numbers
    return phrase(tie_told(fine.value, coarse.printed))


def baseline(case: Case) -> Finding:
    """Claim that `scores` minus `changes`, pair by pair, is the stated unablated score.

    An implied baseline that differs from the stated one means that the changes were computed from another. With `drop`,
    changes are drops and are added.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> str(baseline(printed_case("67.3", scores=["66.5"], changes=["-0.8"])).verdict)
        'consistent'
    """
    return _all_equal(case, (NumberTerm((case.stated,)), *implied(case)))


def implied(case: Case) -> tuple[NumberTerm, ...]:
    """Return the unablated scores that the pairs of a `baseline` claim imply."""
    return tuple(
        NumberTerm((*score.plus, *change.plus), (*score.minus, *change.minus))
        if case.options.drop
        else NumberTerm((*score.plus, *change.minus), (*score.minus, *change.plus))
        for score, change in zip(case.parts["scores"], case.parts["changes"], strict=True)
    )


def _all_equal(case: Case, values: Sequence[NumberTerm]) -> Finding:
    pairs = [(a, b, agreement(a, b)) for a, b in combinations(values, 2)]
    first, second, verdict = max(pairs, key=lambda pair: (pair[2].rank, abs(pair[0].value - pair[1].value)))
    gap = abs(first.value - second.value)
    most = ", the most of all pairs" if len(pairs) > 1 else ""
    tolerance = first.width + second.width
    failed = verdict.fails
    allowed = f"rounding allows less than {shown(tolerance, 3)}" if tolerance else "both are exact"
    reason = [phrase(first.named, " and ", second.named, f" are {shown(gap)} apart{most}; {allowed}.")]
    if verdict is Verdict.TIE:
        reason.append(_tie(first, second))
    return Finding(
        published=stated_text(case.printed) if case.printed else shown(values[0].value),
        recomputed="; ".join(shown(term.value) for term in (values[1:] if case.printed else values)),
        tolerance=shown(tolerance, 3),
        verdict=mismatch(first.sources | second.sources) if failed else verdict,
        reason=tuple(reason),
        value=flag_of(verdict, first, second),
        gap=share_apart(first.value, second.value) if failed else Decimal(0),
        conditions=lambda: (each for a, b, _ in pairs for each in apart(a, b, a.width + b.width)),
    )


def value_range(case: Case) -> Finding:
    """Claim that all `values` lie between `low` and `high`; with `attained`, that they reach both.

    A range in prose may mean either; without `attained` it only has to contain the values.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> ends = {"low": ["0.87"], "high": ["0.90"]}
        >>> str(value_range(printed_case(**ends, values=["0.88", "0.90"])).verdict)
        'consistent'
        >>> attained = value_range(printed_case(None, Options(attained=True), **ends, values=["0.85", "0.90"]))
        >>> str(attained.verdict), attained.why
        ('contradicted', 'The values run from 0.85 [0.85] to 0.90 [0.90]; stated 0.87 to 0.90.')
    """
    low, high = case.one("low"), case.one("high")
    values = sorted(case.parts["values"], key=lambda term: term.value)
    smallest, largest = values[0], values[-1]
    published = f"{low.text} to {high.text}"
    ends = phrase("from ", smallest.named, " to ", largest.named)
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
        # Where the next value would reach the end as well, the outermost cannot change the verdict alone.
        nexts = {id(smallest): values[1:2], id(largest): values[-2:-1]}
        needs += [
            each
            for t, e, _ in met
            if not any(agreement(other, e) in HELD for other in nexts[id(t)])
            for each in apart(t, e, t.width + e.width)
        ]
        reason = [phrase("The values run ", ends, f"; stated {published}.")]
        reason += [_tie(t, e) for t, e, found in met if found is Verdict.TIE]
    else:
        beyond = [
            t for t in values if not (low.bounds.may_be_at_most(t.bounds) and t.bounds.may_be_at_most(high.bounds))
        ]
        verdict = Verdict.SOURCES_DISAGREE if beyond else Verdict.CONSISTENT
        if len(inside) < len(values) and not beyond:
            verdict = Verdict.ROUNDING
        far_below = low.value - smallest.value > largest.value - high.value
        term, end = (smallest, low) if far_below else (largest, high)
        reason = [phrase(f"{len(inside)} of {len(values)} values lie in {published}; they run ", ends, ".")]
    failed = verdict.fails
    held = AS_ROUNDED.get(verdict, Value.AS_PRINTED)
    return Finding(
        published=published,
        recomputed=f"{smallest.text} to {largest.text}",
        tolerance=shown(max(low.width, high.width), 3),
        verdict=mismatch(case.sources) if failed else verdict,
        reason=tuple(reason),
        value=Value.OFF if failed else held,
        gap=share_apart(term.value, end.value) if failed else Decimal(0),
        conditions=lambda: needs,
    )


def sameness(case: Case) -> Finding:
    """Claim that `first` and `second`, pair by pair, differ by at most a stated margin.

    Where the sentence has a `vague` word instead of a margin, the finding is the margin from which on the claim holds;
    without either, the claim is not checkable.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = sameness(printed_case("1", first=["69.1", "78.5"], second=["68.5", "76.2"]))
        >>> str(found.verdict), found.recomputed
        ('contradicted', '2.3')
    """
    pairs = list(zip(case.parts["first"], case.parts["second"], strict=True))
    a, b = max(pairs, key=lambda pair: abs(pair[0].value - pair[1].value))
    gap = abs(a.value - b.value)
    arithmetic = phrase(f"The largest of {len(pairs)} differences is {shown(gap)}: ", a.named, " and ", b.named, ".")
    if case.printed is None and case.options.vague:
        word = case.options.vague
        finding = Finding(f"'{word}'", shown(gap), "", Verdict.READING, (arithmetic,))
        return finding.with_sensitivity(f"It holds where '{word}' allows {shown(gap)} or more.")
    if case.printed is None:
        reasons = (arithmetic, case.options.needs) if case.options.needs else (arithmetic,)
        return replace(not_checkable_because(*reasons, published="no margin stated"), recomputed=shown(gap))
    margin = case.limit.quantity
    failed = gap > margin.value and not (a.bounds - b.bounds).magnitude().may_be_at_most(margin.bounds)
    verdict = Verdict.CONSISTENT if gap <= margin.value else Verdict.ROUNDING
    needs = []
    for x, y in pairs:
        allowed = margin.bounds.high + x.width + y.width
        for each in apart(x, y, allowed):
            needs.append(need(each.room, each.rates, {case.printed.id: ONE}))
    return Finding(
        published="<=" + margin.text,
        recomputed=shown(gap),
        tolerance=shown(margin.bounds.half_width + a.width + b.width, 3),
        verdict=Verdict.CONTRADICTED if failed else verdict,
        reason=(arithmetic,),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING and not failed else Value.NOT_STATED,
        changes=failed,
        gap=share_apart(gap, margin.value) if failed else Decimal(0),
        conditions=lambda: needs,
    )
