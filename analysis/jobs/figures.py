"""The figures of one data set, from tables alone: ``python -m analysis.jobs.figures --help``."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.figures.all import FROM, draw
from analysis.rows.chance import read_chance
from analysis.rows.frames import read_frame
from analysis.rows.registry import TABLES, TESTS
from config.command_line import read_run, run_parser
from config.errors import report_errors


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = run_parser("analysis.jobs.figures", "Draw the figures of one data set.")
    parser.add_argument("--dataset", required=True)
    settings, run, given = read_run(parser, arguments)
    analysed = settings.for_analysis
    tables = {
        name: read_frame(TABLES[name], run.table(name)) if name in TABLES else read_frame(TESTS[name], run.test(name))
        for name in FROM
    }
    classified = "classification" in analysed.datasets[given.dataset]
    chance = read_chance(run.pack(given.dataset).facts) if classified else None
    draw(tables, given.dataset, analysed, chance, run)


if __name__ == "__main__":
    report_errors(main)
