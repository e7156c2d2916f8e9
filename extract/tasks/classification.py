"""Classification: a linear probe on a token's features, scored on the test split.

*Matched*: the probe is trained under the condition that it is scored under. *Frozen*: the probe trained on ``full`` is
applied to the changed features, with the means and standard deviations of ``full``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

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
from extract.tasks.logistic import at_once
from extract.tasks.probes import LinearProbe, linear_probes, predictions, refitted
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


@dataclass(frozen=True)
class Reading:
    """A token after a layer under a condition, from which a probe reads."""

    condition: str
    records: Records
    token: str
    layer: int

    @property
    def place(self) -> tuple[str, int]:
        """The token and the layer."""
        return self.token, self.layer


def classification(recorded: Recorded) -> Scores:
    """Probe the tokens that the config asks for under every condition, and every token along a layer curve."""
    options, device, split = recorded.probe, recorded.device, Split.of(recorded.index)
    units, labels, truth = split.units[split.train].tolist(), split.labels[split.train], split.labels[split.test]
    everywhere = set.intersection(*(set(found.layers) for found in recorded.opened.values()))
    counts: list[OutcomeCounts] = []
    fits: list[Fit] = []
    frozen: dict[tuple[str, int], LinearProbe] = {}
    for together, features in _together(readings(recorded.opened, everywhere, options), split, device):
        scored: list[list[tuple[str, int, NDArray[np.bool_]]]] = [[] for _ in together]

        def score(probes: Mapping[int, LinearProbe], readout: str, refit: int = 0) -> None:
            test = [features[k].test for k in probes]  # noqa: B023 (called before the loop goes on)
            for k, predicted in zip(probes, predictions(list(probes.values()), test, device), strict=True):
                scored[k].append((readout, refit, predicted == truth))  # noqa: B023

        train = [each.train for each in features]
        probes = dict(enumerate(linear_probes(train, labels, units, options, device, recorded.seed)))
        converged = {k: probe.converged for k, probe in probes.items()}
        frozen |= {each.place: probes[k] for k, each in enumerate(together) if each.condition == REFERENCE}
        score(probes, MATCHED)
        for place in {each.place for each in together if each.layer in everywhere} & set(frozen):
            score({k: frozen[place] for k, each in enumerate(together) if each.place == place}, FROZEN)
        of_cls = {k: probes[k] for k, each in enumerate(together) if each.place == ("cls", max(everywhere))}
        # A model without CLS has no probe that would be refitted.
        for refit in range(1, options.refits + 1) if of_cls else ():
            again = _refitted({k: train[k] for k in of_cls}, labels, of_cls, recorded, refit)
            converged |= {k: converged[k] and probe.converged for k, probe in again.items()}
            score(again, MATCHED, refit)
        for k, each in enumerate(together):
            fit = probes[k].summary(recorded.dataset, each.condition, each.token, each.layer)
            fits.append(replace(fit, converged=converged[k]))
            for readout, refit, correct in scored[k]:
                reading = each.token, each.layer, split.units[split.test]
                of = recorded.dataset, each.condition, readout
                counts.append(OutcomeCounts.of_correct(*of, *reading, correct, refit))
    return Scores({"classification": counts}, fits)


def readings(opened: Mapping[str, Records], everywhere: set[int], options: Probe) -> list[Reading]:
    """Return what probes read, by token and layer, ``full`` before other conditions.

    Args:
        opened: records by condition.
        everywhere: layers recorded under every condition.
        options: of the probe.
    """
    asked = {condition: probed(found, everywhere, options) for condition, found in opened.items()}
    ordered = sorted(opened, key=lambda condition: condition != REFERENCE)
    return [
        Reading(condition, opened[condition], *place)
        for place in sorted(set().union(*asked.values()))
        for condition in ordered
        if place in asked[condition]
    ]


@dataclass(frozen=True)
class Features:
    """The features of a token, of the training and the test images."""

    train: NDArray[np.float32]
    test: NDArray[np.float32]

    @classmethod
    def read(cls, reading: Reading, split: Split) -> "Features":
        """Read them from records."""
        features = finite_features(reading.records, reading.token, reading.layer, split.units)
        return cls(*(features[np.searchsorted(reading.records.rows, rows)] for rows in (split.train, split.test)))


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


def _together(
    every: Sequence[Reading], split: Split, device: str
) -> Iterator[tuple[Sequence[Reading], list[Features]]]:
    """Yield readings and their features, as many at a time as are fitted together."""
    first = 0
    while first < len(every):
        features = [Features.read(every[first], split)]
        rows, dimension = features[0].train.shape
        size = at_once(rows, dimension, len(np.unique(split.labels[split.train])), resolve_device(device))
        together = every[first : first + size]
        yield together, features + [Features.read(each, split) for each in together[1:]]
        first += size


def _refitted(
    features: Mapping[int, NDArray[np.float32]],
    labels: NDArray[np.int64],
    probes: Mapping[int, LinearProbe],
    recorded: Recorded,
    refit: int,
) -> dict[int, LinearProbe]:
    """Fit probes of the same C on a bootstrap resample of the training images, the same resample for all."""
    rng = keyed_generator(recorded.seed, "refit", recorded.dataset, refit)
    chosen = rng.integers(0, len(labels), len(labels))
    rows = [features[k][chosen] for k in probes]
    again = refitted(list(probes.values()), rows, labels[chosen], recorded.probe, recorded.device)
    return dict(zip(probes, again, strict=True))
