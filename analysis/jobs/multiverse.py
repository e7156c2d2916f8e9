"""Every universe of a run, one after the other, and what they conclude: ``python -m analysis.jobs.multiverse --help``.

A universe is a run of its own, in a folder of its own, made by the rules that make any run. Where a choice is about
probes or tests alone, its packs, calibration, records and measures are links to those of the base.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.figures.multiverse import specification_curve
from analysis.rows.multiverse import ConclusionRow, SurvivalRow, UniverseRow
from analysis.rows.registry import path_of
from analysis.rows.schema import write_rows
from analysis.statistics.universes import CONCLUDING, conclusions_of, survivals
from config.command_line import read_run, run_parser
from config.errors import InputError, report_errors
from config.layout import ROOT, Run
from config.multiverse import SECTION, Universe, choices_of, universes
from config.resolve import read_yaml, resolve
from config.settings import save_resolved

# Folders that universes share that differ in nothing that records are made from.
_SHARED = ("packs", "calibration", "records", "measures")


def run_universes(config: Mapping[str, object], base: Run, cores: str) -> None:
    """Run every universe of a resolved config up to its tables, gather what they conclude, and build the base's report.

    Args:
        config: of the base, with its section `multiverse`.
        base: where the files of the base are; those of the others are beside them.
        cores: as Snakemake's `--cores`.

    Raises:
        InputError: the config describes no multiverse, or a universe could not be run; its own log says why.
    """
    every = universes(config)
    if len(every) < 2:
        raise InputError(
            f"{base.settings}: there is no section {SECTION!r}, so there is nothing to vary. config/multiverse.yaml "
            "is an example of one"
        )
    runs = {one.name: Run(base.folder.with_name(one.run)) for one in every}
    for place, one in enumerate(every, start=1):
        run = runs[one.name]
        print(f"Universe {place} of {len(every)}: {one.name}", flush=True)
        if run.folder != base.folder:
            run.folder.mkdir(parents=True, exist_ok=True)
            _share_records(one, every[0], run, base)
            save_resolved(one.config, run.settings)
        _snakemake(run, cores, [str(path_of(table, run)) for table in CONCLUDING])
    _gather(config, every, runs, base)
    _snakemake(base, cores, [])


def _share_records(one: Universe, first: Universe, run: Run, base: Run) -> None:
    """Link what is the same in the base, and unlink what no longer is."""
    for name in _SHARED:
        link = run.folder / name
        if link.is_symlink() and not one.shares_records(first):
            link.unlink()
        elif one.shares_records(first) and not link.exists():
            (base.folder / name).mkdir(exist_ok=True)
            link.symlink_to(Path("..") / base.folder.name / name, target_is_directory=True)


def _snakemake(run: Run, cores: str, targets: Sequence[str]) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "snakemake", *targets, "--cores", cores, "--configfile", str(run.settings)]
    done = subprocess.run(
        [*command, "--quiet", "progress", "rules", "host"], env=os.environ | {"PATH": path}, check=False
    )
    if done.returncode:
        raise InputError(
            f"{run.folder}: this run of the multiverse ended with an error, which is printed above. Correct it and run "
            "the same command again: what is finished stays"
        )


def _gather(config: Mapping[str, object], every: Sequence[Universe], runs: Mapping[str, Run], base: Run) -> None:
    alpha = float(every[0].config["analysis"]["alpha"])
    rows = [row for one in every for row in conclusions_of(runs[one.name], one.name, alpha)]
    found = [
        UniverseRow(
            universe=one.name,
            run=one.run,
            choices=";".join(one.options),
            options=";".join(one.options.values()),
            config=one.identity,
        )
        for one in every
    ]
    write_rows(ConclusionRow, rows, base.multiverse("conclusions"))
    write_rows(SurvivalRow, survivals(rows), base.multiverse("survival"))
    titles = {choice.name: choice.title for choice in choices_of(config)}
    specification_curve(rows, found, titles, base.specification_curve)
    # Last, since the report takes it for the sign that everything is there.
    write_rows(UniverseRow, found, base.multiverse("universes"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = run_parser("analysis.jobs.multiverse", "Run a config with every choice that it could have made otherwise.")
    parser.add_argument("--cores", default="all", help="cores that Snakemake may use (default: %(default)s)")
    _, run, given = read_run(parser, arguments)
    if run.folder.resolve().parent != Path("results").resolve():
        raise InputError(f"{run.folder}: run this from the checkout that the run is in, such as {ROOT}")
    run_universes(resolve(read_yaml(run.settings), run.settings), run, given.cores)


if __name__ == "__main__":
    report_errors(main)
