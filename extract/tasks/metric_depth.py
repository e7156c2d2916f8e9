"""Depth in metres: a ridge regression on patch tokens; ``python -m extract.tasks.metric_depth --help``.

Where the literature trains a classifier of depth bins by gradient descent (Oquab et al., DINOv2, 2023: linear,
256 bins), this fits its optimum in closed form, so that a score says what a linear map reads from the patches,
and no schedule is to be chosen. Both predict at patches, interpolate to pixels, and score by image.
"""

import math
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
from extract.outcomes import Fit
from extract.tasks.dense import DenseTask, main
from extract.tasks.probes import held_out

MILLIMETRES = 1000
# Metres that a prediction is cut to, as in the evaluation of depth on NYU.
NEAREST, FARTHEST = 1e-3, 10.0
KNOWN = 0.5  # share of a patch whose depth must be known for it to be trained on


@dataclass(frozen=True)
class Ridge:
    """A fitted ridge regression.

    Attributes:
        weights: dimension + 1, of the tokens as they are, the intercept last; float64.
        strength: inverse regularisation strength C.
        held_out_loss: mean squared error on the held-out images in m²; NaN where there was no choice to make.
        rows: patches that it was fitted on.
    """

    weights: Tensor
    strength: float
    held_out_loss: float
    rows: int

    def predict(self, tokens: Tensor) -> Tensor:
        """Return the depth in metres at tokens (… × dimension)."""
        return tokens.double() @ self.weights[:-1] + self.weights[-1]


@dataclass(frozen=True)
class Moments:
    """Sums that a ridge regression is fitted from, whatever the number of rows.

    Attributes:
        products: (dimension + 2)², sums of products of features, a constant 1 and the target, in that order.
    """

    products: Tensor

    @classmethod
    def of(cls, features: Tensor, target: Tensor) -> "Moments":
        """Sum the rows of features (rows × dimension) and target (rows)."""
        rows = torch.cat([features.double(), torch.ones_like(target)[:, None].double(), target[:, None].double()], 1)
        return cls(rows.T @ rows)

    def __add__(self, other: "Moments") -> "Moments":
        """Return the sums over the rows of both."""
        return Moments(self.products + other.products)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return round(float(self.products[-2, -2]))

    def fitted(self, strength: float) -> Tensor:
        """Return the weights that minimise mean squared error / 2 + ‖w‖² / (2·C·rows), the intercept free and last.

        w are weights of standardised features on a standardised target, so that C means what it does for the linear
        probes of the other tasks.
        """
        n = self.products[-2, -2]
        mean = self.products[-2] / n
        centred = self.products / n - torch.outer(mean, mean)
        scale = centred.diagonal().clamp(min=0).sqrt()
        # A constant feature says nothing: its weight is 0, and not a quotient of rounding errors.
        scale = torch.where(scale > 1e-9 * (1 + mean.abs()), scale, torch.inf)
        correlations = centred / torch.outer(scale, scale)
        used = correlations[:-2, :-2] + torch.eye(len(mean) - 2).to(mean) / (strength * n)
        spread = torch.where(torch.isinf(scale[-1]), 0, scale[-1])
        weights = torch.linalg.solve(used, correlations[:-2, -1]) / scale[:-2] * spread
        return torch.cat([weights, (mean[-1] - weights @ mean[:-2])[None]])

    def error(self, weights: Tensor) -> float:
        """Return the mean squared error of weights on these rows."""
        signed = torch.cat([weights, -torch.ones_like(weights[:1])])
        return float(signed @ self.products @ signed / self.products[-2, -2])


