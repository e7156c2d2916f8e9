"""Read outcome files, check them, and lay them out densely for the statistics.

The schema is docs/design.md, Outcomes. A mistake in a file surfaces here, with the file, the
column, the rows and the remedy in the message, and nowhere later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.metric import Counts
from config.errors import InputError

NAMES = ("dataset", "task", "model", "family", "scale", "condition", "readout", "unit", "category")
COUNTS = ("numerator", "denominator")
REFERENCE = "full"
READOUTS = ("matched", "frozen", "direct")
# The features that a task is reported by, where the outcomes hold several.
PRIMARY = {
    "classification": "cls",
    "retrieval": "cls",
    **dict.fromkeys(("correspondence", "cycle_consistency", "pck_per_image", "segmentation"), "patches"),
}

_GROUP = ["dataset", "task", "model", "readout"]
_ROW = [*_GROUP, "condition", "unit", "category"]


class OutcomeError(InputError):
    """An outcome file that breaks the schema; the message says where and what to do."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """All outcomes of one dataset, task, model and readout.

    Attributes:
        units: identities, sorted; row i of every condition's counts is `units[i]`.
        categories: sorted; column j of every condition's counts is `categories[j]`.
        conditions: condition → counts (units × categories); always holds `full`. A category that
            a unit has no row for has numerator and denominator 0.
    """

    dataset: str
    task: str
    model: str
    family: str
    scale: str
    readout: str
    units: tuple[str, ...]
    categories: tuple[str, ...]
    conditions: Mapping[str, Counts]


def read_outcomes(path: Path) -> list[Outcomes]:
    """Every dataset × task × model × readout in one outcome file, in sorted order.

    The order of rows in the file has no influence on the result.

    Raises:
        OutcomeError: unreadable file, missing column, wrong type, missing name, unknown readout,
            a count that is NaN, infinite, negative or above its denominator, a duplicate row, a
            model with two families or scales, no `full` condition, a condition without anything
            to count, or a unit that is missing under one condition.
    """
    try:
        frame = pd.read_parquet(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise OutcomeError(
            f"{path}: cannot be read as parquet ({error}). Delete the file and evaluate again."
        ) from error
    frame = frame.reset_index(drop=True)
    _check_columns(frame, path)
    frame = _primary(frame)
    _check_counts(frame, path)
    _check_duplicates(frame, path)
    return [_dense(group, path) for _, group in frame.groupby(_GROUP, sort=True)]


def _check_columns(frame: pd.DataFrame, path: Path) -> None:
    missing = [name for name in (*NAMES, *COUNTS) if name not in frame.columns]
    if missing:
        raise OutcomeError(
            f"{path}: missing column {_listed(missing)}; the file has {_listed(frame.columns)}. "
            "docs/design.md, Outcomes, lists the columns of an outcome file."
        )
    if frame.empty:
        raise OutcomeError(f"{path}: no rows. Delete the file and evaluate again.")
    for name in NAMES:
        empty = frame[name].isna()
        if empty.any():
            remedy = 'Write "" where a task has no categories.' if name == "category" else "Every row needs one."
            raise OutcomeError(f"{path}: column '{name}': no value in {_rows(empty)}. {remedy}")
        text = frame[name].map(lambda value: isinstance(value, str)).astype(bool)
        if not text.all():
            first = frame[name][~text].iloc[0]
            raise OutcomeError(
                f"{path}: column '{name}': {_rows(~text)} hold {type(first).__name__}, for example "
                f"{first!r}. Names are strings: convert the column with astype(str)."
            )
    unknown = ~frame["readout"].isin(READOUTS)
    if unknown.any():
        raise OutcomeError(
            f"{path}: column 'readout': {_listed(frame['readout'][unknown].unique())} in "
            f"{_rows(unknown)}. Allowed: {_listed(READOUTS)}. Is there a typo?"
        )
    for name in ("family", "scale"):
        values = frame.groupby("model")[name].unique()
        for model, found in values[values.map(len) > 1].items():
            raise OutcomeError(
                f"{path}: column '{name}': model '{model}' has more than one {name}, "
                f"{_listed(sorted(found))}. A model is one family at one scale."
            )


def _primary(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows that a task is reported by: its own features after the last layer, from the probe itself.

    Rows of other tokens, of earlier layers and of refitted probes lie beside them. A file without
    the columns that tell them apart holds none.
    """
    if not {"features", "layer", "refit"} <= set(frame.columns):
        return frame
    own = frame["task"].map(PRIMARY).fillna(frame["features"])
    last = frame.groupby(["dataset", "task", "model"])["layer"].transform("max")
    kept = (frame["features"] == own) & (frame["layer"] == last) & (frame["refit"] == 0)
    return frame[kept].reset_index(drop=True)


