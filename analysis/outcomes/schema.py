"""The schema of outcome files: what a table of per-unit outcomes must hold, and what to do where it does not.

docs/outcomes.md explains it to people who bring outcomes of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from config.errors import InputError

NAMES = ("dataset", "task", "model", "family", "scale", "condition", "readout", "unit", "category")
COUNTS = ("numerator", "denominator")
REFERENCE = "full"
READOUTS = ("matched", "frozen", "direct")
# What a task is reported from where its files name no features, or several.
PRIMARY_FEATURES = {
    "classification": "cls",
    "retrieval": "cls",
    "correspondence": "patches",
    "cycle_consistency": "patches",
    "pck_per_image": "patches",
    "segmentation": "patches",
}
# Files without a column `layer` hold the last layer.
LAST_LAYER = -1
# What one row is about: all of it together is unique.
ROW = ("dataset", "task", "model", "readout", "features", "layer", "refit", "condition", "unit", "category")


class OutcomeError(InputError):
    """An outcome file that breaks the schema; the message says where and what to do."""


# A check is (name, error); the error is "what is wrong|what to do", which `_complaint` puts into a sentence.
def _finite(counts: pd.Series) -> pd.Series:
    return pd.Series(np.isfinite(counts.to_numpy(dtype=np.float64, na_value=np.nan)), index=counts.index)


_COUNT_CHECKS = [
    pa.Check(_finite, name="finite", error="not a finite number|Leave out units without outcome.", ignore_na=False),
    pa.Check.ge(0, name="not negative", error="below 0|Counts are sums of things that were counted."),
]

SCHEMA = pa.DataFrameSchema(
    columns={
        **{name: pa.Column(nullable=False) for name in NAMES},
        "readout": pa.Column(
            checks=pa.Check.isin(READOUTS, error=f"unknown readout|Allowed: {', '.join(READOUTS)}. Is there a typo?")
        ),
        "features": pa.Column(),
        "layer": pa.Column(int),
        "refit": pa.Column(int, checks=pa.Check.ge(0, error="below 0|Refits are counted from 0, the reported probe.")),
        "cluster": pa.Column(),
        "numerator": pa.Column(checks=_COUNT_CHECKS, nullable=True),
        "denominator": pa.Column(checks=_COUNT_CHECKS, nullable=True),
    },
    checks=pa.Check(
        lambda frame: frame["numerator"] <= frame["denominator"],
        name="part of the whole",
        error="above the denominator|A numerator counts a part of its denominator: were the two exchanged?",
    ),
)


def checked(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The rows of an outcome file, every optional column filled in, or an error that names file, rows and remedy.

    Args:
        frame: as read; the order of rows has no influence on anything.
        path: of the file, for messages.

    Raises:
        OutcomeError: a missing column, no rows, a name that is missing or no text, an unknown readout, a count
            that is no number, not finite, negative or above its denominator, a repeated row, a model of two
            families or scales, or a unit in two clusters.
    """
    frame = frame.reset_index(drop=True)
    missing = [name for name in (*NAMES, *COUNTS) if name not in frame.columns]
    if missing:
        raise OutcomeError(
            f"{path}: missing column {listed(missing)}; the file has {listed(frame.columns)}. "
            "docs/outcomes.md lists the columns of an outcome file."
        )
    if frame.empty:
        raise OutcomeError(f"{path}: no rows. Delete the file and evaluate again.")
    frame = _completed(frame)
    for name in (*NAMES, "features", "cluster"):
        _require_text(frame, name, path)
    for name in (*COUNTS, "layer", "refit"):
        _require_numbers(frame, name, path)
    try:
        SCHEMA.validate(frame, lazy=True)
    except SchemaErrors as errors:
        raise OutcomeError(f"{path}: {_complaint(frame, errors)}") from None
    _require_unique_rows(frame, path)
    _require_one(frame, "model", "family", "A model is one family at one scale.", path)
    _require_one(frame, "model", "scale", "A model is one family at one scale.", path)
    _require_one(frame, "unit", "cluster", "A unit is exchanged with one cluster.", path, within=["dataset", "task"])
    return frame


