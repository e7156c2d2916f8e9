"""The GPU computes what the CPU does. Skipped where there is none.

Every test computes on both and compares. Tolerances lie between what rounding does to features of unit variance and
what TF32 does: with both emulated on a CPU, another order of summation moved them by up to 7e-6, and inputs of
products rounded to TF32's ten bits by 1.6e-3 to 3.7e-3.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor

from config.conditions import Condition
from config.settings import Curves, Extraction, Model
from config.vocabulary.replacements import REPLACEMENTS
from extract.calibration import calibrate, covariance_factor
from extract.datasets.packs import VOID, OpenPack
from extract.draws import Batch
from extract.features import Images, clean_prefix, tokens_under, under
from extract.geometry import Spectra, gram_spectrum
from extract.matching import match, match_keypoints
from extract.measures import Block, PassMeasures, Reference, measuring
from extract.models import Network, load_network
from extract.noise import keyed_normal
from extract.replacements import Calibration
from extract.tasks.probes import SCORED, LinearProbe, fit_path, linear_probe
from extract.tasks.segmentation import class_logits, overlaps, pixel_classes
from extract.transfer import on_host
from tests.extract.conftest import EVERY, FAMILIES, timm_model
from tests.extract.small_extraction import Extracted, assert_same, extracted, run_settings
from tests.extract.test_precision import CLOSE
from tests.extract.test_probes import OPTIONS, examples, probabilities, units

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

GPU = "cuda"
FEATURES = 2e-4  # of a feature after the final norm
FACTOR = 5e-3  # of a factor of a covariance, in the operator norm
PROBABILITY = 2e-6  # of a probe, on the same features
ATTENDED = np.array([0, 3, 6])
BATCH = Batch(tuple("abcdefgh"), ("g",) * 8, seed=0)
T = TypeVar("T")


def both(work: Callable[[str], T]) -> tuple[T, T]:
    """Do the same on the CPU and on the GPU."""
    return work("cpu"), work(GPU)


@cache
def network_on(name: str, device: str, precision: str = "float32") -> Network:
    model = Model(name, "known_answer", name, "S") if name in FAMILIES else timm_model(name)
    return load_network(model, 0, Extraction(device, 8, (-1,), precision, Curves((), ())))


def images_on(network: Network) -> Images:
    """Return eight images of noise, with the prefix tokens of their unchanged pass."""
    side = network.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (8, side, side, 3), dtype=np.uint8)
    x = network.input(pixels)
    return Images(np.arange(8), x, BATCH, clean_prefix(network, x))


def moved(calibration: Calibration, device: str) -> Calibration:
    assert calibration.factor is not None
    mean, variance, factor = (each.to(device) for each in (calibration.mean, calibration.variance, calibration.factor))
    return Calibration(mean, variance, calibration.rows, factor)


def conditions(network: Network) -> list[Condition]:
    """Return ``full``, every replacement of every token group, of a single register, and of random patches."""
    groups = [name for name in ("cls", "registers", "r2") if not network.layout.missing((name,))]
    return [
        Condition("full"),
        *(Condition(f"{by}_{tokens}", (tokens,), by) for tokens in groups for by in REPLACEMENTS),
        *(
            Condition(f"{by}_random_patches", ("random_patches",), by, draw=1)
            for by, record in REPLACEMENTS.items()
            if record.for_random_patches
        ),
    ]


def assert_close(on_gpu: Tensor, on_cpu: Tensor, tolerance: float, what: object = "") -> None:
    torch.testing.assert_close(
        on_gpu.cpu(), on_cpu, atol=tolerance, rtol=tolerance, msg=lambda message: f"{what}: {message}"
    )


def distance(one: Tensor, other: Tensor) -> float:
    """Return the largest relative Frobenius distance of two stacks of matrices."""
    one, other = one.cpu().double(), other.cpu().double()
    size = torch.linalg.matrix_norm(other)
    return float((torch.linalg.matrix_norm(one - other) / size)[size > 0].max())


def test_products_are_not_rounded_to_tf32() -> None:
    network_on("open", GPU)  # loading a network sets the precision
    random = torch.Generator().manual_seed(0)
    a, b = (torch.randn(512, 512, generator=random) for _ in range(2))
    pixels, kernels = torch.randn(4, 3, 56, 56, generator=random), torch.randn(64, 3, 14, 14, generator=random)
    exact = a.double() @ b.double()
    assert distance(a.to(GPU) @ b.to(GPU), exact) < 2e-6  # TF32: 3e-4
    exact = torch.nn.functional.conv2d(pixels.double(), kernels.double(), stride=14)
    found = torch.nn.functional.conv2d(pixels.to(GPU), kernels.to(GPU), stride=14)
    assert distance(found.flatten(2), exact.flatten(2)) < 2e-6


def test_keyed_noise_is_the_same_on_both() -> None:
    keys, layers, tokens = BATCH.image_keys, torch.arange(12), torch.tensor([1, 2])
    on_cpu, on_gpu = both(lambda at: keyed_normal(keys.to(at), layers.to(at), tokens.to(at), 384))
    assert_close(on_gpu, on_cpu, 1e-12)


def test_random_patches_are_the_same_on_both() -> None:
    on_cpu, on_gpu = both(lambda device: BATCH.random_patches(range(5, 261), 4, 2, torch.device(device)))
    assert torch.equal(on_gpu.cpu(), on_cpu)


@pytest.mark.parametrize("images", [70, 600])  # fewer than dimensions, where the covariance is singular, and more
def test_eigenvectors_rebuild_a_covariance(images: int) -> None:
    # The shape of a ViT-S: 12 layers, 5 tokens; variances span six orders of magnitude.
    rows = torch.randn(12, 5, images, 384, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    rows = rows * torch.logspace(0, -3, 384, dtype=torch.float64)
    covariance = rows.mT @ rows / images
    values, vectors = torch.linalg.eigh(covariance.to(GPU))
    assert distance((vectors * values[..., None, :]) @ vectors.mT, covariance) < 1e-12
    identity = torch.eye(384, dtype=torch.float64, device=GPU)
    assert float((vectors.mT @ vectors - identity).abs().max()) < 1e-11
    assert_close(values, torch.linalg.eigvalsh(covariance), 1e-12)
    on_cpu, on_gpu = both(lambda device: covariance_factor(covariance.to(device)))
    assert distance(on_gpu @ on_gpu.mT, covariance) < 1e-12
    assert distance(on_gpu, on_cpu) < 1e-7


@pytest.mark.parametrize("name", EVERY)
def test_a_calibration_with_covariances_is_the_same_on_both(name: str, pack: OpenPack) -> None:
    on_cpu, on_gpu = both(lambda device: calibrate(network_on(name, device), pack, 32, covariances=True))
    assert on_cpu.factor is not None and on_gpu.factor is not None and on_gpu.rows == on_cpu.rows
    spread = on_cpu.variance.sqrt().amax(dim=-1, keepdim=True) + 1e-3
    assert_close(on_gpu.mean.cpu() / spread, on_cpu.mean / spread, FEATURES, "mean")
    assert_close(on_gpu.variance.cpu() / spread**2, on_cpu.variance / spread**2, FEATURES, "variance")
    covariance = on_cpu.factor @ on_cpu.factor.mT
    size = torch.linalg.matrix_norm(covariance)
    off = torch.linalg.matrix_norm(on_gpu.factor.cpu() @ on_gpu.factor.cpu().mT - covariance)
    # A register of `sink` has no variance: what is left of it is rounding, on both.
    assert float((off / (size + 1e-6)).max()) < FEATURES
    # The factors themselves, that is eigenvectors too. Noise of 7e-6 on every token, emulated on a CPU, moved them by
    # 3e-5; eigenvectors that belong to other eigenvalues move them by about 1.
    apart = torch.linalg.matrix_norm(on_gpu.factor.cpu() - on_cpu.factor, ord=2)
    assert float((apart / (torch.linalg.matrix_norm(on_cpu.factor, ord=2) + 1e-2)).max()) < FACTOR
    # And the directions of the largest spread, where their eigenvalues are apart: up to their sign, the same.
    values, vectors = torch.linalg.eigh(covariance.double())
    _, others = torch.linalg.eigh((on_gpu.factor.cpu() @ on_gpu.factor.cpu().mT).double())
    separate = (values[..., -1] - values[..., -2] > 0.1 * values[..., -1]) & (size > 1e-3)
    aligned = (vectors[..., -1] * others[..., -1]).sum(dim=-1).abs()
    assert separate.any() and float(aligned[separate].min()) > 1 - 1e-3
    assert_close(on_gpu.factor.cpu() @ on_gpu.factor.cpu().mT, on_gpu.factor.cpu() @ on_gpu.factor.cpu(), 1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_features_are_the_same_on_both_under_every_condition(name: str, calibrations: dict[str, Calibration]) -> None:
    def features(device: str) -> dict[str, tuple[Tensor, Tensor]]:
        network = network_on(name, device)
        images, calibration = images_on(network), moved(calibrations[name], device)
        found = {}
        for condition in conditions(network):
            tokens = tokens_under(network, images, condition, calibration, tuple(range(network.depth)))
            found[condition.name] = tokens.prefix.cpu(), tokens.patches.cpu()
        return found

    on_cpu, on_gpu = both(features)
    for condition, (prefix, patches) in on_cpu.items():
        assert_close(on_gpu[condition][0], prefix, FEATURES, f"{condition}, prefix tokens")
        assert_close(on_gpu[condition][1], patches, FEATURES, f"{condition}, patches")


@pytest.mark.parametrize("name", EVERY)
def test_measures_are_the_same_on_both_after_every_layer(name: str, calibrations: dict[str, Calibration]) -> None:
    def measures(device: str) -> dict[str, PassMeasures]:
        network, found = network_on(name, device), {}
        images, calibration = images_on(network), moved(calibrations[name], device)
        reference, spectra = Reference.of(network, np.arange(8), ATTENDED), Spectra()
        for condition in conditions(network):
            with (
                under(network, images, condition, calibration),
                measuring(network, tuple(range(network.depth)), reference, spectra) as found[condition.name],
            ):
                network.run(images.x)
        spectra.solve()  # the matrices of all conditions, in one call of the eigensolver
        return {each: measured.filled(iter(on_host(measured.tensors()))) for each, measured in found.items()}

    on_cpu, on_gpu = both(measures)
    patches = len(network_on(name, "cpu").layout.patches)
    for condition, expected in on_cpu.items():
        for one, other in zip(blocks(expected), blocks(on_gpu[condition]), strict=True):
            assert (one.columns, one.layers) == (other.columns, other.layers)
            for place, column in enumerate(one.columns):
                if "nearest" in column and not column.endswith("cosine"):
                    continue  # an index: where two patches are as near up to rounding, either may be named
                # High norms are a count of what exceeds a bound.
                one_patch = 1.01 / patches if column == "high_norm_share" else 0
                tolerance = 1e-4 if column.startswith(("js", "mass")) else 1e-3 + one_patch
                where = f"{condition}, {column} after layers {one.layers}"
                assert_close(other.values[..., place], one.values[..., place], tolerance, where)
        for (layers, one_spectra), (_, other_spectra) in zip(expected.spectra, on_gpu[condition].spectra, strict=True):
            assert_close(other_spectra, one_spectra, 1e-4, f"{condition}, spectra after layers {layers}")


def blocks(measured: PassMeasures) -> list[Block]:
    """Return what was measured in an order that does not depend on when eigenvalues were solved."""
    return sorted((*measured.geometry, *measured.attention), key=lambda block: (block.columns, block.layers))


@pytest.mark.parametrize("shape", [(40, 256, 384), (40, 256, 64)])
def test_the_spectra_of_a_stack_are_the_same_on_both(shape: tuple[int, int, int]) -> None:
    patches = torch.randn(shape, generator=torch.Generator().manual_seed(5))
    patches[:, :, 1] += 20  # one direction that all patches share, as in a network
    for options in ({}, {"centred": True}, {"unit_rows": False}):
        on_cpu, on_gpu = both(lambda device, options=options: gram_spectrum(patches.to(device), **options))
        assert_close(on_gpu, on_cpu, 1e-12, options)


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3", "open"])
def test_bfloat16_is_as_near_to_float32_as_on_a_cpu(name: str, calibrations: dict[str, Calibration]) -> None:
    exact, rounded = network_on(name, GPU), network_on(name, GPU, "bfloat16")
    images, calibration = images_on(exact), moved(calibrations[name], GPU)
    for condition in conditions(exact):
        one, other = (
            tokens_under(each, images, condition, calibration, (exact.depth - 1,)).patches for each in (exact, rounded)
        )
        cosine = torch.nn.functional.cosine_similarity(one, other, dim=-1)
        assert other.dtype == torch.float32 and not torch.equal(one, other)
        assert cosine[one.abs().amax(dim=-1) > 0].min() > CLOSE, condition.name


@pytest.mark.parametrize(("n", "dimension", "classes"), [(2000, 64, 20), (300, 40, 100)])
def test_probes_are_the_same_on_both(n: int, dimension: int, classes: int) -> None:
    features, labels = examples(n, dimension, classes)
    on_cpu, on_gpu = both(lambda device: fit_path(features, labels, OPTIONS.strengths, 2000, device, SCORED))
    for here, there in zip(on_cpu, on_gpu, strict=True):
        assert np.abs(probabilities(there, features) - probabilities(here, features)).max() <= PROBABILITY
    options = replace(OPTIONS, strengths=(0.01, 0.1))
    chosen, again = both(lambda device: linear_probe(features, labels, units(n), options, device))
    assert chosen.strength == again.strength
    assert np.abs(probabilities(again, features) - probabilities(chosen, features)).max() <= PROBABILITY


def test_pairs_are_matched_alike_on_both() -> None:
    random = torch.Generator().manual_seed(2)
    source = torch.randn(4, 64, 96, generator=random)
    twin = source + 5 * torch.randn(4, 64, 96, generator=random)  # some patches are found, and some are not
    warps = np.tile(np.array([[1, 0, 0], [0, 1, 0]], dtype=np.float32), (4, 1, 1))
    points = list(np.random.default_rng(3).random((4, 5, 2)))
    radii = np.full((4, 2), 0.3)
    for here, there in (
        both(lambda device: match(source.to(device), twin.to(device), warps, (8, 8))),
        both(lambda d: match_keypoints(source.to(d), twin.to(d), points, points, radii, (8, 8))),
    ):
        assert here.points.min() > 0 and 0 < here.cycles.sum() < here.points.sum()
        for counts in ("hits", "points", "cycles"):
            assert np.array_equal(getattr(here, counts), getattr(there, counts)), counts


def test_pixels_are_classified_alike_on_both() -> None:
    rng = np.random.default_rng(4)
    tokens = torch.from_numpy(rng.normal(size=(6, 64, 32)).astype(np.float32))
    masks = torch.from_numpy(rng.integers(0, 5, (6, 112, 112)).astype(np.uint8))
    masks[:, :20] = VOID
    weights, classes = rng.normal(size=(32, 4)), np.array([0, 1, 2, 4])
    probe = LinearProbe(np.zeros(32), np.ones(32), weights, np.zeros(4), classes, 1.0, 0.0, 1, 1)

    def segmented(device: str) -> tuple[Tensor, Tensor, Tensor]:
        predicted = pixel_classes(class_logits(probe, tokens.to(device), 5), (8, 8), (112, 112))
        return predicted, *overlaps(predicted, masks.to(device), 5)

    on_cpu, on_gpu = both(segmented)
    assert int(on_cpu[1].sum()) > 0
    for here, there in zip(on_cpu, on_gpu, strict=True):
        assert torch.equal(there.cpu(), here)


def test_a_whole_extraction_is_the_same_on_both(pack: OpenPack, calibration: Calibration, tmp_path: Path) -> None:
    def run(device: str) -> Extracted:
        chosen = run_settings(extraction={"batch_size": 64, "layers": [-1], "device": device})
        return extracted(network_on("open", device), pack, moved(calibration, device), chosen, tmp_path / device)

    assert_same(*both(run), tolerance=FEATURES)
