"""Declared tables as data frames, typed by their declaration."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.rows.schema import R, Row, columns_of, read_rows

# Optional whole numbers stay whole; optional numbers are NaN where they are empty.
_TYPES = {str: "object", bool: "bool", int: "int64", float: "float64"}


def frame_of(kind: type[R], rows: Iterable[R]) -> pd.DataFrame:
    """Return rows as a data frame: one column per declared column, typed by it, also where there is no row."""
    found = list(rows)
    columns: dict[str, Any] = {}
    for one in columns_of(kind):
        dtype = "Int64" if one.kind is int and one.optional else _TYPES[one.kind]
        columns[one.name] = pd.Series([getattr(row, one.name) for row in found], dtype=dtype)
    return pd.DataFrame(columns)


def read_frame(kind: type[Row], path: Path) -> pd.DataFrame:
    """Read a table as a data frame, typed by its declaration.

    Raises:
        TableError: as `analysis.rows.schema.read_rows`.
    """
    return frame_of(kind, read_rows(kind, path))
