"""Records: what is kept of every image and image pair, one file a shard and condition."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

from config.files import written_whole

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Records:
    """Features of n images and counts of m pairs.

    Attributes:
        rows: rows of the pack, n.
        cls: n × layers × dimension, after the final norm.
        registers: n × layers × registers × dimension.
        patch_mean: n × layers × dimension.
        pair_rows: rows of the pack's pairs, m.
        hits, points, cycles: see :class:`extract.matching.PairCounts`, m each.
    """

    rows: Integers
    cls: Floats
    registers: Floats
    patch_mean: Floats
    pair_rows: Integers
    hits: Integers
    points: Integers
    cycles: Integers


@dataclass(frozen=True)
class Skipped:
    """A condition that a model cannot be put under, and why."""

    reason: str


def save_records(records: Records | Skipped, path: Path, facts: dict[str, str]) -> None:
    """Write records; a skipped condition becomes a file that holds its reason and nothing else."""
    if isinstance(records, Skipped):
        tensors, facts = {}, {**facts, "skipped": records.reason}
    else:
        tensors = {field.name: np.ascontiguousarray(getattr(records, field.name)) for field in fields(records)}
    with written_whole(path) as partial:
        save_file(tensors, partial, metadata=facts)


def load_records(paths: list[Path]) -> Records | Skipped:
    """Read the shards of one condition as one, ordered by row."""
    parts: list[dict[str, NDArray[Any]]] = []
    for path in paths:
        with safe_open(path, framework="numpy") as file:
            if reason := (file.metadata() or {}).get("skipped"):
                return Skipped(reason)
            parts.append({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    by_row, by_pair = np.argsort(whole["rows"]), np.argsort(whole["pair_rows"])
    per_pair = {"pair_rows", "hits", "points", "cycles"}
    return Records(**{name: value[by_pair if name in per_pair else by_row] for name, value in whole.items()})
