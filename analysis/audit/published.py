"""Published numbers, each with a stable identifier.

A folder holds at least one of `tables.csv`, `figures.csv` and `interactive.csv`. Rows of
`tables.csv` carry their identifier; those of the other two get one made of the columns that tell
them apart:

- `fig/figure/panel/model/scale/series/x`
- `json/file/model/layer/token/condition/task/metric`

An empty column leaves an empty place, so that the position of a field never changes; `;` becomes
`,` because it separates identifiers in `claims.csv`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from analysis.audit.errors import AuditInputError, did_you_mean
from analysis.audit.numbers import Quantity, parse_digitised, parse_printed, parse_stored

FIGURE_KEY = ("figure", "panel", "model", "scale", "series", "x")
INTERACTIVE_KEY = ("file", "model", "layer", "token", "condition", "task", "metric")
FRACTION_METRICS = frozenset(
    {
        "top1_accuracy",
        "recall_at_1",
        "accuracy",
        "miou",
        "gt_accuracy",
        "cycle_consistency",
        "attention_mass_mean",
        "attention_mass_std",
    }
)

Row = Mapping[str, str]
_POSITION = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class Published:
    """One published number: identifier, value, unit, and the document it stands in.

    `position` is its place along a series (a layer, a numeric x), if it has one; `row` is the line that
    it was read from, by column.
    """

    id: str
    quantity: Quantity
    unit: str
    source: str
    position: Decimal | None = None
    row: Row = field(default_factory=dict)

    def percent(self) -> Published:
        """A fraction as percent; any other number unchanged."""
        if self.unit != "fraction":
            return self
        return replace(self, quantity=self.quantity.percent(), unit="%")


class PublishedNumbers(Mapping[str, Published]):
    """All numbers of a folder by identifier."""

    def __init__(self, folder: Path, numbers: Mapping[str, Published]) -> None:
        self.folder = folder
        self._numbers = dict(numbers)

    def __getitem__(self, key: str) -> Published:
        return self._numbers[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def find(self, key: str, asked_by: str) -> Published:
        """The number `key`; if unknown, an AuditInputError with `asked_by` and close matches."""
        if key in self._numbers:
            return self._numbers[key]
        file = _file_of(key)
        if not (self.folder / file).exists():
            raise AuditInputError(
                f"{asked_by}: number {key!r} would stand in {self.folder / file}, which is "
                "missing. Add that file, or rest the claim on numbers of the files that are there."
            )
        same_file = [known for known in self._numbers if _file_of(known) == file]
        raise AuditInputError(
            f"{asked_by}: number {key!r} is not in {self.folder / file}. " + did_you_mean(key, same_file)
        )

    def changed(self, key: str, quantity: Quantity) -> PublishedNumbers:
        """A copy in which one number has another value (for sensitivity checks)."""
        return PublishedNumbers(self.folder, {**self._numbers, key: replace(self._numbers[key], quantity=quantity)})


def _file_of(key: str) -> str:
    return {"fig": "figures.csv", "json": "interactive.csv"}.get(key.partition("/")[0], "tables.csv")


def _identifier(prefix: str, row: Row, key: tuple[str, ...]) -> str:
    return "/".join([prefix, *(row[column] for column in key)]).replace(";", ",")


def _from_tables(row: Row) -> Published:
    quantity = parse_printed(row["value"], row["qualifier"])
    return Published(row["id"], quantity, row["unit"], "article text", row=row)


def _from_figures(row: Row) -> Published:
    if "printed value" in row["method"]:
        quantity = parse_printed(row["y"])
    else:
        quantity = parse_digitised(row["y"], row["precision"])
    identifier = _identifier("fig", row, FIGURE_KEY)
    return Published(identifier, quantity, row["unit"], f"figure {row['figure']}", _position(row["x"]), row)


def _from_interactive(row: Row) -> Published:
    if row["metric"] in FRACTION_METRICS:
        unit = "fraction"
    else:
        unit = "cosine" if row["metric"] == "cosine_similarity" else "count"
    return Published(
        _identifier("json", row, INTERACTIVE_KEY),
        parse_stored(row["value"], counted=bool(row.get("n_val") or row.get("n_pairs"))),
        unit,
        f"data {row['file']}",
        _position(row["layer"]),
        row,
    )


def _position(text: str) -> Decimal | None:
    return Decimal(text) if _POSITION.fullmatch(text) else None


_FILES: Mapping[str, tuple[tuple[str, ...], Callable[[Row], Published]]] = {
    "tables.csv": (("id", "value", "unit", "qualifier"), _from_tables),
    "figures.csv": ((*FIGURE_KEY, "y", "unit", "method", "precision"), _from_figures),
    "interactive.csv": ((*INTERACTIVE_KEY, "value"), _from_interactive),
}


def load_published(folder: Path) -> PublishedNumbers:
    """All published numbers of `folder`.

    Raises AuditInputError if the folder holds none of the files, if a column is missing, if a value
    is no number, or if two rows have the same identifier.
    """
    if not folder.is_dir():
        raise AuditInputError(f"{folder} is not a folder. Give the folder with the published numbers and claims.")
    present = [name for name in _FILES if (folder / name).exists()]
    if not present:
        raise AuditInputError(f"{folder} holds no published numbers: expected at least one of {', '.join(_FILES)}.")
    numbers: dict[str, Published] = {}
    for name in present:
        columns, read = _FILES[name]
        for line, row in _rows(folder / name, columns):
            try:
                number = read(row)
            except AuditInputError as error:
                raise AuditInputError(f"{folder / name}, line {line}: {error}") from error
            if number.id in numbers:
                raise AuditInputError(
                    f"{folder / name}, line {line}: identifier {number.id!r} is taken. Tell the "
                    "two rows apart in the columns that identify them."
                )
            numbers[number.id] = number
    return PublishedNumbers(folder, numbers)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        header = list(reader.fieldnames or [])
        for column in columns:
            if column not in header:
                raise AuditInputError(f"{path}: column {column!r} is missing. " + did_you_mean(column, header))
        for row in reader:
            if None in row or None in row.values():
                raise AuditInputError(
                    f"{path}, line {reader.line_num}: the row does not have the {len(header)} "
                    "cells of the header. Is a comma unquoted?"
                )
            yield reader.line_num, row
