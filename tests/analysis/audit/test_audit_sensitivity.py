"""Mutation check: move any one number that a claim rests on, and the audit notices.

Each reading of each claim is judged alone, once as published and once with one number moved. A
reading that held must fail for some move of that number; one that failed must at least give another
value or another verdict.
"""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from pathlib import Path

import pytest

from analysis.audit.claims import Claim, load_claims
from analysis.audit.kinds import Finding, Verdict
from analysis.audit.numbers import Interval, Quantity
from analysis.audit.published import PublishedNumbers, load_published
from analysis.audit.run import evaluate

FOLDER = Path(__file__).parents[3] / "analysis" / "published"
NUMBERS = load_published(FOLDER)
HELD = (Verdict.CONSISTENT, Verdict.ROUNDING)
# Kinds whose result moves one to one with each number, so the tolerance itself can be tested.
LINEAR = ("delta", "sum")
READINGS = [
    replace(claim, id=f"{claim.id}, {reading.wording}", readings=(reading,))
    for claim in load_claims(FOLDER)
    for reading in claim.readings
    if reading.kind != "not_checkable"
]


def verdict(claim: Claim) -> Verdict:
    return evaluate(claim, NUMBERS).verdict


def moved(quantity: Quantity, by: Decimal) -> Quantity:
    ends = Interval(quantity.interval.low + by, quantity.interval.high + by)
    value = quantity.value + by
    return replace(quantity, text=f"{value:f}", value=value, interval=ends)


def after_moving(claim: Claim, key: str, by: Decimal) -> Finding:
    number = NUMBERS[key]
    changed: PublishedNumbers = NUMBERS.changed(key, moved(number.quantity, by))
    return evaluate(claim, changed)


def moves(claim: Claim, key: str) -> Iterator[Finding]:
    """Findings after moving a number by growing steps, onto the others, and between them."""
    quantity = NUMBERS[key].quantity
    step = max(quantity.interval.half_width * 4, abs(quantity.value) / 8, Decimal("1e-6"))
    others = [NUMBERS[other].quantity.value for other in claim.ids]
    between = [(first + second) / 2 for first, second in combinations(others, 2)]
    for by in (step * sign * 2**doubling for doubling in range(32) for sign in (1, -1)):
        yield after_moving(claim, key, by)
    for target in (*others, *between):
        yield after_moving(claim, key, target - quantity.value)


@pytest.mark.parametrize("claim", READINGS, ids=lambda claim: claim.id)
def test_every_number_matters(claim: Claim) -> None:
    before = evaluate(claim, NUMBERS)
    for key in claim.ids:
        if before.verdict in HELD:
            noticed = any(after.verdict not in HELD for after in moves(claim, key))
        else:
            was = (before.published, before.recomputed, before.verdict)
            noticed = any((after.published, after.recomputed, after.verdict) != was for after in moves(claim, key))
        assert noticed, f"{key} can be anything"


@pytest.mark.parametrize(
    "claim",
    [claim for claim in READINGS if claim.kind in LINEAR and verdict(claim) in HELD],
    ids=lambda claim: claim.id,
)
def test_more_than_the_tolerance_is_noticed_either_way(claim: Claim) -> None:
    before = evaluate(claim, NUMBERS)
    percent = Decimal(before.tolerance) * Decimal("2.5")
    for key in claim.ids:
        by = percent / 100 if NUMBERS[key].unit == "fraction" else percent
        # A number used twice may cancel; none does in the claims of these kinds.
        for sign in (1, -1):
            assert after_moving(claim, key, by * sign).verdict not in HELD, key


@pytest.mark.parametrize(
    "claim",
    # Only claims that hold as printed have room on both sides.
    [claim for claim in READINGS if verdict(claim) is Verdict.CONSISTENT],
    ids=lambda claim: claim.id,
)
def test_less_than_rounding_is_never_an_accusation(claim: Claim) -> None:
    """An unprinted number moved by a hundredth of its width makes no held claim fail.

    Printed numbers are left alone: they cannot move by less than their last digit.
    """
    for key in claim.ids:
        if NUMBERS[key].quantity.decimals is not None:
            continue
        by = NUMBERS[key].quantity.interval.half_width / 100
        for sign in (1, -1):
            assert after_moving(claim, key, by * sign).verdict in HELD, key
