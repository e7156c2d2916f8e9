"""Correspondence on warps: the share of patches whose nearest neighbour in the twin is the right one."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from extract.outcomes import Counts
from extract.records import Records, Skipped


def correspondence(dataset: str, pairs: pd.DataFrame, records: Mapping[str, Records | Skipped]) -> list[Counts]:
    """Collect the matching counts of every pair of the pack: hits over points.

    Args:
        dataset: its name.
        pairs: of the pack.
        records: by condition.
    """
    return [
        Counts(
            dataset,
            condition,
            "direct",
            units=pairs["unit"].to_numpy(dtype=str)[found.pair_rows],
            categories=np.full(len(found.pair_rows), ""),
            numerator=found.hits.astype(np.float64),
            denominator=found.points.astype(np.float64),
        )
        for condition, found in records.items()
        if not isinstance(found, Skipped)
    ]
