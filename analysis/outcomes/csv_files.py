"""Outcome files as CSV: commas, semicolons or tabs between the columns, compressed or not."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pandas as pd

from analysis.outcomes.schema import COUNTS, NAMES, OutcomeError, rows

SUFFIXES = (".csv", ".csv.gz")
_SEPARATORS = (",", ";", "\t")
_DECIMAL_COMMA = r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*"


def is_csv(path: Path) -> bool:
    """Tell whether a file is CSV, by its name."""
    return path.name.lower().endswith(SUFFIXES)


def read_csv(path: Path) -> pd.DataFrame:
    """Read an outcome file, whichever separator its first line has; a name like 007 keeps its zeros.

    Raises:
        OutcomeError: a file that is unreadable or not in UTF-8, or counts with decimal commas.
    """
    # A unit named 007 stays 007, and an empty category is a category.
    text = dict.fromkeys((*NAMES, "features", "cluster"), str)
    empty = {name: [""] for name in COUNTS}
    try:
        # The encoding drops the mark with which spreadsheets begin a file.
        frame = pd.read_csv(
            path,
            sep=_separator(path),
            dtype=text,
            na_values=empty,
            keep_default_na=False,
            encoding="utf-8-sig",
            compression="gzip" if path.suffix.lower() == ".gz" else None,
        )
    except UnicodeDecodeError as error:
        raise OutcomeError(f"{path}: cannot be read as csv ({error}). Save it in UTF-8.") from error
    except (OSError, EOFError, zlib.error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise OutcomeError(f"{path}: cannot be read as csv ({error}). Write the file again.") from error
    for name in COUNTS:
        _require_decimal_points(frame, name, path)
    return frame


def _separator(path: Path) -> str:
    """Return what is between the columns of the first line: whatever of the three it has most of."""
    with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as file:
        first = file.readline().decode("utf-8-sig")
    return max(_SEPARATORS, key=first.count)


def _require_decimal_points(frame: pd.DataFrame, name: str, path: Path) -> None:
    if name not in frame.columns or pd.api.types.is_numeric_dtype(frame[name].dtype):
        return
    values = frame[name].astype(str)
    commas = values.str.fullmatch(_DECIMAL_COMMA)
    if commas.any():
        raise OutcomeError(
            f"{path}: column '{name}': {values[commas].iloc[0]!r} in {rows(commas)} has a decimal comma. Write points: "
            "pandas.read_csv(..., sep=';', decimal=',') reads such a file, and to_csv() writes it with points."
        )
