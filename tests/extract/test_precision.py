"""TF32 and bfloat16 differ from float32 by rounding, by no more than is stated, and in forward passes alone."""

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from config.conditions import Condition
from config.resolve import ConfigError, resolve
from config.settings import Curves, Extraction, Model
from extract.draws import Batch
from extract.features import Images, tokens_under
from extract.models import Network, load_network
from extract.observation import observe
from extract.precision import available_precision, full_precision, products_in
from extract.replacements import Calibration
from tests.extract.tf32_emulation import Tf32, rounded

CPU = torch.device("cpu")
BY = ("zero", "mean", "noise", "resample", "shuffle")
TF32_CLOSE = 0.9999  # smallest cosine between a token in TF32 and in float32
CLOSE = 0.995  # smallest cosine between a token in bfloat16 and in float32; docs/performance.md quotes it


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3", "open", "sink"])
def test_tokens_in_bfloat16_point_where_those_in_float32_do(
    networks: dict[str, Network], calibrations: dict[str, Calibration], name: str
) -> None:
    network = networks[name]
    half = dataclasses.replace(network, precision="bfloat16")
    size = network.image_size
    x = torch.randn(4, 3, size, size, generator=torch.Generator().manual_seed(0))
    images = Images(np.arange(4), x, Batch(tuple("abcd"), ("g",) * 4, 0))
    for condition in (Condition("full"), *(Condition(by, ("registers",), by) for by in BY)):
        exact, rounded = (
            tokens_under(each, images, condition, calibrations[name], (network.depth - 1,)) for each in (network, half)
        )
        assert rounded.patches.dtype == torch.float32 and not torch.equal(exact.patches, rounded.patches)
        cosine = torch.nn.functional.cosine_similarity(exact.patches, rounded.patches, dim=-1)
        assert cosine.min() > CLOSE, (condition.name, cosine.min())


def test_replaced_rows_are_exact_in_bfloat16(
    networks: dict[str, Network], calibrations: dict[str, Calibration]
) -> None:
    # The residual stream stays in float32, so that a row replaced by the calibration mean holds just that.
    half = dataclasses.replace(networks["open"], precision="bfloat16")
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    images = Images(np.arange(2), x, Batch(("a", "b"), ("g", "g"), 0))
    mean = Condition("mean_r2", ("r2",), "mean")
    tokens = tokens_under(half, images, mean, calibrations["open"], (5,))
    expected = half.norm(calibrations["open"].mean[5, 2])
    torch.testing.assert_close(tokens.prefix[:, 0, 2], expected.expand(2, -1))


def flags() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_tf32_has_ten_bits() -> None:
    # 1 + 2⁻¹⁰ can be held, half of that step cannot; ties go to even.
    step = 2.0**-10
    values = torch.tensor([1 + step, 1 + step / 2, 1 + 3 * step / 2, -1 - 0.51 * step, 0.0, 1e30])
    assert rounded(values)[:5].tolist() == [1 + step, 1, 1 + 2 * step, -1 - step, 0]
    many = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
    assert 0.9 * step / 2 < ((rounded(many) - many) / many).abs().max() <= step / 2


def test_the_mode_is_on_in_passes_alone_and_off_in_what_hooks_compute(networks: dict[str, Network]) -> None:
    network = dataclasses.replace(networks["open"], precision="tf32")
    before, seen = flags(), []

    def see(_layer: int, _output: Tensor) -> None:
        seen.append(flags())

    inside: list[tuple[bool, bool]] = []
    handle = network.module.blocks[0].register_forward_pre_hook(lambda *_: inside.append(flags()))  # type: ignore[index,union-attr]
    x = torch.zeros(1, 3, network.image_size, network.image_size)
    try:
        with observe(network.module, (0, 5), see):
            network.run(x)
    finally:
        handle.remove()
    assert inside == [(True, True)] and seen == [(False, False)] * 2 and flags() == before
    with pytest.raises(RuntimeError, match="stop"), products_in("tf32", CPU), full_precision(x):
        assert flags() == (False, False)
        raise RuntimeError("stop")
    assert flags() == before


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3", "open", "sink"])
def test_tokens_in_tf32_point_where_those_in_float32_do(
    networks: dict[str, Network], calibrations: dict[str, Calibration], name: str
) -> None:
    network = networks[name]
    x = torch.randn(4, 3, network.image_size, network.image_size, generator=torch.Generator().manual_seed(0))
    images = Images(np.arange(4), x, Batch(tuple("abcd"), ("g",) * 4, 0))
    for condition in (Condition("full"), *(Condition(by, ("registers",), by) for by in BY)):
        tokens = []
        for precision in ("float32", "tf32"):
            with Tf32() as emulation:
                of = dataclasses.replace(network, precision=precision)
                tokens.append(tokens_under(of, images, condition, calibrations[name], (network.depth - 1,)).patches)
            # The patch embedding; per block QKV, two products of attention, its projection and two of the MLP.
            assert emulation.products == (1 + 6 * network.depth if precision == "tf32" else 0), condition.name
        assert not torch.equal(*tokens)
        cosine = torch.nn.functional.cosine_similarity(*tokens, dim=-1)
        assert cosine.min() > TF32_CLOSE, (condition.name, cosine.min())


def test_tf32_without_a_gpu_is_float32_with_a_warning_or_refused() -> None:
    model = Model("m", "known_answer", "open", "S")
    with pytest.warns(UserWarning, match=r"extraction\.precision: tf32 .* no GPU is here"):
        network = load_network(model, 0, Extraction("cpu", 8, (-1,), "tf32", Curves((), ())))
    assert network.precision == "float32" and "dtype:float32" in network.signature
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert available_precision("bfloat16", "cpu") == "bfloat16"
    config = {
        "run": "r",
        "models": {"m": {"source": "known_answer", "family": "open", "scale": "S"}},
        "datasets": {"s": {"source": "scenes", "image_size": 64, "tasks": ["classification"]}},
        "conditions": {"full": {}},
    }
    assert resolve({**config, "extraction": {"precision": "tf32"}})["extraction"]["device"] == "auto"
    with pytest.raises(ConfigError, match=r"extraction\.precision: 'tf32' .* allowed: float32, bfloat16"):
        resolve({**config, "extraction": {"precision": "tf32", "device": "cpu"}})
