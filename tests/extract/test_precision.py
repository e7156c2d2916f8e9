"""bfloat16 differs from float32 by rounding, and by no more than is stated."""

import dataclasses

import numpy as np
import pytest
import torch

from config.conditions import Condition
from extract.draws import Batch
from extract.features import Images, tokens_under
from extract.models import Network
from extract.replacements import Calibration

BY = ("zero", "mean", "noise", "resample", "shuffle")
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
