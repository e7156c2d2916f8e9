"""The checks of the known-answer models: ``python -m analysis.jobs.known_answers --help``."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.rows.ablation import AblationRow, Check
from analysis.rows.chance import CHECKED_AGAINST_CHANCE, read_chance
from analysis.rows.schema import read_rows, write_rows
from analysis.statistics.known_answers import known_answer_checks, read_record_changes
from analysis.statistics.tables import in_display_order
from config.command_line import read_run, run_parser
from config.errors import report_errors


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = run_parser("analysis.jobs.known_answers", "Check the known-answer models of a run.")
    settings, run, _ = read_run(parser, arguments)
    analysed = settings.for_analysis
    # The parts have every digit: a delta at its limit must not pass by rounding.
    rows = [
        row
        for dataset, tasks in analysed.datasets.items()
        for task in tasks
        for row in read_rows(AblationRow, run.part(dataset, task, "ablation"))
    ]
    chance = {
        dataset: read_chance(run.pack(dataset).facts)
        for dataset, tasks in analysed.datasets.items()
        if CHECKED_AGAINST_CHANCE in tasks
    }
    checks = known_answer_checks(
        in_display_order(rows, analysed), read_record_changes(run.record_changes), chance, analysed
    )
    write_rows(Check, checks, run.table("known_answers"))


if __name__ == "__main__":
    report_errors(main)
