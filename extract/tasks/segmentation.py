"""Segmentation: a linear probe on patch tokens, scored in pixels; ``python -m extract.tasks.segmentation --help``.

The probe is fitted on patches of training images; test images are reduced to intersections and unions as they come.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from config.conditions import Condition
from config.errors import report_errors
from extract.datasets.packs import VOID
from extract.devices import resolve_device
from extract.outcomes import Fit
from extract.tasks.dense import DenseTask, main
from extract.tasks.logistic import at_once
from extract.tasks.probes import LinearProbe, linear_probes

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
    # VOID is counted as one class more, and left out of the counts: faster than to select pixels.
    labels = torch.where(actual == VOID, classes, actual.long())
    image = torch.arange(n, device=actual.device)[:, None, None]
    pairs = (image * classes + predicted) * (classes + 1) + labels
    counts = pairs.flatten().bincount(minlength=n * classes * (classes + 1))
    confusion = counts.view(n, classes, classes + 1)[..., :classes]
    intersection = confusion.diagonal(dim1=1, dim2=2)
    return intersection, confusion.sum(dim=1) + confusion.sum(dim=2) - intersection


@dataclass(frozen=True)
class Segmentation(DenseTask[LinearProbe]):
    """The segmentation of one data set through one model."""

    name: ClassVar[str] = "segmentation"

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the masks' values, the background first."""
        return self.pack.mask_names

    def truth(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the masks of rows, n×H×W."""
        return torch.from_numpy(self.masks(rows))

    def masks(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the masks of rows, n×H×W."""
        assert self.pack.masks is not None
        return np.asarray(self.pack.masks[rows])

    @property
    def train(self) -> NDArray[np.int64]:
        """Rows of the images that probes are trained on: the first of the training split."""
        return self.pack.rows("train")[: self.dataset.segmentation_train]

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the pack whose patches are read."""
        return np.concatenate([self.train, self.pack.rows("test")])

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The class of every patch of the training images, images × patches, the same under every condition."""
        return patch_classes(self.masks(self.train), self.network.layout.grid, len(self.categories))

    def fit(self, condition: Condition) -> LinearProbe:
        """Train a probe on the patches of the training images under a condition."""
        return next(self.probes([condition]))

    def probes(self, conditions: Sequence[Condition]) -> Iterator[LinearProbe]:
        """Train a probe under each condition, as many at a time as are solved together."""
        counted = self.labels != VOID
        labels, units = self.labels[counted], np.repeat(self.units[self.train], counted.sum(axis=1)).tolist()
        options, seed, device = self.settings.probe, self.settings.seed, self.settings.extraction.device
        shape = len(labels), self.network.dimension, len(np.unique(labels))
        size = at_once(*shape, resolve_device(device))
        for first in range(0, len(conditions), size):
            features = [self._trained_on(condition)[counted] for condition in conditions[first : first + size]]
            yield from linear_probes(features, labels, units, options, device, seed)

    def _trained_on(self, condition: Condition) -> NDArray[np.float32]:
        """Return the patches of the training images under a condition, images × patches × dimension."""
        values = np.empty((*self.labels.shape, self.network.dimension), np.float32)
        for rows, tokens in self.patches(self.train, condition):
            values[np.searchsorted(self.train, rows)] = tokens.cpu().numpy()
        return values

    def counts(self, probe: LinearProbe, tokens: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Return intersections and unions in pixels, B × classes each."""
        classes = len(self.categories)
        logits = class_logits(probe, tokens, classes)
        predicted = pixel_classes(logits, self.network.layout.grid, (truth.shape[1], truth.shape[2]))
        return overlaps(predicted, truth, classes)

    def summary(self, probe: LinearProbe, condition: Condition) -> Fit:
        """Return how a probe was fitted."""
        return probe.summary(self.dataset.name, condition.name, "patches", self.layer)


def class_logits(probe: LinearProbe, tokens: Tensor, classes: int) -> Tensor:
    """Return logits for every class, B × patches × classes; one that the probe never saw in training can never win."""
    # Interpolation turns −inf into NaN, so a very low finite value stands for it.
    logits = torch.full((*tokens.shape[:-1], classes), -1e6, dtype=torch.float64, device=tokens.device)
    logits[..., torch.from_numpy(probe.classes).to(tokens.device)] = probe.logits(tokens)
    return logits


if __name__ == "__main__":
    report_errors(partial(main, Segmentation))
