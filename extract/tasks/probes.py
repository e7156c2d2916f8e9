"""The linear probe of every task that needs one: multinomial logistic regression with a chosen penalty.

Scored is what a probe reads from features; so its penalty is chosen on training data alone, and its optimum is found
to a stated tolerance, by SciPy's L-BFGS-B over an objective that is evaluated on the GPU where there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from config.errors import InputError
from config.keys import digest
from config.settings import Probe
from extract.devices import resolve_device

# A spread below this is rounding, not signal: features of unit scale carry about 1e-7 of it. Dividing by it would
# turn rounding into features of unit variance.
SMALLEST_SPREAD = 1e-5
# Largest entry of the gradient, in the coordinates of the solver, at which it stops. On features of the known-answer
# models this is as near to the optimum as scikit-learn's default, or nearer.
TOLERANCE = 1e-4


class ProbeError(InputError):
    """A probe that cannot be trusted, with the key to change."""


@dataclass(frozen=True)
class LinearProbe:
    """A fitted probe.

    Attributes:
        centre, scale: features enter as (value − centre) / scale, dimension each; constant features as 0.
        weights: dimension × classes.
        intercept: classes.
        classes: the labels that were seen in training, ascending.
        strength: inverse strength of the penalty, C.
        held_out_loss: mean log-loss on the held-out part of the training data; NaN where there was no choice to make.
        iterations: of the last fit.
        rows: that it was fitted on.
    """

    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    weights: NDArray[np.float64]
    intercept: NDArray[np.float64]
    classes: NDArray[np.int64]
    strength: float
    held_out_loss: float
    iterations: int
    rows: int

    def decision(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the logits of features (rows × dimension), rows × classes."""
        standard = (features.astype(np.float64) - self.centre) / self.scale
        logits: NDArray[np.float64] = standard @ self.weights + self.intercept
        return logits

    def predict(self, features: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the likeliest label of every row."""
        labels: NDArray[np.int64] = self.classes[self.decision(features).argmax(axis=1)]
        return labels


def linear_probe(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    units: Sequence[str],
    options: Probe,
    device: str = "cpu",
    seed: int = 0,
) -> LinearProbe:
    """Fit a probe whose penalty is chosen on a part of the training data.

    Args:
        features: rows × dimension, of the training data.
        labels: one class index a row.
        units: identity of each row's image; all rows of an image are held out together, or none.
        options: penalties to choose from, share held out, most iterations.
        device: auto, cpu or cuda.
        seed: of the choice of held-out images, combined with their identity.

    Returns:
        The probe fitted on all rows with the penalty of the least held-out loss; the stronger one of two alike.

    Raises:
        ProbeError: where the solver does not converge.
    """
    where = resolve_device(device)
    strengths = sorted(options.strengths)  # from the strongest penalty, where the optimum is near zero, to the weakest
    losses = [float("nan")]
    if len(strengths) > 1:
        held = held_out(units, options.held_out, seed)
        path = fit_path(features[~held], labels[~held], strengths, options.iterations, where)
        losses = [log_loss(probe, features[held], labels[held]) for probe in path]
    best = int(np.nanargmin(losses)) if len(strengths) > 1 else 0
    (probe,) = fit_path(features, labels, strengths[best : best + 1], options.iterations, where, losses[best])
    return probe


def held_out(units: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """Tell which rows are held out: a share of the images, keyed by their identity, at least one and not all."""
    images = sorted(set(units), key=lambda unit: digest(seed, "held out", unit))
    n = min(max(1, round(share * len(images))), len(images) - 1)
    return np.isin(np.asarray(units), images[:n])


def log_loss(probe: LinearProbe, features: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the mean log-loss of a probe; rows of classes that it never saw are left out."""
    known = np.isin(labels, probe.classes)
    logits = probe.decision(features[known])
    place = np.searchsorted(probe.classes, labels[known])
    logits -= logits.max(axis=1, keepdims=True)
    own = logits[np.arange(len(place)), place]
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - own))


