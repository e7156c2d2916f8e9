"""One declared comparison: ``python -m analysis.jobs.comparison --help``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from analysis.jobs.needs import compared_models, compared_tasks
from analysis.outcomes.files import Outcomes
from analysis.outcomes.gather import gather_outcomes
from analysis.outcomes.groups import task_outcomes
from analysis.rows.contrasts import ComparisonRow, NullBin
from analysis.rows.schema import EVERY_DIGIT, write_rows
from analysis.statistics.comparisons import comparison_rows
from config.command_line import read_run, run_parser
from config.errors import report_errors
from config.layout import Run
from config.settings import Comparison, Settings
from config.vocabulary.replacements import REFERENCE


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
        _under(one, comparison)
        for task in compared_tasks(settings, comparison)
        for one in gather_outcomes(run, analysed, task, compared_models(settings, comparison))
    ]
    return comparison_rows(task_outcomes(outcomes, analysed), analysed)


def _under(one: Outcomes, comparison: Comparison) -> Outcomes:
    """Return what a comparison takes of a model's outcomes: there is nothing else to resample."""
    taken = (REFERENCE, *comparison.conditions)
    return replace(
        one, conditions=MappingProxyType({name: one.conditions[name] for name in taken if name in one.conditions})
    )


if __name__ == "__main__":
    report_errors(main)
