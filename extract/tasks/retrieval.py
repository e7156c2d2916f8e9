"""Retrieval: is an image's warped twin the nearest of all twins by the cosine of their CLS tokens? Recall@1."""

import numpy as np
from numpy.typing import NDArray

from config.vocabulary.tasks import DIRECT
from extract.outcomes import OutcomeCounts
from extract.tasks.recorded import Recorded, Scores, finite_features

# Cosines this close are one value up to float32 rounding. A tie is a miss: where a condition makes all CLS tokens
# alike, rounding must not decide who is retrieved.
TIE = 1e-6
BLOCK = 1024  # sources compared with all twins at once


def retrieved(sources: NDArray[np.floating], twins: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Tell for each source whether its own twin (same row) is strictly the nearest of all twins by cosine.

    Args:
        sources: n × dimension.
        twins: n × dimension.

    Examples:
        >>> sources = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> retrieved(sources, twins=np.array([[2.0, 0.1], [0.1, 0.9], [0.0, 5.0]]))
        array([ True, False, False])
    """
    if len(sources) < 2:
        return np.ones(len(sources), dtype=bool)  # there is no other twin
    unit_sources, unit_twins = _unit(sources), _unit(twins)
    found = []
    for start in range(0, len(sources), BLOCK):
        similarity = unit_sources[start : start + BLOCK] @ unit_twins.T
        mine = np.arange(len(similarity)), np.arange(start, start + len(similarity))
        own = similarity[mine].copy()
        similarity[mine] = -np.inf
        found.append(own > similarity.max(axis=1) + TIE)
    nearer: NDArray[np.bool_] = np.concatenate(found)
    return nearer


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    wide = rows.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(length == 0, 1, length)


def retrieval(recorded: Recorded) -> Scores:
    """Score every warped twin of the pack by CLS, after every recorded layer.

    Pairs of key points are of different scenes, and left out.
    """
    counts = []
    twins = recorded.pairs[recorded.pairs["warp"].notna()]
    units = twins["unit"].to_numpy(dtype=str)
    for condition, found in recorded.opened.items():
        if "cls" not in found.tokens:
            continue
        source, twin = (np.searchsorted(found.rows, twins[half]) for half in ("source", "twin"))
        for layer in found.layers:
            cls = finite_features(found, "cls", layer, recorded.units)
            hit = retrieved(cls[source], cls[twin])
            counts.append(OutcomeCounts.of_correct(recorded.dataset, condition, DIRECT, "cls", layer, units, hit))
    return Scores({"retrieval": counts})
