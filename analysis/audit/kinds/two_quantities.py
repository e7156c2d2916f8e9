"""Kinds for conclusions that need two quantities: "tracks", "precedes", "is specific to", "accounts for"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import combinations

from analysis.audit.kinds.case import Case, NumberTerm, mismatch
from analysis.audit.kinds.finding import Finding, Value, Verdict, not_checkable_because, share_apart
from analysis.audit.kinds.order import order
from analysis.audit.kinds.reason import phrase
from analysis.audit.kinds.searched import searched_needs
from analysis.audit.kinds.series import HALF, QUARTER, SHARES, runs
from analysis.audit.numbers import Bounds, shown

HUNDRED = Decimal(100)
Pair = tuple[NumberTerm, NumberTerm]


def association(case: Case) -> Finding:
    """Claim that `first` and `second`, pair by pair, rise together (with `direction: falling`, one falls).

    Two pairs agree where the one that is larger in `first` is larger in `second` too (Kendall, 1938). With `absolute`,
    sizes are compared. Where the sentence has a `vague` word ("dissociated", "tracks roughly"), the finding is how many
    pairs agree.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = association(printed_case(first=["1", "2", "3"], second=["10", "30", "20"]))
        >>> str(found.verdict), found.recomputed
        ('contradicted', '2 of 3')
    """
    pairs = list(zip(case.parts["first"], case.parts["second"], strict=True))
    both = list(combinations(pairs, 2))
    against, agree = _discordant(case), _concordant(case)
    sources = frozenset[str]().union(*(t.sources for pair in pairs for t in pair))
    verdict = Verdict.CONSISTENT if agree == len(both) else Verdict.ROUNDING
    falling = case.options.direction == "falling"
    together = "in opposite order" if falling else "in the same order"
    reason = [phrase(f"{agree} of {len(both)} comparisons are {together} in both quantities.")]
    gap = Decimal(0)
    if against:
        verdict = mismatch(sources)
        (a, x), (b, y) = max(against, key=lambda found: _apart(case, *found))
        gap = _apart(case, (a, x), (b, y))
        reason.append(
            phrase("Furthest against it: ", a.named, " with ", x.named, "; ", b.named, " with ", y.named, ".")
        )
    if len(pairs) == 2:
        reason.append(phrase("Two of a thing can only agree or disagree in order."))
    found = Finding(
        published="rise together" if not falling else "one falls as the other rises",
        recomputed=f"{agree} of {len(both)}",
        tolerance=shown(max(t.width for pair in pairs for t in pair), 3),
        verdict=verdict,
        reason=tuple(reason),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=bool(against),
        gap=gap,
        conditions=lambda: searched_needs(case, lambda moved: len(_discordant(moved))),
    )
    if case.options.vague:
        word, share = case.options.vague, shown(HUNDRED * agree / len(both), 3)
        told = f"It holds where '{word}' allows {agree} of {len(both)} comparisons ({share} %) {together}."
        return replace(found, verdict=Verdict.READING, changes=False, gap=Decimal(0)).with_sensitivity(told)
    return found


def _difference(case: Case, one: NumberTerm, other: NumberTerm) -> tuple[Decimal, Bounds]:
    (first, first_bounds), (second, second_bounds) = (t.sized(case.options.absolute) for t in (one, other))
    return first - second, first_bounds - second_bounds


def _signs(case: Case) -> Iterator[tuple[Pair, Pair, int, bool]]:
    """Yield each two pairs with the sign of their agreement, and whether it is beyond rounding."""
    turn = -1 if case.options.direction == "falling" else 1
    pairs = list(zip(case.parts["first"], case.parts["second"], strict=True))
    for (a, x), (b, y) in combinations(pairs, 2):
        (first, first_bounds), (second, second_bounds) = _difference(case, a, b), _difference(case, x, y)
        clear = all(bounds.low >= 0 or bounds.high <= 0 for bounds in (first_bounds, second_bounds))
        product = first * second * turn
        yield (a, x), (b, y), (product > 0) - (product < 0), clear


def _discordant(case: Case) -> list[tuple[Pair, Pair]]:
    return [(one, other) for one, other, sign, clear in _signs(case) if sign < 0 and clear]


def _concordant(case: Case) -> int:
    return sum(sign > 0 for _, _, sign, _ in _signs(case))


def _apart(case: Case, one: Pair, other: Pair) -> Decimal:
    absolute = case.options.absolute
    return min(share_apart(p.sized(absolute)[0], q.sized(absolute)[0]) for p, q in zip(one, other, strict=True))


def precedence(case: Case) -> Finding:
    """Claim that `earlier` emerges at an earlier position than `later`, along one axis of positions.

    A quantity emerges where it first reaches a `share` of its largest value; several numbers at one position count by
    the largest. Where the article gives no share, the finding says for which shares the claim holds, and a claim that
    holds for some from a quarter to three quarters, and not for all, depends on the reading. Where it says "several
    layers" (`vague`), the finding is by how many positions one comes before the other.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> first, second = ["1.0@0", "5.4@4", "7.0@8"], ["0.1@0", "0.2@4", "9.9@8"]
        >>> found = precedence(printed_case(earlier=first, later=second))
        >>> str(found.verdict), found.recomputed
        ('consistent', '4 before 8')
        >>> found.sensitivity
        'It holds where emerging means reaching 5 to 75 % of the largest value.'
    """
    courses = tuple(_course(case.parts[role]) for role in ("earlier", "later"))
    shared = set(courses[0]) & set(courses[1])
    if len(shared) < 2:
        return not_checkable_because("The two quantities were not published at the same positions.")
    given = case.options.share
    share = given if given is not None else HALF
    start, end = (_onset(course, share) for course in courses)
    (first_term, place), (second_term, later_place) = start, end
    reason = [
        phrase(f"The first reaches {shown(share)} of its largest value at {shown(place)}: ", first_term.named, "; "),
        phrase(f"the second at {shown(later_place)}: ", second_term.named, "."),
    ]
    holds = not _reached_too_soon(case, share)
    verdict = Verdict.CONSISTENT if place < later_place else Verdict.ROUNDING
    if not holds:
        verdict = mismatch(first_term.sources | second_term.sources)
    found = Finding(
        published="earlier",
        recomputed=f"{shown(place)} {'before' if place < later_place else 'not before'} {shown(later_place)}",
        tolerance="0",
        verdict=verdict,
        reason=(phrase(*reason),),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=not holds,
        gap=Decimal(0) if holds else Decimal(1),
        conditions=lambda: searched_needs(case, lambda moved: _reached_too_soon(moved, share)),
    )
    if given is not None and not case.options.vague:
        return found
    holding = [each for each in (SHARES if given is None else [given]) if not _reached_too_soon(case, each)]
    if not holding:
        return found.with_sensitivity("It holds for no share of the largest value.")
    told = f"It holds where emerging means reaching {runs(holding)} % of the largest value."
    if case.options.vague:
        lags = [_onset(courses[1], each)[1] - _onset(courses[0], each)[1] for each in holding]
        told = f"{told[:-1]}, and '{case.options.vague}' allows {shown(min(lags))} to {shown(max(lags))} positions."
        return replace(found, verdict=Verdict.READING, changes=False, gap=Decimal(0)).with_sensitivity(told)
    likely = [each in holding for each in SHARES if QUARTER <= each <= 1 - QUARTER]
    if any(likely) and not all(likely):
        found = replace(found, verdict=Verdict.READING, changes=False, gap=Decimal(0))
    return found.with_sensitivity(told)


def _course(terms: Sequence[NumberTerm]) -> Mapping[Decimal, NumberTerm]:
    """Return position → its largest number, in order of positions."""
    course: dict[Decimal, NumberTerm] = {}
    for term in terms:
        if term.position is not None:
            course[term.position] = max(course.get(term.position, term), term, key=lambda each: each.value)
    return dict(sorted(course.items()))


def _onset(course: Mapping[Decimal, NumberTerm], share: Decimal) -> tuple[NumberTerm, Decimal]:
    level = share * max(term.value for term in course.values())
    place = next(position for position, term in course.items() if term.value >= level)
    return course[place], place


def _reached_too_soon(case: Case, share: Decimal) -> int:
    """Return how many positions of `later`, up to the onset of `earlier`, reach its level beyond rounding."""
    first, second = (_course(case.parts[role]) for role in ("earlier", "later"))
    top = max(first.values(), key=lambda term: term.value)
    begun = next(place for place, t in first.items() if t.bounds.high >= share * top.bounds.low)
    highest = max(second.values(), key=lambda term: term.value)
    level = share * highest.bounds.high
    return sum(place <= begun and term.bounds.low >= level for place, term in second.items())


def specific(case: Case) -> Finding:
    """Claim that `effect` is seen here and not elsewhere: each is larger in size than every one of `others`.

    The finding says between which limits the line may be drawn.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = specific(printed_case(effect=["-4.8", "-18.9"], others=["0.3", "-0.6"]))
        >>> str(found.verdict), found.sensitivity
        ('consistent', 'It holds for every limit from 0.6 to 4.8.')
    """
    effect, others = case.parts["effect"], case.parts["others"]
    ordered = replace(case, parts={"smaller": others, "larger": effect}, options=replace(case.options, absolute=True))
    found = order(ordered)
    largest = max(term.sized(True)[0] for term in others)
    smallest = min(term.sized(True)[0] for term in effect)
    if largest >= smallest:
        return found
    return found.with_sensitivity(f"It holds for every limit from {shown(largest)} to {shown(smallest)}.")


def accounts(case: Case) -> Finding:
    """Say how many times its `part` each `whole` is, for a sentence with a `vague` word ("far exceeds the sum").

    A stated percentage of a whole is the kind `share_of`.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> asked = Options(vague="far exceeds")
        >>> found = accounts(printed_case(None, asked, part=["-5.2", "-7.0"], whole=["-18.9", "-36.6"]))
        >>> found.recomputed, found.sensitivity
        ('3.63 and 5.23', "It holds where 'far exceeds' asks for 3.63 times or less.")
    """
    pairs = list(zip(case.parts["part"], case.parts["whole"], strict=True))
    zero = next((part for part, _ in pairs if part.bounds.low <= 0 <= part.bounds.high), None)
    if zero is not None:
        return not_checkable_because(phrase("The part may be zero within its rounding: ", zero.named, "."))
    times = [whole.value / part.value for part, whole in pairs]
    part, whole = min(pairs, key=lambda pair: pair[1].value / pair[0].value)
    word = case.options.vague
    found = Finding(
        published=f"'{word}'",
        recomputed=" and ".join(shown(each, 3) for each in times),
        tolerance="",
        verdict=Verdict.READING,
        reason=(phrase("The largest share: ", part.named, " of ", whole.named, "."),),
    )
    return found.with_sensitivity(f"It holds where '{word}' asks for {shown(min(times), 3)} times or less.")
