"""Schema of outcome files: the columns of per-unit outcomes, and what is checked of them.

docs/outcomes.md explains it to people who bring outcomes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from config.errors import InputError
from config.names import fault_of, remedy_for
from config.ranges import FRACTIONS, Range, range_of
from config.vocabulary.tasks import READOUTS, TASKS, task_of

NAMES = ("dataset", "task", "model", "family", "scale", "condition", "readout", "unit", "category")
# Those that are written into paths and settings, and so are never paths themselves.
PLAIN = ("dataset", "task", "model", "family", "scale", "condition", "readout", "features")
COUNTS = ("numerator", "denominator")
# Files without a column `layer` hold the last layer.
LAST_LAYER = -1
# What one row is about: all of it together is unique.
ROW = ("dataset", "task", "model", "readout", "features", "layer", "refit", "condition", "unit", "category")


_READOUT_REMEDY = f"Allowed: {', '.join(READOUTS)}. Is there a typo?"
_COUNT_REMEDY = "Counts are sums of things that were counted."
_PART_REMEDY = "A numerator counts a part of its denominator: were the two swapped?"


class OutcomeError(InputError):
    """Raised for an outcome file that violates the schema; the message names the file, the rows and the remedy."""


def checked(frame: pd.DataFrame, path: Path, ranges: Mapping[str, Range] | None = None) -> pd.DataFrame:
    """Return the rows of an outcome file with every optional column filled in.

    Args:
        frame: as read; the order of rows has no influence on anything.
        path: of the file, for messages.
        ranges: task → between which values its scores lie; fractions where it is not named.

    Raises:
        OutcomeError: a missing column, no rows, a name that is missing, no text or a path, an unknown readout, a count
            that is no number or not finite, a negative count, a score outside the range of its task, a repeated row, a
            model of two families or scales, or a unit in two clusters.
            The message names the file, the rows and the remedy.
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
    for name in PLAIN:
        require_names(frame[name], path, empty=name == "features")
    for name in (*COUNTS, "layer", "refit"):
        _require_numbers(frame, name, path)
    _require_values(frame, path, ranges or {})
    _require_unique_rows(frame, path)
    _require_one(frame, "model", "family", "A model is one family at one scale.", path)
    _require_one(frame, "model", "scale", "A model is one family at one scale.", path)
    _require_one(frame, "unit", "cluster", "A unit belongs to one cluster.", path, within=["dataset", "task"])
    return frame


def _completed(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    known = frame["task"].map({task: task_of(task).features for task in frame["task"].unique()})
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


def require_names(column: pd.Series, path: Path, *, empty: bool = False) -> None:
    """Raise where a column of text holds something else than names (`config.names.fault_of`).

    Args:
        column: named as in the file.
        path: of the file, for the message.
        empty: whether a name may be empty.
    """
    for value in column.unique():
        fault = "" if empty and not value else fault_of(value)
        if fault:
            raise OutcomeError(
                f"{path}: column '{column.name}': {value!r} in {rows(column == value)} {fault}. {remedy_for(value)}"
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


def _require_values(frame: pd.DataFrame, path: Path, ranges: Mapping[str, Range]) -> None:
    """Raise for the first broken check; a count that is wrong by itself comes before its relation to another."""
    counts = {name: frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in COUNTS}
    numerator, denominator = counts.values()
    limits = {task: range_of(task, ranges) for task in frame["task"].unique()}
    fraction = frame["task"].map({task: of == FRACTIONS for task, of in limits.items()}).to_numpy(dtype=bool)
    outside = _outside(frame["task"], limits, numerator, denominator) & ~fraction
    finite = "Leave out units without outcome."
    checks = (
        ("readout", ~frame["readout"].isin(list(READOUTS)).to_numpy(), "unknown readout", _READOUT_REMEDY),
        ("refit", (frame["refit"] < 0).to_numpy(), "below 0", "Refits are counted from 0, the reported probe."),
        ("numerator", ~np.isfinite(numerator), "not a finite number", finite),
        ("numerator", (numerator < 0) & fraction, "below 0", _COUNT_REMEDY),
        ("denominator", ~np.isfinite(denominator), "not a finite number", finite),
        ("denominator", denominator < 0, "below 0", _COUNT_REMEDY),
        ("numerator", (numerator > denominator) & fraction, "above the denominator", _PART_REMEDY),
        ("numerator", outside, "outside the range of its task", ""),
    )
    for column, bad, what, remedy in checks:
        if bad.any():
            row = frame[bad].iloc[0]
            held = f" '{row[column]}'" if column not in COUNTS else ""
            hint = _range_hint(row["task"], ranges) if column == "numerator" and remedy != finite else ""
            raise OutcomeError(
                f"{path}: column '{column}': {what}{held} in {rows(bad)}; the first is unit '{row['unit']}', condition "
                f"'{row['condition']}', category '{row['category']}', with {row['numerator']} / {row['denominator']}. "
                f"{remedy}{hint}"
            )


def _outside(
    tasks: pd.Series, limits: Mapping[str, Range], numerator: np.ndarray, denominator: np.ndarray
) -> np.ndarray:
    """Mark the rows whose numerator no score of the task's range leads to, but for rounding."""
    low, high = (
        tasks.map({task: getattr(of, end) for task, of in limits.items()}).to_numpy(dtype=np.float64)
        for end in ("low", "high")
    )
    with np.errstate(invalid="ignore"):  # no denominator times no bound: no limit
        least, most = low * denominator, high * denominator
    rounding = 1e-9 * (1 + np.abs(numerator))
    found: np.ndarray = (numerator < least - rounding) | (numerator > most + rounding)
    return found


def _range_hint(task: str, ranges: Mapping[str, Range]) -> str:
    """Return how the settings declare that scores of a task lie between other values than 0 and 1."""
    if task in TASKS:
        return ""
    if task in ranges:
        return f"The settings say analysis.ranges.{task}: {ranges[task]}, per unit of the denominator: correct either."
    return (
        f" Where scores of '{task}' do not lie between 0 and 1, say so in the settings: analysis.ranges.{task}: "
        "[lowest, highest], per unit of the denominator, or unbounded (docs/outcomes.md)."
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
    """Require that each value of the column `of` occurs with a single value of the column `name`."""
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


def rows(bad: pd.Series | np.ndarray, shown: int = 5) -> str:
    """Return in words which rows are marked."""
    index = np.flatnonzero(bad)
    numbers = ", ".join(str(row) for row in index[:shown])
    more = f", … ({len(index)} in all)" if len(index) > shown else ""
    return f"row{'s' if len(index) > 1 else ''} {numbers}{more}, counted from 0"


def listed(names: Sequence[str] | np.ndarray | pd.Index, shown: int = 15) -> str:
    """Return names in quotes, at most `shown` of them."""
    quoted = [f"'{name}'" for name in names]
    return ", ".join(quoted[:shown]) + (", …" if len(quoted) > shown else "")
