import numpy as np
import pytest
import torch
from scipy import stats

from extract.noise import keyed_normal, philox


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


def test_draws_are_standard_normal() -> None:
    draws = keyed_normal(torch.arange(200), layer=4, tokens=(1, 2, 3), dimension=101).numpy().ravel()
    assert abs(draws.mean()) < 4 / np.sqrt(draws.size)
    assert abs(draws.var() - 1) < 4 * np.sqrt(2 / draws.size)
    assert stats.kstest(draws, "norm").pvalue > 0.001


def test_every_part_of_the_key_matters() -> None:
    draws = keyed_normal(KEYS, layer=4, tokens=(1, 2, 3), dimension=400).numpy()
    other = keyed_normal(KEYS, layer=5, tokens=(1, 2, 3), dimension=400).numpy()
    rows = np.concatenate([draws.reshape(-1, 400), other.reshape(-1, 400)])
    correlation = np.corrcoef(rows)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 5 / np.sqrt(400)


def test_a_draw_does_not_depend_on_its_company() -> None:
    together = keyed_normal(KEYS, layer=2, tokens=(0, 1, 4), dimension=10)
    alone = keyed_normal(KEYS[2:3], layer=2, tokens=(4,), dimension=10)
    assert torch.equal(together[2, 2], alone[0, 0])
    wider = keyed_normal(KEYS, layer=2, tokens=(0, 1, 4), dimension=12)
    assert torch.equal(wider[..., :10], together)
