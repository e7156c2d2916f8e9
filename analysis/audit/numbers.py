"""Published numbers with the bounds that their digits allow.

A printed number is text: 78.50 is more precise than 78.5. The logic follows GRIM-type checks (`scrutiny`) and
`statcheck`: a number stands for every value that rounds to it, and two numbers disagree only where no such values
agree. Three rules make that strict.

- The bounds themselves are left out. What lies exactly between two printed numbers rounds to one of them by convention,
  so it is a *tie*, and 84.7 and 84.8 have no value in common.
- Counts of things (layers, registers, images) are exact, and so are stated limits ("<1", "≤0.2"), unless "~" is
  printed next to them.
- Numbers are rounded, not cut off. `Quantity.cut_off` gives the other reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from config.errors import InputError

MINUS_SIGN = "\N{MINUS SIGN}"
FLOAT32_DIGITS = 7
APPROXIMATE_SHARE = Decimal("0.1")
DIGITISED_HALF_UNIT = Decimal("5e-8")
STORED_HALF_UNIT = Decimal("0.0005")
APPROXIMATE = "~"
LIMITS = ("<", "<=", ">", ">=")
# What is counted in whole things; a number of them is exact.
COUNTING_UNITS = frozenset(
    {
        *(
            "classes",
            "conditions",
            "count",
            "draws",
            "heads",
            "images",
            "items",
            "layer",
            "layers",
            "models",
            "patches",
        ),
        *(
            "participants",
            "people",
            "permutations",
            "pixels",
            "registers",
            "runs",
            "seeds",
            "tasks",
            "tokens",
            "trials",
        ),
        *("unit", "units", "df", "degrees of freedom"),
    }
)

_PRINTED = re.compile(r"(?P<qualifier><=|>=|≤|≥|<|>|~|≈)?\s*(?P<number>[+-]?\d[\d,]*(?:\.\d+)?)")
_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_PRECISION = re.compile(r"(?P<width>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?P<relative>\s+relative.*)?", re.DOTALL)
_SAME_QUALIFIER = {"≤": "<=", "≥": ">=", "≈": "~"}


@dataclass(frozen=True)
class Bounds:
    """Values between which a number lies, the ends left out; a number known exactly has two equal ends.

    Arithmetic follows interval arithmetic. The ends are left out because a number exactly at one of them rounds to its
    neighbour as well.

    Examples:
        >>> score, change = parse_printed("69.1").bounds, parse_printed("-0.6").bounds
        >>> score + change
        Bounds(low=Decimal('68.40'), high=Decimal('68.60'))
        >>> score.overlaps(parse_printed("69.2").bounds), score.overlaps(parse_printed("69.14").bounds)
        (False, True)
    """

    low: Decimal
    high: Decimal

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"lower bound {self.low} is above upper bound {self.high}")

    def __add__(self, other: Bounds) -> Bounds:
        return Bounds(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Bounds) -> Bounds:
        return Bounds(self.low - other.high, self.high - other.low)

    def __truediv__(self, other: Bounds) -> Bounds:
        if other.low <= 0 <= other.high:
            raise ZeroDivisionError("the bounds of the divisor include zero")
        ends = [a / b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Bounds(min(ends), max(ends))

    def times(self, factor: Decimal) -> Bounds:
        """Return the bounds of `factor` times the value."""
        ends = (self.low * factor, self.high * factor)
        return Bounds(min(ends), max(ends))

    def magnitude(self) -> Bounds:
        """Return the bounds of the absolute value."""
        if self.low <= 0 <= self.high:
            return Bounds(Decimal(0), max(-self.low, self.high))
        ends = (abs(self.low), abs(self.high))
        return Bounds(min(ends), max(ends))

    def overlaps(self, other: Bounds) -> bool:
        """Tell whether some value lies within both."""
        if self.is_exact and other.is_exact:
            return self.low == other.low
        return self.low < other.high and other.low < self.high

    def may_be_below(self, other: Bounds) -> bool:
        """Tell whether some value within these bounds is below some value within the others.

        Examples:
            >>> earlier, later = parse_printed("73.3").bounds, parse_printed("73.2").bounds
            >>> earlier.may_be_below(later), later.may_be_below(later)
            (False, True)
        """
        return self.low < other.high

    def may_be_at_most(self, other: Bounds) -> bool:
        """Tell whether some value within these bounds is below, or is, some value within the others."""
        return self.may_be_below(other) or self.overlaps(other)

    @property
    def is_exact(self) -> bool:
        """Whether the number is known exactly."""
        return self.low == self.high

    @property
    def half_width(self) -> Decimal:
        """Half the distance between the bounds."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Quantity:
    """A number as published.

    Attributes:
        text: its digits.
        value: the number that the digits give.
        bounds: every value that is published as these digits.
        decimals: number of printed decimals; None for a number that was not printed (a digitised point, a stored
            float), which has bounds but no last digit to round to.
        qualifier: `<`, `<=`, `~` or whatever the source puts next to the number.
    """

    text: str
    value: Decimal
    bounds: Bounds
    decimals: int | None
    qualifier: str = ""

    def percent(self) -> Quantity:
        """Return a fraction as percent, with two printed decimals fewer.

        Examples:
            >>> parse_printed("0.673").percent().text, parse_printed("0.673").percent().decimals
            ('67.300', 1)
        """
        hundred = Decimal(100)
        return Quantity(
            text=f"{self.value * hundred:f}",
            value=self.value * hundred,
            bounds=self.bounds.times(hundred),
            decimals=None if self.decimals is None else max(self.decimals - 2, 0),
            qualifier=self.qualifier,
        )

    def negative(self) -> Quantity:
        """Return the number with the opposite sign, equally precise: a drop as a change."""
        return Quantity(
            text=f"{-self.value:f}",
            value=-self.value,
            bounds=self.bounds.times(Decimal(-1)),
            decimals=self.decimals,
            qualifier=self.qualifier,
        )

    def exactly(self) -> Quantity:
        """Return the number as one that stands for itself alone: a count, or a limit."""
        return replace(self, bounds=Bounds(self.value, self.value))

    def cut_off(self) -> Quantity:
        """Return a printed number as one whose further digits were cut off instead of rounded; others unchanged.

        Examples:
            >>> parse_printed("0.11").cut_off().bounds
            Bounds(low=Decimal('0.11'), high=Decimal('0.12'))
        """
        unit = self.unit_of_last_digit()
        if unit is None or self.bounds.is_exact or self.is_approximate:
            return self
        # Zero may have lost digits of either sign.
        low = self.value - unit if self.value <= 0 else self.value
        return replace(self, bounds=Bounds(low, self.value + unit if self.value >= 0 else self.value))

    @property
    def is_approximate(self) -> bool:
        """Whether the article marks the number as approximate."""
        return self.qualifier == APPROXIMATE

    def unit_of_last_digit(self) -> Decimal | None:
        """Return the step between two numbers printed with this many decimals; None if not printed."""
        return None if self.decimals is None else Decimal(1).scaleb(-self.decimals)


