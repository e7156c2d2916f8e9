"""Newton's method for many multinomial logistic regressions at once.

Directions come from conjugate gradients, preconditioned class by class, and steps from a line search over logits that
are already known. Products are in float32, in the layout classes × rows; where an optimum is asked for to more than
float32 can tell, the last gradients are taken in float64. Problems that are done leave the stack.

Reference: Nocedal and Wright, Numerical Optimization (2006), algorithms 5.3 and 7.1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from extract.tasks.logistic import Problems

# Error of a probability down to which float32 is trusted.
SINGLE = 1e-3
# How far conjugate gradients go: until the residual is this part of the gradient. Less is wasted far from the optimum,
# where the curvature changes with the step.
FAR, NEAR = 0.05, 1e-2
# A step that changes no logit by more than this needs no line search: the curvature changes by less than a tenth. After
# a large one, the preconditioner is measured anew.
SMALL_STEP, LARGE_STEP = 0.05, 3.0
# Rows per class whose outer products the preconditioner takes as they are. On five rows per class, conjugate gradients
# need half the iterations with eight of them, and no fewer with more.
HEAVY = 8
LINE = 20  # most places that a line search looks at


@dataclass(frozen=True)
class Solution:
    """Where a solver ended.

    Attributes:
        weights: along the axes of the problems, B × classes × (dimension + 1), intercepts last, float64.
        iterations: of conjugate gradients, B.
        converged: whether the last step was as small as asked for, B.
    """

    weights: Tensor
    iterations: Tensor
    converged: Tensor


def solve(problems: Problems, start: Tensor, penalty: Tensor, tolerance: float, iterations: int) -> Solution:
    """Minimise mean log-loss + penalty/2 · ‖weights‖² for every problem, intercepts free.

    Args:
        problems: B problems.
        start: weights along their axes, B × classes × (dimension + 1), intercepts last, float64.
        penalty: B.
        tolerance: largest error of a probability of any row, as the last step tells: what it changes, times the part
            that conjugate gradients left and the change of a logit, by which the curvature changes.
        iterations: most iterations of conjugate gradients for one problem.

    Returns:
        The optimum of each problem, or where the iterations ended.
    """
    first = _descend(problems, start, penalty, max(tolerance, SINGLE), iterations, exact=False)
    left = torch.nonzero(~first.converged if tolerance >= SINGLE else torch.ones_like(first.converged)).flatten()
    if not len(left):
        return first
    allowed = iterations - first.iterations[left]
    last = _descend(problems.take(left), first.weights[left], penalty[left], tolerance, allowed, exact=True)
    return Solution(
        first.weights.index_copy(0, left, last.weights),
        first.iterations.index_add(0, left, last.iterations),
        first.converged.index_copy(0, left, last.converged),
    )


def _descend(
    problems: Problems, start: Tensor, penalty: Tensor, tolerance: float, iterations: int | Tensor, exact: bool
) -> Solution:
    """Take Newton steps until every problem has converged, has no iteration left or, in float32, gets no further."""
    weights, lam = start.clone(), penalty.float()
    live = torch.arange(len(start), device=start.device)
    used = torch.zeros_like(live)
    allowed = used + iterations
    converged = torch.zeros_like(live, dtype=torch.bool)
    smallest, stalls = torch.full_like(penalty, torch.inf), torch.zeros_like(live)
    now, at, logs = problems, start, list[Tensor]() if exact else _logits(problems, start.float())
    curvature: _Curvature | None = None
    while True:
        slope = _exact_slope(now, at, penalty[live], logs) if exact else _slope(now, at, penalty[live], logs)
        if curvature is None:
            curvature = _Curvature.of(now, lam[live], logs)
        # In float64, far enough that the second step is the last.
        target = (0.5 * tolerance / smallest[live]).clamp(NEAR, FAR) if exact else torch.full_like(lam[live], FAR)
        step, steps, solved = _direction(
            now, slope.float(), curvature, lam[live], logs, target, allowed[live] - used[live]
        )
        change = _logits(now, step)
        moved, largest = _moves(logs, change)
        length = torch.ones_like(moved)
        if (searched := largest > SMALL_STEP).any():
            before = _dot(slope, step).abs()
            found = _step_length(now, logs, change, at.float(), step, lam[live], before)
            length = torch.where(searched, found, length)
        at = at + length[:, None, None] * step
        error = (target + largest) * moved
        # What float32 cannot make smaller in five steps is left to float64.
        stalls[live] = torch.where(error > smallest[live] * 0.7, stalls[live] + 1, 0)
        smallest[live] = torch.minimum(smallest[live], error)
        used[live] += steps
        weights[live], converged[live] = at, solved & (error <= tolerance)
        over = converged[live] | (used[live] >= allowed[live]) | (stalls[live] >= (20 if exact else 5)) | error.isnan()
        keep = torch.nonzero(~over).flatten()
        if not len(keep):
            return Solution(weights, used, converged)
        if not exact:
            for each, by in zip(logs, change, strict=True):
                each.add_(by.mul_(length.float()[:, None, None]))
        if (largest[keep] > LARGE_STEP).any():
            curvature = None
        if len(keep) < len(live):
            now, logs, live, at = now.take(keep), [each[keep] for each in logs], live[keep], at[keep]
            curvature = curvature and curvature.take(keep)


def _moves(logs: list[Tensor], change: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return by how much a step changes a probability and a logit at most, to first order, B each, float64."""
    logit = torch.stack([_largest(by) for by in change]).amax(dim=0).double()
    if (logit > 1).all():
        return torch.ones_like(logit), logit  # far from the optimum; how far does not matter
    probability = []
    for each, by in zip(logs, change, strict=True):
        p = each.exp()
        both = p * by
        probability.append(_largest(both.addcmul_(p, both.sum(dim=1, keepdim=True), value=-1)))
    return torch.stack(probability).amax(dim=0).double(), logit


