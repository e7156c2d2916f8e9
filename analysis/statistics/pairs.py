"""Pairs of models whose deltas a declared comparison compares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import Cell, TaskOutcomes, Weights, delta, signed_sum
from analysis.rows.contrasts import Compared
from config.analysis import Comparison


@dataclass(frozen=True)
class Pair:
    """Two models of a declared comparison, in one task, readout and condition.

    Attributes:
        comparison: as declared.
        within: the scale at which two families are compared, or the family within which two scales are.
        base, changed: outcomes of the first model and of the second.
        condition: whose deltas are compared.
    """

    comparison: Comparison
    within: str
    base: Outcomes
    changed: Outcomes
    condition: str

    def cells(self) -> tuple[Cell, Cell]:
        """Return the cells of the condition in `base` and in `changed`."""
        return (
            Cell(self.base.model, self.base.readout, self.condition),
            Cell(self.changed.model, self.changed.readout, self.condition),
        )

    def weights(self) -> Weights:
        """Return the delta of `changed` minus the delta of `base`, as a signed sum of values."""
        base, changed = self.cells()
        return signed_sum((1, delta(changed)), (-1, delta(base)))

    def compared(self) -> Compared:
        """Return the columns that its rows share."""
        return Compared(
            comparison=self.comparison.name,
            dataset=self.base.dataset,
            task=self.base.task,
            readout=self.base.readout,
            condition=self.condition,
            within=self.within,
        )


def compared_pairs(comparison: Comparison, measured: TaskOutcomes) -> Iterator[Pair]:
    """Return the pairs of models of one task that a comparison compares.

    Args:
        comparison: as declared.
        measured: the task; nothing where the comparison names others.
    """
    if comparison.tasks and measured.task not in comparison.tasks:
        return
    other = "scale" if comparison.along == "family" else "family"
    by_place: dict[tuple[str, str, str], Outcomes] = {}
    for one in measured.outcomes:
        by_place.setdefault((getattr(one, comparison.along), getattr(one, other), one.readout), one)
    for condition in comparison.conditions:
        for (name, within, readout), base in by_place.items():
            changed = by_place.get((comparison.pair[1], within, readout))
            if name != comparison.pair[0] or changed is None:
                continue
            if condition in base.conditions and condition in changed.conditions:
                yield Pair(comparison, within, base, changed, condition)
