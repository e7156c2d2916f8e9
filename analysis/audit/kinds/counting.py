"""Kinds that ask which values a count can give: shares of n, and p-values of a permutation test."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from analysis.audit.kinds.agreement import AS_ROUNDED
from analysis.audit.kinds.arithmetic import undefined
from analysis.audit.kinds.case import ONE, Case, NumberTerm, listed, mismatch, need, stated_text
from analysis.audit.kinds.finding import Finding, Need, Value, Verdict, not_checkable_because
from analysis.audit.kinds.reason import phrase
from analysis.audit.numbers import Bounds, shown
from analysis.audit.rounding import Rounded, rounded

LARGEST_N = 20_000
# The largest error found when digitised series were held against the data behind them (published/README.md).
DIGITISED_ERROR = Decimal("6e-6")
# A whole in the units of shares; values of every other unit are means of whole numbers.
WHOLE = {"fraction": Decimal(1), "%": Decimal(100), "pp": Decimal(100)}


def denominator(case: Case) -> Finding:
    """Claim that every one of `values` is a share of `n` units, or a mean of `n` whole numbers (GRIM).

    Percentages and fractions are shares; every other value is a mean of scores, or of `items` whole numbers each. `n`
    is a published number, or the option of that name. A value is attainable where a multiple of 1/n lies within its
    bounds. Where multiples are closer together than the precision of the values, every value is attainable and the
    claim is not checkable. For values that are not attainable, the smallest `n` up to 20,000 that gives them all is
    named. The reason says how many of all values printed so are not attainable: the power of the check.

    Reference: Brown and Heathers, 2017, doi:10.1177/1948550616673876.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> found = denominator(printed_case(None, Options(n=Decimal(7)), values=["71.4", "71.5"]))  # 5 of 7 is 71.43 %
        >>> str(found.verdict), found.recomputed
        ('sources disagree', '1 of 2')
    """
    values, stated = case.parts["values"], case.maybe("n")
    n = stated.value if stated is not None else case.options.n
    if n is None or n <= 0:
        return not_checkable_because("No number of units was published.")
    unit = values[0].plus[0].unit
    whole = WHOLE.get(unit, ONE / (case.options.items or ONE))
    step = whole / n
    widest = max(_known(term) for term in values)
    if step <= 2 * widest:
        each = "Shares" if unit in WHOLE else "Means"
        why = (
            f"{each} of {shown(n)} units are {shown(step, 3)} apart, the values known to {shown(widest, 3)}: any fits."
        )
        return not_checkable_because(why, published=shown(n), tolerance=shown(widest, 3))
    distances = [(term, abs(term.value - _nearest(term, step))) for term in values]
    impossible = [term for term, off in distances if off > _known(term)]
    ties = [term for term, off in distances if off == _known(term)]
    fitting_values = f"{len(values) - len(impossible)} of {len(values)}"
    power = shown(100 * (1 - 2 * widest / step), 2)
    reason = [
        phrase(f"{fitting_values} values are multiples of {shown(step, 3)} (1/{shown(n)}); {power} % of all are not.")
    ]
    if impossible:
        fitting = _smallest_n(impossible, whole)
        instead = f"the smallest n that gives them is {fitting}" if fitting else f"no n up to {LARGEST_N:,} gives them"
        reason.append(phrase("Not attainable: ", listed(impossible), f"; {instead}."))
    if ties:
        reason.append(phrase("Exactly between two printed numbers: ", listed(ties), "."))
    verdict = Verdict.TIE if ties else Verdict.CONSISTENT
    if impossible:
        verdict = mismatch(case.sources) if stated else Verdict.SOURCES_DISAGREE
    return Finding(
        published=f"n = {shown(n)}",
        recomputed=fitting_values,
        tolerance=shown(widest, 3),
        verdict=verdict,
        reason=tuple(reason),
        value=Value.OFF if impossible else AS_ROUNDED.get(verdict, Value.AS_PRINTED),
        gap=Decimal(len(impossible)) / len(values),
        conditions=lambda: (_on_grid(term, step) for term in values),
    )


def _known(term: NumberTerm) -> Decimal:
    printed = term.printed is not None and term.printed.decimals is not None
    return term.width if printed else max(term.width, DIGITISED_ERROR)


def _nearest(term: NumberTerm, step: Decimal) -> Decimal:
    return (term.value / step).to_integral_value() * step


def _on_grid(term: NumberTerm, step: Decimal) -> Need:
    off = term.value - _nearest(term, step)
    outwards = -ONE if off >= 0 else ONE
    return need(_known(term) - abs(off), term.rates(outwards))


def _smallest_n(values: Sequence[NumberTerm], whole: Decimal) -> int | None:
    # In units of the whole; a float holds 15 digits, the values at most 9.
    known = [(float(t.value / whole), float(_known(t) / whole)) for t in values]
    for n in range(1, LARGEST_N + 1):
        if all(abs(value * n - round(value * n)) <= width * n and 2 * width * n < 1 for value, width in known):
            return n
    return None


def attainable_p(case: Case) -> Finding:
    """Claim that a stated p-value can come from a permutation test with `draws` draws.

    Such a p-value is a multiple of 1/(draws + 1) when the observed arrangement is counted (Phipson and Smyth, 2010),
    and of 1/draws when it is not, which is accepted as well. "p < limit" requires the smallest p-value, 1/(draws + 1),
    to lie below the limit; one exactly at the limit is a tie, because a p-value without the observed arrangement may be
    smaller. Where multiples are closer together than the printed digits, any p-value is attainable, and the claim
    cannot fail.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> str(attainable_p(printed_case("0.35", draws=["9"])).verdict)  # nearest: 3/9 and 4/10
        'contradicted'
    """
    p, draws = case.stated.quantity, case.one("draws")
    if draws.value < 1:
        return undefined(case, f"{shown(draws.value)} draws give no p-value.")
    smallest = 1 / (draws.value + 1)
    if p.qualifier.startswith("<"):
        below = smallest < p.value or (p.qualifier == "<=" and smallest == p.value)
        verdict = Verdict.CONSISTENT if below else mismatch(case.sources)
        if not below and smallest == p.value:
            verdict = Verdict.TIE
        found = f"smallest {shown(smallest, 4)}"
        fewest = 1 / p.bounds.high - 1 if p.bounds.high > 0 else draws.value
        needs: tuple[Need, ...] = (
            need(p.bounds.high - smallest, {case.stated.id: ONE}),
            need(draws.value - fewest, draws.rates()),
        )
    else:
        steps = [draws.value + 1, draws.value]
        near = [value for step in steps for value in _multiples(p.bounds, step)]
        verdict = Verdict.CONSISTENT if any(rounded(value, p) is Rounded.TO_IT for value in near) else Verdict.ROUNDING
        if not near:
            verdict = mismatch(case.sources)
        elif 1 / draws.value <= 2 * p.bounds.half_width:
            verdict = Verdict.CANNOT_FAIL
        found = f"{len(near)} multiples of 1/{shown(draws.value + 1)} or 1/{shown(draws.value)}"
        # Beyond 1, and at or below 0, no draw gives a p-value.
        highest, lowest = ONE + p.bounds.half_width, smallest - p.bounds.half_width
        needs = (
            need(highest - p.value, {case.stated.id: -ONE}),
            need(p.value - lowest, {case.stated.id: ONE}),
            need(draws.value, draws.rates()),
        )
    failed = verdict.fails
    why = phrase(
        *("With ", draws.named, f" draws p-values are multiples of 1/{shown(draws.value + 1)}, "),
        f"at least {shown(smallest, 4)}; stated {stated_text(case.stated)}.",
        " Every p-value printed so is one of them." if verdict is Verdict.CANNOT_FAIL else "",
    )
    return Finding(
        published=stated_text(case.stated),
        recomputed=found,
        tolerance=shown(p.bounds.half_width, 3),
        verdict=verdict,
        reason=(why,),
        value=Value.OFF if failed else AS_ROUNDED.get(verdict, Value.AS_PRINTED),
        gap=ONE if failed else Decimal(0),
        conditions=lambda: needs,
    )


def _multiples(bounds: Bounds, steps: Decimal) -> list[Decimal]:
    """Return the first and last k/steps with 1 ≤ k ≤ steps within some bounds, if any."""
    low = max(ONE, (bounds.low * steps).to_integral_value(ROUND_CEILING))
    high = min(steps, (bounds.high * steps).to_integral_value(ROUND_FLOOR))
    return [low / steps, high / steps] if low <= high else []
