"""Outcomes of a task on one set of units: every model, readout and condition, resampled jointly."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from analysis.engine.intervals import Interval, Resampled
from analysis.engine.metric import Counts, FloatArray
from analysis.outcomes.files import Outcomes, primary
from config.analysis import AnalysisSettings
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import task_of


class Cell(NamedTuple):
    """Key of a value: a model, its readout and a condition."""

    model: str
    readout: str
    condition: str


# A signed sum of values; {changed: 1, full: −1} is a delta.
Weights = Mapping[Cell, float]


def delta(changed: Cell) -> dict[Cell, float]:
    """Return the weights of a change: the value of a cell minus the value under `full`."""
    return {changed: 1.0, changed._replace(condition=REFERENCE): -1.0}


def signed_sum(*parts: tuple[float, Weights]) -> dict[Cell, float]:
    """Return Σ weight × part, without the cells that cancel."""
    total: dict[Cell, float] = {}
    for weight, part in parts:
        for cell, inner in part.items():
            total[cell] = total.get(cell, 0.0) + weight * inner
    return {cell: weight for cell, weight in total.items() if abs(weight) > 1e-12}


@dataclass(frozen=True, eq=False)
class TaskOutcomes:
    """Outcomes of one dataset and task on the same units.

    Attributes:
        outcomes: all on the same units and categories.
        resampled: cell → counts, with joint bootstrap resamples of the units.
    """

    outcomes: tuple[Outcomes, ...]
    resampled: Resampled[Cell]

    @classmethod
    def of(cls, outcomes: Sequence[Outcomes], *, seed: int, resamples: int) -> TaskOutcomes:
        """Resample outcomes on the same units (`on_the_same_units`).

        Resamples are keyed by (seed, purpose, dataset, task), so nothing depends on which other models, readouts and
        conditions were evaluated.
        """
        categories = tuple(sorted({name for one in outcomes for name in one.categories}))
        aligned = tuple(_aligned(one, categories) for one in outcomes)
        counts = {
            Cell(one.model, one.readout, condition): found
            for one in aligned
            for condition, found in one.conditions.items()
        }
        key = (seed, "bootstrap", outcomes[0].dataset, outcomes[0].task)
        return cls(aligned, Resampled.of(counts, resamples=resamples, key=key))

    @property
    def dataset(self) -> str:
        """The dataset."""
        return self.outcomes[0].dataset

    @property
    def task(self) -> str:
        """The task."""
        return self.outcomes[0].task

    @property
    def metric(self) -> str:
        """Name of the task's metric."""
        return task_of(self.task).metric

    @property
    def size(self) -> int:
        """Number of units."""
        return self.outcomes[0].size

    @property
    def units_each(self) -> float:
        """Mean number of units per cluster; 1 where units are not clustered."""
        return self.size / len(self.outcomes[0].units)

    def cells(self) -> Iterator[tuple[Outcomes, Cell]]:
        """Iterate over outcomes and their cells, in the order of the outcomes."""
        for one in self.outcomes:
            for condition in one.conditions:
                yield one, Cell(one.model, one.readout, condition)

    def __contains__(self, cell: Cell) -> bool:
        return cell in self.resampled.counts

    def counts(self, cell: Cell) -> Counts:
        """Return the counts of a cell."""
        return self.resampled.counts[cell]

    def value(self, weights: Weights) -> float:
        """Return a signed sum of values, a fraction."""
        return self.resampled.value(weights)

    def interval(self, weights: Weights, level: float) -> Interval:
        """Return the bootstrap interval of a signed sum of values; units are resampled jointly."""
        return self.resampled.interval(weights, level)

    def pseudo_values(self, weights: Weights) -> FloatArray:
        """What each unit contributes to it, (units,)."""
        return self.resampled.pseudo_values(weights)


def on_the_same_units(outcomes: Iterable[Outcomes]) -> list[list[Outcomes]]:
    """Group outcomes by dataset, task and units; the outcomes of a group share draws and resamples."""
    groups: dict[tuple[str, str, tuple[str, ...], str], list[Outcomes]] = {}
    for one in outcomes:
        groups.setdefault((one.dataset, one.task, one.units, one.members), []).append(one)
    return list(groups.values())


def task_outcomes(outcomes: Iterable[Outcomes], settings: AnalysisSettings) -> list[TaskOutcomes]:
    """Return what tasks are reported by, resampled, one for every set of units; in display order."""
    ordered = _in_display_order(primary(list(outcomes)), settings)
    return [
        TaskOutcomes.of(group, seed=settings.seed, resamples=settings.resamples) for group in on_the_same_units(ordered)
    ]


def _in_display_order(outcomes: Sequence[Outcomes], settings: AnalysisSettings) -> list[Outcomes]:
    return sorted(
        outcomes,
        key=lambda one: (
            list(settings.datasets).index(one.dataset),
            settings.datasets[one.dataset].index(one.task),
            settings.models.index(one.model),
            one.readout,
        ),
    )


def _aligned(one: Outcomes, categories: tuple[str, ...]) -> Outcomes:
    """Return the same outcomes over more categories, with counts of 0 in the new ones."""
    if one.categories == categories:
        return one
    places = [categories.index(name) for name in one.categories]

    def wider(counts: Counts) -> Counts:
        planes = np.zeros((2, counts.units, len(categories)))
        planes[0][:, places], planes[1][:, places] = counts.numerator, counts.denominator
        return Counts(*planes)

    conditions = {name: wider(counts) for name, counts in one.conditions.items()}
    return dataclasses.replace(one, categories=categories, conditions=conditions)
