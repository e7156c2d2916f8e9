"""Patches of a data set on their way from the extraction's passes to the tasks on patches.

A task on patches needs those of training images under every condition before it can score any test image, so that it
would pass all of its images once more. Where the extraction runs in the same process, it leaves the patches here.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from extract.models import Network
from extract.observation import observe

LARGEST = 2**31  # bytes; where the patches of a data set are more, tasks pass their images themselves


@dataclass(frozen=True)
class PatchStore:
    """Patches after the last layer, of some images of a data set under every condition.

    Attributes:
        conditions: names, in the order of ``values``.
        rows: rows of the pack, ascending.
        values: conditions × rows × patches × dimension, float32, in a file without a name, which the operating system
            deletes with the process, however that ends.
    """

    conditions: tuple[str, ...]
    rows: NDArray[np.int64]
    values: NDArray[np.float32]

    @classmethod
    def of(
        cls, network: Network, conditions: Sequence[str], rows: NDArray[np.int64], folder: Path
    ) -> "PatchStore | None":
        """Return an empty store; None where it would be larger than :data:`LARGEST`, or hold nothing.

        Args:
            network: whose patches are kept.
            conditions: names of those that the network is put under.
            rows: of the pack.
            folder: on the disk that has room for them.
        """
        shape = len(conditions), len(rows), len(network.layout.patches), network.dimension
        if not 0 < 4 * int(np.prod(shape)) <= LARGEST:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            values: NDArray[np.float32] = np.memmap(file, np.float32, "w+", shape=shape)
        return cls(tuple(conditions), np.sort(rows), values)

    def holds(self, rows: NDArray[np.int64], condition: str) -> bool:
        """Tell whether the patches of all of these rows are kept under a condition."""
        return condition in self.conditions and bool(np.isin(rows, self.rows).all())

    def put(self, rows: NDArray[np.int64], condition: str, patches: Tensor) -> None:
        """Keep the patches of rows, n × patches × dimension."""
        places = np.searchsorted(self.rows, rows)
        self.values[self.conditions.index(condition), places] = patches.float().cpu().numpy()

    def get(self, rows: NDArray[np.int64], condition: str) -> Tensor:
        """Return the patches of rows, n × patches × dimension, on the host."""
        places = np.searchsorted(self.rows, rows)
        return torch.from_numpy(self.values[self.conditions.index(condition), places])


@contextmanager
def keeping(store: PatchStore | None, network: Network, rows: NDArray[np.int64], condition: str) -> Iterator[None]:
    """Keep, of the forward pass inside the ``with`` block, the patches that a store asks for.

    Args:
        store: None where nothing is kept.
        network: the model.
        rows: of the pack, those that pass.
        condition: that they pass under.
    """
    wanted = np.zeros(len(rows), bool) if store is None else np.isin(rows, store.rows)
    if store is None or not wanted.any():
        yield
        return
    layout, chosen = network.layout, torch.from_numpy(np.flatnonzero(wanted)).to(network.device)

    def see(_layer: int, output: Tensor) -> None:
        patches = network.norm(output[chosen])[:, layout.patches.start : layout.patches.stop]
        store.put(rows[wanted], condition, patches)

    with observe(network.module, (network.depth - 1,), see):
        yield
