"""A curvature of stacked multinomial logistic regressions that is near the Hessian and easy to invert."""

from dataclasses import dataclass

import torch
from torch import Tensor

from extract.tasks.gradients import Rows

# Rows per class whose outer products are taken as they are. On five rows per class, more save no iteration.
HEAVY = 8
# Least part of the diagonal that stays when the outer products are taken from it, so that it can be divided by.
LEAST = 0.01


@dataclass(frozen=True)
class Moments:
    """Second moments of the features for each class, weighted by p · (1 − p): the Hessian of a class alone.

    Few rows have most of the weight: their outer products are taken as they are. Of the others' moment, the outer
    product of their mean and, in principal axes, the diagonal of their covariance are most.

    Attributes:
        diagonal: B × classes × (dimension + 1).
        outer: vectors of the outer products, B × classes × few × (dimension + 1).
    """

    diagonal: Tensor
    outer: Tensor

    @classmethod
    def of(cls, rows: Rows, ahead: bool) -> "Moments":
        """Measure them.

        Args:
            rows: at their present probabilities.
            ahead: whether rows whose own class has less than half the probability are counted as if it had half, where
                the curvature is largest: their probability will rise, and a step that knows less curvature goes too
                far.
        """
        problems, x, n = rows.problems, rows.problems.turned, rows.problems.rows
        # Weights that sum to 0 over the classes see more curvature than those of one class; exact for equal classes.
        share = problems.classes / max(1, problems.classes - 1) / n
        diagonal, mean = (x.new_zeros(len(x), problems.classes, x.shape[2]) for _ in range(2))
        few, found = min(HEAVY, n), list[tuple[Tensor, Tensor]]()
        for part, p in zip(problems.blocks, rows.probabilities(), strict=True):
            if ahead:
                labels = problems.labels[part]
                own = labels, torch.arange(len(labels), device=labels.device)
                p[:, *own] = p[:, *own].clamp(min=0.5)
            weight = p.addcmul_(p, p, value=-1).clamp_(min=0).mul_(share)
            diagonal.baddbmm_(weight, x[:, part].square())
            mean.baddbmm_(weight, x[:, part])
            values, places = weight.topk(min(few, weight.shape[2]), dim=2)
            found.append((values, places + part.start))
        values, places = (torch.cat(each, dim=2) for each in zip(*found, strict=True))
        values, chosen = values.topk(few, dim=2)
        heavy = x[torch.arange(len(x), device=x.device)[:, None, None], places.gather(2, chosen)]
        heavy *= values.sqrt()[..., None]
        # The mean of the others, whose weight is what the heavy rows leave; where that is rounding, there is no other.
        mean -= (values.sqrt()[..., None, :] @ heavy)[..., 0, :]
        left, rounding = mean[..., -1:], 1e-5 * diagonal[..., -1:]
        mean = torch.where(left > rounding, mean / left.maximum(rounding).sqrt(), 0)
        return cls(diagonal, torch.cat([heavy, mean[..., None, :]], dim=2))

    def penalised(self, penalty: Tensor) -> "Curvature":
        """Return the curvature with a penalty on all weights but intercepts, B."""
        diagonal = self.diagonal.clamp(min=1e-20)
        diagonal[..., :-1] += penalty.float()[:, None, None]
        rest = torch.maximum(diagonal - self.outer.square().sum(dim=2), LEAST * diagonal)
        rows = self.outer / rest[..., None, :]
        products = (rows @ self.outer.mT).double()
        core = torch.linalg.inv(products + torch.eye(products.shape[-1], device=rest.device)).float()
        return Curvature(rest, rows, core)

    def take(self, chosen: Tensor) -> "Moments":
        """Return those of some of the problems, by index."""
        return Moments(self.diagonal[chosen], self.outer[chosen])


@dataclass(frozen=True)
class Curvature:
    """For each class a diagonal and a few outer products.

    Attributes:
        rest: the diagonal without the outer products, B × classes × (dimension + 1), positive.
        rows: vectors of the outer products, divided by the rest, B × classes × few × (dimension + 1).
        core: inverse of 1 + their products in the metric of the rest, B × classes × few × few.
    """

    rest: Tensor
    rows: Tensor
    core: Tensor

    def divide(self, slope: Tensor) -> Tensor:
        """Return its inverse times a slope, by Woodbury's formula, among weights that sum to 0 over the classes.

        The same weights for all classes change no probability, and the curvature of a class alone does not know.
        """
        slope = slope - slope.mean(dim=1, keepdim=True)
        along = self.core @ (self.rows @ slope[..., None])
        step = (slope / self.rest).sub_((self.rows.mT @ along)[..., 0])
        return step.sub_(step.mean(dim=1, keepdim=True))

    def take(self, chosen: Tensor) -> "Curvature":
        """Return that of some of the problems, by index."""
        return Curvature(self.rest[chosen], self.rows[chosen], self.core[chosen])
