r"""The whole analysis of outcomes that were made elsewhere; docs/outcomes.md says what a file holds.

python -m analysis my_outcomes --out my_results --settings my_settings.yaml
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.outcomes import csv_files
from analysis.outcomes.files import Outcomes, read_outcomes
from analysis.outcomes.measures import read_measures
from analysis.outcomes.schema import OutcomeError
from analysis.rows.registry import path_of
from analysis.statistics.study import study
from analysis.statistics.tables import write_table
from config.analysis import Analysis, AnalysisSettings, analysis_of
from config.conditions import conditions_of
from config.errors import report_errors
from config.layout import Run
from config.ranges import Range
from config.resolve import read_yaml, require_matched, resolve_analysis
from config.unmatched import Present

SUFFIXES = (".parquet", *csv_files.SUFFIXES)


def read_folder(folder: Path, ranges: Mapping[str, Range] | None = None) -> list[Outcomes]:
    """Read every outcome file under a folder, whatever its name, in the order of their paths.

    Args:
        folder: searched to the bottom.
        ranges: task → between which values its scores lie; fractions where it is not named.

    Raises:
        OutcomeError: no file, a broken one, or two that hold the same outcomes.
    """
    paths = sorted(path for path in folder.rglob("[!.]*") if path.name.lower().endswith(SUFFIXES))
    if not paths:
        raise OutcomeError(
            f"{folder}: no file that ends in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}. Is the path right? "
            "docs/outcomes.md describes the files."
        )
    found: list[Outcomes] = []
    origin: dict[tuple[object, ...], Path] = {}
    for path in paths:
        for one in read_outcomes(path, ranges=ranges):
            key = (one.dataset, one.task, one.model, one.readout, one.features, one.layer, one.refit)
            if key in origin:
                raise OutcomeError(
                    f"{path}: dataset '{one.dataset}', task '{one.task}', model '{one.model}', readout "
                    f"'{one.readout}' is in {origin[key]} too. Keep one of them: a model's outcomes of a task are "
                    "one file, or several that share no readout, features, layer or refit."
                )
            origin[key] = path
            found.append(one)
    return found


@dataclass(frozen=True)
class Stated:
    """Settings of an analysis before it is known what they are of: what is stated, and defaults for the rest.

    Attributes:
        resolved: the keys seed, conditions and analysis of a config.
        path: their file, for messages; None without one.
    """

    resolved: Mapping[str, Any]
    path: Path | None = None

    @classmethod
    def read(cls, path: Path | None) -> Stated:
        """Read a YAML file of settings; nothing is stated without one.

        Raises:
            ConfigError: the file is missing or no mapping, or cannot be used.
        """
        return cls(resolve_analysis({} if path is None else read_yaml(path), path), path)

    @property
    def analysis(self) -> Analysis:
        """How outcomes are tested."""
        return analysis_of(self.resolved["analysis"])

    def of(self, outcomes: Sequence[Outcomes]) -> AnalysisSettings:
        """Return the settings of an analysis of `outcomes`.

        Models, datasets, tasks and conditions come in the order of the files. Conditions that the settings describe
        keep their tokens; of others nothing but the name is known, so that they have no part in additivity and
        controls.
        """
        tasks: dict[str, tuple[str, ...]] = {}
        for one in outcomes:
            tasks[one.dataset] = tuple(dict.fromkeys((*tasks.get(one.dataset, ()), one.task)))
        settings = AnalysisSettings.of(
            self.analysis,
            seed=self.resolved["seed"],
            datasets=tasks,
            models=_distinct(one.model for one in outcomes),
            conditions=conditions_of(self.resolved["conditions"]),
        )
        return settings.with_conditions(_distinct(condition for one in outcomes for condition in one.conditions))

    def warnings(self, outcomes: Sequence[Outcomes]) -> list[str]:
        """Return what the settings say in vain of `outcomes`, and what they should say and do not, one line each.

        Raises:
            ConfigError: they name a task or a condition that the outcomes lack.
        """
        found = _distinct(condition for one in outcomes for condition in one.conditions)
        present = Present(
            whose="the outcomes",
            tasks=_distinct(one.task for one in outcomes),
            models={one.model: (one.family, one.scale) for one in outcomes},
            conditions=found,
            described=[name for name in conditions_of(self.resolved["conditions"]) if name not in found],
        )
        return [*require_matched(self.resolved, present, self.path), *self._without_margin(present.tasks)]

    def _without_margin(self, tasks: Iterable[str]) -> list[str]:
        margins = {task: self.analysis.margin(task) for task in tasks}
        where = f"in {self.path}" if self.path else "in a file of settings (--settings)"
        return [
            f"no margin is stated for task '{task}': its tests of equivalence take {margin.size} ({margin.reason}). "
            f"State analysis.margins.{task} {where}, with your reason, before looking at results."
            for task, margin in margins.items()
            if not margin.stated
        ]


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis",
        description="Tests, intervals and tables of per-unit outcomes; docs/outcomes.md says what a file holds.",
    )
    parser.add_argument(
        "folder", type=Path, help=f"folder of outcome files ({', '.join(SUFFIXES)}), searched to the bottom"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for tables/, tests/ and figures/")
    parser.add_argument("--settings", type=Path, help="YAML with any of seed, conditions, analysis, as in a config")
    parser.add_argument("--measures", type=Path, help="folder of <model>/<dataset>/*.parquet, where there are any")
    parser.add_argument("--no-figures", action="store_true", help="tables and tests only")
    given = parser.parse_args(arguments)
    stated = Stated.read(given.settings)
    outcomes = read_folder(given.folder, stated.analysis.ranges)
    notes = stated.warnings(outcomes)
    settings = stated.of(outcomes)
    models = {one.model: (one.family, one.scale) for one in outcomes}
    measures = read_measures(given.measures, models, list(settings.datasets)) if given.measures else []
    found = study(outcomes, measures, settings)
    run = Run(given.out)
    tables = {**found.tables, **found.tests}
    for name, table in tables.items():
        write_table(table, path_of(name, run))
    if not given.no_figures:
        # Imported where figures are drawn, since matplotlib takes as long to import as small data to analyse.
        from analysis.figures.drawing import draw_figures

        for dataset in settings.datasets:
            draw_figures(tables, dataset, settings, None, run)
    print(f"{len(found.ablation)} rows in {run.table('ablation')}; tests in {run.tests}")
    for line in notes:
        print(f"warning: {line}")


if __name__ == "__main__":
    report_errors(main)
