"""Multinomial logistic regressions on several sets of features that share their labels, stacked on one device.

The features of several conditions, tokens or layers are standardised, and turned to their principal axes, in which the
solver (:mod:`extract.tasks.newton`) needs few iterations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

# A standard deviation below this is rounding, not signal: features of unit scale carry about 1e-7 of it. Dividing by it
# would turn rounding into features of unit variance.
SMALLEST_DEVIATION = 1e-5
# Bytes of the problems that are stacked. Small ones share the cost of a call; more than a cache holds gain nothing on
# a CPU.
BUDGET = {"cpu": 2**26, "cuda": 2**34}
# Logits that are worked on at once, problems × classes × rows: what the cache of a CPU core holds, what fills a GPU.
BLOCK = {"cpu": 2**19, "cuda": 2**27}


def at_once(rows: int, dimension: int, classes: int, device: str) -> int:
    """Return how many problems of a shape are stacked on a device, at least one."""
    features, logits, weights = 12 * rows * dimension, 12 * rows * classes, 128 * classes * dimension
    return max(1, BUDGET[torch.device(device).type] // (features + logits + weights))


@dataclass(frozen=True)
class Problems:
    """Regressions on B sets of features that share their labels.

    Attributes:
        raw: features, B × rows × dimension, float32.
        labels: index of the class of every row, from 0, rows.
        classes: number of classes.
        centre, scale: features enter as (value − centre) / scale, B × dimension, float64; constant ones as 0.
        axes: orthonormal axes near the principal ones of the standardised features, B × dimension × dimension, float64.
        turned: standardised features along the axes and a last column of ones, B × rows × (dimension + 1), float32.
        blocks: rows whose logits are worked on at once.
    """

    raw: Tensor
    labels: Tensor
    classes: int
    centre: Tensor
    scale: Tensor
    axes: Tensor
    turned: Tensor
    blocks: Sequence[slice]

    @classmethod
    def of(
        cls, raw: Tensor, labels: Tensor, classes: int, axes: Tensor | None = None, *, standardise: bool = True
    ) -> "Problems":
        """Standardise features (B × rows × dimension, float32), and turn them to ``axes`` or to their principal axes.

        Any orthonormal axes lead to the same optimum, since they leave the penalty as it is; the nearer to the
        principal ones, the fewer iterations. Without ``standardise``, features are centred and keep their scale; free
        intercepts make centring no choice.
        """
        b, n, d = raw.shape
        parts = row_blocks(n, b * d, raw.device.type)
        centre = torch.stack([raw[:, part].double().sum(dim=1) for part in parts]).sum(dim=0) / n
        squares = [(raw[:, part] - centre[:, None]).square().sum(dim=1) for part in parts]
        deviation = (torch.stack(squares).sum(dim=0) / n).sqrt()
        divisor = deviation if standardise else torch.ones_like(deviation)
        scale = divisor.where(deviation >= SMALLEST_DEVIATION, torch.inf)
        turned = torch.ones(b, n, d + 1, device=raw.device)
        for part in parts:
            turned[:, part, :d] = ((raw[:, part] - centre[:, None]) / scale[:, None]).float()
        if axes is None:
            plain = turned[..., :d]
            axes = torch.linalg.eigh((plain.mT @ plain).double()).eigenvectors
        for part in parts:
            turned[:, part, :d] = turned[:, part, :d] @ axes.float()
        return cls(raw, labels, classes, centre, scale, axes, turned, row_blocks(n, b * classes, raw.device.type))

    @property
    def rows(self) -> int:
        """Number of rows of each problem."""
        return self.raw.shape[1]

    def take(self, chosen: Tensor) -> "Problems":
        """Return some of the problems, by index."""
        if len(chosen) == len(self.raw):
            return self
        mine = (each[chosen] for each in (self.raw, self.centre, self.scale, self.axes, self.turned))
        raw, centre, scale, axes, turned = mine
        return replace(self, raw=raw, centre=centre, scale=scale, axes=axes, turned=turned)

    def cold(self) -> Tensor:
        """Return where a solver starts that knows nothing: B × classes × (dimension + 1), intercepts last, float64.

        Weights are zero, and intercepts the logarithms of the classes' frequencies.
        """
        weights = self.axes.new_zeros(len(self.raw), self.classes, self.raw.shape[2] + 1)
        counts = torch.stack([(self.labels == k).sum() for k in range(self.classes)])
        weights[..., -1] = (counts.clamp(min=1) / self.rows).double().log()
        return weights

    def plain(self, weights: Tensor) -> Tensor:
        """Return weights for standardised features from weights along the axes; intercepts stay as they are."""
        return torch.cat([weights[..., :-1] @ self.axes.mT, weights[..., -1:]], dim=-1)


def row_blocks(rows: int, width: int, device: str) -> list[slice]:
    """Return slices of rows of which each holds about so many numbers as suit a device, given numbers per row."""
    size = max(1, BLOCK[device] // width)
    return [slice(first, min(first + size, rows)) for first in range(0, rows, size)]


def standardised_logits(raw: Tensor, centre: Tensor, scale: Tensor, weights: Tensor) -> Tensor:
    """Return logits in float64, B × classes × rows.

    Args:
        raw: features, B × rows × dimension.
        centre, scale: B × dimension.
        weights: for standardised features, B × classes × (dimension + 1), intercepts last.
    """
    x = (raw - centre[:, None]) / scale[:, None]
    return torch.baddbmm(weights[..., -1:], weights[..., :-1], x.mT)
