"""Recorded features as the tasks read them: checked."""

import numpy as np
from numpy.typing import NDArray

from config.errors import InputError
from extract.records import Floats, Records


class RecordError(InputError):
    """Records that cannot be used, with the file and what to do about it."""


def finite_features(records: Records, token: str, layer: int, units: NDArray[np.str_]) -> Floats:
    """Return the features of a token after a layer (see :meth:`Records.features`).

    Args:
        records: of one model, data set and condition.
        token, layer: what is read.
        units: identity of every row of the pack.

    Raises:
        RecordError: for NaN or infinite values; the path names the model and the condition.
    """
    features = records.features(token, layer)
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        others = f" (one of {len(records.paths)} shards)" if len(records.paths) > 1 else ""
        first = units[records.rows[np.argmin(finite)]]
        raise RecordError(
            f"{records.paths[0]}{others}: token {token} after layer {layer} holds NaN or infinite values for "
            f"{np.count_nonzero(~finite)} images, the first of them {first}. Delete the records of this model, data "
            "set and condition, and extract them again"
        )
    return features
