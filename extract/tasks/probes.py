"""The linear probe of every task that needs one: multinomial logistic regression whose C is chosen.

A score says what a probe reads from features; so its regularisation is chosen on training data alone, and its optimum
is found to a stated tolerance, by SciPy's L-BFGS-B over an objective that is evaluated on the GPU where there is one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from config.errors import InputError
from config.keys import digest
from config.settings import Probe
from extract.devices import resolve_device
from extract.outcomes import Fit

# A standard deviation below this is rounding, not signal: features of unit scale carry about 1e-7 of it. Dividing by it
# would turn rounding into features of unit variance.
SMALLEST_DEVIATION = 1e-5
# Largest entry of the gradient, in the coordinates of the solver, at which it stops: where values of C are compared,
# and where the probe that is scored is fitted. On features of the known-answer models the former leaves an error of
# less than a thousandth of a held-out loss, the latter one of 2e-6 or less in a probability.
COMPARED = 1e-4
SCORED = 1e-7


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
        strength: inverse regularisation strength C.
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

    def logits(self, features: Tensor) -> Tensor:
        """Return the logits of features (… × dimension), … × classes, in float64 on their device."""
        centre, scale, weights, intercept = (
            torch.from_numpy(each).to(features.device)
            for each in (self.centre, self.scale, self.weights, self.intercept)
        )
        return (features.double() - centre) / scale @ weights + intercept

    def decision(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the logits of features (rows × dimension), rows × classes."""
        logits: NDArray[np.float64] = self.logits(torch.from_numpy(features)).numpy()
        return logits

    def summary(self, dataset: str, condition: str, features: str, layer: int) -> Fit:
        """Return its summary, given what it was fitted on."""
        chosen = self.strength, self.held_out_loss, self.iterations, self.rows
        return Fit(dataset, condition, features, layer, *chosen)

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
    """Fit a probe whose C is chosen on a part of the training data.

    Args:
        features: rows × dimension, of the training data.
        labels: one class index per row.
        units: identity of each row's image; all rows of an image are held out together, or none.
        options: values of C to choose from, share held out, most iterations.
        device: auto, cpu or cuda.
        seed: of the choice of held-out images, combined with their identity.

    Returns:
        The probe fitted on all rows with the C of the least held-out loss; the smaller one of two alike.

    Raises:
        ProbeError: where the solver does not converge.

    Examples:
        >>> labels = np.arange(40) % 2
        >>> features = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32) + 3 * labels[:, None]
        >>> options = Probe(strengths=(0.001, 0.1), held_out=0.25, tokens=("cls",), refits=0, iterations=500)
        >>> probe = linear_probe(features.astype(np.float32), labels, [f"image {k}" for k in range(40)], options)
        >>> probe.strength, float((probe.predict(features) == labels).mean())
        (0.1, 1.0)
    """
    where = resolve_device(device)
    strengths = sorted(options.strengths)  # from the smallest C, where the optimum is near zero, to the largest
    start, loss = None, float("nan")
    if len(strengths) > 1:
        held = held_out(units, options.held_out, seed)
        path = fit_path(features[~held], labels[~held], strengths, options.iterations, where, COMPARED)
        losses = [log_loss(probe, features[held], labels[held]) for probe in path]
        best = int(np.argmin(np.nan_to_num(losses, nan=np.inf)))
        start, loss = path[best], losses[best]
        strengths = strengths[best : best + 1]
    (probe,) = fit_path(features, labels, strengths, options.iterations, where, start=start)
    return replace(probe, held_out_loss=loss)