def _largest(values: Tensor) -> Tensor:
    """Return the largest absolute value of each problem, B."""
    return torch.maximum(values.amax(dim=1), -values.amin(dim=1)).amax(dim=1)


def _normalise(logits: Tensor) -> Tensor:
    """Turn logits (B × classes × rows) into log-probabilities in place, and return the probabilities."""
    logits -= logits.amax(dim=1, keepdim=True)
    odds = logits.exp()
    total = odds.sum(dim=1, keepdim=True)
    logits -= total.log()
    return odds.div_(total)


def _logits(problems: Problems, weights: Tensor) -> list[Tensor]:
    """Return the logits of weights, or how they change along a direction, by block of rows, B × classes × rows."""
    return [weights @ problems.turned[:, part].mT for part in problems.blocks]


def _residual(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Take 1 from the probability of every row's own class, in place."""
    probabilities[:, labels, torch.arange(len(labels), device=labels.device)] -= 1
    return probabilities


def _slope(problems: Problems, weights: Tensor, penalty: Tensor, logs: list[Tensor]) -> Tensor:
    """Return the gradient in float32; logits turn into log-probabilities in place."""
    slope = torch.zeros_like(weights, dtype=torch.float32)
    for part, each in zip(problems.blocks, logs, strict=True):
        slope.baddbmm_(_residual(_normalise(each), problems.labels[part]), problems.turned[:, part])
    slope /= problems.rows
    slope[..., :-1] += (penalty[:, None, None] * weights[..., :-1]).float()
    return slope


def _exact_slope(problems: Problems, weights: Tensor, penalty: Tensor, logs: list[Tensor]) -> Tensor:
    """Return the gradient in float64, from features as they were given; fill ``logs`` with log-probabilities."""
    plain = problems.plain(weights)
    slope = torch.zeros_like(weights)
    logs.clear()
    for part in problems.blocks:
        x = (problems.raw[:, part] - problems.centre[:, None]) / problems.scale[:, None]
        logits = torch.baddbmm(plain[..., -1:], plain[..., :-1], x.mT)
        residual = _residual(_normalise(logits), problems.labels[part])
        logs.append(logits.float())
        slope[..., :-1] += residual @ x
        slope[..., -1] += residual.sum(dim=2)
    slope /= problems.rows
    slope[..., :-1] = slope[..., :-1] @ problems.axes + penalty[:, None, None] * weights[..., :-1]
    return slope


@dataclass(frozen=True)
class _Curvature:
    """What is near the Hessian and easy to invert: for each class a diagonal and a few outer products.

    The Hessian of a class alone is the second moment of the features, weighted by p·(1 − p). Few rows have most of the
    weight: they are taken as they are. Of the others' moment, the outer product of their mean and, in principal axes,
    the diagonal of their covariance are most.

    Attributes:
        rest: the diagonal without the outer products, B × classes × (dimension + 1), positive.
        rows: of the outer products, divided by the rest, B × classes × few × (dimension + 1).
        core: inverse of 1 + their products in the metric of the rest, B × classes × few × few.
    """

    rest: Tensor
    rows: Tensor
    core: Tensor

    @classmethod
    def of(cls, problems: Problems, penalty: Tensor, logs: list[Tensor]) -> "_Curvature":
        """Measure it at log-probabilities; intercepts get the penalty too, so that no entry is zero."""
        x, n = problems.turned, problems.rows
        square, mean = (x.new_zeros(len(x), problems.classes, x.shape[2]) for _ in range(2))
        weights = []
        for part, each in zip(problems.blocks, logs, strict=True):
            p = each.exp()
            weights.append(p.addcmul_(p, p, value=-1).div_(n))
            square.baddbmm_(weights[-1], x[:, part].square())
            mean.baddbmm_(weights[-1], x[:, part])
        found = torch.cat(weights, dim=2).topk(min(HEAVY, n), dim=2)
        heavy = x[torch.arange(len(x), device=x.device)[:, None, None], found.indices]
        heavy *= found.values.sqrt()[..., None]
        # The mean of the others, whose weight is what the heavy rows leave; rounding must not make it negative.
        mean -= (found.values.sqrt()[..., None, :] @ heavy)[..., 0, :]
        mean /= mean[..., -1:].clamp(min=torch.finfo(mean.dtype).tiny).sqrt()
        outer = torch.cat([heavy, mean[..., None, :]], dim=2)
        diagonal = square + penalty[:, None, None]
        rest = torch.maximum(diagonal - outer.square().sum(dim=2), 1e-3 * diagonal)
        rows = outer / rest[..., None, :]
        products = (rows @ outer.mT).double()
        core = torch.linalg.inv(products + torch.eye(products.shape[-1], device=x.device)).float()
        return cls(rest, rows, core)

    def divide(self, slope: Tensor) -> Tensor:
        """Return its inverse times a slope, by Woodbury's formula."""
        along = self.core @ (self.rows @ slope[..., None])
        return slope / self.rest - (self.rows.mT @ along)[..., 0]

    def take(self, chosen: Tensor) -> "_Curvature":
        """Return that of some of the problems, by index."""
        return _Curvature(*(each[chosen] for each in (self.rest, self.rows, self.core)))


def _hessian(problems: Problems, penalty: Tensor, logs: list[Tensor], direction: Tensor) -> Tensor:
    """Return the product of the Hessian with a direction."""
    product = torch.zeros_like(direction)
    for part, each in zip(problems.blocks, logs, strict=True):
        x, p = problems.turned[:, part], each.exp()
        change = (direction @ x.mT).mul_(p)
        product.baddbmm_(change.addcmul_(p, change.sum(dim=1, keepdim=True), value=-1), x)
    product /= problems.rows
    product[..., :-1] += penalty[:, None, None] * direction[..., :-1]
    return product


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Return the inner product of every problem's matrices."""
    return (a * b).sum(dim=(1, 2))


def _direction(
    problems: Problems,
    slope: Tensor,
    curvature: _Curvature,
    penalty: Tensor,
    logs: list[Tensor],
    target: Tensor,
    allowed: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Solve Hessian · step = −slope by conjugate gradients, until the residual is ``target`` times the slope.

    Returns:
        The step of every problem, how many iterations it took, and whether the residual is that small.
    """
    residual, step = -slope, torch.zeros_like(slope)
    scaled = curvature.divide(residual)
    towards, product = scaled, _dot(residual, scaled)
    enough, steps = product * target.float().square(), torch.zeros_like(allowed)
    while True:
        open_ = (product > enough) & (steps < allowed)
        if not open_.any():
            return step, steps, product <= enough
        steps += open_
        bent = _hessian(problems, penalty, logs, towards)
        along = _dot(towards, bent)
        # Rounding may leave no curvature along a direction: then there is nothing more to gain.
        curved = open_ & (along > 0)
        length = torch.where(curved, product / along, 0)[:, None, None]
        step = step + length * towards
        residual = residual - length * bent
        scaled = curvature.divide(residual)
        after = _dot(residual, scaled)
        towards = scaled + torch.where(curved, after / product, 0)[:, None, None] * towards
        product = torch.where(curved, after, torch.where(open_, 0, product))


def _step_length(
    problems: Problems,
    logs: list[Tensor],
    change: list[Tensor],
    weights: Tensor,
    step: Tensor,
    penalty: Tensor,
    before: Tensor,
) -> Tensor:
    """Return how far to go along a step: to where the slope is less than a fifth of what it was, B, float64.

    The loss along a line is convex: Newton's method on its slope, with bisection where that leaves the bracket.
    ``before`` is the slope at the start.
    """
    length = torch.ones(len(step), dtype=torch.float64, device=step.device)
    bend = penalty * _dot(step[..., :-1], step[..., :-1])
    tilt = penalty * _dot(step[..., :-1], weights[..., :-1])
    own = torch.zeros_like(length)
    for part, each in zip(problems.blocks, change, strict=True):
        labels = problems.labels[part]
        own += each[:, labels, torch.arange(len(labels), device=labels.device)].double().sum(dim=1)
    low, high = torch.zeros_like(length), torch.full_like(length, torch.inf)

    def slope_at(place: Tensor) -> tuple[Tensor, Tensor]:
        slope, curve = -own, torch.zeros_like(own)
        for each, by in zip(logs, change, strict=True):
            p = _normalise(each + place.float()[:, None, None] * by)
            first = p.mul_(by).sum(dim=1)
            curve += (p.mul_(by).sum(dim=1) - first.square()).sum(dim=1)
            slope = slope + first.sum(dim=1)
        return slope / problems.rows + tilt + place * bend, curve / problems.rows + bend

    for _ in range(LINE):
        slope, curve = slope_at(length)
        if not (open_ := slope.abs() > 0.2 * before).any():
            break
        high, low = torch.where(slope > 0, length, high), torch.where(slope > 0, low, length)
        newton = length - slope / curve
        middle = torch.where(high.isinf(), 2 * length, (low + high) / 2)
        length = torch.where(open_, torch.where((newton > low) & (newton < high), newton, middle), length)
    return length
