"""One declared comparison: ``python -m analysis.jobs.comparison --help``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from analysis.jobs.needs import compared_models, compared_tasks
from analysis.outcomes.common_units import compared_outcomes
from analysis.outcomes.gather import gather_outcomes
from analysis.rows.contrasts import ComparisonRow, NullBin
from analysis.rows.schema import EVERY_DIGIT, write_rows
from analysis.statistics.comparisons import comparison_rows
from config.analysis import Comparison
from config.command_line import read_run, run_parser
from config.errors import report_errors
from config.layout import Run
from config.settings import Settings
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import TASKS


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = run_parser("analysis.jobs.comparison", "Test one of the comparisons that the config declares.")
    parser.add_argument("--comparison", required=True, help="its key under analysis.comparisons")
    settings, run, given = read_run(parser, arguments)
    declared = {one.name: one for one in settings.analysis.comparisons}
    rows, nulls = compare(settings, run, declared[given.comparison])
    write_rows(ComparisonRow, rows, run.comparison(given.comparison, "comparisons"), digits=EVERY_DIGIT)
    write_rows(NullBin, nulls, run.comparison(given.comparison, "nulls"), digits=EVERY_DIGIT)


def compare(settings: Settings, run: Run, comparison: Comparison) -> tuple[list[ComparisonRow], list[NullBin]]:
    """Return the rows of a comparison and its null distributions."""
    analysed = replace(settings.for_analysis, comparisons=(comparison,))
    outcomes = [
        one
        for task in compared_tasks(settings, comparison)
        for one in gather_outcomes(
            run, analysed, task, compared_models(settings, comparison), only=_taken(task, comparison)
        )
    ]
    return comparison_rows(compared_outcomes(outcomes, analysed), analysed)


def _taken(task: str, comparison: Comparison) -> dict[str, Collection[object]]:
    """What a comparison takes of the outcomes of a task: nothing else is read and resampled."""
    return {
        "condition": (REFERENCE, *comparison.conditions),
        "features": (TASKS[task].features,),
        "refit": (0,),
    }


if __name__ == "__main__":
    report_errors(main)
