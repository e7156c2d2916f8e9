"""Stored features of every DINO architecture: what they are must not change unseen."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from extract.models import Network
from tests.extract.golden.measure import ARCHITECTURES, KEY, STORED, build, measure

# Features after the final norm have unit spread. Instruction sets from SSE4 to AVX-512 move them by 4e-6 at most.
TOLERANCE = 1e-4


def difference(network: Network) -> float:
    stored = pd.read_csv(STORED)
    both = measure(network).merge(
        stored[stored["model"] == network.name], on=KEY, how="outer", suffixes=("", "_stored")
    )
    conditions, tokens = (3, 3) if network.layout.registers else (2, 2)
    assert len(both) == conditions * tokens * 2 * 8
    assert both.notna().all(axis=None)
    return float((both["value"] - both["value_stored"]).abs().max())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_features_are_those_stored(name: str) -> None:
    assert difference(build(name)) <= TOLERANCE


def another_epsilon(module: Any) -> None:
    for part in module.modules():
        if isinstance(part, torch.nn.LayerNorm):
            part.eps = 1e-6


def periods_in_full(module: Any) -> None:
    """Those of timm and Transformers; official ones are rounded to bfloat16."""
    module.rope.periods.copy_(module.rope._compute_periods())


def swapped_registers(module: Any) -> None:
    module.reg_token.copy_(module.reg_token.flip(1))


@pytest.mark.parametrize("change", [another_epsilon, periods_in_full, swapped_registers])
def test_a_small_deviation_of_the_architecture_shows(change: Callable[[Any], None]) -> None:
    network = build("dinov3_s")
    with torch.no_grad():
        change(network.module)
    assert difference(network) > 2 * TOLERANCE


def test_stored_features_tell_models_conditions_layers_and_tokens_apart() -> None:
    """Each is far from every other, so a mix-up cannot pass."""
    stored = pd.read_csv(STORED).set_index(KEY)["value"]
    assert 0.3 < stored.std() < 3
    vectors = stored.unstack("dimension").to_numpy()
    vectors = vectors[np.abs(vectors).max(axis=1) > 0]  # a row that is zeroed is 0 after the norm too
    distances = np.abs(vectors[:, None] - vectors[None]).max(axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert distances.min() > 5 * TOLERANCE
