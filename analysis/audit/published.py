"""Published numbers, each with a stable identifier.

A folder contains at least one of `tables.csv`, `figures.csv` and `interactive.csv`. Rows of `tables.csv` have a column
with their identifier; rows of the other two get one that joins the columns that distinguish them:

- `fig/figure/panel/model/scale/series/x`
- `json/file/model/layer/token/condition/task/metric`

An empty column leaves an empty place, so that the position of a field never changes; `;` becomes `,` because it
separates identifiers in `claims.csv`.

What belongs to a number is found under its identifier and a suffix: `#low` and `#high`, the ends of its error bar or
interval, and `#n`, the number of images or pairs behind it. What earlier versions printed is `versions:ID@VERSION`, and
`versions:ID` is what the last of them did; `methods:ID` stands for a description, whose number is how often it changed
(`analysis.audit.histories`). None of these counts as a published number of its own.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from analysis.audit.histories import FILES as HISTORIES
from analysis.audit.histories import NUMBERS, History, Revision, load_histories
from analysis.audit.numbers import Quantity, parse_digitised, parse_printed, parse_stored
from config.errors import InputError, did_you_mean

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

METRIC_UNITS = {"cosine_similarity": "cosine", "patch_size": "pixels"}
# What belongs to a number: a suffix of its identifier, and the columns that have it.
ENDS: Mapping[str, tuple[str, ...]] = {"low": ("err_low", "ci_low"), "high": ("err_high", "ci_high")}
UNITS_COUNTED = {"n_val": "images", "n_pairs": "pairs"}

Row = Mapping[str, str]
_POSITION = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class Published:
    """A published number.

    Attributes:
        id: its identifier.
        quantity: value, digits and bounds.
        unit: as published: %, pp, fraction, count, …
        source: the document that it comes from.
        position: its place along a series (a layer, a numeric x), if any.
        row: the line that it was read from, by column.
        history: what the versions of the article printed, for `versions:ID` and `methods:ID`.
    """

    id: str
    quantity: Quantity
    unit: str
    source: str
    position: Decimal | None = None
    row: Row = field(default_factory=dict)
    history: History | None = None

    @property
    def is_attached(self) -> bool:
        """Whether it belongs to another number, or to an earlier version: no published number of its own."""
        return "#" in self.id or self.id.partition(":")[0] in HISTORIES

    def percent(self) -> Published:
        """Return a fraction as percent, and any other number unchanged."""
        if self.unit != "fraction":
            return self
        return replace(self, quantity=self.quantity.percent(), unit="%")


class PublishedNumbers(Mapping[str, Published]):
    """All numbers of a folder by identifier, with those that were changed for a sensitivity check.

    Args:
        folder: of the files, for error messages.
        numbers: as published.
        changed: replacements for some of them.
        attached: what belongs to a number (the ends of its interval), and what earlier versions printed. They are
            found by identifier like any other, but neither counted nor listed.
    """

    def __init__(
        self,
        folder: Path,
        numbers: Mapping[str, Published],
        changed: Mapping[str, Published] | None = None,
        attached: Mapping[str, Published] | None = None,
    ) -> None:
        self.folder = folder
        self.attached = attached or {}
        self._numbers = numbers
        self._changed = changed or {}

    def __getitem__(self, key: str) -> Published:
        if key in self._changed:
            return self._changed[key]
        return self.attached[key] if key in self.attached else self._numbers[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def find(self, key: str, asked_by: str) -> Published:
        """Return the number `key`.

        Raises:
            InputError: if it is unknown, naming `asked_by`, the file and the nearest identifier.
        """
        if key in self._numbers or key in self.attached:
            return self[key]
        file = file_of(key)
        if not (self.folder / file).exists():
            raise InputError(
                f"{asked_by}: number {key!r} belongs to {self.folder / file}, which is missing. Add that file, or use "
                "numbers of the files that are there."
            )
        same_file = [known for known in (*self._numbers, *self.attached) if file_of(known) == file]
        raise InputError(
            f"{asked_by}: number {key!r} is not in {self.folder / file}{did_you_mean(key, same_file)}; allowed: the "
            f"identifiers of its {len(same_file):,} rows"
        )

    def changed(self, key: str, quantity: Quantity) -> PublishedNumbers:
        """Return the numbers with another value for one of them; the others are shared, not copied.

        Examples:
            >>> numbers = load_published(Path("docs/examples/invented_article"))
            >>> numbers.changed("n04", parse_printed("70.0"))["n04"].quantity.text, numbers["n04"].quantity.text
            ('70.0', '72.5')
        """
        changed = {**self._changed, key: replace(self[key], quantity=quantity)}
        return PublishedNumbers(self.folder, self._numbers, changed, self.attached)


def file_of(key: str) -> str:
    """Return the name of the file that has the row of a number.

    Examples:
        >>> file_of("t001"), file_of("fig/depth/a/Alpha//accuracy/1")
        ('tables.csv', 'figures.csv')
    """
    prefix = key.partition(":")[0]
    if prefix in HISTORIES:
        return HISTORIES[prefix][0]
    return {"fig": "figures.csv", "json": "interactive.csv"}.get(key.partition("/")[0], "tables.csv")


def _identifier(prefix: str, row: Row, key: tuple[str, ...]) -> str:
    return "/".join([prefix, *(row[column] for column in key)]).replace(";", ",")


def _from_tables(row: Row) -> Published:
    quantity = parse_printed(row["value"], row["qualifier"], row["unit"])
    return Published(row["id"], quantity, row["unit"], "article text", _position(row.get("position", "")), row)


def _from_figures(row: Row) -> Published:
    if "printed value" in row["method"]:
        quantity = parse_printed(row["y"], unit=row["unit"])
    else:
        quantity = parse_digitised(row["y"], row["precision"])
    identifier = _identifier("fig", row, FIGURE_KEY)
    return Published(identifier, quantity, row["unit"], f"figure {row['figure']}", _position(row["x"]), row)


def _from_interactive(row: Row) -> Published:
    unit = "fraction" if row["metric"] in FRACTION_METRICS else METRIC_UNITS.get(row["metric"], "count")
    return Published(
        _identifier("json", row, INTERACTIVE_KEY),
        parse_stored(row["value"], counted=bool(row.get("n_val") or row.get("n_pairs"))),
        unit,
        f"data {row['file']}",
        _position(row["layer"]),
        row,
    )


def _attached(number: Published) -> Iterator[Published]:
    """Yield the ends of a number's interval, and how many images or pairs are behind it, where its row has them."""
    row = number.row
    for suffix, columns in ENDS.items():
        for column in columns:
            if row.get(column):
                if number.id.startswith("fig/"):
                    printed = "printed value" in row["method"]
                    end = parse_printed(row[column]) if printed else parse_digitised(row[column], row["precision"])
                else:
                    end = parse_stored(row[column], counted=bool(row.get("n_val") or row.get("n_pairs")))
                yield replace(number, id=f"{number.id}#{suffix}", quantity=end)
    for column, unit in UNITS_COUNTED.items():
        if row.get(column):
            yield replace(number, id=f"{number.id}#n", quantity=parse_stored(row[column]), unit=unit)


