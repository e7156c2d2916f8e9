"""Compare the published numbers of every claim with the measurements of a run.

    python -m analysis.audit.reproduced analysis/published --settings results/paper/settings.yaml \
        --ablation results/paper/tables/ablation.csv --out results/paper/audit/reproduced.csv

A run measures a published number where `quantities.yaml` gives both the same name: family, scale, condition, task,
token, layer and metric, on a data set that the file lists for the task, with trained weights and the matched readout.
A published number is *reproduced* where the run's interval overlaps the bounds that its rounding allows, and *not
reproduced* where the interval excludes them. A claim is not reproduced if one of its numbers is not, reproduced if all
of its numbers that name a quantity are, and otherwise not measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from analysis.audit.claims import Claim, load_claims
from analysis.audit.numbers import Bounds, shown
from analysis.audit.published import Published, PublishedNumbers, load_published
from analysis.audit.quantities import CHANGE, QuantityName, Vocabulary, load_vocabulary
from analysis.rows.audit import ReproducedRow
from analysis.rows.schema import names_of, read_text
from config.command_line import read_run, run_parser
from config.conditions import Condition
from config.errors import InputError, report_errors
from config.files import write_csv
from config.settings import Settings
from config.vocabulary.tasks import FROZEN

NEEDED = ("dataset", "task", "model", "family", "scale", "readout", "condition", "value", "value_low", "value_high")
DELTA = ("delta", "delta_low", "delta_high")
PERCENT = Decimal(100)


class Reproduced(StrEnum):
    """Whether a run reproduces the numbers of a claim."""

    YES = "reproduced"
    NO = "not reproduced"
    UNKNOWN = "not measured"


@dataclass(frozen=True)
class Measurement:
    """A value measured by a run, in percent, with its interval."""

    value: Decimal
    interval: Bounds
    model: str
    dataset: str


@dataclass(frozen=True)
class Held:
    """A published number with the measurement of its quantity, if any."""

    number: Published
    sign: int
    measured: Measurement | None

    @property
    def reproduced(self) -> Reproduced:
        """Whether the interval of the run overlaps the bounds of the published number."""
        if self.measured is None:
            return Reproduced.UNKNOWN
        published = self.number.percent().quantity
        bounds = (published if self.sign > 0 else published.negative()).bounds
        return Reproduced.YES if self.measured.interval.overlaps(bounds) else Reproduced.NO


def measurements(
    rows: Sequence[Mapping[str, str]], vocabulary: Vocabulary, random_models: frozenset[str]
) -> Mapping[QuantityName, Measurement]:
    """Return the measurements of a run by quantity, values and changes, in percent.

    Args:
        rows: of the ablation table.
        vocabulary: names the quantity of each task.
        random_models: models with random weights, which are left out.
    """
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
                ends = Bounds(Decimal(low) * PERCENT, Decimal(high) * PERCENT)
                found[quantity] = Measurement(Decimal(value) * PERCENT, ends, row["model"], row["dataset"])
    return found


def with_draws_averaged(rows: Sequence[Mapping[str, str]], drawn_from: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the rows of the ablation table with the draws of random patches averaged: values and interval ends.

    The draws share their images, so the mean of their intervals is no narrower than the interval of their mean.

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


def by_what_is_replaced(rows: Sequence[Mapping[str, str]], conditions: Mapping[str, Condition]) -> list[dict[str, str]]:
    """Return rows whose conditions are called by what they do, as in `quantities.yaml`, and not as a config calls them.

    Of several conditions that do the same, the first one of the config is kept.

    Args:
        rows: of the ablation table, draws averaged.
        conditions: of the run, by name.

    Examples:
        >>> blank = Condition("blank", ("registers",), "zero")
        >>> by_what_is_replaced([{"condition": "blank", "value": "0.5"}], {"blank": blank})
        [{'condition': 'zero_registers', 'value': '0.5'}]
    """
    called: dict[str, str] = {}
    for one in conditions.values():
        called.setdefault(one.identity, one.entry)
    identity = {entry: name for name, entry in called.items()}
    return [{**row, "condition": identity[row["condition"]]} for row in rows if row["condition"] in identity]


def hold(
    claim: Claim, numbers: PublishedNumbers, vocabulary: Vocabulary, measured: Mapping[QuantityName, Measurement]
) -> tuple[Held, ...]:
    """Return the numbers of a claim's first reading that name a quantity, each with its measurement if any."""
    held = []
    for key in claim.readings[0].ids:
        number = numbers.find(key, f"claim {claim.id!r}")
        found = vocabulary.name(number)
        if found is not None:
            name, sign = found
            held.append(Held(number, sign, measured.get(name)))
    return tuple(held)


def verdict(held: Sequence[Held]) -> Reproduced:
    """Tell whether a run reproduces a claim with these numbers.

    Examples:
        >>> str(verdict([]))
        'not measured'
    """
    found = {each.reproduced for each in held}
    if Reproduced.NO in found:
        return Reproduced.NO
    return Reproduced.YES if found == {Reproduced.YES} else Reproduced.UNKNOWN


def reproduced_rows(
    folder: Path, rows: Sequence[Mapping[str, str]], random_models: frozenset[str]
) -> Iterator[dict[str, str]]:
    """Yield the rows of `reproduced.csv`: one per claim, followed by one per measured number of it.

    The row of a claim has `reproduced`, the count of its `quantities`, how many of them were `measured`, and no number.

    Args:
        folder: with claims, published numbers and `quantities.yaml`.
        rows: of the run's ablation table.
        random_models: models with random weights.

    Raises:
        InputError: for a missing or faulty file.

    Examples:
        >>> rows = list(reproduced_rows(Path("docs/examples/invented_article"), [], frozenset()))
        >>> len(rows), rows[0]
        (53, {'claim': 'delta-alpha', 'reproduced': 'not measured', 'measured': '0', 'quantities': '3'})
    """
    numbers, vocabulary = load_published(folder), load_vocabulary(folder)
    if vocabulary is None:
        raise InputError(f"{folder} has no quantities.yaml, which names the quantities that a run measures. Add one.")
    measured = measurements(rows, vocabulary, random_models)
    for claim in load_claims(folder):
        held = hold(claim, numbers, vocabulary, measured)
        yield {
            "claim": claim.id,
            "reproduced": verdict(held).value,
            "measured": str(sum(each.measured is not None for each in held)),
            "quantities": str(len(held)),
        }
        yield from _number_rows(claim, held)


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Raises:
        InputError: for a missing or faulty file.
    """
    parser = run_parser("analysis.audit.reproduced", "Compare published numbers with the measurements of a run.")
    parser.add_argument("folder", type=Path, help="folder of the published numbers and claims")
    settings, run, given = read_run(parser, arguments)
    rows, random_models = _measured(run.table("ablation"), settings)
    write_csv(run.audit / "reproduced.csv", names_of(ReproducedRow), reproduced_rows(given.folder, rows, random_models))


def _measured(ablation: Path, run: Settings) -> tuple[list[dict[str, str]], frozenset[str]]:
    """Return the rows of a run's ablation table, by what conditions replace, and the models with random weights."""
    _, rows = read_text(ablation, (*NEEDED, *DELTA))
    drawn_from = {name: each.of for name, each in run.conditions.items() if each.of is not None}
    random_models = frozenset(name for name, model in run.models.items() if model.random)
    return by_what_is_replaced(with_draws_averaged(rows, drawn_from), run.conditions), random_models


if __name__ == "__main__":
    report_errors(main)
