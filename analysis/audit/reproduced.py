"""Hold the published numbers of every claim against what a run has measured.

    python -m analysis.audit.reproduced analysis/published --settings results/paper/settings.yaml \
        --ablation results/paper/tables/ablation.csv --out results/paper/audit/reproduced.csv

A run measures a published number where `quantities.yaml` gives both the same name: family, scale, condition,
task, token, layer and metric, on a data set that the file lists for the task, with trained weights, by the
matched readout. A published number is *reproduced* where the run's interval meets the values that its rounding
allows, and *not reproduced* where the interval excludes it. A claim is not reproduced if one of its numbers is
not, reproduced if all of them that name a quantity are, and else not measured.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import yaml

from analysis.audit.claims import Claim, load_claims
from analysis.audit.errors import AuditInputError
from analysis.audit.numbers import Interval, shown
from analysis.audit.published import Published, PublishedNumbers, load_published
from analysis.audit.quantities import CHANGE, QuantityName, Vocabulary, load_vocabulary
from config.files import write_whole
from config.settings import conditions_of

COLUMNS = ("claim", "reproduced", "measured", "quantities", "number", "published", "value", "low", "high", "origin")
NEEDED = ("dataset", "task", "model", "family", "scale", "readout", "condition", "value", "value_low", "value_high")
DELTA = ("delta", "delta_low", "delta_high")
FROZEN, RANDOM = "frozen", "random"
PERCENT = Decimal(100)


class Reproduced(StrEnum):
    """What a run says of a claim's numbers."""

    YES = "reproduced"
    NO = "not reproduced"
    UNKNOWN = "not measured"


@dataclass(frozen=True)
class Measurement:
    """A value that a run measured, in percent, with its interval."""

    value: Decimal
    interval: Interval
    model: str
    dataset: str


@dataclass(frozen=True)
class Held:
    """A published number beside the measurement of its quantity, if there is one."""

    number: Published
    sign: int
    measured: Measurement | None

    @property
    def reproduced(self) -> Reproduced:
        """Whether the interval meets what the number's rounding allows."""
        if self.measured is None:
            return Reproduced.UNKNOWN
        published = self.number.percent().quantity
        interval = (published if self.sign > 0 else published.negative()).interval
        return Reproduced.YES if self.measured.interval.overlaps(interval) else Reproduced.NO


def measurements(
    rows: Sequence[Mapping[str, str]], vocabulary: Vocabulary, random_models: frozenset[str]
) -> Mapping[QuantityName, Measurement]:
    """Quantity → what the run measured of it, values and changes, in percent."""
    found: dict[QuantityName, Measurement] = {}
    for row in rows:
        task = vocabulary.run.get(row["task"])
        wanted = task is not None and row["dataset"] in task.datasets and row["readout"] != FROZEN
        if task is None or not wanted or row["model"] in random_models:
            continue
        own = {"model": row["family"], "scale": row["scale"], "condition": row["condition"]}
        name = QuantityName(**{"token": "", "layer": "", **own, **task.names})
        for suffix, columns in (("", NEEDED[-3:]), (CHANGE, DELTA)):
            value, low, high = (row.get(column, "") for column in columns)
            if value:
                quantity = QuantityName(**{**vars(name), "metric": name.metric + suffix})
                ends = Interval(Decimal(low) * PERCENT, Decimal(high) * PERCENT)
                found[quantity] = Measurement(Decimal(value) * PERCENT, ends, row["model"], row["dataset"])
    return found


def with_draws_averaged(rows: Sequence[Mapping[str, str]], drawn_from: Mapping[str, str]) -> list[dict[str, str]]:
    """Rows of the ablation table with the draws of random patches as one row: means of values and of their ends.

    The draws share their images, so that the mean of their intervals is no narrower than the interval of their mean.

    Args:
        rows: of the ablation table.
        drawn_from: condition → the condition of which it is a draw.
    """
    averaged = [dict(row) for row in rows if row["condition"] not in drawn_from]
    draws: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
    for row in rows:
        if row["condition"] in drawn_from:
            place = (*(row[name] for name in ("dataset", "task", "model", "readout")), drawn_from[row["condition"]])
            draws.setdefault(place, []).append(row)
    for (*_, condition), found in draws.items():
        numbers = {name: [row[name] for row in found] for name in (*NEEDED[-3:], *DELTA)}
        means = {
            name: str(sum(map(Decimal, values)) / len(values)) if all(values) else ""
            for name, values in numbers.items()
        }
        averaged.append({**found[0], "condition": condition, **means})
    return averaged