def held_out(units: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """Tell which rows are held out: a share of the images, keyed by their identity, at least one and not all.

    Examples:
        >>> held_out(["a", "a", "b", "b", "c"], share=0.34, seed=0)
        array([ True,  True, False, False, False])
    """
    images = sorted(set(units), key=lambda unit: digest(seed, "held out", unit))
    n = min(max(1, round(share * len(images))), len(images) - 1)
    return np.isin(np.asarray(units), images[:n])


def log_loss(probe: LinearProbe, features: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return the mean log-loss of a probe; rows of classes that it never saw are left out, NaN where no row is left.

    Examples:
        >>> features, labels = np.array([[0.0], [1.0], [0.0], [1.0]], dtype=np.float32), np.array([0, 0, 1, 1])
        >>> (probe,) = fit_path(features, labels, [1.0], iterations=100, device="cpu")  # nothing to learn
        >>> round(log_loss(probe, features, labels), 4)  # ln 2
        0.6931
    """
    known = np.isin(labels, probe.classes)
    if not known.any():
        return float("nan")
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
    tolerance: float = SCORED,
    start: LinearProbe | None = None,
) -> list[LinearProbe]:
    """Fit one probe per C, each starting where the one before ended.

    The objective is mean log-loss + ‖W‖² / (2·C·rows), intercepts free: scikit-learn's for three classes or more. For
    two it fits the difference of our two columns as one vector, which at twice our C is the same problem.

    Args:
        features: rows × dimension, finite.
        labels: one class index per row.
        strengths: inverse regularisation strengths C.
        iterations: most iterations of the solver.
        device: cpu or cuda.
        tolerance: largest entry of the gradient, in the coordinates of the solver, at which it stops.
        start: a probe of the same classes that is near the first of them.

    Raises:
        ProbeError: where the solver does not converge.

    Examples:
        >>> features, labels = np.array([[0.0], [1.0], [2.0], [3.0]], dtype=np.float32), np.array([0, 0, 1, 1])
        >>> for probe in fit_path(features, labels, [0.01, 1.0], iterations=100, device="cpu"):
        ...     print(probe.strength, probe.predict(features), probe.weights[0].round(3))
        0.01 [0 0 1 1] [-0.018  0.018]
        1.0 [0 0 1 1] [-0.684  0.684]
    """
    x = torch.tensor(features, dtype=torch.float64, device=device)
    centre = x.mean(dim=0)
    x -= centre
    deviation = x.square().mean(dim=0).sqrt()
    scale = deviation.where(deviation >= SMALLEST_DEVIATION, torch.inf)
    x /= scale
    classes, place = np.unique(labels, return_inverse=True)
    y = torch.from_numpy(place).to(device)
    axes = torch.linalg.eigh(x.mT @ x).eigenvectors
    x = x @ axes  # principal components: uncorrelated, and as long as before, so that the penalty is the same
    if start is not None and np.array_equal(start.classes, classes):
        w, b = axes.mT @ torch.from_numpy(start.weights).to(device), torch.from_numpy(start.intercept).to(device)
    else:
        w, b = x.new_zeros(x.shape[1], len(classes)), (y.bincount() / len(y)).double().log()
    probes = []
    for strength in strengths:
        w, b, steps = _solve(x, y, w, b, strength, iterations, tolerance)
        weights, intercept = (axes @ w).cpu().numpy(), b.cpu().numpy()
        told = classes, strength, float("nan"), steps, len(y)
        probes.append(LinearProbe(centre.cpu().numpy(), scale.cpu().numpy(), weights, intercept, *told))
    return probes


def _solve(
    x: Tensor, y: Tensor, w: Tensor, b: Tensor, strength: float, iterations: int, tolerance: float
) -> tuple[Tensor, Tensor, int]:
    """Minimise from W and b, in coordinates that are stretched to a curvature near one in every direction.

    On uncorrelated features the diagonal of the Hessian is most of it; taken where the solver starts, it saves most of
    the iterations.

    Returns:
        W, b and the number of iterations.
    """
    penalty = 1 / (strength * len(y))
    p = (x @ w + b).softmax(dim=1)
    p *= 1 - p
    stretch = (torch.cat([x.square().mT @ p / len(y), p.mean(dim=0, keepdim=True)]) + penalty).sqrt()

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        at = torch.from_numpy(flat).to(x.device).view_as(stretch) / stretch
        value, slope_w, slope_b = _loss(x, y, at[:-1], at[-1], penalty)
        slope = torch.cat([slope_w, slope_b[None]]) / stretch
        return value, slope.cpu().numpy().ravel()

    start = (torch.cat([w, b[None]]) * stretch).cpu().numpy().ravel()
    options = {"maxiter": iterations, "maxfun": 2 * iterations, "gtol": tolerance, "ftol": 0.0, "maxcor": 20}
    found = minimize(objective, start, method="L-BFGS-B", jac=True, options=options)
    # With ftol 0 the solver also ends where rounding lets it go no further, which is an optimum as well.
    if found.nit >= iterations or found.nfev >= 2 * iterations or not np.isfinite(found.fun):
        raise ProbeError(
            f"probe.iterations: a linear probe on {len(y)} rows has not converged after {iterations} iterations "
            f"(C = {strength:g}). Raise probe.iterations, or leave out the largest C of probe.strengths, which makes "
            "the problem easier"
        )
    at = torch.from_numpy(found.x).to(x.device).view_as(stretch) / stretch
    return at[:-1], at[-1], int(found.nit)


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
