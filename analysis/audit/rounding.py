"""Rounding: whether a value rounds to a printed number, to another one, or lies exactly between the two.

Articles do not say how they round a tie: half up is what is taught, half to even what many programs do. A tie is
therefore told, and neither passed nor held against the article.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from enum import Enum, auto

from analysis.audit.numbers import Quantity, shown

# A value known better than this share of the last printed digit is exact for the question of whether it is a tie.
EXACT_SHARE = Decimal("0.001")


class Rounded(Enum):
    """How a value relates to a printed number: it rounds to it, lies exactly between two, or rounds to another."""

    TO_IT = auto()
    TIE = auto()
    AWAY = auto()


def rounded(value: Decimal, printed: Quantity) -> Rounded:
    """Tell whether `value`, rounded to the printed decimals, is the printed number; `AWAY` if it was not printed.

    Examples:
        >>> from analysis.audit.numbers import parse_printed
        >>> rounded(Decimal("35.5556"), parse_printed("36")).name
        'TO_IT'
        >>> rounded(Decimal("-99.75"), parse_printed("-99.7")).name
        'TIE'
    """
    unit = printed.unit_of_last_digit()
    if unit is None:
        return Rounded.AWAY
    distance = abs(value - printed.value)
    if distance == unit / 2:
        return Rounded.TIE
    return Rounded.TO_IT if distance < unit / 2 else Rounded.AWAY


def is_exact_tie(value: Decimal, half_width: Decimal, printed: Quantity) -> bool:
    """Tell whether a value is known to lie exactly between a printed number and the next one.

    A value that was itself rounded may lie on either side, which is not a tie.

    Args:
        value: the more precise number.
        half_width: of its bounds.
        printed: the number that it was rounded to.

    Examples:
        >>> from analysis.audit.numbers import parse_printed
        >>> is_exact_tie(Decimal("62.5"), Decimal(0), parse_printed("62"))
        True
        >>> is_exact_tie(Decimal("62.5"), Decimal("0.05"), parse_printed("62"))
        False
    """
    unit = printed.unit_of_last_digit()
    known = unit is not None and half_width <= unit * EXACT_SHARE
    return known and rounded(value, printed) is Rounded.TIE


def tie_told(value: Decimal, printed: Quantity) -> str:
    """Return the sentence that says how a tie rounds under each convention.

    Examples:
        >>> from analysis.audit.numbers import parse_printed
        >>> tie_told(Decimal("62.5"), parse_printed("63"))
        '62.5 is exactly between two printed numbers: half up gives 63, half to even 62.'
    """
    unit = printed.unit_of_last_digit() or Decimal(1)
    up, even = (value.quantize(unit, rounding=mode) for mode in (ROUND_HALF_UP, ROUND_HALF_EVEN))
    return f"{shown(value)} is exactly between two printed numbers: half up gives {up}, half to even {even}."
