r"""The whole analysis of outcomes that were made elsewhere; docs/outcomes.md says what a file holds.

python -m analysis my_outcomes --out my_results --settings my_settings.yaml
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from analysis.outcomes.files import Outcomes, read_outcomes
from analysis.outcomes.measures import read_measures
from analysis.outcomes.schema import OutcomeError
from analysis.rows.registry import path_of
from analysis.statistics.study import study
from analysis.statistics.tables import write_table
from config.analysis import AnalysisSettings, analysis_of
from config.conditions import conditions_of
from config.errors import InputError, report_errors
from config.layout import Run
from config.resolve import resolve_analysis

SUFFIXES = (".parquet", ".csv")


def read_folder(folder: Path) -> list[Outcomes]:
    """Read every outcome file under a folder, whatever its name, in the order of their paths.

    Raises:
        OutcomeError: no file, a broken one, or two that hold the same outcomes.
    """
    paths = sorted(path for path in folder.rglob("[!.]*") if path.suffix in SUFFIXES)
    if not paths:
        raise OutcomeError(
            f"{folder}: no file that ends in {' or '.join(SUFFIXES)}. Is the path right? docs/outcomes.md describes "
            "the files."
        )
    found: list[Outcomes] = []
    origin: dict[tuple[object, ...], Path] = {}
    for path in paths:
        for one in read_outcomes(path):
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


def settings_for(outcomes: Sequence[Outcomes], stated: Mapping[str, Any]) -> AnalysisSettings:
    """Settings of an analysis of `outcomes`: what is stated, what they hold, and defaults for the rest.

    Models, datasets, tasks and conditions come in the order of the files. Conditions that the settings describe keep
    their tokens; of others nothing but the name is known, so that they have no part in additivity and controls.

    Args:
        outcomes: to be analysed.
        stated: the keys seed, conditions and analysis of a config, each optional.
    """
    resolved = resolve_analysis(stated)
    tasks: dict[str, tuple[str, ...]] = {}
    for one in outcomes:
        tasks[one.dataset] = tuple(dict.fromkeys((*tasks.get(one.dataset, ()), one.task)))
    settings = AnalysisSettings.of(
        analysis_of(resolved["analysis"]),
        seed=resolved["seed"],
        datasets=tasks,
        models=_distinct(one.model for one in outcomes),
        conditions=conditions_of(resolved["conditions"]),
    )
    return settings.with_conditions(_distinct(condition for one in outcomes for condition in one.conditions))


def _distinct(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def read_stated(path: Path | None) -> Mapping[str, Any]:
    """Read a YAML file of settings; nothing is stated without one.

    Raises:
        InputError: the file is missing, or is no mapping.
    """
    if path is None:
        return {}
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as YAML ({error}).") from error
    if not isinstance(loaded, dict):
        raise InputError(f"{path}: holds no keys. Allowed: seed, conditions, analysis (config/schema.yaml).")
    return loaded


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis",
        description="Tests, intervals and tables of per-unit outcomes; docs/outcomes.md says what a file holds.",
    )
    parser.add_argument("folder", type=Path, help="folder of outcome files (.parquet, .csv), searched to the bottom")
    parser.add_argument("--out", type=Path, required=True, help="folder for tables/, tests/ and figures/")
    parser.add_argument("--settings", type=Path, help="YAML with any of seed, conditions, analysis, as in a config")
    parser.add_argument("--measures", type=Path, help="folder of <model>/<dataset>/*.parquet, where there are any")
    parser.add_argument("--no-figures", action="store_true", help="tables and tests only")
    given = parser.parse_args(arguments)
    outcomes = read_folder(given.folder)
    settings = settings_for(outcomes, read_stated(given.settings))
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


if __name__ == "__main__":
    report_errors(main)
