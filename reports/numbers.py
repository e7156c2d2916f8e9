"""How a number of a table is printed on a page.

Every function takes the text of a CSV cell and returns the text of a page; an empty cell gives an
en dash. Fractions become percent here and nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Callable

MISSING = "–"
MINUS = "−"


def is_missing(text: str) -> bool:
    """Return whether a CSV cell holds no number."""
    return text.strip() == "" or text.strip().lower() == "nan"


def fixed(value: float, decimals: int, *, signed: bool = False) -> str:
    """Return a number with `decimals` places and a typographic minus; zero never carries a sign."""
    rounded = round(value, decimals)
    digits = f"{abs(rounded):,.{decimals}f}"
    if rounded < 0:
        return MINUS + digits
    return "+" + digits if signed and rounded > 0 else digits


def percent(text: str, decimals: int = 1) -> str:
    """Return a fraction as percent, without the sign: `0.484` gives `48.4`."""
    return MISSING if is_missing(text) else fixed(100 * float(text), decimals)


def points(text: str, decimals: int = 1) -> str:
    """Return a difference of fractions in percentage points, signed: `-0.366` gives `−36.6`."""
    return MISSING if is_missing(text) else fixed(100 * float(text), decimals, signed=True)


def count(text: str | int) -> str:
    """Return a whole number with thousands separated: `10000` gives `10,000`."""
    if isinstance(text, str):
        if is_missing(text):
            return MISSING
        text = int(float(text))
    return f"{text:,}"


def counted(number: int, noun: str) -> str:
    """Return a count with its noun: `1 model`, `8 models`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def p_value(text: str) -> str:
    """Return a p-value with four decimals, or in scientific notation if those would print zero."""
    if is_missing(text):
        return MISSING
    value = float(text)
    if value == 0 or round(value, 4) > 0:
        return f"{value:.4f}"
    return scientific(value)


def scientific(value: float) -> str:
    """Return two significant digits and an exponent: `6.6e−57`."""
    mantissa, exponent = f"{abs(value):.1e}".split("e")
    power = int(exponent)
    return f"{MINUS if value < 0 else ''}{mantissa}e{MINUS if power < 0 else ''}{abs(power)}"


def quantity(text: str) -> str:
    """Return a number of unknown size with four significant digits, and any other text unchanged."""
    if is_missing(text):
        return MISSING
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value):
        return text
    if value != 0 and (abs(value) < 0.001 or abs(value) >= 1e6):
        return scientific(value)
    shown = f"{abs(value):.4g}"
    return (MINUS if value < 0 and float(shown) != 0 else "") + shown


def interval(low: str, high: str, show: Callable[[str], str] = percent) -> str:
    """Return `[low, high]` printed by `show`, or an empty text if either end is missing."""
    if is_missing(low) or is_missing(high):
        return ""
    return f"[{show(low)}, {show(high)}]"
