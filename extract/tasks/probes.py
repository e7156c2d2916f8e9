"""The linear probe of every task that needs one: multinomial logistic regression whose C is chosen.

A score says what a probe reads from features; so its regularisation is chosen on training data alone, and its optimum
is found to a stated tolerance. Probes that share labels are fitted together (:mod:`extract.tasks.logistic`).
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from config.keys import digest
from config.settings import Probe
from extract.devices import resolve_device
from extract.outcomes import Fit
from extract.tasks.logistic import Problems, at_once, row_blocks, standardised_logits
from extract.tasks.newton import Solution, solve

# Error of a probability at which the solver stops: where values of C are compared, and where the probe that is scored
# is fitted. The former leaves an error of less than a thousandth of a held-out loss.
COMPARED = 1e-2
SCORED = 1e-6


class ProbeWarning(UserWarning):
    """A probe whose solver has not converged, with the key to change."""


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
        converged: whether the solver reached its tolerance, in the fits that C was chosen by as well.
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
    converged: bool = True

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
        chosen = self.strength, self.held_out_loss, self.iterations, self.rows, self.converged
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
        The probe fitted on all rows with the C of the least held-out loss; the smaller one of two alike. One that has
        not converged says so, with a warning.

    Examples:
        >>> labels = np.arange(40) % 2
        >>> features = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32) + 3 * labels[:, None]
        >>> options = Probe(strengths=(0.001, 0.1), held_out=0.25, tokens=("cls",), refits=0, iterations=500)
        >>> probe = linear_probe(features.astype(np.float32), labels, [f"image {k}" for k in range(40)], options)
        >>> probe.strength, float((probe.predict(features) == labels).mean())
        (0.1, 1.0)
    """
    (probe,) = linear_probes([features], labels, units, options, device, seed)
    return probe


def linear_probes(
    features: Sequence[NDArray[np.float32]],
    labels: NDArray[np.int64],
    units: Sequence[str],
    options: Probe,
    device: str = "cpu",
    seed: int = 0,
) -> list[LinearProbe]:
    """Fit a probe on each of several sets of features of the same rows (see :func:`linear_probe`), many at once.

    Args:
        features: rows × dimension each.
        labels, units: one per row.
        options, device, seed: as of :func:`linear_probe`.

    Returns:
        One probe per set. Each C is chosen by itself, from those whose fit has converged.
    """
    where = resolve_device(device)
    held = held_out(units, options.held_out, seed)
    probes: list[LinearProbe] = []
    for raw in _stacks(features, len(np.unique(labels)), where):
        strengths = [np.full(len(raw), strength) for strength in sorted(options.strengths)]
        losses, converged = np.full(len(raw), np.nan), np.full(len(raw), True)
        start, axes = None, None
        if len(strengths) > 1:
            kept, others = (raw[:, torch.from_numpy(rows).to(where)] for rows in (~held, held))
            training = _Stack.of(kept, labels[~held], standardise=options.standardise)
            path = _path(training, None, strengths, options.iterations, COMPARED)
            found = np.stack([each.log_losses(others, labels[held]) for each in path])
            converged = np.stack([each.converged for each in path])
            best = np.argmin(np.nan_to_num(np.where(converged, found, np.inf), nan=np.inf), axis=0)
            every = np.arange(len(raw))
            losses, converged = found[best, every], np.all(converged, axis=0)
            strengths = [np.sort(options.strengths)[best]]
            start, axes = [path[k].probe(problem) for problem, k in enumerate(best)], training.problems.axes
        whole = _Stack.of(raw, labels, axes, standardise=options.standardise)
        (fitted,) = _path(whole, start, strengths, options.iterations, SCORED)
        for k, (loss, well) in enumerate(zip(losses, converged, strict=True)):
            probe = fitted.probe(k)
            probes.append(replace(probe, held_out_loss=float(loss), converged=bool(well) and probe.converged))
    return _told(probes, options.iterations)


