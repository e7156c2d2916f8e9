"""Kinds for reported statistics: p-value and test statistic, interval and estimate, values that cannot be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from scipy.special import chdtrc, fdtrc, ndtr, ndtri, stdtr, stdtrit

from analysis.audit.kinds.agreement import AS_ROUNDED
from analysis.audit.kinds.case import (
    ONE,
    RELATIONS,
    Case,
    NumberTerm,
    listed,
    may_be_on_side,
    mismatch,
    need,
    stated_text,
)
from analysis.audit.kinds.finding import Finding, Need, Value, Verdict, not_checkable_because, share_apart
from analysis.audit.kinds.reason import phrase
from analysis.audit.numbers import Bounds, shown
from analysis.audit.rounding import Rounded, rounded

TWO_TAILED = ("t", "z", "r")
DEGREES: Mapping[str, int] = {"t": 1, "F": 2, "chi2": 1, "r": 1, "z": 0}
# What a value of a unit can be at all.
POSSIBLE: Mapping[str, tuple[Decimal | None, Decimal | None]] = {
    "%": (Decimal(0), Decimal(100)),
    "pp": (Decimal(-100), Decimal(100)),
    "fraction": (Decimal(0), ONE),
    "p": (Decimal(0), ONE),
    "cosine": (-ONE, ONE),
    "correlation": (-ONE, ONE),
    "count": (Decimal(0), None),
}


def tail(test: str, statistic: float, degrees: Sequence[float]) -> float:
    """Return the two-sided p-value of a t, z or r, and the upper one of an F or chi2.

    A correlation is tested as t = r sqrt(df / (1 - r²)).

    Examples:
        >>> round(tail("t", 2.2, [28]), 4), round(tail("F", 2.2, [2, 28]), 4), round(tail("chi2", 22.2, [28]), 4)
        (0.0362, 0.1296, 0.7719)
    """
    size = abs(statistic)
    if test == "z":
        return float(2 * ndtr(-size))
    if test == "F":
        return float(fdtrc(*degrees, statistic)) if statistic > 0 else 1.0
    if test == "chi2":
        return float(chdtrc(degrees[0], statistic)) if statistic > 0 else 1.0
    if test == "r":
        if size >= 1:
            return 0.0
        size *= math.sqrt(degrees[0] / (1 - size**2))
    return float(2 * stdtr(degrees[0], -size))


def p_value(case: Case) -> Finding:
    """Claim that a stated p-value is that of a test statistic with its degrees of freedom, as statcheck does.

    The test is an option: t, F, chi2, r or z. The p-value is computed for every statistic that rounds to the printed
    one. A t, z or r is two-tailed; where the p-value is only that of one tail and the claim does not say `tails: one`,
    the verdict depends on the reading. The conclusion changes where the two p-values lie on different sides of `alpha`.

    Reference: Nuijten, Hartgerink, van Assen, Epskamp and Wicherts, 2016, doi:10.3758/s13428-015-0664-2.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> found = p_value(printed_case("0.03", Options(test="t"), statistic=["2.20"], df=["28"]))
        >>> str(found.verdict), found.why
        ('contradicted', 't(28) = 2.20 [2.20] gives p = 0.03623, from 0.03584 to 0.03662 with its rounding; stated \
0.03.')
    """
    test, statistic = case.options.test, case.one("statistic")
    degrees = [float(term.value) for term in case.parts.get("df", ())]
    wanted = DEGREES.get(test)
    if wanted is None or len(degrees) != wanted or any(each <= 0 for each in degrees):
        why = "The test or its degrees of freedom were not published."
        return not_checkable_because(why, published=stated_text(case.stated))
    share = Decimal("0.5") if case.options.tails == "one" else ONE
    found = _p_value(case, test, statistic, degrees, share)
    if found.verdict.fails and case.options.tails is None and test in TWO_TAILED:
        one = _p_value(case, test, statistic, degrees, Decimal("0.5"))
        if not one.verdict.fails:
            return Finding(
                published=found.published,
                recomputed=found.recomputed,
                tolerance=found.tolerance,
                verdict=Verdict.READING,
                reason=found.reason,
            ).with_sensitivity(f"It holds where the test is one-tailed, p = {one.recomputed}.")
    return found


def _p_value(case: Case, test: str, statistic: NumberTerm, degrees: Sequence[float], share: Decimal) -> Finding:
    def p_of(value: Decimal) -> Decimal:
        return Decimal(repr(tail(test, float(value), degrees))) * share

    stated, size = case.stated.quantity, statistic.bounds.magnitude()
    value, bounds = p_of(statistic.value), Bounds(p_of(size.high), p_of(size.low))
    relation = stated.qualifier if stated.qualifier in RELATIONS else ""
    if relation:
        holds = RELATIONS[relation](value, stated.value)
        near = may_be_on_side(bounds, relation, stated.bounds)
    else:
        holds = rounded(value, stated) is Rounded.TO_IT
        near = bounds.overlaps(stated.bounds)
    verdict = Verdict.CONSISTENT if holds else Verdict.ROUNDING if near else mismatch(case.sources)
    alpha = case.options.alpha
    says = stated.value <= alpha if relation.startswith("<") else stated.value < alpha
    step = max(statistic.width, Decimal("0.0001"))
    slope = (p_of(statistic.value + step) - p_of(statistic.value - step)) / (2 * step)
    rates = {key: slope * rate for key, rate in statistic.rates().items()}
    away = {key: -rate for key, rate in rates.items()}
    allowed = stated.bounds.half_width + bounds.half_width
    down = need(allowed - value + stated.value, away, {case.stated.id: ONE})
    up = need(allowed + value - stated.value, rates, {case.stated.id: -ONE})
    needs = [down] if relation.startswith("<") else [up] if relation.startswith(">") else [down, up]
    named = f"{test}({', '.join(f'{each:g}' for each in degrees)})" if degrees else test
    ends = f"{shown(bounds.low, 4)} to {shown(bounds.high, 4)}"
    return Finding(
        published=stated_text(case.stated),
        recomputed=shown(value, 4),
        tolerance=shown(allowed, 3),
        verdict=verdict,
        reason=(
            phrase(f"{named} = ", statistic.named, f" gives p = {shown(value, 4)}, from {ends} with its rounding; "
                   f"stated {stated_text(case.stated)}."),
        ),
        value=Value.OFF if verdict.fails else AS_ROUNDED.get(verdict, Value.AS_PRINTED),
        changes=verdict.fails and says != (value < alpha),
        gap=share_apart(value, stated.value) if verdict.fails else Decimal(0),
        conditions=lambda: needs,
    )  # fmt: skip


def confidence_interval(case: Case) -> Finding:
    """Claim that `low` to `high` is a confidence interval of `estimate`, with its standard error `se` if published.

    The estimate must lie within. With a standard error, both ends must be `level` (by default 95 %) Gaussian quantiles
    away from it, or quantiles of Student's t with `df` degrees of freedom.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = confidence_interval(printed_case(estimate=["1.20"], low=["0.22"], high=["2.18"], se=["0.50"]))
        >>> str(found.verdict)
        'consistent'
        >>> str(confidence_interval(printed_case(estimate=["2.20"], low=["0.22"], high=["2.18"])).verdict)
        'contradicted'
    """
    estimate, low, high = case.one("estimate"), case.one("low"), case.one("high")
    error, degrees = case.maybe("se"), case.maybe("df")
    needs = [
        need(estimate.value - low.value + estimate.width + low.width, estimate.rates(), low.rates(-ONE)),
        need(high.value - estimate.value + estimate.width + high.width, high.rates(), estimate.rates(-ONE)),
    ]
    inside = low.bounds.may_be_at_most(estimate.bounds) and estimate.bounds.may_be_at_most(high.bounds)
    reason = [phrase("The interval is ", low.named, " to ", high.named, "; the estimate is ", estimate.named, ".")]
    verdict = Verdict.CONSISTENT if low.value <= estimate.value <= high.value else Verdict.ROUNDING
    if not inside:
        verdict = mismatch(case.sources)
    if error is not None:
        point = float((1 + case.options.level) / 2)
        times = Decimal(repr(float(stdtrit(float(degrees.value), point) if degrees is not None else ndtri(point))))
        ends = []
        for end, sign in ((low, -times), (high, times)):
            value = estimate.value + sign * error.value
            bounds = estimate.bounds + error.bounds.times(sign)
            ends.append((value, bounds, end))
            away = (estimate.rates(-ONE), error.rates(-sign), end.rates())
            back = (estimate.rates(), error.rates(sign), end.rates(-ONE))
            allowed = bounds.half_width + end.width
            needs += [need(allowed - value + end.value, *away), need(allowed + value - end.value, *back)]
        told = " to ".join(shown(value, 4) for value, _, _ in ends)
        reason.append(phrase("With a standard error of ", error.named, f" it would be {told}."))
        if any(not bounds.overlaps(end.bounds) for _, bounds, end in ends):
            verdict = mismatch(case.sources)
        elif verdict is Verdict.CONSISTENT and any(
            end.printed is not None and rounded(value, end.printed) is not Rounded.TO_IT for value, _, end in ends
        ):
            verdict = Verdict.ROUNDING
    return Finding(
        published=f"{low.text} to {high.text}",
        recomputed=shown(estimate.value),
        tolerance=shown(low.width + estimate.width, 3),
        verdict=verdict,
        reason=tuple(reason),
        value=Value.OFF if verdict.fails else AS_ROUNDED.get(verdict, Value.AS_PRINTED),
        gap=ONE if verdict.fails else Decimal(0),
        conditions=lambda: needs,
    )


def possible(case: Case) -> Finding:
    """Claim nothing but that `values` can be what they are said to be: no p above 1, no share above 100 %.

    The ends are the options `lowest` and `highest`, the number `most` (a rank and its dimension), or those of the unit.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> str(possible(printed_case(unit="p", values=["0.04", "1.2"])).verdict)
        'contradicted'
    """
    values, most = case.parts["values"], case.maybe("most")
    low, high = POSSIBLE.get(values[0].plus[0].unit, (None, None))
    low = case.options.lowest if case.options.lowest is not None else low
    high = case.options.highest if case.options.highest is not None else high
    high = most.value if most is not None else high
    if low is None and high is None:
        return not_checkable_because("Nothing says what these values can be.")
    edges = {">=": low, "<=": high}
    beyond = [
        term
        for term in values
        for relation, edge in edges.items()
        if edge is not None and not may_be_on_side(term.bounds, relation, Bounds(edge, edge))
    ]
    ends = " to ".join("any" if edge is None else shown(edge) for edge in (low, high))
    reason = [phrase(f"{len(values) - len(beyond)} of {len(values)} values are within {ends}.")]
    if beyond:
        reason.append(phrase("Impossible: ", listed(beyond), "."))
    rates = most.rates() if most is not None else {}
    return Finding(
        published=ends,
        recomputed=f"{len(values) - len(beyond)} of {len(values)}",
        tolerance="0",
        verdict=mismatch(case.sources) if beyond else Verdict.CONSISTENT,
        reason=tuple(reason),
        value=Value.OFF if beyond else Value.AS_PRINTED,
        gap=ONE if beyond else Decimal(0),
        conditions=lambda: _within(values, low, high, rates),
    )


def _within(
    values: Sequence[NumberTerm], low: Decimal | None, high: Decimal | None, rates: Mapping[str, Decimal]
) -> list[Need]:
    needs = [need(term.value - low + term.width, term.rates()) for term in values if low is not None]
    return needs + [need(high - t.value + t.width, t.rates(-ONE), rates) for t in values if high is not None]


def independent(case: Case) -> Finding:
    """Claim that `first` and `second` are two measurements: not the same numbers, pair by pair, to every digit.

    Three or more pairs that are all the same contradict it. A single pair that differs is enough for the claim.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> same = ["67.31", "48.20", "71.33"]
        >>> str(independent(printed_case(first=same, second=same)).verdict)
        'contradicted'
    """
    pairs = list(zip(case.parts["first"], case.parts["second"], strict=True))
    same = [(a, b) for a, b in pairs if a.value == b.value]
    if len(pairs) < 3:
        return not_checkable_because("Fewer than three pairs may be the same by chance.")
    failed = len(same) == len(pairs)
    return Finding(
        published="two measurements",
        recomputed=f"{len(same)} of {len(pairs)} the same",
        tolerance="0",
        verdict=Verdict.CONTRADICTED if failed else Verdict.CONSISTENT,
        reason=(phrase(f"{len(same)} of {len(pairs)} pairs are the same to every digit; the first: ", pairs[0][0].named,
                       " and ", pairs[0][1].named, "."),),
        value=Value.OFF if failed else Value.AS_PRINTED,
        gap=ONE if failed else Decimal(0),
        conditions=lambda: _differences(pairs),
    )  # fmt: skip


def _differences(pairs: Sequence[tuple[NumberTerm, NumberTerm]]) -> list[Need]:
    # A number that makes the only difference can undo it.
    apart = [(a, b) for a, b in pairs if a.value != b.value]
    if len(apart) != 1:
        return []
    ((a, b),) = apart
    sign = ONE if a.value > b.value else -ONE
    return [need(abs(a.value - b.value), a.rates(sign), b.rates(-sign))]
