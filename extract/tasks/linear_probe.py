"""A fitted linear probe: a multinomial logistic regression on standardised features."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from extract.outcomes import Fit


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