def fit_path(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    strengths: Sequence[float],
    iterations: int,
    device: str,
    held_out_loss: float = float("nan"),
    tolerance: float = TOLERANCE,
) -> list[LinearProbe]:
    """Fit one probe a strength, each starting where the one before ended.

    The objective is scikit-learn's: mean log-loss + ‖W‖² / (2·C·rows), intercepts free. The solver moves in
    coordinates in which its curvature is near one in every direction, W = T·V with T = (h·Σ + λ)^(−1/2), Σ being the
    covariance, λ the penalty and h = (1 − 1/K)/K the curvature of the log-loss in a logit where all K classes are
    equally likely. It then needs a fraction of the iterations.

    Raises:
        ProbeError: where the solver does not converge.
    """
    wide = features.astype(np.float64)
    centre, spread = wide.mean(axis=0), wide.std(axis=0)
    scale = np.where(spread < SMALLEST_SPREAD, np.inf, spread)
    classes, place = np.unique(labels, return_inverse=True)
    x = torch.from_numpy((wide - centre) / scale).to(device)
    y = torch.from_numpy(place).to(device)
    n, shape = len(x), (x.shape[1] + 1, len(classes))
    variances, axes = torch.linalg.eigh(x.mT @ x / n)
    curvature = (1 - 1 / len(classes)) / len(classes)
    w, b = torch.zeros(shape[0] - 1, shape[1], dtype=x.dtype, device=device), x.new_zeros(shape[1])
    probes = []
    for strength in strengths:
        penalty = 1 / (strength * n)
        stretch = (curvature * variances.clamp(min=0) + penalty).sqrt()
        whiten, colour = axes / stretch @ axes.mT, axes * stretch @ axes.mT

        def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            at = torch.from_numpy(flat).view(shape).to(device)
            value, slope_w, slope_b = _loss(x, y, whiten @ at[:-1], at[-1], penalty)  # noqa: B023
            slope = torch.cat([whiten @ slope_w, slope_b[None]])  # noqa: B023
            return value, slope.cpu().numpy().ravel()

        start = torch.cat([colour @ w, b[None]]).cpu().numpy().ravel()
        options = {"maxiter": iterations, "maxfun": 2 * iterations, "gtol": tolerance, "ftol": 0.0, "maxcor": 20}
        found = minimize(objective, start, method="L-BFGS-B", jac=True, options=options)
        # With ftol 0 the solver also ends where rounding lets it go no further, which is an optimum as well.
        if found.nit >= iterations or found.nfev >= 2 * iterations or not np.isfinite(found.fun):
            raise ProbeError(
                f"probe.iterations: a linear probe on {n} rows has not converged after {iterations} iterations "
                f"(C = {strength:g}). Raise probe.iterations, or leave out the weakest of probe.strengths, which "
                "makes the problem easier"
            )
        at = torch.from_numpy(found.x).view(shape).to(device)
        w, b = whiten @ at[:-1], at[-1]
        weights, intercept = w.cpu().numpy(), b.cpu().numpy()
        probes.append(
            LinearProbe(centre, scale, weights, intercept, classes, strength, held_out_loss, int(found.nit), n)
        )
    return probes


@torch.inference_mode()
def _loss(x: Tensor, y: Tensor, w: Tensor, b: Tensor, penalty: float) -> tuple[float, Tensor, Tensor]:
    """Return mean log-loss + penalty/2·‖W‖² and its gradients in W and b."""
    logits = x @ w + b
    own = logits.gather(1, y[:, None]).squeeze(1)
    total = logits.logsumexp(dim=1)
    value = (total - own).mean() + penalty / 2 * w.square().sum()
    residual = (logits - total[:, None]).exp_()
    residual[torch.arange(len(y), device=y.device), y] -= 1
    residual /= len(y)
    return value.item(), x.mT @ residual + penalty * w, residual.sum(dim=0)
