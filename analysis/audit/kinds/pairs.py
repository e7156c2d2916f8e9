"""Kinds that hold two columns against each other, pair by pair."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from analysis.audit.kinds.agreement import AS_ROUNDED, agreement, flag_of
from analysis.audit.kinds.case import Case, above, apart, listed, mismatch
from analysis.audit.kinds.finding import Finding, Value, Verdict, share_apart
from analysis.audit.kinds.reason import phrase
from analysis.audit.numbers import shown


def pairwise_order(case: Case) -> Finding:
    """Claim that each of `smaller` is below its partner in `larger` (with `absolute`, in absolute value).

    Unlike an order, it does not compare a number with the partner of another. With `or_equal`, a tie keeps the order.
    Where the sentence has a `vague` word, the finding is in how many pairs the order is as it says.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = pairwise_order(printed_case(smaller=["1.2", "30.1"], larger=["4.8", "31.0"]))
        >>> str(found.verdict), found.recomputed
        ('consistent', '2 of 2')
    """
    absolute = case.options.absolute
    pairs = list(zip(case.parts["smaller"], case.parts["larger"], strict=True))
    sizes = [(a.sized(absolute), b.sized(absolute)) for a, b in pairs]
    kept = [low < high or (case.options.or_equal and low == high) for (low, _), (high, _) in sizes]
    clear = [not holds and not low.may_be_below(high) for holds, ((_, low), (_, high)) in zip(kept, sizes, strict=True)]
    against = [pair for pair, is_clear in zip(pairs, clear, strict=True) if is_clear]
    verdict = Verdict.CONSISTENT if all(kept) else Verdict.ROUNDING
    gap = Decimal(0)
    reason = [phrase(f"In {sum(kept)} of {len(pairs)} pairs the first is {'in size ' if absolute else ''}below.")]
    if against:
        verdict = mismatch(frozenset[str]().union(*(t.sources for pair in against for t in pair)))
        gap = max(share_apart(low, high) for ((low, _), (high, _)), bad in zip(sizes, clear, strict=True) if bad)
    if not all(kept):
        out = [pair for pair, holds in zip(pairs, kept, strict=True) if not holds]
        reason += [phrase("Not below: ", a.named, " against ", b.named, ".") for a, b in out[:4]]
    low_term, high_term = min(pairs, key=lambda pair: pair[1].sized(absolute)[0] - pair[0].sized(absolute)[0])
    reason.append(phrase("The closest pair: ", low_term.named, " and ", high_term.named, "."))
    found = Finding(
        published="",
        recomputed=f"{sum(kept)} of {len(pairs)}",
        tolerance=shown(max(a.width + b.width for a, b in pairs), 3),
        verdict=verdict,
        reason=tuple(reason),
        value=Value.WITHIN_ROUNDING if verdict is Verdict.ROUNDING else Value.NOT_STATED,
        changes=bool(against),
        gap=gap,
        conditions=lambda: (each for a, b in pairs for each in above(b, a, absolute)),
    )
    if not case.options.vague:
        return found
    told = f"It holds where '{case.options.vague}' allows {sum(kept)} of {len(pairs)} pairs in this order."
    return replace(found, verdict=Verdict.READING, changes=False, gap=Decimal(0)).with_sensitivity(told)


def pairwise_equality(case: Case) -> Finding:
    """Claim that each of `first` and its partner in `second` are one number in two places.

    Examples:
        >>> from analysis.audit.kinds import printed_case
        >>> found = pairwise_equality(printed_case(first=["72.5", "81.3"], second=["72.50", "80.4"]))
        >>> str(found.verdict), found.recomputed
        ('contradicted', '1 of 2')
    """
    pairs = [(a, b, agreement(a, b)) for a, b in zip(case.parts["first"], case.parts["second"], strict=True)]
    unequal = [(a, b) for a, b, found in pairs if found.fails]
    first, second, worst = max(pairs, key=lambda pair: (pair[2].rank, abs(pair[0].value - pair[1].value)))
    agree = len(pairs) - len(unequal)
    reason = [phrase(f"{agree} of {len(pairs)} pairs are equal; the furthest apart: ", listed((first, second)), ".")]
    verdict = mismatch(first.sources | second.sources) if unequal else worst
    return Finding(
        published="",
        recomputed=f"{agree} of {len(pairs)}",
        tolerance=shown(first.width + second.width, 3),
        verdict=verdict,
        reason=tuple(reason),
        value=AS_ROUNDED.get(verdict, flag_of(worst, first, second)),
        gap=share_apart(first.value, second.value) if unequal else Decimal(0),
        conditions=lambda: (each for a, b, _ in pairs for each in apart(a, b, a.width + b.width)),
    )
