"""All statistics of what is measured at layers: ``python -m analysis.jobs.layers --help``."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.outcomes.measures import read_measures
from analysis.rows.registry import DECLARED, LAYER_TABLES, path_of
from analysis.rows.schema import write_rows
from analysis.statistics.layers import layer_tables
from config.command_line import read_run, run_parser
from config.errors import report_errors


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = run_parser("analysis.jobs.layers", "Summarise and compare geometry and attention, layer by layer.")
    settings, run, _ = read_run(parser, arguments)
    models = {name: (model.family, model.scale) for name, model in settings.models.items()}
    measures = read_measures(run.all_measures, models, list(settings.datasets))
    found = layer_tables(measures, settings.for_analysis)
    for name in LAYER_TABLES:
        write_rows(DECLARED[name], found[name], path_of(name, run))


if __name__ == "__main__":
    report_errors(main)
