"""The linear probe of every task that needs one."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from config.errors import InputError

# A spread below this is rounding, not signal: features of unit scale carry about 1e-7 of it. Dividing by it would
# turn rounding into features of unit variance.
SMALLEST_SPREAD = 1e-5


class ProbeError(InputError):
    """A probe that cannot be trusted, with the key to change."""


class Standardiser(StandardScaler):
    """scikit-learn's StandardScaler that leaves (all but) constant features at 0 instead of amplifying rounding."""

    def fit(self, X: NDArray[np.float32], y: object = None, sample_weight: object = None) -> "Standardiser":
        """Fit on ``X``, rows × features."""
        super().fit(X, y, sample_weight)
        spread = np.sqrt(self.var_)
        self.scale_ = np.where(spread < SMALLEST_SPREAD, np.inf, spread)
        return self


def linear_probe(features: NDArray[np.float32], labels: NDArray[np.int64], c: float, iterations: int) -> Pipeline:
    """Fit a multinomial logistic regression on standardised features (scikit-learn, L-BFGS, deterministic).

    Args:
        features: rows × dimensions.
        labels: one class index a row.
        c: inverse strength of the L2 penalty.
        iterations: most L-BFGS iterations.

    Returns:
        A fitted pipeline with ``predict`` and ``decision_function``.

    Raises:
        ProbeError: where the solver does not converge.
    """
    probe = make_pipeline(Standardiser(), LogisticRegression(C=c, max_iter=iterations))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return probe.fit(features.astype(np.float64), labels)
        except ConvergenceWarning as warning:
            raise ProbeError(
                f"probe.iterations: a linear probe on {len(features)} rows has not converged after {iterations} "
                "iterations. Raise probe.iterations, or lower probe.c, which makes the problem easier"
            ) from warning
