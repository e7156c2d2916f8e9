"""Kinds that compare columns pair by pair, count how often something holds, or name the extreme of many values."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from analysis.audit.kinds.agreement import AS_ROUNDED
from analysis.audit.kinds.arithmetic import compared
from analysis.audit.kinds.case import (
    LISTED,
    ONE,
    RELATIONS,
    Case,
    above,
    may_be_on_side,
    mismatch,
    need,
    stated_text,
)
from analysis.audit.kinds.finding import Finding, Need, Value, Verdict, not_checkable_because, share_apart
from analysis.audit.kinds.reason import phrase
from analysis.audit.numbers import Bounds, shown


def pairwise(case: Case) -> Finding:
    """Claim that every one of `first` is on one side of its `second`.

    The side is the option `relation`, by default <; with `absolute`, of their sizes. With a stated number, so many of
    the pairs are ("7 of 10"). Where the sentence has a `vague` word, the finding is in how many pairs it is so.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> found = pairwise(printed_case(first=["1.0", "3.0"], second=["2.0", "2.9"]))
        >>> str(found.verdict), found.recomputed
        ('contradicted', '1 of 2')
        >>> str(pairwise(printed_case("1", unit="count", first=["1", "3"], second=["2", "2"])).verdict)
        'consistent'
    """
    relation = case.options.relation or "<"
    pairs = list(zip(case.parts["first"], case.parts["second"], strict=True))
    absolute = case.options.absolute
    sizes = [(*a.sized(absolute), *b.sized(absolute)) for a, b in pairs]
    nominal = [RELATIONS[relation](a, b) for a, _, b, _ in sizes]
    possible = [may_be_on_side(a, relation, b) for _, a, _, b in sizes]
    opposite = {"<": ">=", "<=": ">", ">": "<=", ">=": "<"}[relation]
    certain = [not may_be_on_side(a, opposite, b) for _, a, _, b in sizes]
    wanted = len(pairs) if case.printed is None else case.printed.quantity.value
    counted = sum(nominal)
    verdict = Verdict.CONSISTENT if counted == wanted else Verdict.ROUNDING
    if not sum(certain) <= wanted <= sum(possible):
        # Without a stated number of pairs, those that keep the order are no part of what disagrees.
        wrong = [pair for pair, may in zip(pairs, possible, strict=True) if case.printed is not None or not may]
        terms = [term for pair in wrong for term in pair]
        broken = frozenset[str]().union(*(term.sources for term in terms))
        verdict = mismatch(broken | ({case.printed.source} if case.printed is not None else set()))
    against = [pair for pair, holds in zip(pairs, nominal, strict=True) if not holds]
    size = "in size " if absolute else ""
    reason = [phrase(f"{counted} of {len(pairs)} pairs have the first {size}{relation} the second.")]
    reason += [phrase("Not so: ", a.named, " against ", b.named, ".") for a, b in against[:LISTED]]
    needs: list[Need] = []
    for a, b in pairs:
        low, high = (a, b) if relation.startswith("<") else (b, a)
        needs += above(high, low, absolute)
    found = Finding(
        published=f"{shown(Decimal(wanted))} of {len(pairs)}",
        recomputed=f"{counted} of {len(pairs)}",
        tolerance="0",
        verdict=verdict,
        reason=tuple(reason),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=verdict.fails,
        gap=share_apart(Decimal(counted), Decimal(wanted)) if verdict.fails else Decimal(0),
        conditions=lambda: needs if wanted == len(pairs) else (),
    )
    if not case.options.vague:
        return found
    told = f"It holds where '{case.options.vague}' allows {counted} of {len(pairs)} pairs."
    revised = replace(found, verdict=Verdict.READING, value=Value.NOT_STATED, changes=False, gap=Decimal(0))
    return revised.with_sensitivity(told)


def extreme(case: Case) -> Finding:
    """Claim that the stated number is the largest of `values` ("up to", "at best").

    With `direction: falling`, the smallest.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> str(extreme(printed_case("36.6", values=["18.9", "36.6"])).verdict)
        'consistent'
        >>> str(extreme(printed_case("36.6", values=["18.9", "37.2"])).verdict)
        'contradicted'
    """
    falling = case.options.direction == "falling"
    values = case.parts["values"]
    best = min(values, key=lambda t: t.value) if falling else max(values, key=lambda t: t.value)
    ends = [term.bounds.low for term in values], [term.bounds.high for term in values]
    bounds = Bounds(*(min(each) if falling else max(each) for each in ends))
    word = "smallest" if falling else "largest"
    return compared(case, best.value, bounds, f"{word} of {', '.join(t.text for t in values)}", best.rates())


def share_of(case: Case) -> Finding:
    """Claim that the stated percentage is 100 × `part` / `whole`.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> str(share_of(printed_case("66.7", part=["2"], whole=["3"])).verdict)
        'consistent'
    """
    part, whole = case.one("part"), case.one("whole")
    arithmetic = f"100 x {part.bracketed} / {whole.bracketed}"
    if whole.bounds.low <= 0 <= whole.bounds.high:
        return not_checkable_because(f"{arithmetic}: the whole may be zero.", published=stated_text(case.stated))
    hundred = Decimal(100)
    rates = need(
        Decimal(0),
        part.rates(hundred / whole.value),
        whole.rates(-hundred * part.value / whole.value**2),
    ).rates
    bounds = (part.bounds / whole.bounds).times(hundred)
    return compared(case, hundred * part.value / whole.value, bounds, arithmetic, rates, divides=True)


def no_worse(case: Case) -> Finding:
    """Claim that every one of `first` is as good as its `second`, or better, but for a stated margin.

    That is how "similar or better" is read. More is better; with `direction: falling`, less is.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> str(no_worse(printed_case("0.5", first=["68.8", "79.5"], second=["69.1", "77.1"])).verdict)
        'consistent'
    """
    falling, margin = case.options.direction == "falling", case.limit
    pairs = list(zip(case.parts["first"], case.parts["second"], strict=True))
    limit = margin.quantity
    losses = []
    needs = []
    for a, b in pairs:
        better, worse = (b, a) if falling else (a, b)
        losses.append((worse.value - better.value, worse.bounds - better.bounds, a))
        room = limit.bounds.high - worse.value + better.value + a.width + b.width
        needs.append(need(room, worse.rates(-ONE), better.rates(), {margin.id: ONE}))
    worst, _, term = max(losses, key=lambda loss: loss[0])
    beyond = [each for loss, bounds, each in losses if loss > limit.value and not bounds.may_be_at_most(limit.bounds)]
    verdict = Verdict.CONSISTENT if worst <= limit.value else Verdict.ROUNDING
    if beyond:
        verdict = mismatch(frozenset[str]().union(*(a.sources | b.sources for a, b in pairs)))
    return Finding(
        published=f"no worse by more than {limit.text}",
        recomputed=shown(worst),
        tolerance=shown(limit.bounds.half_width + term.width, 3),
        verdict=verdict,
        reason=(phrase(f"The largest loss of {len(pairs)} pairs is {shown(worst)}: ", term.named, "."),),
        value=AS_ROUNDED.get(verdict, Value.NOT_STATED),
        changes=verdict.fails,
        gap=share_apart(worst, limit.value) if verdict.fails else Decimal(0),
        conditions=lambda: needs,
    )


def spreads_apart(case: Case) -> Finding:
    """Claim that `larger` exceeds `smaller` by so many of their `spreads` (standard deviations or errors).

    Two spreads are combined as the root of the sum of their squares. The stated number is a limit: at least so many, or
    the option `relation`.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = spreads_apart(printed_case("2", larger=["69.1"], smaller=["68.5"], spreads=["0.4", "0.3"]))
        >>> str(found.verdict), found.recomputed
        ('contradicted', '1.2')
    """
    larger, smaller, spreads = case.one("larger"), case.one("smaller"), case.parts["spreads"]
    relation, limit = case.options.relation or ">=", case.limit.quantity
    squares = sum((term.value**2 for term in spreads), Decimal(0))
    low = sum((max(term.bounds.low, Decimal(0)) ** 2 for term in spreads), Decimal(0)).sqrt()
    high = sum((term.bounds.high**2 for term in spreads), Decimal(0)).sqrt()
    if not squares or not low:
        return not_checkable_because("A spread may be zero within its rounding.", published=stated_text(case.stated))
    spread = squares.sqrt()
    value = (larger.value - smaller.value) / spread
    bounds = (larger.bounds - smaller.bounds) / Bounds(low, high)
    met = RELATIONS[relation](value, limit.value)
    verdict = Verdict.CONSISTENT if met else Verdict.ROUNDING
    if not met and not may_be_on_side(bounds, relation, limit.bounds):
        verdict = mismatch(case.sources)
    sign = ONE if relation.startswith(">") else -ONE
    rates = (larger.rates(sign / spread), smaller.rates(-sign / spread), {case.stated.id: -sign})
    squeezed = tuple(term.rates(-sign * value * term.value / squares) for term in spreads)
    return Finding(
        published=f"{relation}{limit.text}",
        recomputed=shown(value, 4),
        tolerance=shown(bounds.half_width, 3),
        verdict=verdict,
        reason=(phrase("(", larger.named, " - ", smaller.named, f") / {shown(spread, 4)} = {shown(value, 4)}; "
                       f"stated {relation} {limit.text}."),),
        value=AS_ROUNDED.get(verdict, Value.NOT_STATED),
        changes=verdict.fails,
        gap=share_apart(value, limit.value) if verdict.fails else Decimal(0),
        conditions=lambda: (need(sign * (value - limit.value) + bounds.half_width, *rates, *squeezed),),
    )  # fmt: skip
