"""What jobs of the analysis read, for their rules; imports nothing heavy, since every dry run imports it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.rows.registry import PARTS
from config.analysis import Comparison
from config.layout import Run
from config.settings import Settings
from config.values import values


def comparisons_of(settings: Settings) -> list[Comparison]:
    """Return the declared comparisons of whose two families or scales the run has models."""
    return [
        one
        for one in settings.analysis.comparisons
        if set(one.pair) <= {getattr(model, one.along) for model in settings.models.values()}
    ]


def compared_models(settings: Settings, comparison: Comparison) -> list[str]:
    """Return the models of the families or scales that a comparison compares, in display order."""
    return [name for name, model in settings.models.items() if getattr(model, comparison.along) in comparison.pair]


def compared_tasks(settings: Settings, comparison: Comparison) -> list[str]:
    """Return the tasks of the run that a comparison is made in, as they are reported."""
    return [task for task in settings.for_analysis.tasks if not comparison.tasks or task in comparison.tasks]


@dataclass(frozen=True)
class Needs:
    """What the jobs of one run read: files, and values of the config.

    Attributes:
        resolved: the resolved config, as plain values.
        settings: the same, typed.
        run: where its files are.
    """

    resolved: dict[str, Any]
    settings: Settings
    run: Run

    def outcomes(self, task: str, models: Iterable[str] | None = None) -> list[Path]:
        """Return the outcomes of a task, of every model or of some."""
        return [self.run.outcomes(task, model) for model in (self.settings.models if models is None else models)]

    def measures(self) -> list[Path]:
        """Return every file of measures."""
        return [
            self.run.measures(model, dataset, f"{shard}-of-{self.settings.datasets[dataset].shards}")
            for model in self.settings.models
            for dataset in self.settings.measures.datasets
            for shard in range(1, self.settings.datasets[dataset].shards + 1)
        ]

    def parts(self, *names: str) -> list[Path]:
        """Return the tables of every data set and task; those of `names`, or all with their null distributions."""
        places = [(dataset, task) for dataset, tasks in self.settings.for_analysis.datasets.items() for task in tasks]
        files = [self.run.part(*place, name) for place in places for name in names or PARTS]
        return files if names else files + [self.run.nulls(*place) for place in places]

    def comparisons(self, *names: str) -> list[Path]:
        """Return tables of every comparison that the run has models for."""
        return [self.run.comparison(one.name, name) for one in comparisons_of(self.settings) for name in names]

    def compared(self, name: str) -> list[Path]:
        """Return the outcomes that a comparison reads."""
        comparison = self._comparison(name)
        models = compared_models(self.settings, comparison)
        return [file for task in compared_tasks(self.settings, comparison) for file in self.outcomes(task, models)]

    def of_task(self, task: str) -> str:
        """Return the values that the statistics of one data set and task read."""
        return values(
            self.resolved,
            *("seed", "conditions", "analysis.draws", "analysis.level", "analysis.alpha"),
            *("analysis.families", "analysis.ranges", "analysis.lower_is_better"),
            margin=self._margin(task),
            **self._order(),
        )

    def of_comparison(self, name: str) -> str:
        """Return the values that a comparison reads; its question is the report's."""
        comparison = self._comparison(name)
        tasks = compared_tasks(self.settings, comparison)
        return values(
            self.resolved,
            *("seed", "analysis.draws", "analysis.level", "analysis.alpha", "analysis.ranges"),
            along=comparison.along,
            pair=comparison.pair,
            compared=comparison.conditions,
            models=compared_models(self.settings, comparison),
            margins={task: self._margin(task) for task in tasks},
        )

    def of_layers(self) -> str:
        """Return the values that the statistics of what is measured at layers read."""
        return values(
            self.resolved,
            *("seed", "conditions", "analysis.alpha", "analysis.resamples", "analysis.level", "analysis.compressions"),
            **self._order(),
        )

    def of_tables(self) -> str:
        """Return the values that adjusting p-values and writing tables read."""
        return values(self.resolved, "conditions", "analysis.families", **self._order())

    def of_known_answers(self) -> str:
        """Return the values that the checks of known-answer models read."""
        return values(self.resolved, "models", "conditions", **self._order())

    def of_figures(self, dataset: str) -> str:
        """Return the values that the figures of a data set read."""
        return values(
            self.resolved, "models", "conditions", "analysis.lower_is_better", dataset=dataset, **self._order()
        )

    def _margin(self, task: str) -> list[object]:
        """Return a margin and its reason, which stand together in the tables."""
        margin = self.settings.analysis.margin(task)
        return [margin.size, margin.reason]

    def _order(self) -> dict[str, object]:
        """What decides in which order rows come."""
        analysed = self.settings.for_analysis
        return {"order": [*analysed.models, *analysed.conditions], "tasks": [*analysed.datasets.items()]}

    def _comparison(self, name: str) -> Comparison:
        return next(one for one in self.settings.analysis.comparisons if one.name == name)
