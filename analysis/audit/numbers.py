"""Printed numbers, and the intervals that their printed digits allow.

A printed number is text: 78.50 promises more than 78.5. The logic follows GRIM-type checks
(`scrutiny`) and `statcheck`: a number stands for every value that would have been printed so, and a
disagreement is reported only when no such values agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from analysis.audit.errors import AuditInputError

MINUS_SIGN = "\N{MINUS SIGN}"
FLOAT32_DIGITS = 7
APPROXIMATE_SHARE = Decimal("0.1")
DIGITISED_HALF_UNIT = Decimal("5e-8")
STORED_HALF_UNIT = Decimal("0.0005")

_PRINTED = re.compile(r"(?P<qualifier><=|>=|≤|≥|<|>|~|≈)?\s*(?P<number>[+-]?\d[\d,]*(?:\.\d+)?)")
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_PRECISION = re.compile(r"(?P<width>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?P<relative>\s+relative.*)?", re.DOTALL)
_SAME_QUALIFIER = {"≤": "<=", "≥": ">=", "≈": "~"}


@dataclass(frozen=True)
class Interval:
    """A closed interval; arithmetic returns every value that its operands allow."""

    low: Decimal
    high: Decimal

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"an interval's low end {self.low} is above its high end {self.high}")

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        return Interval(self.low - other.high, self.high - other.low)

    def __truediv__(self, other: Interval) -> Interval:
        if other.low <= 0 <= other.high:
            raise ZeroDivisionError("the divisor's interval holds zero")
        ends = [a / b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(min(ends), max(ends))

    def times(self, factor: Decimal) -> Interval:
        """The interval of `factor` times the value."""
        ends = (self.low * factor, self.high * factor)
        return Interval(min(ends), max(ends))

    def magnitude(self) -> Interval:
        """The interval of the absolute value."""
        if self.low <= 0 <= self.high:
            return Interval(Decimal(0), max(-self.low, self.high))
        ends = (abs(self.low), abs(self.high))
        return Interval(min(ends), max(ends))

    def overlaps(self, other: Interval) -> bool:
        """Whether some value lies in both."""
        return self.low <= other.high and other.low <= self.high

    @property
    def half_width(self) -> Decimal:
        """Half the distance of the ends."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Quantity:
    """A number as published.

    `decimals` counts the printed decimals and is None for a number that was not printed (a
    digitised point, a stored float), which has an interval but no last digit to round to.
    `qualifier` is `<`, `<=`, `~` or whatever the source put beside the number.
    """

    text: str
    value: Decimal
    interval: Interval
    decimals: int | None
    qualifier: str = ""

    def percent(self) -> Quantity:
        """A fraction as percent, with two printed decimals fewer."""
        hundred = Decimal(100)
        return Quantity(
            text=f"{self.value * hundred:f}",
            value=self.value * hundred,
            interval=self.interval.times(hundred),
            decimals=None if self.decimals is None else max(self.decimals - 2, 0),
            qualifier=self.qualifier,
        )

    def negative(self) -> Quantity:
        """The number with the other sign, as precise as before: a drop as a change."""
        return Quantity(
            text=f"{-self.value:f}",
            value=-self.value,
            interval=self.interval.times(Decimal(-1)),
            decimals=self.decimals,
            qualifier=self.qualifier,
        )

    def unit_of_last_digit(self) -> Decimal | None:
        """The step between two numbers printed with this many decimals; None if not printed."""
        return None if self.decimals is None else Decimal(1).scaleb(-self.decimals)


def _around(value: Decimal, half_width: Decimal) -> Interval:
    return Interval(value - half_width, value + half_width)


