"""One declared comparison: ``python -m analysis.jobs.comparison --help``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from analysis.outcomes.files import under
from analysis.outcomes.gather import gather_outcomes
from analysis.rows.contrasts import ComparisonRow, NullBin
from analysis.rows.schema import EVERY_DIGIT, write_rows
from analysis.statistics.comparisons import comparison_rows
from analysis.statistics.task import task_outcomes
from config.command_line import read_run, run_parser
from config.errors import report_errors
from config.layout import Run
from config.settings import Comparison, Settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = run_parser("analysis.jobs.comparison", "Test one of the comparisons that the config declares.")
    parser.add_argument("--comparison", required=True, help="its key under analysis.comparisons")
    settings, run, given = read_run(parser, arguments)
    (comparison,) = (one for one in settings.analysis.comparisons if one.name == given.comparison)
    rows, nulls = compare(settings, run, comparison)
    write_rows(ComparisonRow, rows, run.comparison(comparison.name, "comparisons"), digits=EVERY_DIGIT)
    write_rows(NullBin, nulls, run.comparison(comparison.name, "nulls"), digits=EVERY_DIGIT)


def compare(settings: Settings, run: Run, comparison: Comparison) -> tuple[list[ComparisonRow], list[NullBin]]:
    """Return the rows of a comparison and its null distributions, from the outcomes of the models that it compares."""
    analysed = replace(settings.for_analysis, comparisons=(comparison,))
    outcomes = [
        under(one, comparison.conditions)
        for task in settings.tasks_of(comparison)
        for one in gather_outcomes(run, analysed, task, settings.models_of(comparison))
    ]
    return comparison_rows(task_outcomes(outcomes, analysed), analysed)


if __name__ == "__main__":
    report_errors(main)
