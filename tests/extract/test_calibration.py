"""What ``mean``, ``noise`` and ``resample`` draw from: the same factor whatever computes it, and the same file."""

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import torch
from safetensors import safe_open
from torch import Tensor

from extract.calibration import covariance_factor, load_calibration, save_calibration
from extract.replacements import Calibration

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


@pytest.mark.parametrize("covariances", [False, True])
def test_a_file_has_the_same_bytes_every_time(covariances: bool, tmp_path: Path) -> None:
    random = torch.Generator().manual_seed(9)
    mean, variance = (torch.rand(3, 1, 5, generator=random) for _ in range(2))  # an odd number of values
    factor = torch.rand(3, 1, 5, 5, generator=random).mT if covariances else None
    facts = {name: name.upper() for name in "abcdefgh"}  # safetensors would write them in one of 40,320 orders
    for name in ("one", "other"):
        save_calibration(Calibration(mean, variance, (0,), factor), tmp_path / name, facts)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    read = load_calibration(tmp_path / "one", torch.device("cpu"))
    assert read.rows == (0,) and torch.equal(read.mean, mean) and torch.equal(read.variance, variance)
    assert read.factor is None if factor is None else torch.equal(read.factor, factor)
    with safe_open(tmp_path / "one", framework="pt") as file:
        assert file.metadata() == facts