def _from_history(history: History) -> Iterator[Published]:
    last = _revision(history, history.last)
    yield replace(last, id=history.id, history=history)
    if history.id.startswith(f"{NUMBERS}:"):
        printed = (revision for revision in history.revisions if revision.text)
        yield from (replace(_revision(history, each), id=f"{history.id}@{each.short}") for each in printed)


def _revision(history: History, revision: Revision) -> Published:
    source = f"version {revision.version}"
    if history.id.startswith(f"{NUMBERS}:"):
        try:
            qualifier, unit = revision.row.get("qualifier", ""), revision.row.get("unit", "")
            return Published(history.id, parse_printed(revision.text, qualifier, unit), unit, source, row=revision.row)
        except InputError:
            pass  # the name of a file, or a list: no number, but it has a history
    changes = parse_printed(str(len(history.changes)), unit="count")
    return Published(history.id, changes, "count", source, row=revision.row)


def _position(text: str) -> Decimal | None:
    return Decimal(text) if _POSITION.fullmatch(text) else None


_FILES: Mapping[str, tuple[tuple[str, ...], Callable[[Row], Published]]] = {
    "tables.csv": (("id", "value", "unit", "qualifier"), _from_tables),
    "figures.csv": ((*FIGURE_KEY, "y", "unit", "method", "precision"), _from_figures),
    "interactive.csv": ((*INTERACTIVE_KEY, "value"), _from_interactive),
}


def load_published(folder: Path) -> PublishedNumbers:
    """Read all published numbers of a folder.

    Args:
        folder: with at least one of `tables.csv`, `figures.csv` and `interactive.csv`.

    Raises:
        InputError: if none of the files is there, a column is missing, a value is not a number, or two rows have the
            same identifier.

    Examples:
        >>> numbers = load_published(Path("docs/examples/invented_article"))
        >>> numbers["n04"].quantity.text, numbers["n04"].unit, numbers["n04"].source
        ('72.5', '%', 'article text')
        >>> numbers["n04"].quantity.bounds
        Bounds(low=Decimal('72.45'), high=Decimal('72.55'))
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder. Give the folder with the published numbers and claims.")
    present = [name for name in _FILES if (folder / name).exists()]
    if not present:
        raise InputError(f"{folder} has no published numbers: expected at least one of {', '.join(_FILES)}.")
    numbers: dict[str, Published] = {}
    for name in present:
        columns, read = _FILES[name]
        for line, row in _rows(folder / name, columns):
            try:
                number = read(row)
            except InputError as error:
                raise InputError(f"{folder / name}, line {line}: {error}") from error
            if number.id in numbers:
                raise InputError(
                    f"{folder / name}, line {line}: identifier {number.id!r} is taken. Make the two "
                    "rows differ in the columns that identify them."
                )
            numbers[number.id] = number
    attached = {each.id: each for number in numbers.values() for each in _attached(number)}
    for history in load_histories(folder).values():
        attached.update((each.id, each) for each in _from_history(history))
    return PublishedNumbers(folder, numbers, attached=attached)


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        header = list(reader.fieldnames or [])
        for column in columns:
            if column not in header:
                raise InputError(
                    f"{path}: column {column!r} is missing{did_you_mean(column, header)}; found: {', '.join(header)}"
                )
        for row in reader:
            if None in row or None in row.values():
                raise InputError(
                    f"{path}, line {reader.line_num}: the row does not have the {len(header)} "
                    "cells of the header. Is a comma unquoted?"
                )
            yield reader.line_num, row
