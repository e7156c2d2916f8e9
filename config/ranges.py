"""Between which values the scores of a task lie."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from config.vocabulary.tasks import Task, task_of


@dataclass(frozen=True)
class Range:
    """Lowest and highest value of a unit, per unit of its denominator; infinite where there is no bound."""

    low: float = 0.0
    high: float = 1.0

    @classmethod
    def of(cls, stated: Any) -> "Range":
        """Return a range as a config states it: two numbers, or `unbounded`."""
        return UNBOUNDED if stated == "unbounded" else cls(*map(float, stated))

    @property
    def span(self) -> float | None:
        """Distance between both ends; None where there is no bound.

        Examples:
            >>> Range(-1, 1).span, Range(0, math.inf).span
            (2, None)
        """
        return self.high - self.low if math.isfinite(self.high - self.low) else None

    @property
    def of_fractions(self) -> bool:
        """Whether its values are fractions, which are printed in percent."""
        return self.low >= 0 and self.high <= 1

    def __str__(self) -> str:
        return "unbounded" if self == UNBOUNDED else f"[{self.low:g}, {self.high:g}]"


FRACTIONS = Range()
UNBOUNDED = Range(-math.inf, math.inf)


def range_of(task: str, ranges: Mapping[str, Range]) -> Range:
    """Return the range of a task.

    Args:
        task: any task.
        ranges: of tasks that are not the project's own, as the settings state them; fractions for all others.

    Examples:
        >>> print(range_of("depth", {"depth": Range(0, 80)}), range_of("classification", {}))
        [0, 80] [0, 1]
    """
    return ranges.get(task, FRACTIONS if task_of(task).bounded else UNBOUNDED)


def task_with(name: str, limits: Range | None, *, lower_is_better: bool) -> Task:
    """Return the record of a task, with what settings state of one that is not the project's own.

    Args:
        name: of the task.
        limits: its range where one is stated; values that may be no fractions are printed as they are, not in percent.
        lower_is_better: whether that is stated.
    """
    record = task_of(name)
    if limits is not None:
        record = replace(record, bounded=limits == FRACTIONS, percent=limits.of_fractions)
    return replace(record, higher_is_better=False) if lower_is_better else record
