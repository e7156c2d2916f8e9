"""Needs found by search, for kinds whose verdict is no inequality in any one number.

Whether two series rise together depends on ranks, and whether one comes before another on positions: such a kind counts
what speaks against the claim, and the slack of a number is the smallest move that changes the count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

from analysis.audit.kinds.case import Case, NumberTerm
from analysis.audit.kinds.finding import Need
from analysis.audit.numbers import Bounds
from analysis.audit.published import Published

# Moves that are tried, as shares of the largest number: each is twice the one before.
FIRST_SHARE, DOUBLINGS, BISECTIONS = Decimal("1e-7"), 40, 60


def searched_needs(case: Case, against: Callable[[Case], int]) -> tuple[Need, ...]:
    """Return for each number the smallest move, up or down, that changes how much speaks against the claim.

    Args:
        case: as published.
        against: how many of its conditions a case breaks; 0 if the claim holds.
    """
    return tuple(_needs(case, against))


def _needs(case: Case, against: Callable[[Case], int]) -> Iterator[Need]:
    broken = against(case)

    def alters(key: str, by: Decimal) -> bool:
        found = against(after_moving(case, key, by))
        return found < broken if broken else found > 0

    numbers = {n.id: n for terms in case.parts.values() for term in terms for n in term.numbers}
    largest = max((abs(n.quantity.value) for n in numbers.values()), default=Decimal(1)) or Decimal(1)
    for key in numbers:
        for sign in (Decimal(1), Decimal(-1)):
            move = _smallest(lambda size, key=key, sign=sign: alters(key, sign * size), largest)  # type: ignore[misc]
            if move is not None:
                yield Need(-move if broken else move, {key: sign if broken else -sign})


def _smallest(alters: Callable[[Decimal], bool], largest: Decimal) -> Decimal | None:
    low, high = Decimal(0), largest * FIRST_SHARE
    for _ in range(DOUBLINGS):
        if alters(high):
            break
        low, high = high, 2 * high
    else:
        return None
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if alters(middle):
            high = middle
        else:
            low = middle
    return high


def after_moving(case: Case, key: str, by: Decimal) -> Case:
    """Return a case with one number moved, together with its bounds."""

    def moved(number: Published) -> Published:
        if number.id != key:
            return number
        old = number.quantity
        bounds = Bounds(old.bounds.low + by, old.bounds.high + by)
        return replace(number, quantity=replace(old, value=old.value + by, bounds=bounds))

    def term(each: NumberTerm) -> NumberTerm:
        if all(number.id != key for number in each.numbers):
            return each
        return NumberTerm(tuple(map(moved, each.plus)), tuple(map(moved, each.minus)))

    return replace(case, parts={role: tuple(map(term, terms)) for role, terms in case.parts.items()})
