"""Attention, its divergence and its mass, held to definitions and to weights that were computed another way."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from extract.attention import entropy, group_divergence, group_mass, js_divergence, memberships
from extract.models import Network
from extract.observation import AttentionError, observe_attention
from tests.extract.conftest import EVERY


def rows(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).softmax(dim=-1)


def test_divergence_is_that_of_scipy_and_symmetric() -> None:
    p, q = rows(0, 3, 5, 40), rows(1, 3, 5, 40)
    expected = jensenshannon(p.double(), q.double(), axis=-1) ** 2  # SciPy gives the distance, its square root
    np.testing.assert_allclose(js_divergence(p, q), expected, atol=1e-6)
    torch.testing.assert_close(js_divergence(p, q), js_divergence(q, p))
    assert torch.equal(js_divergence(p, q, entropy(p)), js_divergence(p, q))


def test_divergence_of_equal_rows_is_zero_and_of_disjoint_ones_ln_2() -> None:
    p = rows(2, 4, 17)
    assert js_divergence(p, p.clone()).abs().max() == 0
    one, other = torch.eye(2)
    assert js_divergence(one, other).item() == pytest.approx(math.log(2))


def test_mass_goes_from_query_groups_to_key_groups() -> None:
    attention = torch.tensor([[[[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.0, 0.4, 0.6]], [[1.0, 0.0, 0.0]] * 3]])
    ((cls, patches),) = group_mass(attention, memberships([[0], [1, 2]], tokens=3))
    # By hand: over two heads, the second of which looks at CLS alone.
    assert cls[0].item() == pytest.approx((0.5 + 1) / 2)
    assert patches[1].item() == pytest.approx(((0.9 + 1.0) / 2 + 0) / 2)
    for queries in (cls, patches):
        assert queries.sum().item() == pytest.approx(1)


def test_divergence_is_averaged_over_heads_and_the_groups_queries() -> None:
    p, q = rows(3, 2, 4, 6, 6), rows(4, 2, 4, 6, 6)
    found = group_divergence(js_divergence(p, q), memberships([[0], range(2, 6)], tokens=6))
    expected = jensenshannon(p.double(), q.double(), axis=-1) ** 2
    np.testing.assert_allclose(found[:, 0], expected[:, :, 0].mean(axis=1), atol=1e-6)
    np.testing.assert_allclose(found[:, 1], expected[:, :, 2:].mean(axis=(1, 2)), atol=1e-6)


@torch.inference_mode()
@pytest.mark.parametrize("name", EVERY)
def test_the_weights_seen_are_what_the_block_mixes_values_by(shallow: dict[str, Network], name: str) -> None:
    network = shallow[name]
    x = torch.randn(2, 3, network.image_size, network.image_size, generator=torch.Generator().manual_seed(0))
    seen: dict[int, torch.Tensor] = {}
    mixed: list[torch.Tensor] = []
    values: list[torch.Tensor] = []
    attention: Any = network.module.blocks[3].attn
    heads = attention.num_heads

    def keep_values(_module: Any, _inputs: Any, output: torch.Tensor) -> None:
        n, tokens, _ = output.shape
        values.append(output.view(n, tokens, 3, heads, -1)[:, :, 2].transpose(1, 2))

    handles = [
        attention.qkv.register_forward_hook(keep_values),
        attention.proj.register_forward_pre_hook(lambda _m, inputs: mixed.append(inputs[0])),
    ]
    with observe_attention(network.module, range(network.depth), seen.__setitem__):
        network.module.forward_features(x)
    for handle in handles:
        handle.remove()
    assert sorted(seen) == list(range(network.depth))
    for weights in seen.values():
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:-1]))
    expected = (seen[3] @ values[0]).transpose(1, 2).flatten(2)
    torch.testing.assert_close(mixed[0], expected, atol=5e-5, rtol=5e-5)
    assert not any(module._forward_pre_hooks for module in network.module.modules())


def test_hidden_weights_are_an_error_that_leaves_no_hook(shallow: dict[str, Network]) -> None:
    network = shallow["dinov2"]
    attention: Any = network.module.blocks[2].attn
    attention.fused_attn = True
    try:
        with (
            pytest.raises(AttentionError, match=r"measures\.attention_images"),
            observe_attention(network.module, range(network.depth), lambda _layer, _weights: None),
        ):
            pass
    finally:
        attention.fused_attn = False
    assert not any(module._forward_pre_hooks for module in network.module.modules())
