"""Classification: a linear probe on a token's features, scored on the test split.

*Matched*: the probe is trained under the condition that it is scored under. *Frozen*: the probe trained on ``full`` is
applied to the changed features, with the means and standard deviations of ``full``.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from config.keys import keyed_generator
from config.settings import Probe
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import FROZEN, MATCHED
from extract.devices import resolve_device
from extract.outcomes import Fit, OutcomeCounts
from extract.records import Records
from extract.tasks.probes import LinearProbe, fit_path, linear_probe
from extract.tasks.recorded import Recorded, Scores, finite_features


@dataclass(frozen=True)
class Split:
    """Which rows of the pack a probe is trained and scored on.

    Attributes:
        train, test: rows of the pack.
        labels: class index of every row of the pack.
        units: identity of every row of the pack.
    """

    train: NDArray[np.int64]
    test: NDArray[np.int64]
    labels: NDArray[np.int64]
    units: NDArray[np.str_]

    @classmethod
    def of(cls, index: pd.DataFrame) -> "Split":
        """Read the splits of a pack's index."""
        train, test = (np.flatnonzero(index["split"] == name) for name in ("train", "test"))
        return cls(train, test, index["label"].to_numpy(), index["unit"].to_numpy(dtype=str))


def classification(recorded: Recorded) -> Scores:
    """Probe the tokens that the config asks for under every condition, and every token along a layer curve."""
    opened, options = recorded.opened, recorded.probe
    split = Split.of(recorded.index)
    units, labels = split.units[split.train].tolist(), split.labels[split.train]
    truth = split.labels[split.test]
    everywhere = set.intersection(*(set(found.layers) for found in opened.values()))
    counts: list[OutcomeCounts] = []
    fits: list[Fit] = []
    for token, layer in sorted({place for found in opened.values() for place in probed(found, everywhere, options)}):
        frozen: LinearProbe | None = None
        for condition, found in sorted(opened.items(), key=lambda item: item[0] != REFERENCE):
            if (token, layer) not in probed(found, everywhere, options):
                continue
            features = Features.read(found, token, layer, split)
            probe = linear_probe(features.train, labels, units, options, recorded.device, recorded.seed)
            frozen = probe if condition == REFERENCE else frozen
            fits.append(probe.summary(recorded.dataset, condition, token, layer))
            reading = token, layer, split.units[split.test]
            correct = probe.predict(features.test) == truth
            counts.append(OutcomeCounts.of_correct(recorded.dataset, condition, MATCHED, *reading, correct))
            if frozen is not None and layer in everywhere:
                correct = frozen.predict(features.test) == truth
                counts.append(OutcomeCounts.of_correct(recorded.dataset, condition, FROZEN, *reading, correct))
            if token == "cls" and layer == max(everywhere):
                for refit in range(1, options.refits + 1):
                    again = _refitted(features.train, labels, probe, recorded, refit)
                    correct = again.predict(features.test) == truth
                    counts.append(
                        OutcomeCounts.of_correct(recorded.dataset, condition, MATCHED, *reading, correct, refit)
                    )
    return Scores({"classification": counts}, fits)


@dataclass(frozen=True)
class Features:
    """The features of a token, of the training and the test images."""

    train: NDArray[np.float32]
    test: NDArray[np.float32]

    @classmethod
    def read(cls, records: Records, token: str, layer: int, split: Split) -> "Features":
        """Read them from records."""
        features = finite_features(records, token, layer, split.units)
        return cls(*(features[np.searchsorted(records.rows, rows)] for rows in (split.train, split.test)))


def probed(records: Records, everywhere: set[int], options: Probe) -> set[tuple[str, int]]:
    """Return the tokens and layers that are probed under a condition.

    Args:
        records: of the condition.
        everywhere: layers recorded under every condition; a condition with further ones has a layer curve, along
            which every token is probed.
        options: of the probe.
    """
    every = {"cls", *records.registers, "patch_mean", *(["register_mean"] if records.registers else [])}
    asked = {name for token in options.tokens for name in (records.registers if token == "registers" else [token])}
    curve = set(records.layers) - everywhere
    return {
        (token, layer)
        for token in (every if curve else asked) & {*records.tokens, *(every & {"register_mean"})}
        for layer in records.layers
    }


def _refitted(
    features: NDArray[np.float32], labels: NDArray[np.int64], probe: LinearProbe, recorded: Recorded, refit: int
) -> LinearProbe:
    """Fit a probe of the same C on a bootstrap resample of the training images, the same resample for all."""
    rng = keyed_generator(recorded.seed, "refit", recorded.dataset, refit)
    chosen = rng.integers(0, len(features), len(features))
    iterations, device = recorded.probe.iterations, resolve_device(recorded.device)
    (again,) = fit_path(features[chosen], labels[chosen], [probe.strength], iterations, device, start=probe)
    return again
