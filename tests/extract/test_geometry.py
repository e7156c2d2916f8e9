"""The geometry of patch tokens, held to what linear algebra says of it."""

import math

import numpy as np
import pytest
import torch

from extract.geometry import (
    cosine_to,
    effective_rank,
    gram_spectrum,
    high_norm_share,
    nearest_patch,
    participation_ratio,
)


def patches(n: int, dimension: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_orthogonal_patches_have_full_effective_rank(n: int) -> None:
    for scale in (1.0, 1e-3, 1e4):
        spectrum = gram_spectrum(scale * torch.eye(n))
        assert effective_rank(spectrum).item() == pytest.approx(n, abs=1e-9)
        assert participation_ratio(spectrum).item() == pytest.approx(n, abs=1e-9)


def test_patches_on_one_line_have_effective_rank_one() -> None:
    line = torch.arange(1, 9, dtype=torch.float64)[:, None] * patches(1, 20)
    for unit_rows in (True, False):
        spectrum = gram_spectrum(line, unit_rows=unit_rows)
        assert effective_rank(spectrum).item() == pytest.approx(1, abs=1e-9)
        assert participation_ratio(spectrum).item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("shape", [(10, 30), (30, 10)])
@pytest.mark.parametrize("options", [{}, {"centred": True}, {"unit_rows": False}])
def test_the_spectrum_is_that_of_the_singular_values(shape: tuple[int, int], options: dict[str, bool]) -> None:
    rows = patches(*shape)
    expected = rows.numpy().copy()
    if options.get("unit_rows", True):
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    if options.get("centred", False):
        expected -= expected.mean(axis=0)
    squared = np.linalg.svd(expected, compute_uv=False) ** 2
    spectrum = gram_spectrum(rows.float(), **options)
    assert spectrum.dtype == torch.float64
    np.testing.assert_allclose(spectrum, squared / squared.sum(), atol=1e-7)
    assert spectrum.sum().item() == pytest.approx(1, abs=1e-12)
    assert (spectrum.diff() <= 0).all()


def test_effective_rank_ignores_scale_and_rotation() -> None:
    rows = patches(16, 24)
    rotation = torch.linalg.qr(patches(24, 24, seed=1)).Q
    reference = effective_rank(gram_spectrum(rows))
    lengths = torch.rand(16, 1, dtype=torch.float64) + 0.1
    for changed in (37 * rows, rows @ rotation, lengths * rows, rows.flip(0)):
        assert effective_rank(gram_spectrum(changed)).item() == pytest.approx(reference.item(), rel=1e-9)
    unnormalised = effective_rank(gram_spectrum(rows, unit_rows=False))
    assert effective_rank(gram_spectrum(lengths * rows, unit_rows=False)).item() != pytest.approx(unnormalised.item())
    assert 1 < reference < 16


def test_images_are_measured_one_by_one() -> None:
    both = torch.stack([patches(8, 12, seed=2), patches(8, 12, seed=3)])
    together = effective_rank(gram_spectrum(both))
    apart = torch.stack([effective_rank(gram_spectrum(each)) for each in both])
    torch.testing.assert_close(together, apart)


def test_patches_that_are_all_zero_have_no_spectrum() -> None:
    assert effective_rank(gram_spectrum(torch.zeros(4, 3))).isnan()


def test_outliers_are_counted_against_the_median_of_their_image() -> None:
    norms = torch.tensor([[1.0, 1.0, 1.0, 10.0], [10.0, 10.0, 10.0, 10.0], [1.0, 1.0, 2.9, 3.1]])
    assert high_norm_share(norms).tolist() == [0.25, 0.0, 0.25]


def test_cosine_is_taken_patch_by_patch() -> None:
    reference = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    turned = torch.tensor([[[math.cos(1), math.sin(1)], [0.0, 5.0]]])
    assert cosine_to(reference, turned).item() == pytest.approx((math.cos(1) + 1) / 2)


def test_the_nearest_patch_is_found_by_angle() -> None:
    grid = torch.tensor([[[1.0, 0.0], [0.6, 0.8], [0.0, 100.0]]])
    registers = torch.tensor([[[3.0, 4.0], [0.0, 0.1]]])
    index, cosine = nearest_patch(registers, grid)
    assert index.tolist() == [[1, 2]]
    torch.testing.assert_close(cosine, torch.ones(1, 2))
