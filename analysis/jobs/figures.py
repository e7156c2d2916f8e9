"""The figures of one data set, from tables alone: ``python -m analysis.jobs.figures --help``."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.figures.drawing import draw_figures
from analysis.rows.chance import CHECKED_AGAINST_CHANCE, read_chance
from analysis.rows.frames import read_frame
from analysis.rows.registry import DECLARED, DRAWN, path_of
from config.command_line import read_run, run_parser
from config.errors import report_errors


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = run_parser("analysis.jobs.figures", "Draw the figures of one data set.")
    parser.add_argument("--dataset", required=True)
    settings, run, given = read_run(parser, arguments)
    analysed = settings.for_analysis
    tables = {name: read_frame(DECLARED[name], path_of(name, run)) for name in DRAWN}
    classified = CHECKED_AGAINST_CHANCE in analysed.datasets[given.dataset]
    chance = read_chance(run.pack(given.dataset).facts) if classified else None
    draw_figures(tables, given.dataset, analysed, chance, run)


if __name__ == "__main__":
    report_errors(main)
