"""The GPU computes what the CPU does. Skipped where there is none."""

import numpy as np
import pytest
import torch

from config.conditions import Condition
from config.settings import Curves, Extraction
from extract.draws import Batch
from extract.features import Images, clean_prefix, tokens_under, under
from extract.measures import Reference, measuring
from extract.models import load_network
from extract.noise import keyed_normal
from extract.replacements import Calibration
from tests.extract.conftest import timm_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

BY = ("zero", "mean", "noise", "resample", "shuffle", "shuffle_trajectory")
BATCH = Batch(tuple("abcdefgh"), ("g",) * 8, seed=0)


def options(device: str, precision: str = "float32") -> Extraction:
    return Extraction(device, 8, (-1,), precision, Curves((), ()))


def test_keyed_noise_is_the_same_on_both() -> None:
    keys = BATCH.image_keys
    on_cpu, on_gpu = keyed_normal(keys, 3, (1, 2), 384), keyed_normal(keys.cuda(), 3, (1, 2), 384)
    torch.testing.assert_close(on_gpu.cpu(), on_cpu, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("name", ["dinov2", "dinov2_reg", "dinov3"])
def test_tokens_and_measures_are_the_same_on_both(name: str, calibrations: dict[str, Calibration]) -> None:
    found = []
    for device in ("cpu", "cuda"):
        network = load_network(timm_model(name), 0, options(device))
        made_up = calibrations[name]
        moments = (each.to(device) for each in (made_up.mean, made_up.variance))
        calibration = Calibration(*moments, made_up.rows, made_up.factor.to(device))
        pixels = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
        x = network.input(pixels)
        images = Images(np.arange(8), x, BATCH, clean_prefix(network, x))
        tokens = "registers" if network.layout.registers else "cls"
        of_device = {}
        reference = Reference()
        for condition in (Condition("full"), *(Condition(by, (tokens,), by) for by in BY)):
            every = np.arange(8)
            with (
                under(network, images, condition, calibration),
                measuring(network, (5, 11), every, every, reference) as measured,
            ):
                network.run(images.x)
            of_device[condition.name] = (
                tokens_under(network, images, condition, calibration, (11,)),
                measured.geometry[11]["effective_rank"],
                measured.attention[11]["js"],
            )
        found.append(of_device)
    for name_of, (on_cpu, rank, divergence) in found[0].items():
        on_gpu, rank_too, divergence_too = found[1][name_of]
        torch.testing.assert_close(on_gpu.patches.cpu(), on_cpu.patches, atol=5e-4, rtol=5e-4)
        torch.testing.assert_close(on_gpu.prefix.cpu(), on_cpu.prefix, atol=5e-4, rtol=5e-4)
        torch.testing.assert_close(rank_too.cpu(), rank, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(divergence_too.cpu(), divergence, atol=1e-5, rtol=1e-3)
