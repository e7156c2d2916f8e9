"""Recorded features as the tasks read them, and the scores that tasks on records return."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from config.errors import InputError
from config.settings import Probe
from extract.outcomes import Fit, OutcomeCounts
from extract.records import Floats, Records, Skipped


class RecordError(InputError):
    """Records that cannot be used, with the file and what to do about it."""


@dataclass(frozen=True)
class Recorded:
    """A data set as it was recorded through one model, and how probes are fitted on it.

    Attributes:
        dataset: its name.
        index: of its pack, one row per image.
        pairs: of its pack, one row per image pair.
        records: by condition.
        probe: options of the linear probe.
        seed: the run's seed.
        device: auto, cpu or cuda: where probes are fitted.
    """

    dataset: str
    index: pd.DataFrame
    pairs: pd.DataFrame
    records: Mapping[str, Records | Skipped]
    probe: Probe
    seed: int
    device: str = "cpu"

    @property
    def opened(self) -> Mapping[str, Records]:
        """The records of the conditions that the model could be put under."""
        return {name: found for name, found in self.records.items() if isinstance(found, Records)}

    @property
    def units(self) -> NDArray[np.str_]:
        """Identity of every row of the pack."""
        return self.index["unit"].to_numpy(dtype=str)


@dataclass(frozen=True)
class Scores:
    """What scoring a task leaves.

    Attributes:
        counts: by the task that outcomes are reported as: the scored one, and those that it brings along.
        fits: summaries of its probes; empty where it trains none.
    """

    counts: Mapping[str, Sequence[OutcomeCounts]]
    fits: Sequence[Fit] = ()


RecordTask = Callable[[Recorded], Scores]


def finite_features(records: Records, token: str, layer: int, units: NDArray[np.str_]) -> Floats:
    """Return the features of a token after a layer, n × dimension (see :meth:`Records.features`).

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
