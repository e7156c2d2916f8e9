"""Kinds that draw inferences: chance, significance, causes, and claims whose numbers were not published."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from analysis.audit.kinds.case import ONE, Case, above, mismatch, need, stated_text
from analysis.audit.kinds.finding import Finding, Value, Verdict, not_checkable_because, share_apart
from analysis.audit.kinds.reason import Citation, Phrase, phrase
from analysis.audit.numbers import Bounds, shown
from analysis.audit.published import Published

GENEROUS = Decimal(10)


def chance(case: Case) -> Finding:
    """Claim that every one of `values` is near the level of chance, which is published or 1/`classes`.

    "Near" means at most `near` times chance. Where the article gives no such number, the finding is the multiple of
    chance from which on the claim holds: it depends on the reading up to ten times chance, a generous order of
    magnitude. A higher value is a fact from which nearness to chance does not follow, so the claim is unsupported
    rather than contradicted. Where the sentence itself says what it means ("near-random, below 6 %"), `vague` names the
    word, and the finding is the multiple alone.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> found = chance(printed_case(None, Options(classes=Decimal(10), near=Decimal(2)), values=["12.5", "21.0"]))
        >>> str(found.verdict), found.recomputed
        ('unsupported', '2.1 times chance')
    """
    values, level = case.parts["values"], case.maybe("chance")
    near, classes = case.options.near or GENEROUS, case.options.classes
    if level is not None:
        chance_level, width, told = level.value, level.width, phrase("chance is ", level.named)
    elif classes:
        whole = ONE if values[0].plus[0].unit == "fraction" else Decimal(100)
        chance_level, width, told = whole / classes, Decimal(0), phrase(f"chance is 1 in {shown(classes)}")
    else:
        return not_checkable_because("The level of chance was not published.", published="near chance")
    limit = near * chance_level
    highest = max(values, key=lambda term: term.value)
    rates = level.rates(near) if level is not None else {}
    needs = tuple(need(limit - t.value + t.width + near * width, t.rates(-ONE), rates) for t in values)
    beyond = [t for t in values if t.value > limit]
    allowed = Bounds(limit - near * width, limit + near * width)
    far = [t for t in beyond if not t.bounds.may_be_at_most(allowed)]
    verdict = Verdict.ROUNDING if beyond else Verdict.CONSISTENT
    if far:
        verdict = Verdict.UNSUPPORTED
    elif case.options.near is None and not highest.bounds.may_be_at_most(Bounds(chance_level, chance_level + width)):
        verdict = Verdict.READING
    times = f"{shown(highest.value / chance_level, 3)} times chance" if chance_level else "above a chance of zero"
    why = phrase(
        f"{len(values) - len(beyond)} of {len(values)} values are at most {shown(near)} times chance; the highest, ",
        *(highest.named, f", is {times} (", told, ")."),
    )
    found = Finding(
        published="near chance",
        recomputed=times,
        tolerance=shown(near * width, 3),
        verdict=verdict,
        reason=(why,),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=bool(far),
        gap=share_apart(highest.value, limit) if far else Decimal(0),
        conditions=lambda: needs,
    )
    word = case.options.vague or "near"
    if case.options.vague and chance_level:
        found = replace(found, verdict=Verdict.READING, value=Value.NOT_STATED, changes=False, gap=Decimal(0))
    return found.with_sensitivity(f"It holds where '{word}' allows {times} or more.") if chance_level else found


def significance(case: Case) -> Finding:
    """Claim a difference: the stated p-value must be below `alpha`.

    Whether the p-value follows from the data is another question, which needs the data.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = significance(printed_case("0.80"))
        >>> str(found.verdict), found.why
        ('contradicted', 'p = 0.80 [0.80] is not below 0.05.')
    """
    p, alpha = case.stated.quantity, case.options.alpha
    # "p < 0.001" states a limit: what matters is that the limit is not above alpha.
    below = p.value < alpha or (p.qualifier == "<" and p.value <= alpha)
    failed = not below and p.bounds.low >= alpha
    verdict = Verdict.CONSISTENT if below else Verdict.ROUNDING
    return Finding(
        published=stated_text(case.stated),
        recomputed="",
        tolerance=shown(p.bounds.half_width, 3),
        verdict=Verdict.CONTRADICTED if failed else verdict,
        reason=(phrase(_p_text(case.stated), f" is {'' if below else 'not '}below {shown(alpha)}."),),
        value=Value.WITHIN_ROUNDING if not failed and not below else Value.NOT_STATED,
        changes=failed,
        gap=share_apart(p.value, alpha) if failed else Decimal(0),
        conditions=lambda: (need(alpha - p.value + p.bounds.half_width, {case.stated.id: -ONE}),),
    )


def nonsignificance(case: Case) -> Finding:
    """Claim that two things are the same because a p-value is at or above `alpha`.

    The inference does not follow, whatever the p-value: a test that finds no difference may lack the data to find one
    (Altman and Bland, 1995); an equivalence test against a margin fixed beforehand would be needed. A p-value below
    `alpha` contradicts the claim.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> str(nonsignificance(printed_case("0.80")).verdict), str(nonsignificance(printed_case("0.01")).verdict)
        ('unsupported', 'contradicted')
    """
    p = case.stated.quantity
    alpha = case.options.alpha
    if p.value >= alpha or (p.qualifier == "" and p.bounds.high >= alpha):
        verdict = Verdict.UNSUPPORTED
        reason: tuple[Phrase, ...] = (
            phrase(
                *(f"p = {p.text}", Citation((case.stated.id,)), f" is not below {shown(alpha)}: "),
                "no difference was shown, which does not show that there is none.",
            ),
            phrase("Sameness needs an equivalence test, or an interval inside a margin."),
        )
    else:
        verdict = Verdict.CONTRADICTED
        reason = (phrase(_p_text(case.stated), f" is below {shown(alpha)}: the test found a difference."),)
    width = p.bounds.half_width if p.qualifier == "" else Decimal(0)
    return Finding(
        published=stated_text(case.stated),
        recomputed="",
        tolerance=shown(alpha),
        verdict=verdict,
        reason=reason,
        changes=True,
        conditions=lambda: (need(p.value - alpha + width, {case.stated.id: ONE}),),
    )


def _p_text(p: Published) -> Phrase:
    text = stated_text(p)
    return phrase(f"p {text if text.startswith(('<', '>')) else f'= {text}'}", Citation((p.id,)))


def causal(case: Case) -> Finding:
    """Claim that something is the reason why `smaller` is below `larger`.

    Without numbers the comparison was not published, and the claim is not checkable. With numbers, the order must hold
    and nothing but the reason may differ between the two; whatever else differs, according to the article or the design
    of the experiment, is the option `also_differs`. An order with several possible reasons leaves the claim
    unsupported.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> confounded = Options(also_differs="patch size", needs="A matched pair.")
        >>> found = causal(printed_case(None, confounded, smaller=["8.7"], larger=["13.5"]))
        >>> str(found.verdict)
        'unsupported'
        >>> found.reason[1].text
        'The two also differ in patch size.'
    """
    needs_told = case.options.needs
    smaller, larger = case.parts.get("smaller", ()), case.parts.get("larger", ())
    if not smaller or not larger:
        return not_checkable_because(needs_told)
    low, high = max(smaller, key=lambda t: t.value), min(larger, key=lambda t: t.value)
    reason = [phrase("Largest of the smaller: ", low.named, "; smallest of the larger: ", high.named, ".")]
    reversed_order = not low.bounds.may_be_below(high.bounds)
    if reversed_order:
        verdict = mismatch(low.sources | high.sources)
    elif case.options.also_differs:
        verdict = Verdict.UNSUPPORTED
        reason.append(phrase(f"The two also differ in {case.options.also_differs}."))
        reason.append(phrase(f"What would decide it: {needs_told}"))
    else:
        verdict = Verdict.CONSISTENT if low.value < high.value else Verdict.ROUNDING
    return Finding(
        published="",
        recomputed=f"{shown(low.value)} {'<' if low.value < high.value else '>='} {shown(high.value)}",
        tolerance=shown(low.width + high.width, 3),
        verdict=verdict,
        reason=tuple(reason),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=verdict.fails,
        gap=share_apart(low.value, high.value) if reversed_order else Decimal(0),
        conditions=lambda: (each for a in smaller for b in larger for each in above(b, a)),
    )


def not_checkable(case: Case) -> Finding:
    """Record a claim whose numbers were not published; the option `needs` names those that would decide it.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> found = not_checkable(printed_case("~0.6", Options(needs="The cosines.")))
        >>> found.published, found.why
        ('~0.6', 'The cosines.')
    """
    return not_checkable_because(case.options.needs, published=stated_text(case.printed) if case.printed else "")
