"""Limited-memory BFGS for many multinomial logistic regressions at once.

Secant pairs of the last steps correct a curvature that is measured class by class (:mod:`extract.tasks.curvature`).
An iteration is two matrix products in float32 (:mod:`extract.tasks.gradients`). Problems that are done leave the stack.

Reference: Nocedal and Wright, Numerical Optimization (2006), algorithms 7.4 and 7.5.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from extract.tasks.curvature import Curvature, Moments
from extract.tasks.gradients import SINGLE, Rows
from extract.tasks.logistic import Problems

PAIRS = 10
# Most change of a logit in one step, and since the gradient in float64 was taken.
STEP, REACH = 4.0, 8.0
# A step is shortened until the slope at its end is at most this part of the slope at its start, upwards.
OVERSHOT = 0.9
TRIALS = 10
# Steps without progress after which the gradient is taken in float64 anew.
STALLED = 10
# The curvature is measured anew once the error of a probability is below the first, or after so many steps, if
# probabilities have changed by more than the last since it was measured.
NEAR, RENEWED, CHANGED = 0.1, 10, 0.2
# What a step leaves of the error: at least, at most, the first, and one after a step that was shortened.
LEAST, MOST, FIRST, UNKNOWN = 0.1, 0.95, 0.9, 0.6


@dataclass(frozen=True)
class Solution:
    """Where a solver ended.

    Attributes:
        weights: along the axes of the problems, B × classes × (dimension + 1), intercepts last, float64.
        iterations: B.
        converged: whether the error that is left is as small as asked for, B.
    """

    weights: Tensor
    iterations: Tensor
    converged: Tensor


def solve(
    problems: Problems, start: Tensor, penalties: Sequence[Tensor], tolerance: float, iterations: int
) -> list[Solution]:
    """Minimise mean log-loss + penalty/2 · ‖weights‖² for every problem, intercepts free.

    Args:
        problems: B problems.
        start: weights along their axes, B × classes × (dimension + 1), intercepts last, float64.
        penalties: B each, one after the other; each starts where the one before ended.
        tolerance: largest error of a probability of any row, as the last steps tell: what is left if each further step
            changes as much less than the one before as the slower of the last two did.
        iterations: most iterations for one problem and penalty.

    Returns:
        For each penalty the optimum of each problem, or where the iterations ended.
    """
    # The same weights for all classes change no probability; without them the penalty is less.
    at, known, found = start - start.mean(dim=1, keepdim=True), None, list[Solution]()
    for penalty in penalties:
        solution, known = _descend(problems, at, penalty, known, tolerance, iterations)
        found.append(solution)
        at = solution.weights
    return found


@dataclass(frozen=True)
class _Known:
    """What a descent leaves to the next one: rows, gradient of the mean log-loss and, if still valid, moments."""

    rows: Rows
    slope: Tensor
    moments: Moments | None
    changed: float


def _descend(
    problems: Problems, start: Tensor, penalty: Tensor, known: _Known | None, tolerance: float, iterations: int
) -> tuple[Solution, _Known | None]:
    """Take steps until every problem has converged or has no iteration left."""
    live, at = torch.arange(len(start), device=start.device), start
    weights, used = start.clone(), torch.zeros_like(live)
    converged = torch.zeros_like(live, dtype=torch.bool)
    known = known or _Known(*Rows.single(problems, start), None, 0.0)
    rows, slope, moments, changed = known.rows, known.slope, known.moments, known.changed
    progress, pairs = _Progress.none(start), deque[_Pair](maxlen=PAIRS)
    curvature, age, lost = None, 0, torch.zeros_like(converged)
    while True:
        if moments is None:
            near = bool((progress.error < NEAR).all())
            moments, curvature, changed, age = Moments.of(rows, ahead=not near), None, 0.0, 0
        curvature = curvature or moments.penalised(penalty)
        full = _penalised(slope, at, penalty)
        step = _direction(full, curvature, pairs)
        shift, slope, moved, trials = _advance(rows, at, penalty, full, step, lost)
        at = at + shift
        pairs.append(_Pair.of(shift, _penalised(slope, at, penalty) - full))
        progress = progress.after(moved, lost)
        used[live] += trials
        done = progress.error.maximum(rows.trusted) <= tolerance
        weights[live], converged[live] = at, done
        changed += moved.clamp(max=1).max().item()
        keep = torch.nonzero(~(done | (used[live] >= iterations) | progress.error.isnan())).flatten()
        if not len(keep):
            reusable = len(live) == len(start) and rows.anchor is None
            left = _Known(rows, slope, moments if changed < CHANGED else None, changed)
            return Solution(weights, used, converged), left if reusable else None
        if len(keep) < len(live):
            live, at, penalty, slope, rows = live[keep], at[keep], penalty[keep], slope[keep], rows.take(keep)
            progress, curvature, moments = progress.take(keep), curvature.take(keep), moments.take(keep)
            lost = lost[keep]
            pairs = deque((pair.take(keep) for pair in pairs), maxlen=PAIRS)
        age += 1
        if changed > CHANGED and (age >= RENEWED or (progress.error < NEAR).all()):
            moments = None
        if tolerance < SINGLE:
            # What needs a gradient in float64 waits until all do.
            lost |= (progress.error <= rows.trusted) | (progress.stalls >= STALLED) | (rows.reach() > REACH)
        if lost.all():
            rows, slope = Rows.exact(rows.problems, at, progress.error)
            lost = torch.zeros_like(lost)
            progress = replace(progress, stalls=torch.zeros_like(progress.stalls))


def _penalised(slope: Tensor, weights: Tensor, penalty: Tensor) -> Tensor:
    """Return the gradient of the mean log-loss with that of the penalty."""
    full = slope.clone()
    full[..., :-1] += penalty[:, None, None] * weights[..., :-1]
    return full


def _advance(
    rows: Rows, at: Tensor, penalty: Tensor, slope: Tensor, step: Tensor, waiting: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Go along a step, less far where that would overshoot, and nowhere where a problem is waiting.

    Returns:
        By how much the weights have changed, the gradient of the mean log-loss there, by how much a probability has
        changed at most (infinity where the step was shortened), and how many gradients that took, B.
    """
    before = _dot(step, slope)
    length = torch.where(waiting, 0, (STEP / rows.turn(step)).clamp(max=1))
    trials, gone, whole = (~waiting).long(), torch.zeros_like(length), torch.full_like(length, torch.inf)
    for _ in range(TRIALS):
        moved, after = rows.move(length - gone)
        whole = torch.where((length == 1) & (gone == 0), moved, whole)
        gone, shift = length, length[:, None, None] * step
        rise = _dot(step, _penalised(after, at + shift, penalty))
        steep = ~waiting & (rise > -OVERSHOT * before)
        if not steep.any():
            break
        trials += steep
        length = torch.where(steep, length * (before / (before - rise)).clamp(0.1, 0.9), length)
    return shift, after, torch.where(gone < 1, torch.inf, whole), trials


