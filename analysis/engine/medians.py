"""Medians of bootstrap resamples, from the weights of the units rather than from drawn values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.engine.metric import FloatArray
from config.keys import keyed_generator


def bootstrap_weights(units: int, *, resamples: int, key: Sequence[str | int]) -> NDArray[np.int32]:
    """Return how often each unit is drawn in each bootstrap resample, (resamples, units).

    Args:
        units: number of units, which is also the size of a resample.
        resamples: number of resamples.
        key: seed and names that the resamples are keyed by (`keyed_generator`).

    Examples:
        >>> weights = bootstrap_weights(5, resamples=3, key=(0, "example"))
        >>> weights.shape, weights.sum(axis=1).tolist()
        ((3, 5), [5, 5, 5])
    """
    generator = keyed_generator(*key)
    drawn = generator.integers(0, units, size=(resamples, units)) + units * np.arange(resamples)[:, None]
    return np.bincount(drawn.ravel(), minlength=resamples * units).reshape(resamples, units).astype(np.int32)


def bootstrap_medians(values: FloatArray, weights: NDArray[np.int32]) -> FloatArray:
    """Return the median of each resample, (resamples,).

    With the values sorted, the median of a resample is where the running sum of its weights passes the middle.

    Args:
        values: (units,).
        weights: how often each unit is drawn, (resamples, units) (`bootstrap_weights`).

    Examples:
        A resample with every value once, and one of 1, 5, 5:

        >>> import numpy as np
        >>> bootstrap_medians(np.array([5.0, 1.0, 2.0]), np.array([[1, 1, 1], [2, 1, 0]], dtype=np.int32)).tolist()
        [2.0, 5.0]
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    running = np.cumsum(weights[:, order], axis=1)
    lower = (running < (len(values) + 1) // 2).sum(axis=1)
    upper = (running < len(values) // 2 + 1).sum(axis=1)
    medians: FloatArray = (ranked[lower] + ranked[upper]) / 2
    return medians


def jackknife_medians(values: FloatArray) -> FloatArray:
    """Return the median without each value in turn, (units,).

    Args:
        values: (units,), at least two.

    Examples:
        >>> import numpy as np
        >>> jackknife_medians(np.array([1.0, 2.0, 4.0])).tolist()
        [3.0, 2.5, 1.5]
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    left = len(values) - 1
    ranks = np.arange(len(values))
    # Leaving out a value moves up by one what stands at or above its rank.
    middles = [np.where(ranks > at, ranked[at], ranked[at + 1]) for at in ((left - 1) // 2, left // 2)]
    medians = np.empty(len(values))
    medians[order] = (middles[0] + middles[1]) / 2
    return medians