def _around(value: Decimal, half_width: Decimal) -> Bounds:
    return Bounds(value - half_width, value + half_width)


def parse_printed(text: str, qualifier: str = "", unit: str = "") -> Quantity:
    """Parse a number as printed; its bounds are half a unit of the last digit away.

    Args:
        text: the digits, with an optional sign of comparison or `~` in front. `~` widens the bounds to a tenth of the
            value, or to half a unit of the last non-zero digit where that is wider. A number with a sign of comparison
            is a limit, which is exact.
        qualifier: the sign, where it is not part of the text.
        unit: whole numbers of one of `COUNTING_UNITS` are exact, unless marked with `~`.

    Raises:
        InputError: if the text is not a number.

    Examples:
        >>> parse_printed("78.50").bounds
        Bounds(low=Decimal('78.495'), high=Decimal('78.505'))
        >>> parse_printed("~250").bounds
        Bounds(low=Decimal('225.0'), high=Decimal('275.0'))
        >>> limit = parse_printed("<1")
        >>> limit.qualifier, limit.bounds.is_exact, parse_printed("12", unit="layers").bounds.is_exact
        ('<', True, True)
    """
    match = _PRINTED.fullmatch(text.strip().replace(MINUS_SIGN, "-"))
    if match is None:
        raise InputError(f"{text!r} is not a printed number such as 78.5, -0.8, <1 or 10,000")
    sign = match["qualifier"] or qualifier
    sign = _SAME_QUALIFIER.get(sign, sign)
    digits = match["number"].replace(",", "")
    decimals = len(digits.partition(".")[2])
    value = Decimal(digits)
    half_width = Decimal(5).scaleb(-decimals - 1)
    if sign in LIMITS or (unit in COUNTING_UNITS and not decimals and sign != APPROXIMATE):
        half_width = Decimal(0)
    if sign == APPROXIMATE:
        exponent = value.normalize().as_tuple().exponent
        assert isinstance(exponent, int)  # the pattern matches finite numbers only
        coarse = Decimal(5).scaleb(exponent - 1) if value else half_width
        half_width = max(half_width, coarse, abs(value) * APPROXIMATE_SHARE)
    return Quantity(digits, value, _around(value, half_width), decimals, sign)