def _check_counts(frame: pd.DataFrame, path: Path) -> None:
    for name in COUNTS:
        if not pd.api.types.is_numeric_dtype(frame[name]) or pd.api.types.is_complex_dtype(frame[name]):
            raise OutcomeError(
                f"{path}: column '{name}': type {frame[name].dtype} is no number. Counts are "
                "float64; convert the column with astype('float64')."
            )
        bad = ~np.isfinite(frame[name].to_numpy(dtype=np.float64, na_value=np.nan))
        _refuse(frame, path, name, bad, "not a finite number", "Leave out units without outcome.")
        bad = frame[name].to_numpy(dtype=np.float64) < 0
        _refuse(frame, path, name, bad, "below 0", "Counts are sums of things that were counted.")
    numerator = frame["numerator"].to_numpy(dtype=np.float64)
    denominator = frame["denominator"].to_numpy(dtype=np.float64)
    _refuse(
        frame,
        path,
        "numerator",
        numerator > denominator,
        "above the denominator",
        "A numerator counts a part of its denominator: were the two exchanged?",
    )


def _refuse(frame: pd.DataFrame, path: Path, column: str, bad: np.ndarray, what: str, remedy: str) -> None:
    if not bad.any():
        return
    first = frame[bad].iloc[0]
    raise OutcomeError(
        f"{path}: column '{column}': {what} in {_rows(pd.Series(bad))}; the first is unit "
        f"'{first['unit']}', condition '{first['condition']}', category '{first['category']}', "
        f"with {first['numerator']} / {first['denominator']}. {remedy}"
    )


def _check_duplicates(frame: pd.DataFrame, path: Path) -> None:
    duplicate = frame.duplicated(_ROW, keep=False)
    if duplicate.any():
        first = frame[duplicate].iloc[0]
        raise OutcomeError(
            f"{path}: column 'unit': {_rows(duplicate)} repeat a unit, for example "
            f"'{first['unit']}' (dataset '{first['dataset']}', condition '{first['condition']}', "
            f"readout '{first['readout']}', category '{first['category']}'). A unit has one row "
            "per condition, readout and category: were two shards written twice?"
        )


def _dense(group: pd.DataFrame, path: Path) -> Outcomes:
    first = group.iloc[0]
    where = (
        f"dataset '{first['dataset']}', task '{first['task']}', model '{first['model']}', readout '{first['readout']}'"
    )
    conditions = sorted(group["condition"].unique())
    if REFERENCE not in conditions:
        raise OutcomeError(
            f"{path}: column 'condition': no '{REFERENCE}' for {where}; found "
            f"{_listed(conditions)}. Every delta is taken against '{REFERENCE}': evaluate it too."
        )
    # Sorted identities, and not the order of rows, decide which unit is which row.
    unit_codes, units = pd.factorize(group["unit"].astype(object), sort=True)
    category_codes, categories = pd.factorize(group["category"].astype(object), sort=True)
    counts = {}
    for condition in conditions:
        rows = (group["condition"] == condition).to_numpy()
        present = np.zeros(len(units), dtype=bool)
        present[unit_codes[rows]] = True
        if not present.all():
            absent = [str(unit) for unit in units[~present]]
            other = group.loc[group["unit"] == absent[0], "condition"].iloc[0]
            raise OutcomeError(
                f"{path}: column 'unit': {len(absent)} of {len(units)} units are missing under "
                f"condition '{condition}' ({_listed(absent)}) of {where}; '{absent[0]}' is present "
                f"under '{other}'. Evaluate every condition on the same units."
            )
        dense = np.zeros((2, len(units), len(categories)))
        for plane, name in zip(dense, COUNTS, strict=True):
            plane[unit_codes[rows], category_codes[rows]] = group.loc[rows, name]
        if not dense[1].any():
            raise OutcomeError(
                f"{path}: column 'denominator': 0 in every row of condition '{condition}' of "
                f"{where}. There is nothing to count: check the ground truth of the dataset."
            )
        counts[condition] = Counts(numerator=dense[0], denominator=dense[1])
    return Outcomes(
        dataset=first["dataset"],
        task=first["task"],
        model=first["model"],
        family=first["family"],
        scale=first["scale"],
        readout=first["readout"],
        units=tuple(units),
        categories=tuple(categories),
        conditions=MappingProxyType(counts),
    )


def _rows(bad: pd.Series, shown: int = 5) -> str:
    index = np.flatnonzero(bad.to_numpy())
    numbers = ", ".join(str(row) for row in index[:shown])
    more = f", … ({len(index)} in all)" if len(index) > shown else ""
    return f"row{'s' if len(index) > 1 else ''} {numbers}{more}, counted from 0"


def _listed(names: Sequence[str] | np.ndarray | pd.Index, shown: int = 15) -> str:
    quoted = [f"'{name}'" for name in names]
    return ", ".join(quoted[:shown]) + (", …" if len(quoted) > shown else "")
