"""The tables of all data sets and tasks, p-values adjusted: ``python -m analysis.jobs.tables --help``."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.rows.ablation import AblationRow
from analysis.rows.registry import DECLARED, PARTS, path_of
from analysis.rows.schema import read_rows, write_rows
from analysis.statistics.assembly import TaskStatistics, assembled
from analysis.statistics.nulls import read_nulls
from analysis.statistics.tables import replacement_table, write_table
from config.command_line import read_run, run_parser
from config.errors import report_errors
from config.layout import Run


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = run_parser("analysis.jobs.tables", "Adjust p-values within their families, and write the tables.")
    settings, run, _ = read_run(parser, arguments)
    analysed = settings.for_analysis
    parts = [read_part(run, dataset, task) for dataset, tasks in analysed.datasets.items() for task in tasks]
    found = assembled(parts, analysed)
    for name in PARTS:
        write_rows(DECLARED[name], found[name], path_of(name, run))
    ablation = [row for row in found["ablation"] if isinstance(row, AblationRow)]
    write_table(replacement_table(ablation, analysed), run.table("replacement"))


def read_part(run: Run, dataset: str, task: str) -> TaskStatistics:
    """Read the statistics of one data set and task."""
    rows = {name: read_rows(kind, run.part(dataset, task, name)) for name, kind in PARTS.items()}
    return TaskStatistics(rows=rows, nulls=read_nulls(run.nulls(dataset, task)))


if __name__ == "__main__":
    report_errors(main)
