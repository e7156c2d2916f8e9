"""The tables of all comparisons: ``python -m analysis.jobs.comparisons --help``."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.jobs.needs import comparisons_of
from analysis.rows.contrasts import ComparisonRow, NullBin
from analysis.rows.schema import read_rows, write_rows
from config.command_line import read_run, run_parser
from config.errors import report_errors


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = run_parser("analysis.jobs.comparisons", "Join the tables of the comparisons of a run.")
    settings, run, _ = read_run(parser, arguments)
    names = [one.name for one in comparisons_of(settings)]
    rows = [row for name in names for row in read_rows(ComparisonRow, run.comparison(name, "comparisons"))]
    nulls = [row for name in names for row in read_rows(NullBin, run.comparison(name, "nulls"))]
    write_rows(ComparisonRow, rows, run.test("comparisons"))
    write_rows(NullBin, nulls, run.test("nulls"))


if __name__ == "__main__":
    report_errors(main)
