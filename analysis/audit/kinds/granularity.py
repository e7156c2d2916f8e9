"""Kinds that ask which standard deviations whole numbers can have: GRIMMER, and DEBIT for yes-or-no data."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from analysis.audit.kinds.case import Case, NumberTerm, mismatch
from analysis.audit.kinds.finding import Finding, Value, Verdict, not_checkable_because
from analysis.audit.kinds.reason import Phrase, phrase
from analysis.audit.numbers import shown


def grimmer(case: Case) -> Finding:
    """Claim that `n` whole numbers (or means of `items` of them) have the stated `mean` and standard deviation `sd`.

    Tries every sum that rounds to the mean, and every sum of squares that gives the standard deviation: whole, as odd
    or even as the sum, and no smaller than the most even distribution allows. Values that tie may round either way.

    Reference: Anaya, 2016, doi:10.7287/peerj.preprints.2400v1; the analytic form is Allard's, 2018.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> tried = {"mean": ["5.23"], "sd": ["2.55"]}
        >>> str(grimmer(printed_case(None, Options(n=Decimal(35)), "points", **tried)).verdict)
        'contradicted'
    """
    mean, sd, n = case.one("mean"), case.one("sd"), _units(case)
    if n is None or n < 2:
        return not_checkable_because("No number of units was published.")
    items = int(case.options.items or 1)
    sums = list(_whole(mean.bounds.low * n * items, mean.bounds.high * n * items))
    found = [total for total in sums if _has_squares(total, n, items, sd)]
    if sums:
        why = f"{len(found)} of {len(sums)} sums that give the mean can have the standard deviation."
    else:
        why = f"No sum of {n} whole numbers gives the mean."
    told = phrase("The mean is ", mean.named, ", the standard deviation ", sd.named, f", n = {n}. {why}")
    return _granular(case, n, bool(found), told)


def _has_squares(total: int, n: int, items: int, sd: NumberTerm) -> bool:
    scale = Decimal(items * items * (n - 1))
    centre = Decimal(total) ** 2 / n
    low = max(sd.bounds.low, Decimal(0)) ** 2 * scale + centre
    high = sd.bounds.high**2 * scale + centre
    each, more = divmod(total, n)
    fewest = (n - more) * each**2 + more * (each + 1) ** 2
    return any(squares % 2 == total % 2 and squares >= fewest for squares in _whole(low, high))


def _whole(low: Decimal, high: Decimal) -> Iterator[int]:
    """Yield the whole numbers from low to high, both included: a tie may round either way."""
    yield from range(int(low.to_integral_value(ROUND_CEILING)), int(high.to_integral_value(ROUND_FLOOR)) + 1)


def debit(case: Case) -> Finding:
    """Claim that `n` answers of 0 or 1 have the stated `mean` and sample standard deviation `sd`.

    The standard deviation of such data is sqrt(n / (n - 1) × mean × (1 - mean)).

    Reference: Heathers and Brown, 2019, DEBIT: a simple consistency test for binary data, osf.io/5vb3u.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> printed = {"mean": ["0.36"], "sd": ["0.11"]}
        >>> str(debit(printed_case(None, Options(n=Decimal(20)), "fraction", **printed)).verdict)
        'contradicted'
    """
    mean, sd, n = case.one("mean"), case.one("sd"), _units(case)
    if n is None or n < 2:
        return not_checkable_because("No number of units was published.")
    low, high = max(mean.bounds.low, Decimal(0)), min(mean.bounds.high, Decimal(1))
    if low > high:
        return _granular(case, n, False, phrase("No share of yes-or-no answers is ", mean.named, "."))
    half = Decimal("0.5")
    variances = [share * (1 - share) for share in (low, high, *([half] if low <= half <= high else []))]
    smallest, largest = ((variance * n / (n - 1)).sqrt() for variance in (min(variances), max(variances)))
    fits = smallest <= sd.bounds.high and sd.bounds.low <= largest
    ends = f"{shown(smallest, 4)} to {shown(largest, 4)}"
    told = phrase("A share of ", mean.named, f" of n = {n} has a standard deviation of {ends}; stated ", sd.named, ".")
    return _granular(case, n, fits, told)


def _units(case: Case) -> int | None:
    stated = case.maybe("n")
    n = stated.value if stated is not None else case.options.n
    return None if n is None else int(n)


def _granular(case: Case, n: int, fits: bool, why: Phrase) -> Finding:
    return Finding(
        published=f"n = {n}",
        recomputed="possible" if fits else "impossible",
        tolerance="0",
        verdict=Verdict.CONSISTENT if fits else mismatch(case.sources),
        reason=(why,),
        value=Value.AS_PRINTED if fits else Value.OFF,
        gap=Decimal(0) if fits else Decimal(1),
    )
