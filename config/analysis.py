"""How outcomes are tested: the part of a config that the analysis reads, also without a run of this project."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any

from config.conditions import Condition
from config.ranges import Range, range_of, task_with
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import Task

# How the reason of a margin begins that config/schema.yaml filled in, because nobody stated one.
UNSTATED = "default of this project, not stated for this task"


@dataclass(frozen=True)
class Margin:
    """The largest difference that counts as none: above 0, on the scale of the task, and why."""

    size: float
    reason: str

    @property
    def stated(self) -> bool:
        """Whether somebody chose it; otherwise it is this project's default, and its reason says so."""
        return not self.reason.startswith(UNSTATED)


@dataclass(frozen=True)
class Comparison:
    """Deltas of two families at each scale, or of two scales in each family, that are compared.

    Attributes:
        name: its key in the config.
        question: what is asked, as the report prints it.
        along: `family` or `scale`: which of the two is compared.
        pair: two of them; the delta of the second minus the delta of the first.
        conditions: whose deltas.
        tasks: empty for every task.
    """

    name: str
    question: str
    along: str
    pair: tuple[str, str]
    conditions: tuple[str, ...]
    tasks: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """How outcomes are tested.

    Attributes:
        draws: permutation draws.
        resamples: bootstrap resamples behind ratios of medians.
        level: coverage of intervals, between 0 and 1.
        families: the columns that tests of one multiplicity family have in common.
        alpha: error rate of tests.
        margins: task → margin of equivalence; `default` for the others.
        comparisons: differences of deltas.
        compressions: pairs of families whose effective ranks are compared.
        ranges: task → between which values its scores lie, of tasks that are not the project's own; fractions for the
            others.
        lower_is_better: tasks that are not the project's own and whose smaller values are the better ones.
    """

    draws: int
    resamples: int
    level: float
    families: tuple[str, ...]
    alpha: float
    margins: Mapping[str, Margin]
    comparisons: tuple[Comparison, ...]
    compressions: tuple[tuple[str, str], ...]
    ranges: Mapping[str, Range] = field(default_factory=dict)
    lower_is_better: tuple[str, ...] = ()

    def margin(self, task: str) -> Margin:
        """Return what counts as no difference in a task."""
        return self.margins.get(task, self.margins["default"])

    def task(self, name: str) -> Task:
        """Return a task's record, with the range and the direction that are stated of it."""
        return task_with(name, self.ranges.get(name), lower_is_better=name in self.lower_is_better)

    def span(self, task: str) -> float | None:
        """Return the distance between the lowest and the highest value that a unit can have; None without a bound."""
        return range_of(task, self.ranges).span


@dataclass(frozen=True, kw_only=True)
class AnalysisSettings(Analysis):
    """What is reported, in which order, and how it is tested.

    Attributes:
        seed: with names, the key of every random draw.
        datasets: data set → its reported tasks, both in display order.
        models: names in display order.
        conditions: name → condition in display order, draws one by one; `full` is always among them.
        known_answers: model → family, of those whose answer is known by construction.
    """

    seed: int
    datasets: Mapping[str, tuple[str, ...]]
    models: tuple[str, ...]
    conditions: Mapping[str, Condition]
    known_answers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        analysis: Analysis,
        *,
        seed: int,
        datasets: Mapping[str, tuple[str, ...]],
        models: Iterable[str],
        conditions: Mapping[str, Condition],
        known_answers: Mapping[str, str] | None = None,
    ) -> "AnalysisSettings":
        """Combine how outcomes are tested with what they are of; `full` comes first where it is not listed."""
        tested = {each.name: getattr(analysis, each.name) for each in fields(Analysis)}
        return cls(
            **tested,
            seed=seed,
            datasets=MappingProxyType(dict(datasets)),
            models=tuple(models),
            conditions=MappingProxyType({REFERENCE: Condition(REFERENCE)} | dict(conditions)),
            known_answers=MappingProxyType(dict(known_answers or {})),
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks of all data sets, in the order in which they are first named."""
        return tuple(dict.fromkeys(task for tasks in self.datasets.values() for task in tasks))

    def with_conditions(self, names: Iterable[str]) -> "AnalysisSettings":
        """Return the same settings with more conditions at the end, of which nothing but the name is known."""
        more = {name: Condition(name) for name in names if name not in self.conditions}
        return replace(self, conditions=MappingProxyType({**self.conditions, **more}))

    @property
    def drawn_from(self) -> Mapping[str, str]:
        """Condition → the config's entry that it is a draw of, for random patches."""
        return {name: one.of for name, one in self.conditions.items() if one.of is not None}


def analysis_of(stated: Mapping[str, Any]) -> Analysis:
    """Turn the resolved section `analysis` of a config into typed values."""
    return Analysis(
        **{
            **stated,
            "families": tuple(stated["families"]),
            "margins": MappingProxyType(
                {task: Margin(float(one["margin"]), one["reason"]) for task, one in stated["margins"].items()}
            ),
            "comparisons": tuple(_comparison(name, one) for name, one in stated["comparisons"].items()),
            "compressions": tuple((first, second) for first, second in stated["compressions"]),
            "ranges": MappingProxyType({task: Range.of(one) for task, one in stated["ranges"].items()}),
            "lower_is_better": tuple(stated["lower_is_better"]),
        }
    )


def _comparison(name: str, stated: Mapping[str, Any]) -> Comparison:
    along, key = ("family", "families") if "families" in stated else ("scale", "scales")
    first, second = stated[key]
    return Comparison(
        name=name,
        question=stated["question"],
        along=along,
        pair=(first, second),
        conditions=tuple(stated["conditions"]),
        tasks=tuple(stated.get("tasks", ())),
    )
