"""Segmentation: a linear probe on patch tokens, scored in pixels; ``python -m extract.tasks.segmentation --help``.

Patch tokens are not recorded, so this task runs the model itself: over training images to fit a probe, then over
test images, which are reduced to intersections and unions as they come.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from config.errors import report_errors
from config.layout import Run
from config.settings import Condition, Dataset, Settings, load_settings
from extract.calibration import load_calibration
from extract.datasets.packs import VOID, OpenPack, open_pack
from extract.features import passes
from extract.interventions import Calibration
from extract.models import Network, load_network
from extract.outcomes import Counts, Fit, save_fits, save_outcomes
from extract.tasks.probes import LinearProbe, linear_probe

TASK = "segmentation"


def patch_classes(masks: NDArray[np.uint8], grid: tuple[int, int], classes: int) -> NDArray[np.int64]:
    """Return the class that covers most of every patch, n × patches, from masks n×H×W.

    VOID where most of a patch belongs to no class.
    """
    values = torch.from_numpy(np.where(masks == VOID, classes, masks)).long()
    one_hot = F.one_hot(values, classes + 1).permute(0, 3, 1, 2).float()
    covered = F.interpolate(one_hot, size=grid, mode="area")
    labels: NDArray[np.int64] = covered.argmax(dim=1).flatten(1).numpy()
    return np.where(labels == classes, VOID, labels)


def pixel_classes(logits: Tensor, grid: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Return the class of every pixel, B×H×W, from patch logits B × patches × classes.

    The logits are interpolated bilinearly, then the largest wins.
    """
    maps = logits.transpose(1, 2).reshape(len(logits), -1, *grid)
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False).argmax(dim=1)