def parse_printed(text: str, qualifier: str = "") -> Quantity:
    """A number as printed, with half a unit of its last digit on either side.

    `~` in front (or as `qualifier`) widens the interval to a tenth of the value, or to half a unit
    of the last digit that is not zero where that is wider: "~250" is 225 to 275, "~0.6" is 0.54 to
    0.66. `<` and `<=` are kept as the qualifier; the interval is that of the number itself.

    Raises AuditInputError for text that is no number.
    """
    match = _PRINTED.fullmatch(text.strip().replace(MINUS_SIGN, "-"))
    if match is None:
        raise AuditInputError(f"{text!r} is not a printed number such as 78.5, -0.8, <1 or 10,000")
    sign = match["qualifier"] or qualifier
    sign = _SAME_QUALIFIER.get(sign, sign)
    digits = match["number"].replace(",", "")
    decimals = len(digits.partition(".")[2])
    value = Decimal(digits)
    half_width = Decimal(5).scaleb(-decimals - 1)
    if sign == "~":
        exponent = value.normalize().as_tuple().exponent
        assert isinstance(exponent, int)  # a number matched by the pattern is finite
        coarse = Decimal(5).scaleb(exponent - 1) if value else half_width
        half_width = max(half_width, coarse, abs(value) * APPROXIMATE_SHARE)
    return Quantity(digits, value, _around(value, half_width), decimals, sign)


def parse_digitised(text: str, precision: str) -> Quantity:
    """A value read off a figure; `precision` is its half width, absolute or "… relative …".

    Absolute values are written down with at most seven decimals (trailing zeros dropped), so half
    of the seventh is the least half width whatever the reading's own precision.
    Raises AuditInputError for text that is no number or a precision that is none.
    """
    match = _PRECISION.match(precision.strip())
    if match is None:
        raise AuditInputError(f"precision {precision!r} does not begin with a half width such as 4e-06")
    value = _decimal(text)
    width = Decimal(match["width"])
    if match["relative"]:
        width *= abs(value)
    else:
        width = max(width, DIGITISED_HALF_UNIT)
    return Quantity(text, value, _around(value, width), None)


def parse_stored(text: str, counted: bool = False) -> Quantity:
    """A float32 stored with at most 7 significant digits.

    With all 7 digits, or with `counted` (a share of a known number of images), the half width is
    one unit of the seventh: half for the printing, half for float32, whose nearest number to 0.001
    prints as 0.0009999999. A shorter fraction was rounded before it was stored: half a unit of its
    last digit, at most of the third decimal, because trailing zeros are lost. Whole numbers are
    exact.
    Raises AuditInputError for text that is no number.
    """
    value = _decimal(text)
    if value == value.to_integral_value():
        return Quantity(text, value, _around(value, Decimal(0)), None)
    width = Decimal(1).scaleb(value.adjusted() - FLOAT32_DIGITS + 1)
    if not counted and len(value.normalize().as_tuple().digits) < FLOAT32_DIGITS:
        exponent = value.normalize().as_tuple().exponent
        assert isinstance(exponent, int)  # a number matched by the pattern is finite
        width = max(width, min(Decimal(5).scaleb(exponent - 1), STORED_HALF_UNIT))
    return Quantity(text, value, _around(value, width), None)


def _decimal(text: str) -> Decimal:
    if _DECIMAL.fullmatch(text.strip()) is None:
        raise AuditInputError(f"{text!r} is not a number")
    return Decimal(text.strip())


def rounds_to(value: Decimal, printed: Quantity) -> bool:
    """Whether `value`, rounded to the printed decimals, is the printed number.

    A tie may go either way: the article does not say how it rounds. False if nothing was printed.
    """
    unit = printed.unit_of_last_digit()
    if unit is None:
        return False
    modes = (ROUND_HALF_UP, ROUND_HALF_EVEN, ROUND_HALF_DOWN)
    return any(value.quantize(unit, rounding=mode) == printed.value for mode in modes)


def total(intervals: Iterable[Interval]) -> Interval:
    """The interval of a sum."""
    low = high = Decimal(0)
    for interval in intervals:
        low, high = low + interval.low, high + interval.high
    return Interval(low, high)


def shown(value: Decimal, digits: int = 6) -> str:
    """A decimal for a reader: at most `digits` significant digits, no exponent or end zeros."""
    if not value:
        return "0"
    last = value.adjusted() - digits + 1
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # arithmetic on finite intervals stays finite
    if exponent < last:
        value = value.quantize(Decimal(1).scaleb(last))
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
