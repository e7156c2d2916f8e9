"""Keyed draws for the images of a forward pass: noise keys, donors and random patches.

Every draw is keyed by what it is for (seed, image or group, layer) and never by call order or place in the batch, so
that an image gets the same noise and the same donor whatever the batch size, shard or worker.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from config.keys import digest, keyed_generator
from extract.noise import keyed_integers


@dataclass(frozen=True)
class Batch:
    """Identity of the images in a forward pass: unit ids, groups and seed.

    Attributes:
        units: identity of every image.
        groups: the group of 64 that every image belongs to. A condition that mixes images needs the images of
            a group together, in the group's order.
        seed: the run's seed.

    Examples:
        >>> batch = Batch(units=("a", "b", "c"), groups=("g", "g", "g"), seed=0)
        >>> batch.donors("shuffle", 3).tolist()
        [2, 0, 1]
        >>> batch.random_patches(range(5, 21), n=2, draw=1).tolist()
        [[10, 15], [12, 15], [8, 19]]
    """

    units: tuple[str, ...]
    groups: tuple[str, ...]
    seed: int

    def keys(self, purpose: str) -> Tensor:
        """Return one int64 key per image, for a purpose."""
        keys = np.array([digest(self.seed, purpose, unit) for unit in self.units], dtype=np.uint64)
        return torch.from_numpy(keys.view(np.int64))

    @cached_property
    def image_keys(self) -> Tensor:
        """The keys of the noise, one int64 per image."""
        return self.keys("noise")

    @cached_property
    def patch_keys(self) -> Tensor:
        """The keys of random patches, one int64 per image."""
        return self.keys("random patches")

    def donors(self, *key: str | int) -> Tensor:
        """Draw the place in the batch of the image that each image takes its rows from.

        Args:
            key: what the draw is for; combined with the seed and the group.

        Returns:
            B int64 values: a derangement within every group.
        """
        groups = np.array(self.groups)
        donors = np.empty(len(groups), dtype=np.int64)
        for group in dict.fromkeys(self.groups):
            places = np.flatnonzero(groups == group)
            purpose, *rest = key
            donors[places] = places[derangement(len(places), self.seed, purpose, group, *rest)]
        return torch.from_numpy(donors)

    def donors_by_layer(self, purpose: str, depth: int) -> Tensor:
        """Draw donors anew for every layer, layers × B; those of a layer are ``donors(purpose, layer)``."""
        return torch.stack([self.donors(purpose, layer) for layer in range(depth)])

    def random_patches(self, patches: range, n: int, draw: int, device: torch.device | None = None) -> Tensor:
        """Draw ``n`` different rows of ``patches`` for every image, ascending, keyed by (seed, draw, image).

        Every patch gets a random number, and those with the ``n`` smallest are chosen: any ``n`` patches are as likely
        as any others.

        Returns:
            B × n int64 values, on the device where they are drawn.
        """
        keys = self.patch_keys if device is None else self.patch_keys.to(device)
        numbers = keyed_integers(keys, draw, len(patches))
        return numbers.topk(n, dim=1, largest=False).indices.sort(dim=1).values + patches.start


def derangement(n: int, *key: str | int) -> NDArray[np.int64]:
    """Draw a permutation of 0 … n − 1 without fixed points, uniformly, keyed by ``key``.

    Raises:
        ValueError: for n < 2, of which there is none.

    Examples:
        >>> derangement(5, 0, "shuffle", "scenes/test/0", 3).tolist()
        [1, 0, 3, 4, 2]
    """
    if n < 2:
        raise ValueError(f"A group of {n} image cannot be shuffled: another image is needed to donate")
    rng = keyed_generator(*key)
    while True:  # a permutation has no fixed point with probability 1/e, so this ends after about 2.7 draws
        permutation = np.argsort(rng.random(n))
        if not np.any(permutation == np.arange(n)):
            return permutation.astype(np.int64)