def refitted(
    probes: Sequence[LinearProbe],
    features: Sequence[NDArray[np.float32]],
    labels: NDArray[np.int64],
    options: Probe,
    device: str,
) -> list[LinearProbe]:
    """Fit probes again on other rows, each with its C, many at once.

    Args:
        probes: as they were fitted.
        features: the rows of each, rows × dimension.
        labels: one class index per row.
        options: of the probe, but for its values of C.
        device: auto, cpu or cuda.
    """
    again: list[LinearProbe] = []
    for raw in _stacks(features, len(np.unique(labels)), resolve_device(device)):
        before = probes[len(again) : len(again) + len(raw)]
        strengths = [np.array([probe.strength for probe in before])]
        stack = _Stack.of(raw, labels, standardise=options.standardise)
        (fitted,) = _path(stack, before, strengths, options.iterations, SCORED)
        again += [fitted.probe(k) for k in range(len(raw))]
    return _told(again, options.iterations)


def predictions(
    probes: Sequence[LinearProbe], features: Sequence[NDArray[np.float32]], device: str
) -> list[NDArray[np.int64]]:
    """Return the likeliest label of every row of each probe's features, rows × dimension, many probes at once.

    Args:
        probes: of the same classes.
        features: of each probe.
        device: auto, cpu or cuda.
    """
    where = resolve_device(device)
    found: list[NDArray[np.int64]] = []
    for raw in _stacks(features, len(probes[0].classes), where):
        mine = probes[len(found) : len(found) + len(raw)]
        centre, scale = (np.stack([getattr(probe, name) for probe in mine]) for name in ("centre", "scale"))
        weights = np.stack([np.column_stack([probe.weights.T, probe.intercept]) for probe in mine])
        placed = tuple(torch.from_numpy(each).to(where) for each in (centre, scale, weights))
        parts = row_blocks(raw.shape[1], weights.shape[0] * weights.shape[1], where)
        likeliest = [standardised_logits(raw[:, part], *placed).argmax(dim=1) for part in parts]
        found += list(mine[0].classes[torch.cat(likeliest, dim=1).cpu().numpy()])
    return found


