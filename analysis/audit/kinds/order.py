"""Kinds that compare sizes: limits, orders, and limits for every, none or only some members of a scope."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from analysis.audit.kinds.case import ONE, RELATIONS, Case, NumberTerm, above, listed, may_be_on_side, mismatch, need
from analysis.audit.kinds.finding import Finding, Need, Value, Verdict, share_apart
from analysis.audit.kinds.reason import phrase
from analysis.audit.numbers import Bounds, shown

OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def limit_needs(case: Case, term: NumberTerm, relation: str) -> tuple[Need, ...]:
    """Return the needs for a term to stay on one side of the stated limit, each widened by its rounding."""
    absolute, limit, (_, bounds) = case.options.absolute, case.limit, _edge(case, relation)
    high, low = bounds.high, bounds.low
    if relation.startswith(">"):
        value, _ = term.sized(absolute)
        return (need(value + term.width - low, term.rates(ONE, absolute), {limit.id: -ONE}),)
    below = need(high - term.value + term.width, term.rates(-ONE), {limit.id: ONE})
    if not absolute:
        return (below,)
    return below, need(high + term.value + term.width, term.rates(), {limit.id: ONE})


def side(case: Case, term: NumberTerm, relation: str) -> Verdict:
    """Tell whether a term is on a side of the stated limit: consistent, only with rounding, or contradicted."""
    edge, edge_bounds = _edge(case, relation)
    value, bounds = term.sized(case.options.absolute)
    if RELATIONS[relation](value, edge):
        return Verdict.CONSISTENT
    if case.options.absolute and term.bounds.low < 0 < term.bounds.high and relation == "<=" and edge >= 0:
        return Verdict.ROUNDING  # zero itself is possible
    return Verdict.ROUNDING if may_be_on_side(bounds, relation, edge_bounds) else Verdict.CONTRADICTED


def _edge(case: Case, relation: str) -> tuple[Decimal, Bounds]:
    """Return the limit and its bounds; with `rounded`, of what rounds to a number on that side of it."""
    limit = case.limit.quantity
    unit = limit.unit_of_last_digit()
    if not case.options.rounded or unit is None:
        return limit.value, limit.bounds
    outwards = relation in ("<=", ">")
    shift = Bounds(*2 * (unit / 2 if outwards else -unit / 2,))
    return limit.value + shift.low, limit.bounds + shift


def bound(case: Case) -> Finding:
    """Claim that every one of `values` (with `absolute`, its absolute value) is on one side of a stated limit.

    The side is the option `relation`, or the qualifier of the stated number. The limit is exact unless it is marked
    with "~". A value beyond it is still accepted where its own rounding reaches the limit: for "<14 %", a printed 14.0
    is consistent only with rounding, and 14.01 from a data file is not. The verdict is `sources disagree` where one
    document keeps the limit and another does not, `contradicted` where none keeps it. With `rounded`, a reading for
    limits that are meant to the printed digit, values are rounded to the digits of the limit first.

    Where the sentence has a `vague` word instead of a number, the finding is the limit from which on the claim holds.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> found = bound(printed_case("<=1", Options(absolute=True), values=["0.6", "-1.4"]))
        >>> str(found.verdict), found.why
        ('contradicted', '1 of 2 values are in size <= 1; the largest is -1.4 [-1.4]. Outside: -1.4 [-1.4].')
        >>> str(bound(printed_case("~1", Options(absolute=True, relation="<="), values=["0.6", "-1.4"])).verdict)
        'consistent only with rounding'
    """
    upper, absolute = case.relation.startswith("<"), case.options.absolute
    ordered = sorted(case.parts["values"], key=lambda t: t.sized(absolute)[0], reverse=upper)
    if case.options.vague:
        return _vague(case, ordered[0])
    relation, limit = case.relation, case.limit.quantity
    sides = [(term, side(case, term, relation)) for term in ordered]
    outside = [term for term, found in sides if found is not Verdict.CONSISTENT]
    verdict = _together(sides)
    failed = verdict.fails
    extreme, _ = ordered[0].sized(absolute)
    inside = f"{len(ordered) - len(outside)} of {len(ordered)} values are {'in size ' if absolute else ''}"
    reason = [
        phrase(
            *(inside, f"{relation} {limit.text}; the {'largest' if upper else 'smallest'} is ", ordered[0].named, "."),
        )
    ]
    if outside:
        reason.append(phrase("Outside: ", listed(outside), "."))
    return Finding(
        published=relation + limit.text,
        recomputed=shown(extreme),
        tolerance=shown(limit.bounds.half_width, 3),
        verdict=verdict,
        reason=tuple(reason),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=failed,
        gap=share_apart(extreme, limit.value) if failed else Decimal(0),
        conditions=lambda: (each for term in ordered for each in limit_needs(case, term, relation)),
    )


def _vague(case: Case, extreme: NumberTerm) -> Finding:
    word, (size, _) = case.options.vague, extreme.sized(case.options.absolute)
    upper = case.relation.startswith("<")
    found = Finding(
        published=f"'{word}'",
        recomputed=shown(size),
        tolerance="",
        verdict=Verdict.READING,
        reason=(phrase(f"The {'largest' if upper else 'smallest'} is ", extreme.named, "."),),
    )
    allows = f"allows {shown(size)} or more" if upper else f"asks for {shown(size)} or less"
    return found.with_sensitivity(f"It holds where '{word}' {allows}.")


def _together(sides: Sequence[tuple[NumberTerm, Verdict]]) -> Verdict:
    broken = [term for term, found in sides if found is Verdict.CONTRADICTED]
    if not broken:
        return Verdict.ROUNDING if any(found is Verdict.ROUNDING for _, found in sides) else Verdict.CONSISTENT
    guilty = frozenset[str]().union(*(term.sources for term in broken))
    kept = [term for term, found in sides if found is not Verdict.CONTRADICTED and not term.sources & guilty]
    return Verdict.SOURCES_DISAGREE if kept else Verdict.CONTRADICTED


def quantifier(case: Case) -> Finding:
    """Claim that a stated limit holds for every one of `values`, for none, or only for these and none of `others`.

    The option `members` is the number of members of the scope as worded (tasks × models × conditions). Where fewer were
    published and none of them contradicts the claim, it is not checkable, because the missing ones could.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> scope = Options(absolute=True, relation="<=", members=Decimal(3), needs="The third.")
        >>> found = quantifier(printed_case("1", scope, values=["0.1", "0.2"]))
        >>> str(found.verdict), found.reason[1].text
        ('not checkable', 'Not published: The third.')
        >>> str(quantifier(printed_case("1", scope, values=["0.1", "2.0"])).verdict)
        'contradicted'
    """
    options, relation, limit = case.options, case.relation, case.limit.quantity
    wanted = [(t, OPPOSITE[relation] if options.quantifier == "none" else relation) for t in case.parts["values"]]
    if options.quantifier == "only":
        wanted += [(t, OPPOSITE[relation]) for t in case.parts.get("others", ())]
    sides = [(term, side(case, term, each)) for term, each in wanted]
    verdict = _together(sides)
    against = [term for term, found in sides if found is Verdict.CONTRADICTED]
    missing = 0 if options.members is None else int(options.members) - len(case.parts["values"])
    needs = tuple(one for term, each in wanted for one in limit_needs(case, term, each))
    failed = verdict.fails
    scope = f"{len(case.parts['values'])} of {options.members}" if missing > 0 else f"{len(wanted)}"
    agree = f"{len(sides) - len(against)} agree with '{options.quantifier}: {'size ' if options.absolute else ''}"
    reason = [phrase(f"{scope} members of the scope were published; {agree}{relation} {limit.text}'.")]
    if against:
        reason.append(phrase("Against it: ", listed(against), "."))
    if missing > 0 and not failed:
        verdict, needs = Verdict.NOT_CHECKABLE, ()
        reason.append(phrase(f"Not published: {options.needs}".rstrip()))
    furthest = max((share_apart(t.sized(options.absolute)[0], limit.value) for t in against), default=Decimal(0))
    return Finding(
        published=f"{options.quantifier}: {relation}{limit.text}",
        recomputed=f"{len(sides) - len(against)} of {len(sides)}",
        tolerance=shown(limit.bounds.half_width, 3),
        verdict=verdict,
        reason=tuple(reason),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=failed,
        gap=furthest,
        conditions=lambda: needs,
    )


def order(case: Case) -> Finding:
    """Claim that every one of `smaller` is below every one of `larger` (with `absolute`, in absolute value).

    With `or_equal`, a tie keeps the order.

    Two values that are printed alike are consistent only with rounding; two that are printed in the wrong order, with
    as many digits, are not: 73.2 is not above 73.3.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = order(printed_case(smaller=["17.9", "30.0"], larger=["29.1"]))
        >>> str(found.verdict), found.why
        ('contradicted', 'Largest of the smaller: 30.0 [30.0]; smallest of the larger: 29.1 [29.1].')
    """
    absolute = case.options.absolute
    low = max(case.parts["smaller"], key=lambda term: term.sized(absolute)[0])
    high = min(case.parts["larger"], key=lambda term: term.sized(absolute)[0])
    (below, low_bounds), (top, high_bounds) = low.sized(absolute), high.sized(absolute)
    if below < top or (case.options.or_equal and below == top):
        verdict = Verdict.CONSISTENT
    elif low_bounds.may_be_below(high_bounds):
        verdict = Verdict.ROUNDING
    else:
        verdict = mismatch(low.sources | high.sources)
    failed = verdict.fails
    size = " in size" if absolute else ""
    return Finding(
        published="",
        recomputed=f"{shown(below)} {'<' if below < top else '>='} {shown(top)}",
        tolerance=shown(low_bounds.half_width + high_bounds.half_width, 3),
        verdict=verdict,
        reason=(
            phrase(f"Largest{size} of the smaller: ", low.named, f"; smallest{size} of the larger: ", high.named, "."),
        ),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=failed,
        gap=share_apart(below, top) if failed else Decimal(0),
        # Every pair: one number may be part of several terms, and move them together.
        conditions=lambda: (
            each for a in case.parts["smaller"] for b in case.parts["larger"] for each in above(b, a, absolute)
        ),
    )
