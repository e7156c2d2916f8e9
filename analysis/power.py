r"""How many units a study needs, from a pilot's outcomes or from assumptions; docs/outcomes.md, How many units.

python -m analysis.power my_pilot --units 500 2000 --difference 0.02 --out power.csv
python -m analysis.power --rate-changed 0.1 --difference 0.02 --units 500
python -m analysis.power --deviation 0.3 --difference 0.02 --units 500 --cluster-size 10 --icc 0.05
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from analysis.__main__ import Stated, read_folder
from analysis.rows.power import PowerRow
from analysis.rows.schema import write_rows
from analysis.statistics.power import Planned, power_from_assumptions, power_from_pilot
from config.errors import InputError, report_errors

# Options that take the place of a pilot, and those that go with them alone.
ASSUMED = ("rate_changed", "deviation", "cluster_size", "icc")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    given = _parser().parse_args(arguments)
    _check(given)
    rows, notes = _from_pilot(given) if given.folder else _from_assumptions(given)
    for line in printed(rows):
        print(line)
    if given.out:
        write_rows(PowerRow, rows, given.out)
        print(f"\n{len(rows)} rows in {given.out}")
    for line in notes:
        print(f"warning: {line}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m analysis.power",
        description="Power, minimal detectable effects and numbers of units of a planned study.",
    )
    parser.add_argument("folder", type=Path, nargs="?", help="folder of a pilot's outcome files, as python -m analysis")
    parser.add_argument("--units", type=int, nargs="+", required=True, metavar="N", help="planned numbers of units")
    parser.add_argument(
        "--difference", "--net", type=float, metavar="D", help="true difference to detect (default: the margin)"
    )
    parser.add_argument("--margin", type=float, help="margin of equivalence (default: that of the settings)")
    parser.add_argument("--alpha", type=float, help="error rate of each test (default: that of the settings)")
    parser.add_argument(
        "--tests", type=int, default=1, metavar="K", help="plan at alpha / K, the strictest step of Holm"
    )
    parser.add_argument("--power", type=float, default=0.8, help="power that is asked for (default: 0.8)")
    parser.add_argument("--settings", type=Path, help="YAML with any of seed, conditions, analysis, as in a config")
    parser.add_argument("--comparisons", action="store_true", help="of a pilot: plan declared comparisons too")
    parser.add_argument("--out", type=Path, help="CSV file for all numbers")
    assumed = parser.add_argument_group("without a pilot")
    assumed.add_argument(
        "--rate-changed", type=float, metavar="SHARE", help="share of units whose 0/1 outcome changes, either way"
    )
    assumed.add_argument("--deviation", type=float, metavar="SD", help="standard deviation of the units' differences")
    assumed.add_argument("--cluster-size", type=float, metavar="M", help="units per cluster (default: 1)")
    assumed.add_argument("--icc", type=float, metavar="RHO", help="intraclass correlation within clusters (default: 0)")
    return parser


def _check(given: argparse.Namespace) -> None:
    """Refuse what cannot be planned.

    Raises:
        InputError: the message names the option, its value and the remedy.
    """
    assumed = [name for name in ASSUMED if getattr(given, name) is not None]
    if given.folder and assumed:
        raise InputError(f"{_option(assumed[0])} and a pilot ({given.folder}): state one of the two.")
    if not given.folder and (given.rate_changed is None) == (given.deviation is None):
        raise InputError("state the folder of a pilot, or one of --rate-changed and --deviation.")
    if given.comparisons and not given.folder:
        raise InputError("--comparisons: needs the folder of a pilot with the models that are compared.")
    bounds: dict[str, tuple[float, float, str]] = {
        "difference": (0, math.inf, "above 0"),
        "margin": (0, math.inf, "above 0"),
        "alpha": (0, 0.5, "above 0 and at most 0.5"),
        "power": (0, 1 - 1e-9, "above 0 and below 1"),
        "rate_changed": (0, 1, "above 0 and at most 1"),
        "deviation": (0, math.inf, "above 0"),
        "cluster_size": (1 - 1e-9, math.inf, "1 or more"),
        "icc": (-1e-9, 1, "between 0 and 1"),
        "tests": (0, math.inf, "1 or more"),
    }
    for name, (low, high, words) in bounds.items():
        value = getattr(given, name)
        if name == "difference" and value is not None:
            value = abs(value)
        if value is not None and not low < value <= high:
            raise InputError(f"{_option(name)} {getattr(given, name):g}: must be {words}.")
    if min(given.units) < 2:
        raise InputError(f"--units {min(given.units)}: must be 2 or more.")
    if given.rate_changed is not None and abs(given.difference or 0) > given.rate_changed:
        raise InputError(
            f"--difference {given.difference:g}: more than --rate-changed {given.rate_changed:g}. A difference of "
            "proportions is at most the share of units that change: state a larger share."
        )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _stated(given: argparse.Namespace) -> Stated:
    """Return the settings, with the margin and the level of the command line in place of theirs."""
    stated = Stated.read(given.settings)
    analysis = dict(stated.resolved["analysis"])
    if given.margin is not None:
        analysis["margins"] = {"default": {"margin": given.margin, "reason": "stated on the command line"}}
    if given.alpha is not None:
        analysis["alpha"] = given.alpha
    return replace(stated, resolved={**stated.resolved, "analysis": analysis})


def _from_pilot(given: argparse.Namespace) -> tuple[list[PowerRow], list[str]]:
    stated = _stated(given)
    outcomes = read_folder(given.folder, stated.analysis.ranges)
    settings = stated.of(outcomes)
    rows = power_from_pilot(outcomes, settings, _planned(given, settings.alpha), comparisons=given.comparisons)
    if not rows:
        raise InputError(f"{given.folder}: has no condition but full, so there is no difference to plan for.")
    if given.comparisons and not any(row.comparison for row in rows):
        declared = ", ".join(f"'{one.name}'" for one in settings.comparisons) or "none"
        raise InputError(
            f"--comparisons: {given.folder} has no two models on the same units that a declared comparison compares "
            f"(declared: {declared}). Declare one in --settings, under analysis."
        )
    return rows, stated.warnings(outcomes)


def _from_assumptions(given: argparse.Namespace) -> tuple[list[PowerRow], list[str]]:
    analysis = _stated(given).analysis
    margin = analysis.margins["default"]
    if given.rate_changed is not None and given.difference is None and margin.size > given.rate_changed:
        raise InputError(
            f"--rate-changed {given.rate_changed:g}: less than the margin {margin.size:g}, which is the difference "
            "that is planned for. State --difference, or a larger share."
        )
    rows = power_from_assumptions(
        _planned(given, analysis.alpha),
        margin,
        rate_changed=given.rate_changed,
        deviation=given.deviation,
        cluster_size=given.cluster_size or 1.0,
        icc=given.icc or 0.0,
    )
    return rows, []


def _planned(given: argparse.Namespace, alpha: float) -> Planned:
    return Planned(units=given.units, alpha=alpha, difference=given.difference, tests=given.tests, power=given.power)


def printed(rows: Sequence[PowerRow]) -> Iterable[str]:
    """Return rows as lines of text, one block per task.

    Args:
        rows: at least one; those of a task follow each other.
    """
    first = rows[0]
    adjusted = f"alpha {first.alpha:g} / {first.tests}" if first.tests > 1 else f"alpha {first.alpha:g}, not adjusted"
    yield f"Power of the test of a difference ({adjusted}),"
    yield f"and of equivalence if the true difference is 0 (alpha {first.alpha:g})."
    if first.pilot_units is not None:
        yield "In brackets: over the spreads that the pilot leaves open (90 %)."
    for _, block in groupby(rows, key=lambda row: (row.dataset, row.task)):
        of_task = list(block)
        head = of_task[0]
        yield ""
        yield (f"{head.dataset}, {head.task}: " if head.task else "") + (
            f"difference {head.difference:g}, margin {head.margin:g} ({head.margin_reason})"
        )
        yield from _aligned([_TITLES, *(_cells(row) for row in of_task)])
    for told in dict.fromkeys(f"{row.model} {row.condition}: {row.warning}" for row in rows if row.warning):
        yield f"warning: {told}"


_TITLES = (
    "what",
    "units",
    "spread",
    "power, difference",
    "power, equivalence",
    "detectable",
    "units for difference",
    "for equivalence",
    "to decide, as the pilot is",
)


def _cells(row: PowerRow) -> tuple[str, ...]:
    models = f"{row.comparison}: {row.model} − {row.against}" if row.against else row.model
    decide = "–" if row.decide_low is None else f"{row.decide_low:,} to {row.decide_high:,}"
    return (
        " ".join(part for part in (models, row.readout, row.condition) if part) or row.spread_of,
        f"{row.units:,}",
        _ranged(row.spread, row.spread_low, row.spread_high, 3),
        _ranged(row.power_difference, row.power_difference_low, row.power_difference_high, 2),
        _ranged(row.power_equivalence, row.power_equivalence_low, row.power_equivalence_high, 2),
        "–" if row.detectable is None else f"{row.detectable:.3g}",
        _counted(row.units_difference),
        _counted(row.units_equivalence),
        decide,
    )


def _ranged(value: float | None, low: float | None, high: float | None, decimals: int) -> str:
    if value is None:
        return "–"
    if low is None or high is None:
        return f"{value:.{decimals}f}"
    return f"{value:.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"


def _counted(units: int | None) -> str:
    return "–" if units is None else f"{units:,}"


def _aligned(lines: Sequence[tuple[str, ...]]) -> Iterable[str]:
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    for line in lines:
        first, *others = (
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "  " + "  ".join((first, *others)).rstrip()


if __name__ == "__main__":
    report_errors(main)
