r"""From the outcomes of a run to its tables and figures.

python -m analysis.run --settings results/demo/settings.yaml \
        --outcomes results/demo/outcomes --packs results/demo/packs \
        --record-changes results/demo/measures/record_changes.csv --measures results/demo/measures \
        --tables results/demo/tables --tests results/demo/tests --figures results/demo/figures
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from analysis.figures.conditions import delta_heatmap, known_answer_figure
from analysis.figures.layers import layer_figures
from analysis.figures.statistics import statistics_figures
from analysis.outcomes.files import Outcomes, read_outcomes
from analysis.outcomes.measures import read_measures
from analysis.outcomes.schema import OutcomeError
from analysis.statistics.known_answers import known_answer_checks, read_chance, read_record_changes
from analysis.statistics.study import study
from analysis.statistics.tables import known_answer_table, write_table
from config.errors import report_errors
from config.settings import AnalysisSettings, load_settings


def gather_outcomes(folder: Path, settings: AnalysisSettings) -> list[Outcomes]:
    """Read `<folder>/<task>/<model>.parquet` for every task and model of the settings.

    A task or model without a file is absent, and files of models that the settings do not name are
    left unread.

    Raises:
        OutcomeError: a broken file, a file that holds something else than its name says or that
            the settings do not name, or no file at all.
    """
    gathered: list[Outcomes] = []
    for task in settings.tasks:
        for model in settings.models:
            path = folder / task / f"{model}.parquet"
            if not path.exists():
                continue
            for one in read_outcomes(path):
                _check_named(one, path, task, model, settings)
                gathered.append(one)
    if not gathered:
        raise OutcomeError(
            f"{folder}: no outcome file <task>/<model>.parquet for tasks "
            f"{', '.join(settings.tasks)} and models {', '.join(settings.models)}."
        )
    return gathered


def _check_named(one: Outcomes, path: Path, task: str, model: str, settings: AnalysisSettings) -> None:
    allowed: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        "task": ([one.task], [task]),
        "model": ([one.model], [model]),
        "dataset": (
            [one.dataset],
            [name for name, tasks in settings.datasets.items() if task in tasks],
        ),
        "condition": (list(one.conditions), list(settings.conditions)),
    }
    for column, (found, names) in allowed.items():
        strange = [name for name in found if name not in names]
        if strange:
            raise OutcomeError(
                f"{path}: column '{column}': {', '.join(map(repr, strange))} is not what the file "
                f"name and the settings lead to expect: {', '.join(map(repr, names))}. Delete the "
                f"file and evaluate again, or name the {column} in the config."
            )


def analyse(
    settings: AnalysisSettings,
    *,
    outcomes: Path,
    packs: Path,
    record_changes: Path,
    measures: Path,
    tables: Path,
    tests: Path,
    figures: Path,
) -> None:
    """Write every table and test of `analysis.statistics.study`, known_answers.csv, and the figures of each dataset.

    Args:
        settings: of the run.
        outcomes: folder of `<task>/<model>.parquet`.
        packs: folder of `<dataset>/pack.yaml`, for the chance level of classification.
        record_changes: CSV of the largest change of each record.
        measures: folder of `<model>/<dataset>/<shard>.parquet`; it may lack any of them.
        tables, tests, figures: folders to write to; figures go to `<figures>/<dataset>/`.
    """
    gathered = gather_outcomes(outcomes, settings)
    datasets = [name for name in settings.datasets if any(one.dataset == name for one in gathered)]
    classified = [name for name in datasets if "classification" in settings.datasets[name]]
    chance = {name: read_chance(packs / name / "pack.yaml") for name in classified}
    changes = read_record_changes(record_changes)
    models = {one.model: (one.family, one.scale) for one in gathered}
    of_models = {name: models[name] for name in settings.models if name in models}

    found = study(gathered, read_measures(measures, of_models, datasets), settings)
    checks = known_answer_table(known_answer_checks(found.ablation, changes, chance, settings))
    for folder, written in ((tables, {**found.tables, "known_answers": checks}), (tests, found.tests)):
        for name, table in written.items():
            write_table(table, folder / f"{name}.csv")

    ablation = found.tables["ablation"]
    for dataset in tqdm(datasets, desc="figures", unit="dataset"):
        of_dataset = _of(ablation, dataset)
        delta_heatmap(of_dataset, settings, figures / dataset / "delta_heatmap.svg")
        known_answer_figure(
            of_dataset,
            _of(checks, dataset),
            chance.get(dataset),
            settings,
            figures / dataset / "known_answers.svg",
        )
        layer_figures(
            _of(found.tables["layer_measures"], dataset),
            _of(found.tables["layer_curves"], dataset),
            chance.get(dataset),
            settings,
            figures / dataset,
        )
        statistics_figures(found, dataset, figures / dataset)


def _of(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    return table[table["dataset"] == dataset]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.run",
        description="Turn the outcomes of a run into tables, tests, intervals and figures.",
    )
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run, with every default")
    parser.add_argument("--outcomes", type=Path, required=True, help="folder of <task>/<model>.parquet")
    parser.add_argument("--packs", type=Path, required=True, help="folder of <dataset>/pack.yaml (chance levels)")
    parser.add_argument(
        "--record-changes",
        type=Path,
        required=True,
        help="CSV: model, dataset, condition, token, layer, max_abs_change against full",
    )
    parser.add_argument(
        "--measures", type=Path, required=True, help="folder of <model>/<dataset>/*.parquet, where there are any"
    )
    parser.add_argument("--tests", type=Path, required=True, help="folder to write CSV of tests to")
    parser.add_argument("--tables", type=Path, required=True, help="folder to write CSV tables to")
    parser.add_argument("--figures", type=Path, required=True, help="folder to write SVG to")
    given = parser.parse_args(arguments)
    analyse(
        load_settings(given.settings).for_analysis,
        outcomes=given.outcomes,
        packs=given.packs,
        record_changes=given.record_changes,
        measures=given.measures,
        tests=given.tests,
        tables=given.tables,
        figures=given.figures,
    )


if __name__ == "__main__":
    report_errors(main)