def ridge(kept: Moments, others: Moments, strengths: tuple[float, ...]) -> Ridge:
    """Fit a ridge regression on all rows, with the C that errs least on ``others`` when fitted on ``kept``.

    Examples:
        >>> x = torch.arange(20.0)[:, None]
        >>> kept, others = Moments.of(x[:15], 2 * x[:15, 0] + 1), Moments.of(x[15:], 2 * x[15:, 0] + 1)
        >>> fitted = ridge(kept, others, (0.01, 1e6))
        >>> fitted.strength, fitted.rows, fitted.predict(torch.tensor([[100.0]])).round(decimals=3)
        (1000000.0, 20, tensor([201.], dtype=torch.float64))
    """
    every, losses = kept + others, {}
    if len(strengths) > 1:
        losses = {strength: others.error(kept.fitted(strength)) for strength in sorted(strengths)}
    best = min(losses, key=losses.__getitem__, default=strengths[0])
    return Ridge(every.fitted(best), best, losses.get(best, math.nan), every.rows)


def squared_errors(depth: Tensor, actual: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the mean squared error of every image in m², and how many of its pixels have a known depth; B each.

    Args:
        depth: predicted at patches in metres, B × patches.
        actual: B×H×W in metres, 0 where unknown.
        grid: patches down and across.

    Examples:
        >>> squared_errors(torch.tensor([[2.0, 2.0]]), torch.tensor([[[1.0, 0.0, 2.0, 5.0]]]), grid=(1, 2))
        (tensor([3.3333]), tensor([3]))
    """
    size = (actual.shape[1], actual.shape[2])
    maps = F.interpolate(depth.view(len(depth), 1, *grid), size=size, mode="bilinear", align_corners=False)[:, 0]
    known = actual > 0
    pixels = known.flatten(1).sum(dim=1)
    errors = torch.where(known, maps.clamp(NEAREST, FARTHEST) - actual, 0).square().flatten(1).sum(dim=1)
    return errors / pixels.clamp(min=1), pixels


@dataclass(frozen=True)
class MetricDepth(DenseTask[Ridge]):
    """The depth of one data set through one model."""

    name: ClassVar[str] = "metric_depth"

    def truth(self, rows: NDArray[np.int64]) -> Tensor:
        """Return the depth maps of rows in metres, n×H×W, 0 where unknown."""
        assert self.pack.depths is not None
        return torch.from_numpy(np.asarray(self.pack.depths[rows]).astype(np.float32) / MILLIMETRES)

    def fit(self, condition: Condition) -> Ridge:
        """Fit the regression of a patch's mean depth on the patches of all training images under a condition."""
        train, options = self.pack.rows("train"), self.settings.probe
        units = self.units[train]
        others = set(units[held_out(units.tolist(), options.held_out, self.settings.seed)])
        parts: dict[bool, Moments] = {}
        for rows, tokens in self.patches(train, condition):
            actual = self.truth(rows)
            known = F.interpolate((actual > 0).float()[:, None], size=self.network.layout.grid, mode="area").flatten(1)
            mean = F.interpolate(actual[:, None], size=self.network.layout.grid, mode="area").flatten(1)
            mean, chosen = (mean / known.clamp(min=KNOWN)).to(tokens.device), (known >= KNOWN).to(tokens.device)
            apart = torch.tensor([unit in others for unit in self.units[rows]], device=tokens.device)
            for held in (False, True):
                used = chosen & (apart == held)[:, None]
                summed = Moments.of(tokens[used], mean[used])
                parts[held] = parts[held] + summed if held in parts else summed
        return ridge(parts[False], parts[True], options.strengths)

    def counts(self, probe: Ridge, tokens: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
        """Return the root mean squared error of every image in metres, and 1 for an image of known depth, B × 1."""
        errors, pixels = squared_errors(probe.predict(tokens), truth.double(), self.network.layout.grid)
        return errors.sqrt()[:, None], (pixels > 0).double()[:, None]

    def summary(self, probe: Ridge, condition: Condition) -> Fit:
        """Return how a regression was fitted; in closed form, so without iterations."""
        chosen = probe.strength, probe.held_out_loss, 0, probe.rows
        return Fit(self.dataset.name, condition.name, "patches", self.layer, *chosen)


if __name__ == "__main__":
    report_errors(partial(main, MetricDepth))
