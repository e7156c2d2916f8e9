"""Kinds about what follows from a number: chance, significance, causes, and what was not published."""

from __future__ import annotations

from decimal import Decimal

from analysis.audit.kinds.case import ONE, Case, above, mismatch, need, stated_text
from analysis.audit.kinds.finding import Finding, Value, Verdict, share_apart
from analysis.audit.numbers import shown
from analysis.audit.published import Published


def chance(case: Case) -> Finding:
    """Every one of `values` is near the level of chance, which is published or 1/`classes`.

    "Near" is at most `near` times chance (by default ten, an order of magnitude, which is generous). A
    value further up is a fact; that it is near chance does not follow from it, so the claim is
    unsupported rather than contradicted.
    """
    values, level = case.parts["values"], case.maybe("chance")
    near, classes = case.options.near, case.options.classes
    if level is not None:
        chance_level, width, told = level.value, level.width, f"chance is {level.named}"
    elif classes:
        whole = ONE if values[0].plus[0].unit == "fraction" else Decimal(100)
        chance_level, width, told = whole / classes, Decimal(0), f"chance is 1 in {shown(classes)}"
    else:
        why = "The level of chance was not published."
        return Finding("near chance", "", "", Verdict.NOT_CHECKABLE, Value.NOT_STATED, False, why)
    limit = near * chance_level
    highest = max(values, key=lambda term: term.value)
    rates = level.rates(near) if level is not None else {}
    needs = tuple(need(limit - t.value + t.width + near * width, t.rates(-ONE), rates) for t in values)
    beyond = [t for t in values if t.value > limit]
    far = [t for t in beyond if t.value - t.width > limit + near * width]
    verdict = Verdict.ROUNDING if beyond else Verdict.CONSISTENT
    if far:
        verdict = Verdict.UNSUPPORTED
    times = f"{shown(highest.value / chance_level, 3)} times chance" if chance_level else "above a chance of zero"
    return Finding(
        "near chance",
        times,
        shown(near * width, 3),
        verdict,
        Value.WITHIN_ROUNDING if beyond and not far else Value.NOT_STATED,
        bool(far),
        f"{len(values) - len(beyond)} of {len(values)} values are at most {shown(near)} times chance; the highest, "
        f"{highest.named}, is {times} ({told}).",
        gap=share_apart(highest.value, limit) if far else Decimal(0),
        needs=needs,
    )


def significance(case: Case) -> Finding:
    """A stated p-value is below `alpha`, as a claim of a difference needs.

    That the p-value follows from data is another question, which needs the data.
    """
    p, alpha = case.stated.quantity, case.options.alpha
    # "p < 0.001" states a limit: what matters is that the limit is not above alpha.
    below = p.value < alpha or (p.qualifier == "<" and p.value <= alpha)
    failed = not below and p.interval.low >= alpha
    verdict = Verdict.CONSISTENT if below else Verdict.ROUNDING
    return Finding(
        stated_text(case.stated),
        "",
        shown(p.interval.half_width, 3),
        Verdict.CONTRADICTED if failed else verdict,
        Value.WITHIN_ROUNDING if not failed and not below else Value.NOT_STATED,
        failed,
        f"p {_p_text(case.stated)} [{case.stated.id}] is {'' if below else 'not '}below {shown(alpha)}.",
        gap=share_apart(p.value, alpha) if failed else Decimal(0),
        needs=(need(alpha - p.value + p.interval.half_width, {case.stated.id: -ONE}),),
    )


def nonsignificance(case: Case) -> Finding:
    """A p-value at or above `alpha` is read as evidence that two things are the same.

    The inference does not follow, whatever the p-value: a test that fails to find a difference may
    lack the data to find it (Altman and Bland, 1995). What would follow from an equivalence test
    against a margin fixed beforehand is not published. A p-value below `alpha` contradicts the
    claim.
    """
    p = case.stated.quantity
    alpha = case.options.alpha
    if p.value >= alpha or (p.qualifier == "" and p.interval.high >= alpha):
        verdict = Verdict.UNSUPPORTED
        why = (
            f"p = {p.text} [{case.stated.id}] is not below {shown(alpha)}: no difference was shown, which does not "
            "show that there is none. Sameness needs an equivalence test, or an interval inside a margin."
        )
    else:
        verdict = Verdict.CONTRADICTED
        why = f"p {_p_text(case.stated)} [{case.stated.id}] is below {shown(alpha)}: the test found a difference."
    width = p.interval.half_width if p.qualifier == "" else Decimal(0)
    return Finding(
        stated_text(case.stated),
        "",
        shown(alpha),
        verdict,
        Value.NOT_STATED,
        True,
        why,
        needs=(need(p.value - alpha + width, {case.stated.id: ONE}),),
    )


def _p_text(p: Published) -> str:
    text = stated_text(p)
    return text if text.startswith(("<", ">")) else f"= {text}"


def causal(case: Case) -> Finding:
    """Something is the reason that `smaller` is below `larger`: a comparison in which nothing else differs.

    Without numbers the comparison was not published, and the claim is not checkable. With numbers, the
    order has to hold, and nothing but the reason may differ between the two: what else does is the
    option `also_differs`, as the article itself or the design of the experiment has it. An order that
    holds for several possible reasons leaves the claim unsupported.
    """
    needs_told = case.options.needs
    smaller, larger = case.parts.get("smaller", ()), case.parts.get("larger", ())
    if not smaller or not larger:
        return Finding("", "", "", Verdict.NOT_CHECKABLE, Value.NOT_STATED, False, needs_told)
    low, high = max(smaller, key=lambda t: t.value), min(larger, key=lambda t: t.value)
    why = f"Largest of the smaller: {low.named}; smallest of the larger: {high.named}."
    reversed_order = low.interval.low > high.interval.high
    if reversed_order:
        verdict = mismatch(low.sources | high.sources)
    elif case.options.also_differs:
        verdict = Verdict.UNSUPPORTED
        why += f" The two also differ in {case.options.also_differs}. What would decide it: {needs_told}"
    else:
        verdict = Verdict.CONSISTENT if low.value < high.value else Verdict.ROUNDING
    return Finding(
        "",
        f"{shown(low.value)} {'<' if low.value < high.value else '>='} {shown(high.value)}",
        shown(low.width + high.width, 3),
        verdict,
        Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        verdict.rank > Verdict.ROUNDING.rank,
        why,
        gap=share_apart(low.value, high.value) if reversed_order else Decimal(0),
        needs=tuple(each for a in smaller for b in larger for each in above(b, a)),
    )


def not_checkable(case: Case) -> Finding:
    """The numbers that a claim rests on were not published; `needs` says which would decide it."""
    return Finding(
        stated_text(case.printed) if case.printed else "",
        "",
        "",
        Verdict.NOT_CHECKABLE,
        Value.NOT_STATED,
        False,
        case.options.needs,
    )
