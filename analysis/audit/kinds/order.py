"""Kinds that compare sizes: limits, orders, and for how many members of a scope a limit holds."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from analysis.audit.kinds.case import ONE, RELATIONS, Case, Term, above, listed, mismatch, need
from analysis.audit.kinds.finding import Finding, Need, Value, Verdict, share_apart
from analysis.audit.numbers import shown

OPPOSITE = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def limit_needs(case: Case, term: Term, relation: str) -> tuple[Need, ...]:
    """That a term stays on one side of the stated limit, each widened by its rounding."""
    absolute, limit = case.options.absolute, case.stated
    high, low = limit.quantity.interval.high, limit.quantity.interval.low
    if relation.startswith(">"):
        value, _ = term.sized(absolute)
        return (need(value + term.width - low, term.rates(ONE, absolute), {limit.id: -ONE}),)
    below = need(high - term.value + term.width, term.rates(-ONE), {limit.id: ONE})
    if not absolute:
        return (below,)
    return below, need(high + term.value + term.width, term.rates(), {limit.id: ONE})


def side(case: Case, term: Term, relation: str) -> Verdict:
    """Whether a term is on a side of the stated limit: yes, only within rounding, or no."""
    limit = case.stated.quantity
    value, interval = term.sized(case.options.absolute)
    if RELATIONS[relation](value, limit.value):
        return Verdict.CONSISTENT
    upper = relation.startswith("<")
    meets = interval.low <= limit.interval.high if upper else interval.high >= limit.interval.low
    return Verdict.ROUNDING if meets else Verdict.CONTRADICTED


def bound(case: Case) -> Finding:
    """Every one of `values` (with `absolute`, its size) stays on the stated side of a stated limit.

    The side is the option `relation`, or the qualifier of the stated number. A value beyond the
    limit counts as inside where the two, each widened by its rounding, still meet: "<14 %" admits
    14.01 as consistent only with rounding. The verdict is `sources disagree` where one document
    keeps the limit and another does not, `contradicted` where none keeps it.
    """
    relation, limit = case.relation, case.stated.quantity
    upper, absolute = relation.startswith("<"), case.options.absolute
    ordered = sorted(case.parts["values"], key=lambda t: t.sized(absolute)[0], reverse=upper)
    sides = [(term, side(case, term, relation)) for term in ordered]
    outside = [term for term, found in sides if found is not Verdict.CONSISTENT]
    verdict = _together(sides)
    failed = verdict.rank > Verdict.ROUNDING.rank
    extreme, _ = ordered[0].sized(absolute)
    why = (
        f"{len(ordered) - len(outside)} of {len(ordered)} values are {'in size ' if absolute else ''}{relation} "
        f"{limit.text}; the {'largest' if upper else 'smallest'} is {ordered[0].named}."
    )
    if outside:
        why += f" Outside: {listed(outside)}."
    return Finding(
        relation + limit.text,
        shown(extreme),
        shown(limit.interval.half_width, 3),
        verdict,
        Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        failed,
        why,
        gap=share_apart(extreme, limit.value) if failed else Decimal(0),
        needs=tuple(each for term in ordered for each in limit_needs(case, term, relation)),
    )


def _together(sides: Sequence[tuple[Term, Verdict]]) -> Verdict:
    broken = [term for term, found in sides if found is Verdict.CONTRADICTED]
    if not broken:
        return Verdict.ROUNDING if any(found is Verdict.ROUNDING for _, found in sides) else Verdict.CONSISTENT
    guilty = frozenset[str]().union(*(term.sources for term in broken))
    kept = [term for term, found in sides if found is not Verdict.CONTRADICTED and not term.sources & guilty]
    return Verdict.SOURCES_DISAGREE if kept else Verdict.CONTRADICTED


def quantifier(case: Case) -> Finding:
    """A stated limit holds for every, for none, or for only these `values` (and none of `others`).

    The option `members` is how many members the scope has as worded (tasks × models × conditions).
    Where fewer were published and none of them speaks against the claim, it is not checkable: what is
    missing could.
    """
    options, relation, limit = case.options, case.relation, case.stated.quantity
    wanted = [(t, OPPOSITE[relation] if options.quantifier == "none" else relation) for t in case.parts["values"]]
    if options.quantifier == "only":
        wanted += [(t, OPPOSITE[relation]) for t in case.parts.get("others", ())]
    sides = [(term, side(case, term, each)) for term, each in wanted]
    verdict = _together(sides)
    against = [term for term, found in sides if found is Verdict.CONTRADICTED]
    missing = 0 if options.members is None else int(options.members) - len(case.parts["values"])
    needs = tuple(one for term, each in wanted for one in limit_needs(case, term, each))
    failed = verdict.rank > Verdict.ROUNDING.rank
    scope = f"{len(case.parts['values'])} of {options.members}" if missing > 0 else f"{len(wanted)}"
    why = f"{scope} members of the scope were published; {len(sides) - len(against)} agree with "
    why += f"'{options.quantifier}: {'size ' if options.absolute else ''}{relation} {limit.text}'."
    if against:
        why += f" Against it: {listed(against)}."
    if missing > 0 and not failed:
        verdict, needs = Verdict.NOT_CHECKABLE, ()
        why += f" Not published: {options.needs}".rstrip()
    furthest = max((share_apart(t.sized(options.absolute)[0], limit.value) for t in against), default=Decimal(0))
    return Finding(
        f"{options.quantifier}: {relation}{limit.text}",
        f"{len(sides) - len(against)} of {len(sides)}",
        shown(limit.interval.half_width, 3),
        verdict,
        Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        failed,
        why,
        gap=furthest,
        needs=needs,
    )


def order(case: Case) -> Finding:
    """Every one of `smaller` is below every one of `larger` (with `absolute`, in size).

    Values that tie within their rounding are consistent only with rounding.
    """
    absolute = case.options.absolute
    low = max(case.parts["smaller"], key=lambda term: term.sized(absolute)[0])
    high = min(case.parts["larger"], key=lambda term: term.sized(absolute)[0])
    (below, low_interval), (top, high_interval) = low.sized(absolute), high.sized(absolute)
    if below < top:
        verdict = Verdict.CONSISTENT
    elif low_interval.low <= high_interval.high:
        verdict = Verdict.ROUNDING
    else:
        verdict = mismatch(low.sources | high.sources)
    failed = verdict.rank > Verdict.ROUNDING.rank
    size = " in size" if absolute else ""
    return Finding(
        "",
        f"{shown(below)} {'<' if below < top else '>='} {shown(top)}",
        shown(low_interval.half_width + high_interval.half_width, 3),
        verdict,
        Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        failed,
        f"Largest{size} of the smaller: {low.named}; smallest{size} of the larger: {high.named}.",
        gap=share_apart(below, top) if failed else Decimal(0),
        # Every pair: one number may stand in several terms, and move them together.
        needs=tuple(
            each for a in case.parts["smaller"] for b in case.parts["larger"] for each in above(b, a, absolute)
        ),
    )
