"""The arguments that every command line of a run begins with."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from config.layout import Run
from config.settings import Settings, load_settings


def run_parser(module: str, description: str) -> argparse.ArgumentParser:
    """Return a parser whose argument --settings names a run; :func:`read_run` reads what it names.

    Args:
        module: as it is called, such as ``analysis.jobs.tables``.
        description: what the command makes.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument(
        "--settings", type=Path, required=True, help="settings.yaml of the run; all its other files are beside it"
    )
    return parser


def read_run(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> tuple[Settings, Run, argparse.Namespace]:
    """Return the settings of the run that is named, its files, and the other arguments."""
    given = parser.parse_args(arguments)
    return load_settings(given.settings), Run(given.settings.parent), given
