"""Classification: a linear probe on a token's features, scored on the test split.

*Matched*: the probe is trained under the condition that it is scored under. *Frozen*: the probe trained on ``full`` is
applied to the changed features, with the means and spreads of ``full``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from config.keys import keyed_generator
from config.settings import Probe
from extract.devices import resolve_device
from extract.outcomes import Counts, Fit
from extract.records import Records, Skipped
from extract.tasks.probes import LinearProbe, fit_path, linear_probe
from extract.tasks.recorded import finite_features


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


def classification(
    dataset: str,
    index: pd.DataFrame,
    records: Mapping[str, Records | Skipped],
    options: Probe,
    seed: int,
    device: str = "cpu",
) -> tuple[list[Counts], list[Fit]]:
    """Probe the tokens of ``options.tokens`` under every condition, and every token along a layer curve.

    Args:
        dataset: its name.
        index: of the pack.
        records: by condition.
        options: of the probe.
        seed: the run's.
        device: auto, cpu or cuda.
    """
    split = Split.of(index)
    opened = {name: found for name, found in records.items() if isinstance(found, Records)}
    everywhere = set.intersection(*(set(found.layers) for found in opened.values()))
    counts: list[Counts] = []
    fits: list[Fit] = []
    for token, layer in sorted({place for found in opened.values() for place in probed(found, everywhere, options)}):
        frozen: LinearProbe | None = None
        for condition, found in sorted(opened.items(), key=lambda item: item[0] != "full"):
            if (token, layer) not in probed(found, everywhere, options):
                continue
            features = Features.read(found, token, layer, split)
            units = split.units[split.train].tolist()
            labels = split.labels[split.train]
            probe = linear_probe(features.train, labels, units, options, device, seed)
            frozen = probe if condition == "full" else frozen
            chosen = probe.strength, probe.held_out_loss, probe.iterations, probe.rows
            fits.append(Fit(dataset, condition, token, layer, *chosen))
            place = (token, layer, split.units[split.test])
            truth = split.labels[split.test]
            counts.append(
                Counts.of_correct(dataset, condition, "matched", *place, probe.predict(features.test) == truth)
            )
            if frozen is not None and layer in everywhere:
                correct = frozen.predict(features.test) == truth
                counts.append(Counts.of_correct(dataset, condition, "frozen", *place, correct))
            if token == "cls" and layer == max(everywhere):
                for refit in range(1, options.refits + 1):
                    again = _refitted(features.train, labels, probe, options, seed, dataset, refit, device)
                    correct = again.predict(features.test) == truth
                    counts.append(Counts.of_correct(dataset, condition, "matched", *place, correct, refit))
    return counts, fits


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
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    probe: LinearProbe,
    options: Probe,
    seed: int,
    dataset: str,
    refit: int,
    device: str,
) -> LinearProbe:
    """Fit a probe of the same penalty on a bootstrap resample of the training images, the same one for all."""
    chosen = keyed_generator(seed, "refit", dataset, refit).integers(0, len(features), len(features))
    where = resolve_device(device)
    drawn = features[chosen], labels[chosen]
    (again,) = fit_path(*drawn, [probe.strength], options.iterations, where, start=probe)
    return again
