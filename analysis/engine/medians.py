"""Medians in bootstrap resamples, from weights rather than from drawn values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.engine.metric import FloatArray
from config.keys import keyed_generator


def bootstrap_weights(units: int, *, resamples: int, key: Sequence[str | int]) -> NDArray[np.int32]:
    """How often each unit is drawn in each resample of `units` out of `units`: resamples × units."""
    generator = keyed_generator(*key)
    drawn = generator.integers(0, units, size=(resamples, units)) + units * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units).astype(np.int32)


def bootstrap_medians(values: FloatArray, weights: NDArray[np.int32]) -> FloatArray:
    """The median of each resample: (units,) and resamples × units give (resamples,).

    With the values sorted, the median of a resample is where the running sum of weights passes the middle.
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    running = np.cumsum(weights[:, order], axis=1)
    lower = (running < (len(values) + 1) // 2).sum(axis=1)
    upper = (running < len(values) // 2 + 1).sum(axis=1)
    medians: FloatArray = (ranked[lower] + ranked[upper]) / 2
    return medians


def jackknife_medians(values: FloatArray) -> FloatArray:
    """The median without each value in turn, (units,), at least two values."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    left = len(values) - 1
    ranks = np.arange(len(values))
    # Leaving out a value moves up by one what stands at or above its rank.
    middles = [np.where(ranks > at, ranked[at], ranked[at + 1]) for at in ((left - 1) // 2, left // 2)]
    medians = np.empty(len(values))
    medians[order] = (middles[0] + middles[1]) / 2
    return medians
