"""Retrieval: is an image's warped twin the nearest of all twins by the cosine of their CLS tokens? Recall@1."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from extract.outcomes import Counts
from extract.records import Records, Skipped

# Cosines this close are one value up to float32 rounding. A tie is a miss: where a condition makes all CLS tokens
# alike, rounding must not decide who is retrieved.
TIE = 1e-6


def retrieved(sources: NDArray[np.floating], twins: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell for each source whether its own twin (same row) is strictly the nearest of all twins.

    Args:
        sources: n × dimension.
        twins: n × dimension.
    """
    similarity = _unit(sources) @ _unit(twins).T
    own = np.diag(similarity).copy()
    np.fill_diagonal(similarity, -np.inf)
    nearer: NDArray[np.bool_] = own > similarity.max(axis=1) + TIE
    return nearer


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(length == 0, 1, length)


def retrieval(dataset: str, pairs: pd.DataFrame, records: Mapping[str, Records | Skipped]) -> list[Counts]:
    """Score every pair of the pack by the last recorded layer's CLS.

    Args:
        dataset: its name.
        pairs: of the pack.
        records: by condition.
    """
    counts = []
    for condition, features in records.items():
        if isinstance(features, Skipped):
            continue
        place = pd.Series(np.arange(len(features.rows)), index=features.rows)
        cls = features.cls[:, -1]
        hit = retrieved(cls[place[pairs["source"]]], cls[place[pairs["twin"]]])
        counts.append(
            Counts(
                dataset,
                condition,
                "direct",
                units=pairs["unit"].to_numpy(dtype=str),
                categories=np.full(len(pairs), ""),
                numerator=hit.astype(np.float64),
                denominator=np.ones(len(pairs)),
            )
        )
    return counts
