"""Log-probabilities and gradients of stacked multinomial logistic regressions, kept up to date along steps.

Products are in float32, in the layout classes × rows. Where float32 cannot tell the gradient, it is taken in float64 at
an anchor, and only what has changed since is added in float32.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from extract.tasks.logistic import Problems

# Error of a probability down to which a gradient in float32 is trusted, and by how much one in float64 extends it.
SINGLE, ANCHORED = 1e-3, 1e-4


@dataclass(frozen=True)
class Anchor:
    """Weights at which the gradient is known in float64.

    Attributes:
        slope: gradient of the mean log-loss, B × classes × (dimension + 1), float64.
        probabilities: by block of rows, B × classes × rows, float32.
    """

    slope: Tensor
    probabilities: list[Tensor]


@dataclass(frozen=True)
class Rows:
    """State of every row, by block of rows. Tensors of a block are B × classes × rows, float32, changed in place.

    Attributes:
        problems: that the rows are of.
        logs: log-probabilities; with an anchor, change of the logits since the anchor.
        along: change of the logits along the present step.
        residual: probabilities minus those at the anchor; without one, minus 1 for the row's own class. Its products
            with the features are the gradient.
        anchor: where the gradient is known in float64, if anywhere.
        trusted: error of a probability down to which the gradient is trusted, B.
    """

    problems: Problems
    logs: list[Tensor]
    along: list[Tensor]
    residual: list[Tensor]
    anchor: Anchor | None
    trusted: Tensor

    @classmethod
    def single(cls, problems: Problems, weights: Tensor) -> tuple["Rows", Tensor]:
        """Return the rows at weights, and the gradient of the mean log-loss, all in float32."""
        logs, along, residual = (_blocks(problems) for _ in range(3))
        rows = cls(problems, logs, along, residual, None, torch.full_like(weights[:, 0, 0], SINGLE))
        rows.turn(weights)
        for each, by in zip(logs, along, strict=True):
            # Without an overflow in the exponentials, whatever the weights; steps are short enough.
            torch.sub(by, by.amax(dim=1, keepdim=True), out=each)
        _, slope = rows.move(torch.zeros_like(rows.trusted))
        return rows, slope

    @classmethod
    def exact(cls, problems: Problems, weights: Tensor, error: Tensor) -> tuple["Rows", Tensor]:
        """Return the rows with an anchor at weights, and the gradient of the mean log-loss in float64.

        Args:
            problems: that the rows are of.
            weights: B × classes × (dimension + 1), float64.
            error: of a probability there, about, B.
        """
        plain, slope, probabilities = problems.plain(weights), torch.zeros_like(weights), []
        for part in problems.blocks:
            x = (problems.raw[:, part] - problems.centre[:, None]) / problems.scale[:, None]
            p = torch.baddbmm(plain[..., -1:], plain[..., :-1], x.mT)
            p.sub_(p.amax(dim=1, keepdim=True)).exp_()
            p /= p.sum(dim=1, keepdim=True)
            probabilities.append(p.float())
            residual = _residual(p, problems.labels[part])
            slope[..., :-1] += residual @ x
            slope[..., -1] += residual.sum(dim=2)
        slope /= problems.rows
        slope[..., :-1] = slope[..., :-1] @ problems.axes
        logs, along, residuals = (_blocks(problems) for _ in range(3))
        return cls(problems, logs, along, residuals, Anchor(slope, probabilities), ANCHORED * error.clamp(max=1)), slope

    def turn(self, step: Tensor) -> Tensor:
        """Set the present step, and return by how much it changes a logit at most, B."""
        for part, by in zip(self.problems.blocks, self.along, strict=True):
            torch.bmm(step.float(), self.problems.turned[:, part].mT, out=by)
        return torch.stack([_largest(by) for by in self.along]).amax(dim=0).double()

    def move(self, length: Tensor) -> tuple[Tensor, Tensor]:
        """Go a length along the present step, forwards or backwards.

        Returns:
            By how much a probability has changed at most, B, and the gradient of the mean log-loss.
        """
        problems, far, moved = self.problems, length.float()[:, None, None], []
        slope = problems.turned.new_zeros(len(length), problems.classes, problems.turned.shape[2])
        spare = self.residual[0].new_empty(0)  # blocks take turns, since fresh memory costs as much as the arithmetic
        for k, part in enumerate(problems.blocks):
            logs, before = self.logs[k].addcmul_(self.along[k], far), self.residual[k]
            after = spare if spare.shape == before.shape else torch.empty_like(before)
            if self.anchor is None:
                torch.exp(logs, out=after)
                total = after.sum(dim=1, keepdim=True)
                logs -= total.log()
                _residual(after.div_(total), problems.labels[part])
            else:
                p = self.anchor.probabilities[k]
                torch.expm1(logs, out=after).mul_(p)
                total = after.sum(dim=1, keepdim=True)
                after.addcmul_(p, total, value=-1).div_(1 + total)
            slope.baddbmm_(after, problems.turned[:, part])
            moved.append(_largest(before.sub_(after)))
            self.residual[k], spare = after, before
        found = slope.double() / problems.rows
        if self.anchor is not None:
            found += self.anchor.slope
        return torch.stack(moved).amax(dim=0).double(), found

    def reach(self) -> Tensor:
        """Return the largest change of a logit since the anchor, B; 0 without one."""
        if self.anchor is None:
            return torch.zeros_like(self.trusted)
        return torch.stack([_largest(each) for each in self.logs]).amax(dim=0).double()

    def probabilities(self) -> list[Tensor]:
        """Return the probabilities of the classes, by block of rows."""
        if self.anchor is None:
            return [each.exp() for each in self.logs]
        return [p + by for p, by in zip(self.anchor.probabilities, self.residual, strict=True)]

    def take(self, chosen: Tensor) -> "Rows":
        """Return the rows of some of the problems, by index."""
        logs, along, residual = ([each[chosen] for each in blocks] for blocks in (self.logs, self.along, self.residual))
        anchor = self.anchor and Anchor(self.anchor.slope[chosen], [p[chosen] for p in self.anchor.probabilities])
        return Rows(self.problems.take(chosen), logs, along, residual, anchor, self.trusted[chosen])


def _blocks(problems: Problems) -> list[Tensor]:
    """Return zeros for every logit, by block of rows."""
    x = problems.turned
    return [x.new_zeros(len(x), problems.classes, len(problems.labels[part])) for part in problems.blocks]


def _largest(values: Tensor) -> Tensor:
    """Return the largest absolute value of each problem, B."""
    return torch.maximum(values.amax(dim=(1, 2)), -values.amin(dim=(1, 2)))


def _residual(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Take 1 from the probability of every row's own class, in place."""
    probabilities[:, labels, torch.arange(len(labels), device=labels.device)] -= 1
    return probabilities
