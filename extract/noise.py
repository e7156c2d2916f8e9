"""Keyed Gaussian noise: a counter-based generator that runs on the device, a whole batch at a time.

Philox 4x32-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3") maps a 128-bit
counter and a 64-bit key to 128 random bits. The key is the image, the counter is (dimension, token, layer), so a
draw depends on nothing else: not on the batch, the device, or what was drawn before.
"""

import math

import torch
from torch import Tensor

_ROUNDS = 10
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_WORD = 0xFFFFFFFF


def philox(counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """Return four words of 32 random bits per counter.

    Args:
        counter: four int64 tensors of words in [0, 2³²), broadcastable with each other and the key.
        key: two int64 tensors of words in [0, 2³²).

    Returns:
        Four int64 tensors of words in [0, 2³²).

    Examples:
        >>> zero = torch.zeros((), dtype=torch.int64)
        >>> [f"{word.item():08x}" for word in philox((zero,) * 4, (zero,) * 2)]  # the authors' known answer
        ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        high0, low0 = _multiply(c0, _MULTIPLIERS[0])
        high1, low1 = _multiply(c2, _MULTIPLIERS[1])
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + _KEY_STEPS[0]) & _WORD, (k1 + _KEY_STEPS[1]) & _WORD
    return c0, c1, c2, c3


def _multiply(a: Tensor, b: int) -> tuple[Tensor, Tensor]:
    """Return the high and low word of the product of a word and a constant."""
    # The 64-bit product may wrap into the sign; its bits are right all the same, and the mask drops the sign
    # that the arithmetic shift drags in.
    product = a * b
    return (product >> 32) & _WORD, product & _WORD


def keyed_normal(image_keys: Tensor, layer: int, tokens: tuple[int, ...], dimension: int) -> Tensor:
    """Draw standard normal values keyed by (image, layer, token, dimension).

    Args:
        image_keys: B int64 values whose 64 bits identify seed and image.
        layer: index of the block.
        tokens: rows of the token sequence.
        dimension: width of a token.

    Returns:
        float64 tensor, B×len(tokens)×dimension, on the device of ``image_keys``.

    Examples:
        >>> keys = torch.tensor([7, 8])
        >>> draw = keyed_normal(keys, layer=2, tokens=(1, 4), dimension=6)
        >>> draw.shape
        torch.Size([2, 2, 6])
        >>> bool((draw[1, 1] == keyed_normal(keys[1:], layer=2, tokens=(4,), dimension=6)).all())
        True
    """
    device = image_keys.device
    blocks = torch.arange(math.ceil(dimension / 4), device=device).view(1, 1, -1)
    rows = torch.tensor(tokens, device=device).view(1, -1, 1)
    keys = image_keys.view(-1, 1, 1)
    zero = torch.zeros((), dtype=torch.int64, device=device)
    words = philox(
        (blocks, rows, torch.full_like(zero, layer), zero),
        (keys & _WORD, (keys >> 32) & _WORD),
    )
    # Box and Muller (1958) on uniform values strictly inside (0, 1).
    u = [(word.double() + 0.5) / 2**32 for word in words]
    normal = []
    for radius, turn in ((u[0], u[1]), (u[2], u[3])):
        length, angle = torch.sqrt(-2 * torch.log(radius)), 2 * math.pi * turn
        normal += [length * torch.cos(angle), length * torch.sin(angle)]
    return torch.stack(normal, dim=-1).flatten(2)[..., :dimension]
