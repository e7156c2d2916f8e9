"""All statistics of one data set and task: ``python -m analysis.jobs.task --help``."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.outcomes.gather import gather_outcomes
from analysis.outcomes.schema import OutcomeError
from analysis.rows.registry import PARTS
from analysis.rows.schema import EVERY_DIGIT, write_rows
from analysis.statistics.nulls import save_nulls
from analysis.statistics.task import task_statistics
from config.command_line import read_run, run_parser
from config.errors import report_errors


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = run_parser("analysis.jobs.task", "Compute every value, interval and test of one data set and task.")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--task", required=True, help="as reported: correspondence brings cycle_consistency with it")
    settings, run, given = read_run(parser, arguments)
    analysed = settings.for_analysis
    outcomes = [
        one for one in gather_outcomes(run, analysed, given.task, analysed.models) if one.dataset == given.dataset
    ]
    if not outcomes:
        raise OutcomeError(
            f"task '{given.task}': no outcomes of data set '{given.dataset}'. Where no model has the tokens that the "
            f"task is reported from, remove it from datasets.{given.dataset}.tasks; otherwise evaluate again."
        )
    found = task_statistics(outcomes, analysed)
    for name, kind in PARTS.items():
        write_rows(kind, found.rows[name], run.part(given.dataset, given.task, name), digits=EVERY_DIGIT)
    save_nulls(found.nulls, run.nulls(given.dataset, given.task))


if __name__ == "__main__":
    report_errors(main)
