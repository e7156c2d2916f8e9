"""Segmentation: a linear probe on patch tokens, scored in pixels; ``python -m extract.tasks.segmentation --help``.

The probe is fitted on patches of training images; test images are reduced to intersections and unions as they come.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from config.conditions import Condition
from config.errors import report_errors
from extract.datasets.packs import VOID
from extract.outcomes import Fit
from extract.tasks.dense import DenseTask, main
from extract.tasks.linear_probe import LinearProbe
from extract.tasks.probes import linear_probe

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

    def fit(self, condition: Condition) -> LinearProbe:
        """Train a probe on the patches of the first training images under a condition."""
        train = self.pack.rows("train")[: self.dataset.segmentation_train]
        grid = self.network.layout.grid
        features, labels, images = [], [], []
        for rows, tokens in self.patches(train, condition):
            classes = patch_classes(self.masks(rows), grid, len(self.categories))
            counted = classes != VOID
            features.append(tokens.cpu().numpy()[counted])
            labels.append(classes[counted])
            images += np.repeat(self.units[rows], counted.sum(axis=1)).tolist()
        return linear_probe(
            np.concatenate(features),
            np.concatenate(labels),
            images,
            self.settings.probe,
            self.settings.extraction.device,
            self.settings.seed,
        )

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