@dataclass(frozen=True)
class _Progress:
    """How far each problem has come.

    Attributes:
        error: of a probability, estimated, B.
        moved: by how much the last step changed a probability at most, B.
        rate: what the last step left of the error, B.
        least: the smallest error so far, B.
        stalls: steps since it was undercut, B.
    """

    error: Tensor
    moved: Tensor
    rate: Tensor
    least: Tensor
    stalls: Tensor

    @classmethod
    def none(cls, start: Tensor) -> "_Progress":
        infinite = torch.full_like(start[:, 0, 0], torch.inf)
        return cls(infinite, infinite, torch.full_like(infinite, FIRST), infinite, torch.zeros_like(infinite))

    def after(self, moved: Tensor, waiting: Tensor) -> "_Progress":
        """Return the progress after a step; a shortened one tells nothing of the error, and waiting changes nothing.

        What is left is a geometric series, at the slower rate of the last two steps: a short step after a long one
        may be due to a curvature that is out of date.
        """
        tells = self.moved.isfinite() & moved.isfinite()
        ratio = moved / self.moved.clamp(min=torch.finfo(moved.dtype).tiny)
        rate = torch.where(tells, ratio.clamp(LEAST, MOST), UNKNOWN)
        slower = torch.maximum(rate, self.rate)
        error = moved * slower / (1 - slower)
        stalls = torch.where(error < 0.7 * self.least, 0, self.stalls + 1)
        found = error, moved, rate, torch.fmin(error, self.least), stalls
        return _Progress(*(torch.where(waiting, old, new) for old, new in zip(self.parts, found, strict=True)))

    def take(self, chosen: Tensor) -> "_Progress":
        """Return that of some of the problems, by index."""
        return _Progress(*(each[chosen] for each in self.parts))

    @property
    def parts(self) -> tuple[Tensor, ...]:
        """All of it, in order."""
        return self.error, self.moved, self.rate, self.least, self.stalls


@dataclass(frozen=True)
class _Pair:
    """A step, and by how much the gradient changed along it.

    Attributes:
        shift, bent: of the weights and of the gradient, B × classes × (dimension + 1), float32.
        inverse: of their inner product, B; 0 where rounding left none.
    """

    shift: Tensor
    bent: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, shift: Tensor, bent: Tensor) -> "_Pair":
        along = _dot(shift, bent)
        sound = along > 1e-12 * (_dot(shift, shift) * _dot(bent, bent)).sqrt()
        return cls(shift.float(), bent.float(), torch.where(sound, 1 / along, 0))

    def take(self, chosen: Tensor) -> "_Pair":
        """Return that of some of the problems, by index."""
        return _Pair(self.shift[chosen], self.bent[chosen], self.inverse[chosen])


def _direction(slope: Tensor, curvature: Curvature, pairs: deque[_Pair]) -> Tensor:
    """Return the step downhill, by the two loops of algorithm 7.4, float32."""
    towards, parts = -slope.float(), []
    for pair in reversed(pairs):
        parts.append((pair.inverse * _dot(pair.shift, towards)).float()[:, None, None])
        towards.addcmul_(parts[-1], pair.bent, value=-1)
    towards = curvature.divide(towards)
    for pair, part in zip(pairs, reversed(parts), strict=True):
        towards.addcmul_(part - (pair.inverse * _dot(pair.bent, towards)).float()[:, None, None], pair.shift)
    return towards


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product of every problem's matrices, in the precision of ``b``, B, float64."""
    return (a.to(b.dtype).flatten(1)[:, None] @ b.flatten(1)[..., None])[:, 0, 0].double()