def parse_digitised(text: str, precision: str) -> Quantity:
    """Parse a value that was digitised from a figure.

    Args:
        text: the value. It is recorded with at most seven decimals (trailing zeros dropped), so half a unit of the
            seventh is the smallest half width.
        precision: half width of the bounds, absolute, or relative to the value where the word follows.

    Raises:
        InputError: if the text or the precision is not a number.

    Examples:
        >>> parse_digitised("0.1773", "1e-3").bounds
        Bounds(low=Decimal('0.1763'), high=Decimal('0.1783'))
        >>> parse_digitised("200", "0.01 relative").bounds
        Bounds(low=Decimal('198.00'), high=Decimal('202.00'))
    """
    match = _PRECISION.match(precision.strip())
    if match is None:
        raise InputError(f"precision {precision!r} does not begin with a half width such as 4e-06")
    value = _decimal(text)
    width = Decimal(match["width"])
    if match["relative"]:
        width *= abs(value)
    else:
        width = max(width, DIGITISED_HALF_UNIT)
    return Quantity(text, value, _around(value, width), None)


def parse_stored(text: str, counted: bool = False) -> Quantity:
    """Parse a float32 that was stored with at most 7 significant digits.

    With all 7 digits the half width is one unit of the seventh: half for the printing, half for float32, whose nearest
    number to 0.001 prints as 0.0009999999. A fraction with fewer digits was rounded before it was stored: half a unit
    of its last digit, at most of the third decimal, because trailing zeros are lost. Whole numbers are exact.

    Args:
        text: the value.
        counted: whether it is a share of a known number of images, which is precise to 7 digits however it ends.

    Raises:
        InputError: if the text is not a number.

    Examples:
        >>> parse_stored("0.62").bounds
        Bounds(low=Decimal('0.6195'), high=Decimal('0.6205'))
        >>> parse_stored("0.62", counted=True).bounds.half_width
        Decimal('1E-7')
    """
    value = _decimal(text)
    if value == value.to_integral_value():
        return Quantity(text, value, _around(value, Decimal(0)), None)
    width = Decimal(1).scaleb(value.adjusted() - FLOAT32_DIGITS + 1)
    if not counted and len(value.normalize().as_tuple().digits) < FLOAT32_DIGITS:
        exponent = value.normalize().as_tuple().exponent
        assert isinstance(exponent, int)  # the pattern matches finite numbers only
        width = max(width, min(Decimal(5).scaleb(exponent - 1), STORED_HALF_UNIT))
    return Quantity(text, value, _around(value, width), None)


def _decimal(text: str) -> Decimal:
    if _DECIMAL.fullmatch(text.strip()) is None:
        raise InputError(f"{text!r} is not a number")
    return Decimal(text.strip())


def total(summands: Iterable[Bounds]) -> Bounds:
    """Return the bounds of a sum."""
    low = high = Decimal(0)
    for bounds in summands:
        low, high = low + bounds.low, high + bounds.high
    return Bounds(low, high)


def shown(value: Decimal, digits: int = 6) -> str:
    """Format a decimal with at most `digits` significant digits, without exponent or trailing zeros.

    Examples:
        >>> shown(Decimal("35.55555555")), shown(Decimal("1E+4")), shown(Decimal("-14.0"))
        ('35.5556', '10000', '-14')
    """
    if not value:
        return "0"
    last = value.adjusted() - digits + 1
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)  # arithmetic on finite numbers stays finite
    if exponent < last:
        value = value.quantize(Decimal(1).scaleb(last))
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