def _completed(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    known = frame["task"].map(PRIMARY_FEATURES).fillna("")
    for name, default in (("features", known), ("layer", LAST_LAYER), ("refit", 0), ("cluster", frame["unit"])):
        if name not in frame.columns:
            frame[name] = default
    return frame


def _require_text(frame: pd.DataFrame, name: str, path: Path) -> None:
    empty = frame[name].isna()
    if empty.any():
        remedy = 'Write "" where a task has no categories.' if name == "category" else "Every row needs one."
        raise OutcomeError(f"{path}: column '{name}': no value in {rows(empty)}. {remedy}")
    if isinstance(frame[name].dtype, pd.StringDtype):
        return
    text = frame[name].map(lambda value: isinstance(value, str)).astype(bool)
    if not text.all():
        first = frame[name][~text].iloc[0]
        raise OutcomeError(
            f"{path}: column '{name}': {rows(~text)} hold {type(first).__name__}, for example "
            f"{first!r}. Names are strings: convert the column with astype(str)."
        )


def _require_numbers(frame: pd.DataFrame, name: str, path: Path) -> None:
    dtype = frame[name].dtype
    whole = name not in COUNTS
    fits = pd.api.types.is_integer_dtype(dtype) if whole else pd.api.types.is_numeric_dtype(dtype)
    if not fits or pd.api.types.is_complex_dtype(dtype):
        kind, wanted = ("a whole number", "int64") if whole else ("number", "float64")
        raise OutcomeError(
            f"{path}: column '{name}': type {dtype} is no {kind.removeprefix('a ')}. "
            f"Convert the column with astype('{wanted}')."
        )


def _complaint(frame: pd.DataFrame, errors: SchemaErrors) -> str:
    """The first broken check as a sentence: what is wrong in which rows, the first of them, and the remedy."""
    # A count that is wrong by itself comes before its relation to another.
    cases = errors.failure_cases.sort_values("schema_context", kind="stable")
    first = cases.iloc[0]
    broken = cases[(cases["check"] == first["check"]) & (cases["column"] == first["column"])]
    bad = pd.Series(frame.index.isin(broken["index"].dropna().astype(int)))
    what, _, remedy = str(first["check"]).partition("|")
    column = first["column"] if first["schema_context"] == "Column" else "numerator"
    row = frame[bad].iloc[0]
    held = f" '{row[column]}'" if column not in COUNTS else ""
    return (
        f"column '{column}': {what}{held} in {rows(bad)}; the first is unit '{row['unit']}', condition "
        f"'{row['condition']}', category '{row['category']}', with {row['numerator']} / {row['denominator']}. {remedy}"
    )


def _require_unique_rows(frame: pd.DataFrame, path: Path) -> None:
    duplicate = frame.duplicated(list(ROW), keep=False)
    if duplicate.any():
        first = frame[duplicate].iloc[0]
        raise OutcomeError(
            f"{path}: column 'unit': {rows(duplicate)} repeat a unit, for example "
            f"'{first['unit']}' (dataset '{first['dataset']}', condition '{first['condition']}', "
            f"readout '{first['readout']}', category '{first['category']}'). A unit has one row "
            "per condition, readout and category: were two shards written twice?"
        )


def _require_one(frame: pd.DataFrame, of: str, name: str, remedy: str, path: Path, within: Sequence[str] = ()) -> None:
    """Every value of the column `of` goes with one value of the column `name`."""
    pairs = frame[[*within, of, name]].drop_duplicates()
    repeated = pairs[pairs.duplicated([*within, of], keep=False)]
    if not repeated.empty:
        value = repeated[of].iloc[0]
        found = sorted(repeated.loc[repeated[of] == value, name].unique())
        bad = frame[of] == value
        raise OutcomeError(
            f"{path}: column '{name}': {of} '{value}' has more than one {name}, {listed(found)}, in "
            f"{rows(bad)}. {remedy}"
        )


def rows(bad: pd.Series, shown: int = 5) -> str:
    """Which rows are marked, in words."""
    index = np.flatnonzero(bad.to_numpy())
    numbers = ", ".join(str(row) for row in index[:shown])
    more = f", … ({len(index)} in all)" if len(index) > shown else ""
    return f"row{'s' if len(index) > 1 else ''} {numbers}{more}, counted from 0"


def listed(names: Sequence[str] | np.ndarray | pd.Index, shown: int = 15) -> str:
    """Names in quotes, not too many of them."""
    quoted = [f"'{name}'" for name in names]
    return ", ".join(quoted[:shown]) + (", …" if len(quoted) > shown else "")
