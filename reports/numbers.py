"""How a number of a table is printed on a page.

Every function takes the text of a CSV cell and returns the text of a page; an empty cell gives an
en dash. Fractions become percent here and nowhere else; the values of a task whose record says that
they are not in percent are printed as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from config.vocabulary.tasks import Task, task_of

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


def value_of(text: str, task: str) -> str:
    """Return a value of a task: percent, or as it is with four significant digits.

    Examples:
        >>> value_of("0.484", "retrieval")
        '48.4'
    """
    return percent(text) if task_of(task).percent else quantity(text)


def change_of(text: str, task: str) -> str:
    """Return a difference of a task's values, signed: percentage points, or as it is with four significant digits."""
    if task_of(task).percent or is_missing(text):
        return points(text)
    shown = quantity(text)
    return f"+{shown}" if float(text) > 0 and shown != "0" else shown


def change_with_unit(text: str, task: str) -> str:
    """Return a difference of a task's values, for a column whose title says percentage points: others name their unit.

    Examples:
        >>> change_with_unit("-0.366", "retrieval")
        '−36.6'
    """
    return in_unit(change_of(text, task), task)


def size_of(text: str, task: str, decimals: int) -> str:
    """Return a size on the scale of a task's values, without a sign: percentage points, or as it is."""
    if is_missing(text):
        return MISSING
    return fixed(100 * float(text), decimals) if task_of(task).percent else quantity(text)


def in_unit(shown: str, task: str) -> str:
    """Return a printed number with the unit of its task, where that is not percent."""
    record = task_of(task)
    return shown if record.percent or shown == MISSING else f"{shown} {record.unit_of_changes}"


def scale_of_changes(tasks: Iterable[str]) -> str:
    """Return in words what changes of some tasks are printed in.

    Examples:
        >>> scale_of_changes(["retrieval", "segmentation"])
        'in percentage points'
    """
    records = [task_of(name) for name in tasks]
    others = [record for record in records if not record.percent]
    if len(records) == len(others) == 1:
        return f"in {others[0].unit_of_changes}"
    return ", ".join(["in percentage points", *map(_in_its_unit, others)])


def scale_of_files(tasks: Iterable[str]) -> str:
    """Return in words what the values of some tasks are in the files of a run.

    Examples:
        >>> scale_of_files(["retrieval", "segmentation"])
        'fractions'
    """
    others = (task_of(name) for name in tasks if not task_of(name).percent)
    return ", ".join(["fractions", *map(_in_its_unit, others)])


def _in_its_unit(task: Task) -> str:
    return f"{task.label} in {task.unit_of_changes}"


def scale_of_values(task: str) -> str:
    """Return in words what the values of a task are printed in, and whether lower ones are better.

    Examples:
        >>> scale_of_values("retrieval")
        'percent'
    """
    record = task_of(task)
    words = "percent" if record.percent else record.value_unit or "as measured"
    return words if record.higher_is_better else f"{words}; lower is better"


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
