"""The probes of SciPy's L-BFGS-B in float64, one after another: the reference of the batched solver and its speed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from config.settings import Probe
from extract.tasks.probes import COMPARED, SCORED, held_out


@dataclass(frozen=True)
class ScipyProbe:
    """A fitted probe, for standardised features: centre, scale, weights (dimension × classes) and intercept."""

    centre: Tensor
    scale: Tensor
    weights: Tensor
    intercept: Tensor
    classes: NDArray[np.int64]
    strength: float

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probabilities of the classes, rows × classes."""
        x = (torch.from_numpy(features).double() - self.centre) / self.scale
        found: NDArray[np.float64] = (x @ self.weights + self.intercept).softmax(dim=1).numpy()
        return found


def scipy_probe(
    features: NDArray[np.float32], labels: NDArray[np.int64], units: Sequence[str], options: Probe
) -> ScipyProbe:
    """Fit a probe whose C is chosen on a part of the training data."""
    strengths, start = sorted(options.strengths), None
    if len(strengths) > 1:
        held = held_out(units, options.held_out, 0)
        path = scipy_path(features[~held], labels[~held], strengths, COMPARED)
        own = np.searchsorted(path[0].classes, labels[held])
        rows = np.arange(len(own))
        losses = [-np.log(probe.probabilities(features[held])[rows, own]).mean() for probe in path]
        start = path[int(np.argmin(losses))]
        strengths = [start.strength]
    (probe,) = scipy_path(features, labels, strengths, SCORED, start)
    return probe


def scipy_path(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    strengths: Sequence[float],
    tolerance: float,
    start: ScipyProbe | None = None,
) -> list[ScipyProbe]:
    """Fit one probe per C, each starting where the one before ended."""
    x = torch.tensor(features, dtype=torch.float64)
    centre = x.mean(dim=0)
    x -= centre
    scale = x.square().mean(dim=0).sqrt()
    x /= scale
    classes, place = np.unique(labels, return_inverse=True)
    y = torch.from_numpy(place)
    axes = torch.linalg.eigh(x.mT @ x).eigenvectors
    x = x @ axes
    if start is None:
        w, b = x.new_zeros(x.shape[1], len(classes)), (y.bincount() / len(y)).double().log()
    else:
        w, b = axes.mT @ start.weights, start.intercept
    probes = []
    for strength in strengths:
        w, b = _solve(x, y, w, b, strength, tolerance)
        probes.append(ScipyProbe(centre, scale, axes @ w, b, classes, strength))
    return probes


def _solve(x: Tensor, y: Tensor, w: Tensor, b: Tensor, strength: float, tolerance: float) -> tuple[Tensor, Tensor]:
    penalty = 1 / (strength * len(y))
    p = (x @ w + b).softmax(dim=1)
    p *= 1 - p
    stretch = (torch.cat([x.square().mT @ p / len(y), p.mean(dim=0, keepdim=True)]) + penalty).sqrt()

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        at = torch.from_numpy(flat).view_as(stretch) / stretch
        value, slope_w, slope_b = _loss(x, y, at[:-1], at[-1], penalty)
        return value, (torch.cat([slope_w, slope_b[None]]) / stretch).numpy().ravel()

    start = (torch.cat([w, b[None]]) * stretch).numpy().ravel()
    options = {"maxiter": 5000, "maxfun": 10_000, "gtol": tolerance, "ftol": 0.0, "maxcor": 20}
    at = torch.from_numpy(minimize(objective, start, method="L-BFGS-B", jac=True, options=options).x)
    at = at.view_as(stretch) / stretch
    return at[:-1], at[-1]


@torch.inference_mode()
def _loss(x: Tensor, y: Tensor, w: Tensor, b: Tensor, penalty: float) -> tuple[float, Tensor, Tensor]:
    logits = x @ w + b
    own = logits.gather(1, y[:, None]).squeeze(1)
    total = logits.logsumexp(dim=1)
    value = (total - own).mean() + penalty / 2 * w.square().sum()
    residual = (logits - total[:, None]).exp_()
    residual[torch.arange(len(y)), y] -= 1
    residual /= len(y)
    return value.item(), x.mT @ residual + penalty * w, residual.sum(dim=0)
