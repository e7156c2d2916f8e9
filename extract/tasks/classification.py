"""Classification: a linear probe on CLS, scored on the test split."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from config.settings import Probe
from extract.outcomes import Counts
from extract.records import Records, Skipped
from extract.tasks.probes import linear_probe


def classification(
    dataset: str, index: pd.DataFrame, records: Mapping[str, Records | Skipped], options: Probe
) -> list[Counts]:
    """Probe the last recorded layer's CLS, trained and scored under the same condition (matched).

    Args:
        dataset: its name.
        index: of the pack.
        records: by condition.
        options: of the probe.
    """
    counts = []
    split, label = index["split"].to_numpy(), index["label"].to_numpy()
    for condition, features in records.items():
        if isinstance(features, Skipped):
            continue
        train, test = (split[features.rows] == name for name in ("train", "test"))
        cls = features.cls[:, -1]
        probe = linear_probe(cls[train], label[features.rows][train], options.c, options.iterations)
        correct: NDArray[np.bool_] = probe.predict(cls[test]) == label[features.rows][test]
        counts.append(
            Counts(
                dataset,
                condition,
                "matched",
                units=index["unit"].to_numpy(dtype=str)[features.rows[test]],
                categories=np.full(len(correct), ""),
                numerator=correct.astype(np.float64),
                denominator=np.ones(len(correct)),
            )
        )
    return counts
