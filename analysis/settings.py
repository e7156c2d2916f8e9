"""The part of a run's resolved settings that the analysis reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from analysis.outcomes import REFERENCE
from config.settings import conditions_of, outcomes_of

FAMILY_COLUMNS = ("dataset", "task", "model", "family", "scale", "readout", "condition")


@dataclass(frozen=True)
class AnalysisSettings:
    """What is reported, in which order, and how it is tested.

    Attributes:
        seed: with names, the key of every random draw.
        datasets: dataset → its tasks, both in display order.
        models, conditions: names in display order; `full` is always among the conditions.
        drawn_from: condition → the config's entry of which it is a draw, for random patches.
        families_of: model → family and scale.
        draws: permutation draws.
        resamples: bootstrap resamples.
        level: coverage of intervals, between 0 and 1.
        families: the columns that tests of one multiplicity family have in common.
    """

    seed: int
    datasets: Mapping[str, tuple[str, ...]]
    models: tuple[str, ...]
    conditions: tuple[str, ...]
    drawn_from: Mapping[str, str]
    families_of: Mapping[str, tuple[str, str]]
    draws: int
    resamples: int
    level: float
    families: tuple[str, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks of all datasets, in the order in which they are first named."""
        return tuple(dict.fromkeys(task for tasks in self.datasets.values() for task in tasks))


def read_settings(path: Path) -> AnalysisSettings:
    """Read `settings.yaml`, the validated config of a run with every default filled in.

    Raises:
        ValueError: a key is missing, or `analysis.families` names an unknown column.
    """
    loaded = yaml.safe_load(path.read_text(encoding="utf-8"))

    def at(*keys: str) -> Any:
        value = loaded
        for depth, key in enumerate(keys):
            if not isinstance(value, dict) or key not in value:
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
                    for part in outcomes_of(task, at("datasets", name, "source"))
                )
                for name in at("datasets")
            }
        ),
        models=tuple(at("models")),
        # `full` first, also where a config lists only the interventions.
        conditions=tuple(dict.fromkeys([REFERENCE, *conditions])),
        drawn_from=MappingProxyType({name: each.of for name, each in conditions.items() if each.of is not None}),
        families_of=MappingProxyType(
            {name: (str(at("models", name, "family")), str(at("models", name, "scale"))) for name in at("models")}
        ),
        draws=int(at("analysis", "draws")),
        resamples=int(at("analysis", "resamples")),
        level=float(at("analysis", "level")),
        families=families,
    )