def held_out(units: Sequence[str], share: float, seed: int) -> NDArray[np.bool_]:
    """Tell which rows are held out: a share of the images, keyed by their identity, at least one and not all.

    Examples:
        >>> held_out(["a", "a", "b", "b", "c"], share=0.34, seed=0)
        array([ True,  True, False, False, False])
    """
    images = sorted(set(units), key=lambda unit: digest(seed, "held out", unit))
    n = min(max(1, round(share * len(images))), len(images) - 1)
    return np.isin(np.asarray(units), images[:n])


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
        tolerance: error of a probability at which the solver stops.
        start: a probe that is near the first of them.

    Returns:
        The probes; those that have not converged say so, with a warning.

    Examples:
        >>> features, labels = np.array([[0.0], [1.0], [2.0], [3.0]], dtype=np.float32), np.array([0, 0, 1, 1])
        >>> for probe in fit_path(features, labels, [0.01, 1.0], iterations=100, device="cpu"):
        ...     print(probe.strength, probe.predict(features), probe.weights[0].round(3))
        0.01 [0 0 1 1] [-0.018  0.018]
        1.0 [0 0 1 1] [-0.684  0.684]
    """
    (raw,) = _stacks([features], len(np.unique(labels)), device)
    each = [np.array([strength]) for strength in strengths]
    path = _path(_Stack.of(raw, labels), None if start is None else [start], each, iterations, tolerance)
    return _told([fitted.probe(0) for fitted in path], iterations)


@dataclass(frozen=True)
class _Stack:
    """Features of the same rows on a device, as the problems of a solver, and the labels of its classes."""

    problems: Problems
    classes: NDArray[np.int64]

    @classmethod
    def of(
        cls, raw: Tensor, labels: NDArray[np.int64], axes: Tensor | None = None, *, standardise: bool = True
    ) -> "_Stack":
        classes, place = np.unique(labels, return_inverse=True)
        places = torch.from_numpy(place).to(raw.device)
        return cls(Problems.of(raw, places, len(classes), axes, standardise=standardise), classes)

    def start(self, probes: Sequence[LinearProbe] | None) -> Tensor:
        """Return where a solver starts: at probes, but for classes that they have not seen, or knowing nothing."""
        start = self.problems.cold()
        if probes is not None:
            weights = np.stack([np.column_stack([probe.weights.T, probe.intercept]) for probe in probes])
            _, here, there = np.intersect1d(self.classes, probes[0].classes, return_indices=True)
            placed = torch.from_numpy(weights[:, there]).to(start)
            placed[..., :-1] = placed[..., :-1] @ self.problems.axes
            start[:, torch.from_numpy(here).to(start.device)] = placed
        return start


@dataclass(frozen=True)
class _Fitted:
    """The solution of a stack of problems, one C each."""

    stack: _Stack
    solution: Solution
    strengths: NDArray[np.float64]

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether each problem has converged."""
        converged: NDArray[np.bool_] = self.solution.converged.cpu().numpy()
        return converged

    def probe(self, k: int) -> LinearProbe:
        """Return one of the probes."""
        problems, solution = self.stack.problems.take(torch.tensor([k])), self.solution
        weights = problems.plain(solution.weights[k : k + 1])[0].cpu().numpy()
        return LinearProbe(
            problems.centre[0].cpu().numpy(),
            problems.scale[0].cpu().numpy(),
            np.ascontiguousarray(weights[:, :-1].T),
            weights[:, -1].copy(),
            self.stack.classes,
            float(self.strengths[k]),
            float("nan"),
            int(solution.iterations[k]),
            problems.rows,
            bool(solution.converged[k]),
        )

    def log_losses(self, raw: Tensor, labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the mean log-loss of each probe on other rows of its features, B × rows × dimension.

        Rows of classes that were not seen in training are left out; NaN where no row is left.
        """
        problems, known = self.stack.problems, np.isin(labels, self.stack.classes)
        if not known.any():
            return np.full(len(raw), np.nan)
        own = torch.from_numpy(np.searchsorted(self.stack.classes, labels[known])).to(raw.device)
        rows, weights = torch.from_numpy(np.flatnonzero(known)).to(raw.device), problems.plain(self.solution.weights)
        losses = torch.zeros(len(raw), dtype=torch.float64, device=raw.device)
        for part in row_blocks(len(rows), len(raw) * problems.classes, raw.device.type):
            logits = standardised_logits(raw[:, rows[part]], problems.centre, problems.scale, weights)
            picked = logits.gather(1, own[part].expand(len(raw), 1, -1)).squeeze(1)
            losses += (logits.logsumexp(dim=1) - picked).sum(dim=1)
        found: NDArray[np.float64] = (losses / len(rows)).cpu().numpy()
        return found


def _stacks(features: Sequence[NDArray[np.float32]], classes: int, device: str) -> Iterator[Tensor]:
    """Yield features on the device, B × rows × dimension, as many sets at a time as are solved together."""
    rows, dimension = features[0].shape
    size = at_once(rows, dimension, classes, device)
    for first in range(0, len(features), size):
        yield torch.from_numpy(np.stack(features[first : first + size]).astype(np.float32, copy=False)).to(device)


def _path(
    stack: _Stack,
    start: Sequence[LinearProbe] | None,
    strengths: Sequence[NDArray[np.float64]],
    iterations: int,
    tolerance: float,
) -> list[_Fitted]:
    """Solve a stack for one C per problem after the other, each time from where the one before ended."""
    at, path = stack.start(start), []
    for each in strengths:
        penalty = torch.from_numpy(1 / (each * stack.problems.rows)).to(at)
        solution = solve(stack.problems, at, penalty, tolerance, iterations)
        path.append(_Fitted(stack, solution, each))
        at = solution.weights
    return path


def _told(probes: list[LinearProbe], iterations: int) -> list[LinearProbe]:
    """Warn of probes that have not converged, and return all of them."""
    missed = [probe for probe in probes if not probe.converged]
    if missed:
        warnings.warn(
            f"probe.iterations: {len(missed)} of {len(probes)} linear probes on {missed[0].rows} rows have not "
            f"converged after {iterations} iterations (largest C = {max(probe.strength for probe in missed):g}). They "
            "are scored as they are, and the column `converged` of the table of probes names them. Raise "
            "probe.iterations, or leave out the largest C of probe.strengths, which makes the problem easier",
            ProbeWarning,
            stacklevel=3,
        )
    return probes