def overlaps(
    predicted: NDArray[np.int64], actual: NDArray[np.uint8], classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return intersection and union in pixels, n × classes each, of class maps n×H×W; VOID pixels are in neither."""
    n = len(actual)
    counted = actual != VOID
    image = np.broadcast_to(np.arange(n)[:, None, None], actual.shape)
    pairs = (image * classes + predicted)[counted] * classes + actual[counted]
    confusion = np.bincount(pairs, minlength=n * classes**2).reshape(n, classes, classes)
    intersection = np.diagonal(confusion, axis1=1, axis2=2)
    return intersection, confusion.sum(axis=1) + confusion.sum(axis=2) - intersection


@dataclass(frozen=True)
class Segmentation:
    """The segmentation of one data set through one model.

    Attributes:
        network, calibration, pack: what passes through what.
        dataset: its name and how many training images it gives.
        settings: of the run.
    """

    network: Network
    calibration: Calibration
    pack: OpenPack
    dataset: Dataset
    settings: Settings

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the masks' values, the background first."""
        return self.pack.mask_names

    @property
    def layer(self) -> int:
        """The layer whose patches are read: the last."""
        return self.network.depth - 1

    def patches(
        self, rows: NDArray[np.int64], condition: Condition
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield rows of the pack and their patches, B × patches × dimension, a batch at a time."""
        batch_size, seed = self.settings.extraction.batch_size, self.settings.seed
        passed = passes(self.network, self.pack, rows, condition, self.calibration, (self.layer,), batch_size, seed)
        for part, tokens in passed:
            yield part, tokens.patches[:, 0].float().cpu().numpy()

    def masks(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the masks of rows, n×H×W."""
        assert self.pack.masks is not None
        return np.asarray(self.pack.masks[rows])

    def fit(self, condition: Condition) -> LinearProbe:
        """Train a probe on the patches of the first training images under a condition."""
        train = self.pack.rows("train")[: self.dataset.segmentation_train]
        seen = list(self.patches(train, condition))
        features = np.concatenate([tokens for _, tokens in seen])
        rows = np.concatenate([part for part, _ in seen])
        labels = patch_classes(self.masks(rows), self.network.layout.grid, len(self.names)).ravel()
        units = np.repeat(self.pack.index["unit"].to_numpy(dtype=str)[rows], features.shape[1])
        counted = labels != VOID
        return linear_probe(
            features.reshape(-1, features.shape[-1])[counted],
            labels[counted],
            units[counted].tolist(),
            self.settings.probe,
            self.settings.extraction.device,
            self.settings.seed,
        )

    def score(self, condition: Condition, probes: Mapping[str, LinearProbe]) -> list[Counts]:
        """Score probes, by the name of their readout, on the test images under a condition, in one pass."""
        rows: list[NDArray[np.int64]] = []
        parts: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {readout: [] for readout in probes}
        classes = len(self.names)
        for part, tokens in self.patches(self.pack.rows("test"), condition):
            actual = self.masks(part)
            rows.append(part)
            for readout, probe in probes.items():
                maps = class_logits(probe, tokens, classes)
                predicted = pixel_classes(maps, self.network.layout.grid, actual.shape[1:]).numpy()
                parts[readout].append(overlaps(predicted, actual, classes))
        units = self.pack.index["unit"].to_numpy(dtype=str)[np.concatenate(rows)]
        counts = []
        for readout, found in parts.items():
            intersection, union = (np.concatenate(each) for each in zip(*found, strict=True))
            unit, category = np.nonzero(union)
            counts.append(
                Counts(
                    self.dataset.name,
                    condition.name,
                    readout,
                    "patches",
                    self.layer,
                    units=units[unit],
                    categories=np.array(self.names)[category],
                    numerator=intersection[unit, category].astype(np.float64),
                    denominator=union[unit, category].astype(np.float64),
                )
            )
        return counts


def class_logits(probe: LinearProbe, tokens: NDArray[np.float32], classes: int) -> Tensor:
    """Return logits for every class, B × patches × classes; one that the probe never saw in training can never win."""
    n, patches, dimension = tokens.shape
    # Interpolation turns −inf into NaN, so a very low finite value stands for it.
    logits = np.full((n * patches, classes), -1e6)
    logits[:, probe.classes] = probe.decision(tokens.reshape(-1, dimension))
    return torch.from_numpy(logits).view(n, patches, classes)


def segment(task: Segmentation, conditions: Sequence[Condition]) -> tuple[list[Counts], list[Fit]]:
    """Segment a data set under every condition that the model can be put under, ``full`` first."""
    counts: list[Counts] = []
    fits: list[Fit] = []
    frozen: LinearProbe | None = None
    possible = [each for each in conditions if not task.network.layout.missing(each.tokens)]
    ordered = sorted(possible, key=lambda condition: condition.name != "full")
    for condition in tqdm(ordered, desc=f"segment {task.network.name}", mininterval=5):
        probe = task.fit(condition)
        frozen = frozen or probe  # the first is that of ``full``
        counts += task.score(condition, {"matched": probe, "frozen": frozen})
        chosen = probe.strength, probe.held_out_loss, probe.iterations, probe.rows
        fits.append(Fit(task.dataset.name, condition.name, "patches", task.layer, *chosen))
    return counts, fits


def run(settings: Settings, folder: Run, model: str) -> None:
    """Segment every data set of a run that asks for it, through one model, and write the outcomes."""
    network = load_network(settings.models[model], settings.seed, settings.extraction)
    calibration = load_calibration(folder.calibration(model), network.device)
    counts: list[Counts] = []
    fits: list[Fit] = []
    for dataset in settings.datasets_with(TASK):
        pack = open_pack(folder.pack(dataset.name))
        task = Segmentation(network, calibration, pack, dataset, settings)
        found, fitted = segment(task, tuple(settings.conditions.values()))
        counts += found
        fits += fitted
    save_outcomes(counts, TASK, settings.models[model], folder.outcomes(TASK, model))
    save_fits(fits, folder.probes(TASK, model))


def main() -> None:
    """Command line: segment through one model of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--model", required=True)
    arguments = parser.parse_args()
    run(load_settings(arguments.settings), Run(arguments.settings.parent), arguments.model)


if __name__ == "__main__":
    report_errors(main)
