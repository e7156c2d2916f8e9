"""Keyed random values: a counter-based generator that runs on the device, all layers of a batch at a time.

Philox 4x32-10 (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3") maps a 128-bit
counter and a 64-bit key to 128 random bits. The key is the image, the counter says which of its values is meant (of
noise: dimension, token and layer), so a draw depends on nothing else: not on the batch, the device, or what was drawn
before.
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
    words: list[Tensor] = torch.broadcast_tensors(*counter, *key)[:4]  # type: ignore[no-untyped-call]
    # A round does the same to both halves of the counter. With the halves stacked it takes seven launches.
    even, odd = torch.stack(words[0::2]), torch.stack(words[1::2])
    keys = torch.stack([half.view((1,) * (words[0].ndim - half.ndim) + half.shape) for half in key])
    multipliers, steps = (_of_halves(each, keys) for each in (_MULTIPLIERS, _KEY_STEPS))
    rounds = torch.arange(_ROUNDS, device=keys.device).view(-1, *(1,) * keys.ndim)
    for round_keys in (keys + rounds * steps) & _WORD:
        # The 64-bit product may wrap into the sign; its bits are right all the same, and the mask drops the sign
        # that the arithmetic shift drags in.
        product = (even * multipliers).flip(0)
        even, odd = ((product >> 32) & _WORD) ^ odd ^ round_keys, product & _WORD
    return even[0], odd[0], even[1], odd[1]


def _of_halves(constants: tuple[int, int], like: Tensor) -> Tensor:
    """Return one constant for each half of the counter, filled in on the device: nothing is copied there."""
    return torch.cat([like.new_full((1,) * like.ndim, each) for each in constants])


def keyed_normal(image_keys: Tensor, layers: Tensor, tokens: Tensor, dimension: int) -> Tensor:
    """Draw standard normal values keyed by (image, layer, token, dimension).

    Args:
        image_keys: B int64 values whose 64 bits identify seed and image.
        layers: indices of blocks, int64.
        tokens: rows of the token sequence, int64.
        dimension: width of a token.

    Returns:
        float64 tensor, layers × B × tokens × dimension, on the device of all three.

    Examples:
        >>> keys, layers, tokens = torch.tensor([7, 8]), torch.arange(12), torch.tensor([1, 4])
        >>> draw = keyed_normal(keys, layers, tokens, dimension=6)
        >>> draw.shape
        torch.Size([12, 2, 2, 6])
        >>> bool((draw[2, 1, 1] == keyed_normal(keys[1:], layers[2:3], tokens[1:], dimension=6)).all())
        True
    """
    blocks = torch.arange(math.ceil(dimension / 4), device=image_keys.device)
    keys = image_keys.view(-1, 1, 1)
    c0, c1, c2, c3 = philox(
        (blocks, tokens.view(-1, 1), layers.view(-1, 1, 1, 1), torch.zeros_like(blocks)), _halves(keys)
    )
    # Box and Muller (1958) on uniform values strictly inside (0, 1).
    radius, turn = (((torch.stack(pair, dim=-1)).double() + 0.5) / 2**32 for pair in ((c0, c2), (c1, c3)))
    length, angle = torch.sqrt(-2 * torch.log(radius)), 2 * math.pi * turn
    normal = torch.stack([length * torch.cos(angle), length * torch.sin(angle)], dim=-1)
    return normal.flatten(3)[..., :dimension]


def keyed_integers(image_keys: Tensor, draw: int, n: int) -> Tensor:
    """Draw ``n`` integers per image, uniform in [0, 2⁶³), keyed by (image, draw, place).

    Args:
        image_keys: B int64 values whose 64 bits identify seed and image.
        draw: which draw it is.
        n: integers per image.

    Returns:
        int64 tensor, B × n, on the device of ``image_keys``.

    Examples:
        >>> keyed_integers(torch.tensor([7, 8]), draw=1, n=3).shape
        torch.Size([2, 3])
    """
    blocks = torch.arange(math.ceil(n / 2), device=image_keys.device)
    zero = torch.zeros_like(blocks)
    c0, c1, c2, c3 = philox((blocks, zero, torch.full_like(blocks, draw), zero), _halves(image_keys.view(-1, 1)))
    high, low = torch.stack((c0, c2), dim=-1), torch.stack((c1, c3), dim=-1)
    return ((high >> 1) << 32 | low).flatten(1)[:, :n]


def _halves(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Return the low and the high word of 64-bit keys."""
    return keys & _WORD, (keys >> 32) & _WORD
