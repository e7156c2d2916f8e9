"""What a declared row gives: its columns, a CSV file, the check on reading, and a glossary.

A row is a frozen dataclass that derives from `Row` and declares each field with `column`. Everything else about a
table follows from that declaration. This module imports no pandas, so that rules and the report can read it.
"""

from __future__ import annotations

import csv
import dataclasses
import inspect
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from config.errors import InputError
from config.files import write_csv

Cells = Mapping[str, str]
R = TypeVar("R", bound="Row")

# Digits that give a float back to the last bit: for what another computation reads.
EVERY_DIGIT = 17

_WORDS = {"true": True, "false": False}
_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false"}


class TableError(InputError):
    """A table that cannot be read; the message names the file, the column and the remedy."""


def column(meaning: str, *, unit: str = "", default: Any = dataclasses.MISSING) -> Any:
    """Declare a column: a dataclass field that knows what it means.

    Args:
        meaning: what the column holds, for the reader of the table.
        unit: of its numbers, such as ``fraction`` or ``nats``; empty for text and counts.
        default: the value of a row that states none.

    Returns:
        The field, with `meaning` and `unit` in its metadata.
    """
    return dataclasses.field(default=default, metadata={"meaning": meaning, "unit": unit})


@dataclass(frozen=True)
class Column:
    """A declared column.

    Attributes:
        name: as in the CSV file.
        kind: `str`, `int`, `float` or `bool`.
        optional: whether a cell may be empty.
        unit: of its numbers, or empty.
        meaning: what it holds.
    """

    name: str
    kind: type
    optional: bool
    unit: str
    meaning: str

    def parse(self, cell: str) -> Any:
        """Return the value of a cell.

        Raises:
            ValueError: the cell is empty where it may not be, or is not of the column's type.
        """
        if not cell and self.optional:
            return None
        # Not a number is written as an empty cell.
        if not cell and self.kind is float:
            return float("nan")
        if self.kind is bool:
            if cell not in _WORDS:
                raise ValueError(cell)
            return _WORDS[cell]
        return self.kind(cell)


@dataclass(frozen=True, kw_only=True)
class Row:
    """Base of every row: give fields by `column`, and bases for the columns that several tables share."""

    @classmethod
    def of(cls, *parts: Row, **own: Any) -> Self:
        """Build a row from parts that hold the columns of its bases, and from its own columns by name.

        Raises:
            TypeError: a column is missing, unknown, or given twice.

        Examples:
            >>> @dataclass(frozen=True, kw_only=True)
            ... class Interval(Row):
            ...     low: float = column("lower end")
            ...     high: float = column("upper end")
            >>> @dataclass(frozen=True, kw_only=True)
            ... class Estimate(Interval):
            ...     value: float = column("the estimate")
            >>> Estimate.of(Interval(low=0.1, high=0.3), value=0.2).high
            0.3
        """
        for part in parts:
            for field in dataclasses.fields(part):
                if field.name in own:
                    raise TypeError(f"{cls.__name__}: column {field.name!r} is given twice")
                own[field.name] = getattr(part, field.name)
        return cls(**own)

    def part(self, base: type[R]) -> R:
        """Return the columns of a base, which another row may share."""
        return base(**{name: getattr(self, name) for name in names_of(base)})


def columns_of(kind: type[Row]) -> tuple[Column, ...]:
    """Return the columns of a row: those of its first base, its own, then those of its other bases.

    So a table begins with what a row is about and ends with how its numbers came about.

    Examples:
        >>> @dataclass(frozen=True, kw_only=True)
        ... class Estimate(Row):
        ...     value: float = column("the estimate", unit="fraction")
        ...     p: float | None = column("of the test", default=None)
        >>> [(one.name, one.kind.__name__, one.optional, one.unit) for one in columns_of(Estimate)]
        [('value', 'float', False, 'fraction'), ('p', 'float', True, '')]
    """
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    return tuple(_column(fields[name], hints[name]) for name in _ordered(kind))


def names_of(kind: type[Row]) -> tuple[str, ...]:
    """Return the names of a row's columns, in the order of the file."""
    return tuple(one.name for one in columns_of(kind))


def _ordered(kind: type) -> dict[str, None]:
    if kind is Row or not dataclasses.is_dataclass(kind):
        return {}
    first, *others = kind.__bases__
    own = dict.fromkeys(inspect.get_annotations(kind))
    return _ordered(first) | own | {name: None for other in others for name in _ordered(other)}


def _column(field: dataclasses.Field[Any], hint: Any) -> Column:
    parts = set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {hint}
    (kind,) = parts - {types.NoneType}
    if kind not in _NAMES:
        raise TypeError(f"column {field.name!r}: no table holds values of type {kind}")
    return Column(field.name, kind, len(parts) > 1, field.metadata["unit"], field.metadata["meaning"])


def glossary(kind: type[Row]) -> dict[str, str]:
    """Return what every column of a table means: name → meaning, and its unit where it has one."""
    return {one.name: one.meaning + (f" ({one.unit})" if one.unit else "") for one in columns_of(kind)}


def write_rows(kind: type[R], rows: Iterable[R], path: Path, *, digits: int = 10) -> None:
    """Write rows as CSV, whole or not at all.

    Args:
        kind: of the rows; it decides which columns the file has, also where there is no row.
        rows: in the order of the file.
        path: the file.
        digits: significant digits of floats; `EVERY_DIGIT` where another computation reads them.
    """
    write_csv(path, names_of(kind), map(vars, rows), digits=digits)


def read_rows(kind: type[R], path: Path) -> list[R]:
    """Read a table back as typed rows.

    Raises:
        TableError: the file or a column is missing, or a cell is not of its column's type.
    """
    columns = columns_of(kind)
    return [
        kind(**{one.name: _parsed(path, line, one, cells[one.name]) for one in columns})
        for line, cells in enumerate(_read(kind, path), start=2)
    ]


def read_cells(kind: type[Row], path: Path) -> tuple[Cells, ...]:
    """Read a table as the text that the file holds, checked against its declaration; further columns are kept.

    Raises:
        TableError: as `read_rows`.
    """
    found, columns = _read(kind, path), columns_of(kind)
    for line, cells in enumerate(found, start=2):
        for one in columns:
            _parsed(path, line, one, cells[one.name])
    return found


def _read(kind: type[Row], path: Path) -> tuple[Cells, ...]:
    _, rows = read_text(path, names_of(kind))
    return rows


def read_text(path: Path, needed: Sequence[str]) -> tuple[tuple[str, ...], tuple[Cells, ...]]:
    """Read a CSV file as text: its columns, and its rows.

    Raises:
        TableError: the file or a needed column is missing.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream, restval="")
            rows = tuple(reader)
            columns = tuple(reader.fieldnames or ())
    except FileNotFoundError as error:
        raise TableError(f"{path} is missing. Run the workflow up to it: `snakemake {path}`.") from error
    missing = [name for name in needed if name not in columns]
    if missing:
        raise TableError(
            f"{path}: missing column {', '.join(missing)}; found {', '.join(columns) or 'none'}. "
            "Was it written by an older version? Delete it and run the workflow again."
        )
    return columns, rows


def _parsed(path: Path, line: int, of: Column, cell: str) -> Any:
    try:
        return of.parse(cell)
    except ValueError as error:
        raise TableError(
            f"{path}, line {line}: column {of.name!r}: {cell!r} is not a {_NAMES[of.kind]}. "
            "Was the file edited? Delete it and run the workflow again."
        ) from error
