"""A small run with known properties, as files: what the jobs of the analysis read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from analysis.jobs import comparison, comparisons, figures, known_answers, layers, tables
from analysis.jobs import task as of_task
from analysis.jobs.needs import comparisons_of
from config.layout import Run
from config.settings import load_settings

CONDITIONS = {
    "full": {},
    "zero_cls": {"tokens": ["cls"], "by": "zero"},
    "zero_registers": {"tokens": ["registers"], "by": "zero"},
    "mean_registers": {"tokens": ["registers"], "by": "mean"},
    "noise_registers": {"tokens": ["registers"], "by": "noise"},
    "shuffle_registers": {"tokens": ["registers"], "by": "shuffle"},
}
MODELS = {
    "plain_s": ("plain", "S"),
    "bottleneck_s": ("bottleneck", "S"),
    "sink_s": ("sink", "S"),
    "sink_b": ("sink", "B"),
}
TASKS = ("classification", "retrieval", "segmentation")
UNITS = 60
CLASSES = 5


@dataclass(frozen=True)
class SyntheticRun:
    """The files of a run: scenes, four known-answer models, three tasks."""

    folder: Path
    models: tuple[str, ...] = tuple(MODELS)
    conditions: tuple[str, ...] = tuple(CONDITIONS)
    tasks: tuple[str, ...] = TASKS

    @property
    def run(self) -> Run:
        return Run(self.folder)

    def analyse(self, *, draw: bool = False) -> None:
        """Every job of the analysis, in the order of its rules; `draw`: its figures too."""
        of_run = ["--settings", str(self.run.settings)]
        settings = load_settings(self.run.settings)
        datasets = settings.for_analysis.datasets
        for dataset, tasks in datasets.items():
            for name in tasks:
                of_task.main([*of_run, "--dataset", dataset, "--task", name])
        for declared in comparisons_of(settings):
            comparison.main([*of_run, "--comparison", declared.name])
        for job in (comparisons, layers, tables, known_answers):
            job.main(of_run)
        for dataset in datasets if draw else ():
            figures.main([*of_run, "--dataset", dataset])

    def outcomes(self, task: str, model: str) -> pd.DataFrame:
        """The outcomes that the run started with."""
        return outcome_frame(task, model)


def _accuracy(family: str, condition: str) -> float:
    if family == "bottleneck" and condition.endswith("_registers"):
        return 1 / CLASSES
    if condition == "zero_cls":
        return 1 / CLASSES
    if family == "sink" and condition == "zero_registers":
        return 0.5
    return 0.8


def outcome_frame(task: str, model: str) -> pd.DataFrame:
    """Outcomes of a model whose accuracy is fixed by its family and the condition."""
    family, scale = MODELS[model]
    # Classes differ between models and tasks, not between conditions: sink's mean equals its full.
    luck = np.random.default_rng([TASKS.index(task), list(MODELS).index(model)]).random(UNITS)
    rows = []
    for condition in CONDITIONS:
        if family == "plain" and condition.endswith("_registers"):
            continue
        right = luck < _accuracy(family, condition)
        for unit in range(UNITS):
            for category in range(2) if task == "segmentation" else [None]:
                # Every third image lacks the second class.
                if category == 1 and unit % 3 == 0:
                    continue
                size = 1 if category is None else 20 + unit
                rows.append(
                    {
                        "dataset": "scenes",
                        "task": task,
                        "model": model,
                        "family": family,
                        "scale": scale,
                        "condition": condition,
                        "readout": "direct" if task == "retrieval" else "matched",
                        "unit": f"image_{unit:03d}",
                        "category": "" if category is None else f"class_{category}",
                        "numerator": float(size if right[unit] else size // 2),
                        "denominator": float(size),
                    }
                )
    return pd.DataFrame(rows)


@pytest.fixture
def synthetic_run(tmp_path: Path) -> SyntheticRun:
    settings = {
        "run": "synthetic",
        "seed": 7,
        "datasets": {"scenes": {"source": "scenes", "image_size": 64, "tasks": list(TASKS)}},
        "models": {name: {"source": "known_answer", "family": f, "scale": s} for name, (f, s) in MODELS.items()},
        "conditions": CONDITIONS,
        "analysis": {
            "draws": 200,
            "resamples": 200,
            "level": 0.95,
            "families": ["dataset", "task", "readout"],
            "alpha": 0.05,
            "margins": {"default": {"margin": 0.01, "reason": "a point is nothing here"}},
            "comparisons": {},
            "compressions": [],
        },
    }
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    for task in TASKS:
        (tmp_path / "outcomes" / task).mkdir(parents=True)
        for model in MODELS:
            outcome_frame(task, model).to_parquet(tmp_path / "outcomes" / task / f"{model}.parquet", index=False)
    (tmp_path / "packs" / "scenes").mkdir(parents=True)
    (tmp_path / "packs" / "scenes" / "pack.yaml").write_text(
        yaml.safe_dump({"images": UNITS, "classes": CLASSES, "chance": {"low": 0.2, "high": 0.25}})
    )
    (tmp_path / "measures").mkdir()
    pd.DataFrame(
        [
            {
                "model": model,
                "dataset": "scenes",
                "condition": condition,
                "token": "cls",
                "layer": layer,
                "max_abs_change": 0.5 if condition == "zero_registers" else 1e-6 * (layer + 1),
            }
            for model in MODELS
            for condition in list(CONDITIONS)[2:]
            for layer in range(2)
            if MODELS[model][0] == "sink"
        ]
    ).to_csv(tmp_path / "measures" / "record_changes.csv", index=False)
    return SyntheticRun(tmp_path)
