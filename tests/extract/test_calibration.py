"""The factor of a covariance that ``resample`` draws from: the same one whatever computes it."""

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from extract.calibration import covariance_factor

DIMENSION = 48


def samples(images: int) -> Tensor:
    """Centred rows whose variances span six orders of magnitude, as those of tokens do."""
    rng = np.random.default_rng(7)
    mixed = np.linalg.qr(rng.normal(size=(DIMENSION, DIMENSION)))[0] * np.geomspace(1, 1e-3, DIMENSION)[:, None]
    rows = rng.normal(size=(images, DIMENSION)) @ mixed
    return torch.from_numpy(rows - rows.mean(axis=0))


@pytest.mark.parametrize("images", [20, 500])  # fewer than dimensions, where the covariance is singular, and more
def test_the_factor_is_the_symmetric_root(images: int) -> None:
    rows = samples(images)
    factor = covariance_factor((rows.mT @ rows / images)[None])[0]
    # From the singular values of the samples: no covariance, and no eigenvectors of one.
    _, values, vectors = torch.linalg.svd(rows / images**0.5, full_matrices=False)
    torch.testing.assert_close(factor, vectors.mT * values @ vectors, atol=2e-8, rtol=0)


@pytest.mark.parametrize("driver", ["ev", "evd", "evr"])
@pytest.mark.parametrize("images", [20, 500])
def test_every_eigensolver_leads_to_the_same_draws(driver: str, images: int, monkeypatch: pytest.MonkeyPatch) -> None:
    covariance = samples(images).T.cov(correction=0)
    draw = torch.from_numpy(np.random.default_rng(8).normal(size=DIMENSION))
    expected = covariance_factor(covariance) @ draw

    def another(matrix: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = scipy.linalg.eigh(matrix.numpy(), driver=driver)
        signs = np.where(np.arange(DIMENSION) % 3, 1, -1)  # as good a set of eigenvectors
        return torch.from_numpy(values), torch.from_numpy(vectors * signs)

    monkeypatch.setattr(torch.linalg, "eigh", another)
    torch.testing.assert_close(covariance_factor(covariance) @ draw, expected, atol=1e-7, rtol=0)
