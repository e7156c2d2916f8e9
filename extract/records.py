"""Records: what is kept of every image and image pair, one file per shard and condition.

A record file is written row by row as the images pass, so that its size bounds no memory, and read tensor by
tensor. In it, ``rows`` are rows of the pack, ``<token>/<layer>`` the features of a token after the final norm
(n × dimension), ``pair_rows`` rows of the pack's pairs, and ``points``, ``hits/<layer>`` and ``cycles/<layer>`` their
counts (:class:`extract.matching.PairCounts`).
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

from config.errors import InputError
from config.files import written_whole

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_NAMES = {np.dtype(np.int64): "I64", np.dtype(np.float32): "F32", np.dtype(np.float16): "F16"}


HALF_LARGEST = float(np.finfo(np.float16).max)


class RangeError(InputError):
    """A number that cannot be stored as it was planned."""


@dataclass(frozen=True)
class Planned:
    """A tensor that a file will hold: its shape, and how a number is stored."""

    shape: tuple[int, ...]
    dtype: type[np.generic] = np.float32


class TensorFile:
    """A safetensors file of planned tensors, filled piece by piece.

    The format is eight bytes of header length, a JSON header, and the tensors one after the other.
    """

    def __init__(self, file: BinaryIO, plan: Mapping[str, Planned], facts: Mapping[str, str], path: Path) -> None:
        header: dict[str, Any] = {"__metadata__": dict(facts)}
        self._file, self._plan, self._starts, self._path = file, plan, dict[str, int](), path
        end = 0
        for name, tensor in plan.items():
            self._starts[name] = end
            size = int(np.prod(tensor.shape)) * np.dtype(tensor.dtype).itemsize
            header[name] = {
                "dtype": _NAMES[np.dtype(tensor.dtype)],
                "shape": list(tensor.shape),
                "data_offsets": [end, end + size],
            }
            end += size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)  # tensors start at a multiple of eight, as the format asks
        file.write(len(text).to_bytes(8, "little") + text)
        self._data = 8 + len(text)
        file.truncate(self._data + end)

    def write(self, name: str, values: NDArray[Any], start: int = 0) -> None:
        """Write ``values`` as the rows from ``start`` of a tensor.

        Raises:
            ValueError: where they do not fit.
            RangeError: for a number that half precision cannot hold.
        """
        planned = self._plan[name]
        if values.shape[1:] != planned.shape[1:] or start + len(values) > planned.shape[0]:
            raise ValueError(f"{name}: rows {start}+{values.shape} do not fit into {planned.shape}")
        if planned.dtype is np.float16 and np.abs(values).max(initial=0) > HALF_LARGEST:
            raise RangeError(
                f"{self._path}: {name} holds {np.abs(values).max():.3g}, and half precision ends at "
                f"{HALF_LARGEST:.0f}. Set extraction.record_precision to float32 and take the layer out of "
                "extraction.curves.layers, or into extraction.layers"
            )
        row = int(np.prod(planned.shape[1:])) * np.dtype(planned.dtype).itemsize
        self._file.seek(self._data + self._starts[name] + start * row)
        self._file.write(np.ascontiguousarray(values, dtype=planned.dtype).tobytes())


@contextmanager
def tensor_file(path: Path, plan: Mapping[str, Planned], facts: Mapping[str, str]) -> Iterator[TensorFile]:
    """Open a file of planned tensors for writing; it gets its name when the ``with`` block ends well."""
    with written_whole(path) as partial, partial.open("wb") as file:
        yield TensorFile(file, plan, facts, path)


@dataclass(frozen=True)
class Skipped:
    """A condition that a model cannot be put under, and why."""

    reason: str


def save_skipped(skipped: Skipped, path: Path, facts: Mapping[str, str]) -> None:
    """Write a file that holds the reason and nothing else."""
    with tensor_file(path, {}, {**facts, "skipped": skipped.reason}):
        pass


@dataclass(frozen=True)
class Pairs:
    """Counts of m image pairs.

    Attributes:
        rows: rows of the pack's pairs, m, ascending.
        points: m.
        hits, cycles: by layer, m each.
    """

    rows: Integers
    points: Integers
    hits: Mapping[int, Integers]
    cycles: Mapping[int, Integers]


@dataclass(frozen=True)
class Records:
    """The records of one condition, opened; tensors are read when asked for.

    Attributes:
        paths: the files, one per shard.
        tokens: names of the recorded tokens: cls, r1, r2, …, patch_mean; a model without CLS has no cls.
        layers: recorded layers, counted from 0, ascending.
        rows: rows of the pack, n, ascending.
    """

    paths: tuple[Path, ...]
    tokens: tuple[str, ...]
    layers: tuple[int, ...]
    rows: Integers

    @property
    def registers(self) -> tuple[str, ...]:
        """Names of the recorded registers, r1 first."""
        return tuple(token for token in self.tokens if token not in ("cls", "patch_mean"))

    def features(self, token: str, layer: int) -> Floats:
        """Return the features of a token after a layer, n × dimension, in the order of ``rows``.

        ``register_mean`` is the mean over the registers.

        Raises:
            KeyError: for a token or layer that was not recorded.
        """
        if token == "register_mean" and self.registers:
            mean: Floats = np.mean([self.features(each, layer) for each in self.registers], axis=0, dtype=np.float32)
            return mean
        if token not in self.tokens or layer not in self.layers:
            raise KeyError(f"{token} after layer {layer} was not recorded; recorded: {self.tokens}, {self.layers}")
        return self._read(f"{token}/{layer}")[self._order].astype(np.float32)

    @cached_property
    def pairs(self) -> Pairs:
        """Counts of the pairs."""
        rows = self._read("pair_rows")
        order = np.argsort(rows, kind="stable")
        with safe_open(self.paths[0], framework="numpy") as file:
            names = [name for name in file.keys() if name.startswith("hits/")]  # noqa: SIM118
        layers = sorted(int(name.removeprefix("hits/")) for name in names)
        return Pairs(
            rows[order],
            self._read("points")[order],
            {layer: self._read(f"hits/{layer}")[order] for layer in layers},
            {layer: self._read(f"cycles/{layer}")[order] for layer in layers},
        )

    @cached_property
    def _order(self) -> Integers:
        return np.argsort(self._read("rows"), kind="stable")

    def _read(self, name: str) -> NDArray[Any]:
        parts = []
        for path in self.paths:
            with safe_open(path, framework="numpy") as file:
                parts.append(file.get_tensor(name))
        return np.concatenate(parts)


def open_records(paths: list[Path]) -> Records | Skipped:
    """Open the shards of one condition as one."""
    rows: list[Integers] = []
    features: set[tuple[str, int]] = set()
    for path in paths:
        with safe_open(path, framework="numpy") as file:
            if reason := (file.metadata() or {}).get("skipped"):
                return Skipped(reason)
            rows.append(file.get_tensor("rows"))
            split = (name.rpartition("/") for name in file.keys())  # noqa: SIM118
            features |= {(token, int(layer)) for token, slash, layer in split if slash}
    features = {(token, layer) for token, layer in features if token not in ("hits", "cycles")}
    return Records(
        tuple(paths),
        tuple(sorted({token for token, _ in features}, key=_sequence_order)),
        tuple(sorted({layer for _, layer in features})),
        np.sort(np.concatenate(rows)),
    )


def _sequence_order(token: str) -> tuple[int, int]:
    if token.startswith("r"):
        return 1, int(token[1:])
    return ("cls", "", "patch_mean").index(token), 0
