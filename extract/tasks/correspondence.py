"""Correspondence: the share of patches, or key points, whose nearest neighbour in the other image is the right one."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from config.vocabulary.tasks import DIRECT
from extract.outcomes import OutcomeCounts
from extract.tasks.recorded import Recorded, Scores


def correspondence(recorded: Recorded) -> Scores:
    """Collect the matching counts of every pair of the pack, after every layer they were taken at.

    Returns:
        Counts of ``correspondence`` (hits over points; for key points that is PCK per point), ``cycle_consistency``
        (patches that come back to themselves, over points; warps only), and ``pck_per_image`` (the mean over pairs of
        their share of hits; key points only).
    """
    found: dict[str, list[OutcomeCounts]] = {"correspondence": [], "cycle_consistency": [], "pck_per_image": []}
    for condition, kept in recorded.opened.items():
        pairs = recorded.pairs.iloc[kept.pairs.rows]
        points = kept.pairs.points
        warped = pairs["warp"].notna().to_numpy()
        shown = ~warped & (points > 0)
        for layer, hits in kept.pairs.hits.items():
            place = recorded.dataset, condition, layer
            found["correspondence"].append(_counts(*place, pairs, hits, points))
            if warped.any():
                cycles = kept.pairs.cycles[layer]
                found["cycle_consistency"].append(_counts(*place, pairs[warped], cycles[warped], points[warped]))
            if shown.any():
                share = hits[shown] / points[shown]
                found["pck_per_image"].append(_counts(*place, pairs[shown], share, np.ones_like(share)))
    return Scores({task: each for task, each in found.items() if each})


def _counts(
    dataset: str,
    condition: str,
    layer: int,
    pairs: pd.DataFrame,
    numerator: NDArray[np.number[Any]],
    denominator: NDArray[np.number[Any]],
) -> OutcomeCounts:
    return OutcomeCounts(
        dataset,
        condition,
        DIRECT,
        "patches",
        layer,
        units=pairs["unit"].to_numpy(dtype=str),
        categories=np.full(len(pairs), ""),
        numerator=numerator.astype(np.float64),
        denominator=denominator.astype(np.float64),
        clusters=pairs["cluster"].to_numpy(dtype=str) if "cluster" in pairs else None,
    )
