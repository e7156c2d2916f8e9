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

from config.conditions import Condition
from config.errors import report_errors
from config.layout import Run
from config.settings import Dataset, Settings, load_settings
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import FROZEN, MATCHED
from extract.calibration import load_calibration
from extract.datasets.packs import VOID, OpenPack, open_pack
from extract.features import tokens_by_batch
from extract.models import Network, load_network
from extract.outcomes import Fit, OutcomeCounts, save_fits, save_outcomes
from extract.replacements import Calibration
from extract.tasks.probes import LinearProbe, linear_probe

TASK = "segmentation"
PIXELS = 2**24  # logits interpolated at once, classes × pixels


def patch_classes(masks: NDArray[np.uint8], grid: tuple[int, int], classes: int) -> NDArray[np.int64]:
    """Return the class that covers most of every patch, n × patches, from masks n×H×W.

    Args:
        masks: uint8 class of every pixel, or VOID.
        grid: patches down and across.
        classes: number of classes.

    Returns:
        The class, or VOID where more of a patch belongs to no class than to any.

    Examples:
        >>> mask = np.array([[[2, 2, 0, 255], [2, 0, 0, 255]]], dtype=np.uint8)
        >>> patch_classes(mask, grid=(1, 2), classes=3)
        array([[2, 0]])
    """
    # One class at a time, since all of them at once would take many times the memory of the masks.
    maps = (torch.from_numpy(masks == value)[:, None].float() for value in (*range(classes), VOID))
    covered = torch.cat([F.interpolate(each, size=grid, mode="area") for each in maps], dim=1)
    labels: NDArray[np.int64] = covered.argmax(dim=1).flatten(1).numpy()
    return np.where(labels == classes, VOID, labels)


def pixel_classes(logits: Tensor, grid: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Return the class of every pixel, B×H×W, from patch logits B × patches × classes.

    The logits are interpolated bilinearly, then the largest wins.

    Examples:
        >>> logits = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
        >>> pixel_classes(logits, grid=(1, 2), size=(1, 4))
        tensor([[[0, 0, 1, 1]]])
    """
    maps = logits.transpose(1, 2).reshape(len(logits), -1, *grid)
    parts = torch.split(maps, max(1, PIXELS // (maps.shape[1] * size[0] * size[1])))
    return torch.cat([F.interpolate(part, size=size, mode="bilinear", align_corners=False).argmax(1) for part in parts])


def overlaps(predicted: Tensor, actual: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return intersection and union in pixels, n × classes each, of class maps n×H×W; VOID pixels are in neither.

    Examples:
        >>> predicted = torch.tensor([[[0, 0, 1, 1]]])
        >>> actual = torch.tensor([[[0, 1, 1, 255]]], dtype=torch.uint8)
        >>> overlaps(predicted, actual, classes=2)
        (tensor([[1, 1]]), tensor([[2, 2]]))
    """
    n = len(actual)
    counted = actual != VOID
    image = torch.arange(n, device=actual.device)[:, None, None]
    pairs = (image * classes + predicted)[counted] * classes + actual[counted]
    confusion = pairs.bincount(minlength=n * classes**2).view(n, classes, classes)
    intersection = confusion.diagonal(dim1=1, dim2=2)
    return intersection, confusion.sum(dim=1) + confusion.sum(dim=2) - intersection


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

    def patches(self, rows: NDArray[np.int64], condition: Condition) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Yield rows of the pack and their patches, B × patches × dimension on the device, a batch at a time."""
        batch_size, seed = self.settings.extraction.batch_size, self.settings.seed
        passed = tokens_by_batch(
            self.network, self.pack, rows, condition, self.calibration, (self.layer,), batch_size, seed
        )
        for part, tokens in passed:
            yield part, tokens.patches[:, 0].float()

    def masks(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the masks of rows, n×H×W."""
        assert self.pack.masks is not None
        return np.asarray(self.pack.masks[rows])

    def fit(self, condition: Condition) -> LinearProbe:
        """Train a probe on the patches of the first training images under a condition."""
        train = self.pack.rows("train")[: self.dataset.segmentation_train]
        grid, units = self.network.layout.grid, self.pack.index["unit"].to_numpy(dtype=str)
        features, labels, images = [], [], []
        for rows, tokens in self.patches(train, condition):
            classes = patch_classes(self.masks(rows), grid, len(self.names))
            counted = classes != VOID
            features.append(tokens.cpu().numpy()[counted])
            labels.append(classes[counted])
            images += np.repeat(units[rows], counted.sum(axis=1)).tolist()
        return linear_probe(
            np.concatenate(features),
            np.concatenate(labels),
            images,
            self.settings.probe,
            self.settings.extraction.device,
            self.settings.seed,
        )

    def score(self, condition: Condition, probes: Mapping[str, LinearProbe]) -> list[OutcomeCounts]:
        """Score probes, by the name of their readout, on the test images under a condition, in one pass."""
        rows: list[NDArray[np.int64]] = []
        parts: dict[str, list[tuple[NDArray[np.int64], NDArray[np.int64]]]] = {readout: [] for readout in probes}
        classes = len(self.names)
        for part, tokens in self.patches(self.pack.rows("test"), condition):
            actual = torch.from_numpy(self.masks(part)).to(tokens.device)
            rows.append(part)
            for readout, probe in probes.items():
                maps = class_logits(probe, tokens, classes)
                predicted = pixel_classes(maps, self.network.layout.grid, (actual.shape[1], actual.shape[2]))
                intersection, union = (each.cpu().numpy() for each in overlaps(predicted, actual, classes))
                parts[readout].append((intersection, union))
        units = self.pack.index["unit"].to_numpy(dtype=str)[np.concatenate(rows)]
        counts = []
        for readout, found in parts.items():
            intersection, union = (np.concatenate(each) for each in zip(*found, strict=True))
            unit, category = np.nonzero(union)
            counts.append(
                OutcomeCounts(
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


def class_logits(probe: LinearProbe, tokens: Tensor, classes: int) -> Tensor:
    """Return logits for every class, B × patches × classes; one that the probe never saw in training can never win."""
    # Interpolation turns −inf into NaN, so a very low finite value stands for it.
    logits = torch.full((*tokens.shape[:-1], classes), -1e6, dtype=torch.float64, device=tokens.device)
    logits[..., torch.from_numpy(probe.classes).to(tokens.device)] = probe.logits(tokens)
    return logits


def segment(task: Segmentation, conditions: Sequence[Condition]) -> tuple[list[OutcomeCounts], list[Fit]]:
    """Segment a data set under every condition that the model can be put under, ``full`` first."""
    counts: list[OutcomeCounts] = []
    fits: list[Fit] = []
    frozen: LinearProbe | None = None
    possible = [each for each in conditions if not task.network.layout.missing(each.tokens)]
    ordered = sorted(possible, key=lambda condition: condition.name != REFERENCE)
    for condition in tqdm(ordered, desc=f"segment {task.network.name}", mininterval=5):
        probe = task.fit(condition)
        frozen = frozen or probe  # the first is that of ``full``
        counts += task.score(condition, {MATCHED: probe, FROZEN: frozen})
        fits.append(probe.summary(task.dataset.name, condition.name, "patches", task.layer))
    return counts, fits


def run(settings: Settings, folder: Run, model: str) -> None:
    """Segment every data set of a run that asks for it, through one model, and write the outcomes."""
    network = load_network(settings.models[model], settings.seed, settings.extraction)
    calibration = load_calibration(folder.calibration(model), network.device)
    counts: list[OutcomeCounts] = []
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
