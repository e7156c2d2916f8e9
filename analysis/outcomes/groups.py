"""Outcomes of a task on one set of units: every model, readout and condition, and what is estimated of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np

from analysis.engine.best_interval import best_interval
from analysis.engine.estimates import Estimate, estimate
from analysis.engine.intervals import Interval
from analysis.engine.metric import Counts, FloatArray, jackknife_metrics
from analysis.outcomes.files import Outcomes, digest_of, primary
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
        counts: cell → its counts.
        refits: refit → cell → value of the probe that was trained again; empty where none was.
        span: distance between the lowest and the highest value that a unit can have; None where there is no bound.
    """

    outcomes: tuple[Outcomes, ...]
    counts: Mapping[Cell, Counts]
    refits: Mapping[int, Mapping[Cell, float]]
    span: float | None = 1.0
    _estimates: dict[frozenset[tuple[Cell, float]], Estimate] = field(default_factory=dict, repr=False)
    _without: dict[Cell, FloatArray] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, outcomes: Sequence[Outcomes], refitted: Iterable[Outcomes] = (), *, span: float | None = 1.0
    ) -> TaskOutcomes:
        """Align outcomes on the same units (`on_the_same_units`).

        Args:
            outcomes: of the reported probes.
            refitted: of probes that were trained again, of any models; those of `outcomes` are found among them.
            span: distance between the lowest and the highest value that a unit can have.
        """
        categories = tuple(sorted({name for one in outcomes for name in one.categories}))
        aligned = tuple(_aligned(one, categories) for one in outcomes)
        counts = {
            Cell(one.model, one.readout, condition): found
            for one in aligned
            for condition, found in one.conditions.items()
        }
        return cls(aligned, counts, _refits(aligned, refitted), span)

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

    @cached_property
    def digest(self) -> str:
        """Which units these are: part of the key of every draw, so that other units have draws of their own."""
        return digest_of(self.outcomes[0].units, self.outcomes[0].members)

    def key(self, seed: int, purpose: str) -> tuple[str | int, ...]:
        """Return the key of the draws for one purpose, which no other model, readout or condition changes."""
        return (seed, purpose, self.dataset, self.task, self.digest)

    def cells(self) -> Iterator[tuple[Outcomes, Cell]]:
        """Iterate over outcomes and their cells, in the order of the outcomes."""
        for one in self.outcomes:
            for condition in one.conditions:
                yield one, Cell(one.model, one.readout, condition)

    def __contains__(self, cell: Cell) -> bool:
        return cell in self.counts

    def value(self, weights: Weights) -> float:
        """Return a signed sum of values, a fraction."""
        return sum(weight * self.counts[cell].value() for cell, weight in weights.items())

    def estimate(self, weights: Weights) -> Estimate:
        """Return a signed sum of values with its pseudo-values, and what refits say of it."""
        name = frozenset(weights.items())
        if name not in self._estimates:
            self._estimates[name] = estimate(
                self.counts,
                weights,
                without={cell: self._jackknifed(cell) for cell in weights},
                cluster_sizes=self.outcomes[0].sizes,
                refitted=self._refitted(weights),
                span=self.span,
            )
        return self._estimates[name]

    def interval(self, weights: Weights, level: float) -> Interval:
        """Return the interval of a signed sum of values, by the method that its data ask for."""
        return best_interval(self.estimate(weights), level)

    def _jackknifed(self, cell: Cell) -> FloatArray:
        if cell not in self._without:
            self._without[cell] = jackknife_metrics(self.counts[cell])
        return self._without[cell]

    def _refitted(self, weights: Weights) -> FloatArray | None:
        """Return the signed sum under every refit that all cells have; None where there are fewer than two."""
        found = [
            sum(weight * values[cell] for cell, weight in weights.items())
            for values in self.refits.values()
            if all(cell in values for cell in weights)
        ]
        return np.array(found) if len(found) > 1 else None


def _refits(outcomes: Sequence[Outcomes], refitted: Iterable[Outcomes]) -> dict[int, dict[Cell, float]]:
    reported = {_probe(one) for one in outcomes}
    found: dict[int, dict[Cell, float]] = {}
    for one in refitted:
        if one.refit > 0 and _probe(one) in reported:
            found.setdefault(one.refit, {}).update(
                {Cell(one.model, one.readout, name): counts.value() for name, counts in one.conditions.items()}
            )
    return found


def _probe(one: Outcomes) -> tuple[str, str, str, str, str, int]:
    return one.dataset, one.task, one.model, one.readout, one.features, one.layer


def on_the_same_units(outcomes: Iterable[Outcomes]) -> list[list[Outcomes]]:
    """Group outcomes by dataset, task and units; the outcomes of a group share draws."""
    groups: dict[tuple[str, str, tuple[str, ...], str], list[Outcomes]] = {}
    for one in outcomes:
        groups.setdefault((one.dataset, one.task, one.units, one.members), []).append(one)
    return list(groups.values())


def task_outcomes(outcomes: Iterable[Outcomes], settings: AnalysisSettings) -> list[TaskOutcomes]:
    """Return what tasks are reported by, one for every set of units; in display order."""
    every = list(outcomes)
    ordered = in_display_order(primary(every), settings)
    return [TaskOutcomes.of(group, every, span=settings.span(group[0].task)) for group in on_the_same_units(ordered)]


def in_display_order(outcomes: Sequence[Outcomes], settings: AnalysisSettings) -> list[Outcomes]:
    """Return outcomes in the order of data sets, tasks, models and readouts in which tables show them."""
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