def hold(
    claim: Claim, numbers: PublishedNumbers, vocabulary: Vocabulary, measured: Mapping[QuantityName, Measurement]
) -> tuple[Held, ...]:
    """The numbers of a claim's first reading that name a quantity, beside what the run measured."""
    held = []
    for key in claim.readings[0].ids:
        number = numbers.find(key, f"claim {claim.id!r}")
        found = vocabulary.name(number)
        if found is not None:
            name, sign = found
            held.append(Held(number, sign, measured.get(name)))
    return tuple(held)


def verdict(held: Sequence[Held]) -> Reproduced:
    """What a run says of a claim with these numbers."""
    found = {each.reproduced for each in held}
    if Reproduced.NO in found:
        return Reproduced.NO
    return Reproduced.YES if found == {Reproduced.YES} else Reproduced.UNKNOWN


def reproduced_csv(folder: Path, rows: Sequence[Mapping[str, str]], random_models: frozenset[str]) -> str:
    """The text of `reproduced.csv`: one row per claim, and with each of its measured numbers one more.

    A claim's own row has `reproduced`, how many of its `quantities` were `measured`, and no number.
    """
    numbers, vocabulary = load_published(folder), load_vocabulary(folder)
    if vocabulary is None:
        raise AuditInputError(f"{folder} has no quantities.yaml, so nothing says which number a run measures.")
    measured = measurements(rows, vocabulary, random_models)
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for claim in load_claims(folder):
        held = hold(claim, numbers, vocabulary, measured)
        writer.writerow(
            {
                "claim": claim.id,
                "reproduced": verdict(held).value,
                "measured": str(sum(each.measured is not None for each in held)),
                "quantities": str(len(held)),
            }
        )
        writer.writerows(_number_rows(claim, held))
    return stream.getvalue()


def _number_rows(claim: Claim, held: Sequence[Held]) -> Iterator[dict[str, str]]:
    for each in held:
        if each.measured is None:
            continue
        published = each.number.percent().quantity
        yield {
            "claim": claim.id,
            "reproduced": each.reproduced.value,
            "number": each.number.id,
            "published": shown(published.value * each.sign),
            "value": shown(each.measured.value),
            "low": shown(each.measured.interval.low),
            "high": shown(each.measured.interval.high),
            "origin": f"{each.measured.model} on {each.measured.dataset}",
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0, or 2 with a message on stderr for faulty input."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.audit.reproduced", description="Hold published numbers against a run's measurements."
    )
    parser.add_argument("folder", type=Path, help="folder of the published numbers and claims")
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--ablation", type=Path, required=True, help="ablation.csv of the run")
    parser.add_argument("--out", type=Path, required=True, help="reproduced.csv")
    options = parser.parse_args(arguments)
    try:
        rows, random_models = _read_run(options.ablation, options.settings)
        text = reproduced_csv(options.folder, rows, random_models)
    except AuditInputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_whole(options.out, text.encode())
    return 0


def _read_run(ablation: Path, settings: Path) -> tuple[list[dict[str, str]], frozenset[str]]:
    for path in (ablation, settings):
        if not path.is_file():
            raise AuditInputError(f"{path} is missing. Run the workflow up to it: `snakemake {path}`.")
    with ablation.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [column for column in (*NEEDED, *DELTA) if column not in (reader.fieldnames or ())]
        if missing:
            raise AuditInputError(f"{ablation}: column {', '.join(missing)} is missing. Delete it and run again.")
        rows = list(reader)
    loaded = yaml.safe_load(settings.read_text(encoding="utf-8"))
    models, conditions = loaded["models"], conditions_of(loaded["conditions"])
    rows = with_draws_averaged(rows, {name: each.of for name, each in conditions.items() if each.of is not None})
    return rows, frozenset(name for name, model in models.items() if model.get("weights") == RANDOM)


if __name__ == "__main__":
    sys.exit(main())
