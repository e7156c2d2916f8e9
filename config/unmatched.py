"""Settings of an analysis that match nothing: mistakes, which stop a run, and doubts, of which it warns.

A margin of a task that nobody has is a mistake, since it would leave the task that was meant at another margin. A
comparison of families that this run lacks may be meant for another run, and is a doubt.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.errors import did_you_mean
from config.vocabulary.tasks import TASKS


@dataclass(frozen=True)
class Present:
    """What there is to analyse, and what the settings may therefore name.

    Attributes:
        whose: what has it, such as "this config" or "the outcomes", for messages.
        tasks: as they are reported.
        models: name → family and scale.
        conditions: draws of random patches one by one.
        described: conditions that only the settings have.
    """

    whose: str
    tasks: Sequence[str]
    models: Mapping[str, tuple[str, str]]
    conditions: Sequence[str]
    described: Sequence[str] = ()

    def values(self, along: str) -> list[str]:
        """Return the families, or the scales, of the models."""
        return list(dict.fromkeys(pair[("family", "scale").index(along)] for pair in self.models.values()))


def unattainable_alpha(analysis: Mapping[str, Any]) -> Iterator[str]:
    """Yield that no test can reach alpha, where its smallest p, 1 / (draws + 1), lies above it."""
    alpha, draws = analysis["alpha"], analysis["draws"]
    if 1 / (draws + 1) > alpha * (1 + 1e-9):
        yield (
            f"analysis.alpha: {alpha} cannot be attained by analysis.draws: {draws}, whose smallest p-value is "
            f"1/{draws + 1}; allowed: at least {math.ceil(1 / alpha - 1e-9) - 1} draws, or a larger alpha"
        )


def mistakes(analysis: Mapping[str, Any], default: Mapping[str, Any], present: Present) -> Iterator[str]:
    """Yield the settings that name what neither the run nor this project has, with the nearest name.

    Args:
        analysis: the section of a config, with its defaults.
        default: the same where nothing is stated; what equals it is nobody's mistake.
        present: what there is.
    """
    for place, task in _tasks_named(analysis, default):
        if task not in present.tasks and task not in TASKS:
            yield f"{place}: {task!r} is no task of {_known(task, present.tasks, present)}"
    for name, comparison in _comparisons(analysis, default):
        known = [*present.conditions, *present.described]
        for condition in comparison["conditions"]:
            if condition not in known:
                place = f"analysis.comparisons.{name}.conditions"
                yield f"{place}: {condition!r} is no condition of {_known(condition, known, present)}"


def doubts(analysis: Mapping[str, Any], default: Mapping[str, Any], present: Present) -> Iterator[str]:
    """Yield the settings that match nothing in this run but may be meant for another; arguments as in `mistakes`."""
    for place, task in _tasks_named(analysis, default):
        if task not in present.tasks and task in TASKS:
            yield f"{place}: {task!r} has no effect, being no task of {_known(task, present.tasks, present)}"
    for name, comparison in _comparisons(analysis, default):
        yield from _doubts_of_comparison(f"analysis.comparisons.{name}", comparison, present)
    if analysis["compressions"] != default["compressions"]:
        families = present.values("family")
        for index, pair in enumerate(analysis["compressions"]):
            for family in dict.fromkeys(pair):
                if family not in families:
                    named = f"analysis.compressions.{index}: has no rows"
                    yield f"{named}; {family!r} is no family of {_known(family, families, present)}"
    for condition in present.described:
        yield (
            f"conditions.{condition}: has no effect, being no condition of "
            f"{_known(condition, present.conditions, present)}"
        )


def _doubts_of_comparison(place: str, comparison: Mapping[str, Any], present: Present) -> Iterator[str]:
    along, key = ("family", "families") if "families" in comparison else ("scale", "scales")
    known = present.values(along)
    absent = [name for name in dict.fromkeys(comparison[key]) if name not in known]
    for name in absent:
        yield f"{place}.{key}: has no rows; {name!r} is no {along} of {_known(name, known, present)}"
    other = "scale" if along == "family" else "family"
    if not absent and not _shared(comparison[key], along, present):
        yield f"{place}.{key}: has no rows; {comparison[key][0]!r} and {comparison[key][1]!r} share no {other}"
    for condition in comparison["conditions"]:
        if condition in present.described:
            yield (
                f"{place}.conditions: {condition!r} has no rows, being no condition of "
                f"{_known(condition, present.conditions, present)}"
            )


def _shared(pair: Sequence[str], along: str, present: Present) -> bool:
    """Whether some family has both scales, or some scale both families."""
    which = ("family", "scale").index(along)
    first, second = ({model[1 - which] for model in present.models.values() if model[which] == name} for name in pair)
    return bool(first & second)


def _tasks_named(analysis: Mapping[str, Any], default: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where a task is named, and the task."""
    for key in ("margins", "ranges", "lower_is_better"):
        for task in analysis[key]:
            if task != "default" or key != "margins":
                yield (f"analysis.{key}" if key == "lower_is_better" else f"analysis.{key}.{task}"), task
    for name, comparison in _comparisons(analysis, default):
        for task in comparison.get("tasks", ()):
            yield f"analysis.comparisons.{name}.tasks", task


def _comparisons(analysis: Mapping[str, Any], default: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, comparison in analysis["comparisons"].items():
        if comparison != default["comparisons"].get(name):
            yield name, comparison


def _known(name: str, known: Iterable[str], present: Present) -> str:
    """Return whose name it is not, with the nearest name and all that are known."""
    names = list(known)
    return f"{present.whose}{did_you_mean(name, names)}; found: {', '.join(names) or 'none'}"
