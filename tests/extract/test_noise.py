import math

import numpy as np
import pytest
import torch
from scipy import stats

from extract.noise import keyed_integers, keyed_normal, philox


def words(text: str) -> tuple[torch.Tensor, ...]:
    return tuple(torch.tensor(int(word, 16)) for word in text.split())


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        # Known answers of philox4x32-10 distributed with Random123 (Salmon et al. 2011).
        (
            "00000000 00000000 00000000 00000000",
            "00000000 00000000",
            "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
        ),
        (
            "ffffffff ffffffff ffffffff ffffffff",
            "ffffffff ffffffff",
            "408f276d 41c83b0e a20bc7c6 6d5451fd",
        ),
        (
            "243f6a88 85a308d3 13198a2e 03707344",
            "a4093822 299f31d0",
            "d16cfe09 94fdcceb 5001e420 24126ea1",
        ),
    ],
)
def test_philox_known_answers(counter: str, key: str, expected: str) -> None:
    assert [int(word) for word in philox(words(counter), words(key))] == [int(w) for w in words(expected)]


KEYS = torch.tensor([3, -7, 2**62, -(2**63)])
LAYERS, TOKENS = torch.tensor([4, 5]), torch.tensor([1, 2, 4])


def test_draws_are_standard_normal() -> None:
    draws = keyed_normal(torch.arange(200), LAYERS, TOKENS, dimension=101).numpy().ravel()
    assert abs(draws.mean()) < 4 / np.sqrt(draws.size)
    assert abs(draws.var() - 1) < 4 * np.sqrt(2 / draws.size)
    assert stats.kstest(draws, "norm").pvalue > 0.001


def test_every_part_of_the_key_matters() -> None:
    rows = keyed_normal(KEYS, LAYERS, TOKENS, dimension=400).numpy().reshape(-1, 400)
    correlation = np.corrcoef(rows)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 5 / np.sqrt(400)


def test_a_draw_does_not_depend_on_its_company() -> None:
    together = keyed_normal(KEYS, LAYERS, TOKENS, dimension=10)
    alone = keyed_normal(KEYS[2:3], LAYERS[1:], TOKENS[2:], dimension=10)
    assert torch.equal(together[1, 2, 2], alone[0, 0, 0])
    wider = keyed_normal(KEYS, LAYERS, TOKENS, dimension=12)
    assert torch.equal(wider[..., :10], together)


def philox_of_the_article(counter: list[int], key: list[int]) -> list[int]:
    """Philox 4x32-10 in Python's integers, round by round as in Salmon et al. 2011, section 3.3."""
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * counter[0], 2**32)
        high1, low1 = divmod(0xCD9E8D57 * counter[2], 2**32)
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0]
        key = [(key[0] + 0x9E3779B9) % 2**32, (key[1] + 0xBB67AE85) % 2**32]
    return counter


def test_noise_of_all_layers_at_once_is_that_of_each_counter() -> None:
    # What a draw is must not change with how many are made at once: calibrated runs would no longer be comparable.
    drawn = keyed_normal(KEYS, LAYERS, TOKENS, dimension=10)
    assert drawn.shape == (2, 4, 3, 10)
    for layer, image, token, place in np.ndindex(*drawn.shape):
        key = int(KEYS[image]) % 2**64
        block, which = divmod(place, 4)
        counter = [block, int(TOKENS[token]), int(LAYERS[layer]), 0]
        uniform = [(word + 0.5) / 2**32 for word in philox_of_the_article(counter, [key % 2**32, key >> 32])]
        radius, turn = uniform[which // 2 * 2], uniform[which // 2 * 2 + 1]
        wave = (math.cos, math.sin)[which % 2](2 * math.pi * turn)
        expected = math.sqrt(-2 * math.log(radius)) * wave
        assert drawn[layer, image, token, place].item() == pytest.approx(expected, rel=1e-14, abs=1e-15)


def test_integers_are_those_of_each_counter_and_uniform() -> None:
    drawn = keyed_integers(KEYS, draw=3, n=5)
    for image, place in np.ndindex(*drawn.shape):
        key = int(KEYS[image]) % 2**64
        words = philox_of_the_article([place // 2, 0, 3, 0], [key % 2**32, key >> 32])
        high, low = words[place % 2 * 2], words[place % 2 * 2 + 1]
        assert int(drawn[image, place]) == high // 2 * 2**32 + low
    many = keyed_integers(torch.arange(2000), draw=3, n=5).double().numpy().ravel() / 2**63
    assert stats.kstest(many, "uniform").pvalue > 0.001
