"""Null distributions as files: what adjusting the p-values of several data sets and tasks together takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.engine.permutation import PermutationDraws
from config.files import written_whole


def joined(parts: Sequence[PermutationDraws]) -> PermutationDraws:
    """Return the contrasts of all parts, one after the other; of none, where there are none.

    Raises:
        ValueError: different numbers of draws.
    """
    tested = [one for one in parts if len(one.observed)]
    if not tested:
        return PermutationDraws(np.zeros(0), np.zeros((0, 0)), np.zeros(0), np.zeros(0))
    return PermutationDraws(
        observed=np.concatenate([one.observed for one in tested]),
        null=np.hstack([one.null for one in tested]),
        tolerance=np.concatenate([one.tolerance for one in tested]),
        scale=np.concatenate([one.scale for one in tested]),
    )


def save_nulls(nulls: PermutationDraws, path: Path) -> None:
    """Write null distributions, whole or not at all; equal ones give equal bytes.

    One column per contrast, and in it the observed statistic, its tolerance and its scale before the draws. Of 0/1
    outcomes few values are distinct, so that columns compress well.
    """
    rows = np.vstack([nulls.observed, nulls.tolerance, nulls.scale, nulls.null])
    table = pa.table({str(place): column for place, column in enumerate(rows.T)})
    with written_whole(path, needed=rows.nbytes) as partial:
        pq.write_table(table, partial, compression="zstd")


def read_nulls(path: Path) -> PermutationDraws:
    """Read what `save_nulls` wrote, to the last bit."""
    columns = [column.to_numpy() for column in pq.read_table(path).columns]
    if not columns:
        return joined([])
    rows = np.column_stack(columns)
    return PermutationDraws(observed=rows[0], null=rows[3:], tolerance=rows[1], scale=rows[2])
