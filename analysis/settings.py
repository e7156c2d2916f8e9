"""The part of a run's resolved settings that the analysis reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from analysis.engine.equivalence import Margin
from analysis.outcomes.schema import REFERENCE
from config.settings import Condition, conditions_of, outcomes_of

FAMILY_COLUMNS = ("dataset", "task", "model", "family", "scale", "readout", "condition")


@dataclass(frozen=True)
class Comparison:
    """Deltas of two families at each scale, or of two scales in each family, that are compared.

    Attributes:
        along: `family` or `scale`: which of the two is compared.
        pair: two of them; the delta of the second minus the delta of the first.
        tasks: empty for every task.
    """

    name: str
    question: str
    along: str
    pair: tuple[str, str]
    conditions: tuple[str, ...]
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class AnalysisSettings:
    """What is reported, in which order, and how it is tested.

    Attributes:
        seed: with names, the key of every random draw.
        datasets: dataset → its tasks, both in display order.
        models: names in display order.
        conditions: name → condition in display order, draws expanded; `full` is always among them.
        draws: permutation draws.
        resamples: bootstrap resamples.
        level: coverage of intervals, between 0 and 1.
        families: the columns that tests of one multiplicity family have in common.
        alpha: error rate of tests.
        margins: task → margin of equivalence; `default` for the others.
        comparisons: differences of deltas.
        compressions: pairs of families whose effective ranks are compared.
    """

    seed: int
    datasets: Mapping[str, tuple[str, ...]]
    models: tuple[str, ...]
    conditions: Mapping[str, Condition]
    draws: int
    resamples: int
    level: float
    families: tuple[str, ...]
    alpha: float
    margins: Mapping[str, Margin]
    comparisons: tuple[Comparison, ...]
    compressions: tuple[tuple[str, str], ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks of all datasets, in the order in which they are first named."""
        return tuple(dict.fromkeys(task for tasks in self.datasets.values() for task in tasks))

    def with_conditions(self, names: Iterable[str]) -> AnalysisSettings:
        """The same settings with more conditions at the end, of which nothing but the name is known."""
        more = {name: Condition(name) for name in names if name not in self.conditions}
        return replace(self, conditions=MappingProxyType({**self.conditions, **more}))

    @property
    def drawn_from(self) -> Mapping[str, str]:
        """Condition → the config's entry of which it is a draw, for random patches."""
        return {name: one.of for name, one in self.conditions.items() if one.of is not None}

    def margin(self, task: str) -> Margin:
        """What counts as no difference in a task."""
        return self.margins.get(task, self.margins["default"])


def read_settings(path: Path) -> AnalysisSettings:
    """Read `settings.yaml`, the validated config of a run with every default filled in.

    Raises:
        ValueError: a key is missing, or `analysis.families` names an unknown column.
    """
    return analysis_settings(yaml.safe_load(path.read_text(encoding="utf-8")), path)


def analysis_settings(loaded: Mapping[str, Any], path: Path) -> AnalysisSettings:
    """Type a resolved config; `path` is for messages. Errors as in `read_settings`."""

    def at(*keys: str) -> Any:
        value: Any = loaded
        for depth, key in enumerate(keys):
            if not isinstance(value, Mapping) or key not in value:
                raise ValueError(
                    f"{path}: key '{'.'.join(keys[: depth + 1])}' is missing. The workflow writes "
                    "this file with every default filled in: was it edited by hand?"
                )
            value = value[key]
        return value

    families = tuple(at("analysis", "families"))
    unknown = [name for name in families if name not in FAMILY_COLUMNS]
    if unknown:
        raise ValueError(
            f"{path}: key 'analysis.families': {', '.join(map(repr, unknown))} is no column that "
            f"can define a family of tests. Allowed: {', '.join(FAMILY_COLUMNS)}."
        )
    conditions = conditions_of(at("conditions"))
    return AnalysisSettings(
        seed=int(at("seed")),
        datasets=MappingProxyType(
            {
                name: tuple(
                    part
                    for task in at("datasets", name, "tasks")
                    for part in outcomes_of(task, at("datasets", name).get("source"))
                )
                for name in at("datasets")
            }
        ),
        models=tuple(at("models")),
        # `full` first, also where a config lists only the interventions.
        conditions=MappingProxyType({REFERENCE: Condition(REFERENCE)} | conditions),
        draws=int(at("analysis", "draws")),
        resamples=int(at("analysis", "resamples")),
        level=float(at("analysis", "level")),
        families=families,
        alpha=float(at("analysis", "alpha")),
        margins=MappingProxyType(
            {
                task: Margin(float(stated["margin"]), stated["reason"])
                for task, stated in at("analysis", "margins").items()
            }
        ),
        comparisons=tuple(_comparison(name, stated) for name, stated in at("analysis", "comparisons").items()),
        compressions=tuple((first, second) for first, second in at("analysis", "compressions")),
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
