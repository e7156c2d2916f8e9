"""Kinds that hold two columns against each other, pair by pair."""

from __future__ import annotations

from decimal import Decimal

from analysis.audit.kinds.agreement import AS_ROUNDED, agreement, flag_of
from analysis.audit.kinds.case import Case, apart, listed, mismatch
from analysis.audit.kinds.finding import Finding, share_apart
from analysis.audit.kinds.reason import phrase
from analysis.audit.numbers import shown


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
