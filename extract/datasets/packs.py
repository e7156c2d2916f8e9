"""Packs: a data set decoded and resized once, with everything that later jobs need to know about its images.

Rows of a pack are ordered by split (calibration, train, test, twin) and, within a split, by a keyed order, so
that the groups of 64 within which registers are shuffled mix the classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from config.errors import InputError
from config.layout import Pack

GROUP = 64  # images within which a condition may exchange rows
NO_LABEL = -1
VOID = 255  # of a mask's pixel that belongs to no class


class DatasetError(InputError):
    """A data set that cannot be packed, with the file or key and what to do about it."""


@dataclass(frozen=True)
class OpenPack:
    """A pack, memory-mapped.

    Attributes:
        images: uint8 N×H×W×3.
        masks: uint8 N×H×W class masks, or None.
        index: one row an image: unit, split, label, class_name, group.
        pairs: one row a pair: unit, source and twin (rows of the pack), warp (six numbers, row by row).
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8] | None
    index: pd.DataFrame
    pairs: pd.DataFrame

    def rows(self, split: str) -> NDArray[np.int64]:
        """Return the rows of a split, in order."""
        return np.flatnonzero(self.index["split"] == split)


def open_pack(pack: Pack) -> OpenPack:
    """Open a pack without reading its images."""
    masks = np.load(pack.masks, mmap_mode="r") if pack.masks.exists() else None
    return OpenPack(
        np.load(pack.images, mmap_mode="r"),
        masks,
        pd.read_parquet(pack.index),
        pd.read_parquet(pack.pairs),
    )


def group_names(dataset: str, split: str, n: int) -> list[str]:
    """Return the group of each of the ``n`` images of a split.

    Groups are runs of 64; a single image left over joins the group before it, since alone it would have nobody to
    exchange rows with.
    """
    last = max(0, (n - 1) // GROUP - (n > GROUP and n % GROUP == 1))
    return [f"{dataset}/{split}/{min(i // GROUP, last)}" for i in range(n)]


def batches(
    rows: NDArray[np.int64], groups: pd.Series, batch_size: int, whole_groups: bool
) -> Iterator[NDArray[np.int64]]:
    """Cut rows into batches of at most ``batch_size``.

    With ``whole_groups`` no group is cut: a batch is as many groups as fit, and at least one.
    """
    if not whole_groups:
        yield from (rows[i : i + batch_size] for i in range(0, len(rows), batch_size))
        return
    names = groups.to_numpy()[rows]
    starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]])
    yield from packed(np.split(rows, starts[1:]), batch_size)


def packed(parts: Iterable[NDArray[np.int64]], size: int) -> Iterator[NDArray[np.int64]]:
    """Join parts that follow each other into runs of at most ``size`` rows, and at least one part."""
    run: list[NDArray[np.int64]] = []
    for part in parts:
        if run and sum(map(len, run)) + len(part) > size:
            yield np.concatenate(run)
            run = []
        run.append(part)
    if run:
        yield np.concatenate(run)


def whole_groups(rows: NDArray[np.int64], groups: pd.Series) -> NDArray[np.int64]:
    """Return every row of the groups that ``rows`` belong to: groups as they come, each in the pack's order."""
    names = groups.to_numpy()
    return np.concatenate([np.flatnonzero(names == name) for name in dict.fromkeys(names[rows])])


def shard_blocks(pack: OpenPack, shard: int, shards: int) -> list[NDArray[np.int64]]:
    """Return the rows of one of ``shards`` parts, in blocks that hold whole groups and whole pairs.

    A block is a group followed by the twins of its images, so that a pass over it needs to hold the patches of one
    block only, however many pairs there are. Calibration images belong to no part.
    """
    index = pack.index[pack.index["split"] != "calibration"]
    # A group of twins goes with the groups of all its sources: two, where a single twin left over joined the group
    # before it but its source begins a group of its own.
    groups = pack.index["group"].to_numpy()
    home: dict[str, str] = {}
    for source, twin in zip(groups[pack.pairs["source"]], groups[pack.pairs["twin"]], strict=True):
        home.setdefault(source, home.setdefault(twin, home.get(source, source)))
    key = index["group"].map(lambda group: home.get(group, group))
    twins = index["split"] == "twin"
    blocks = []
    for name in np.array_split(key.unique(), shards)[shard]:
        mine = key == name
        blocks.append(np.r_[index.index[mine & ~twins], index.index[mine & twins]].astype(np.int64))
    return blocks


def shard_name(shard: int, shards: int) -> str:
    """Return the folder name of a shard, such as ``2-of-3``."""
    return f"{shard + 1}-of-{shards}"


def facts_of(
    dataset: str, source: str, index: pd.DataFrame, pairs: pd.DataFrame, image_size: int, names: list[str]
) -> dict[str, object]:
    """Return what the report says of a data set: counts by split, classes, and the accuracy of knowing nothing."""
    real = index[index["split"] != "twin"]
    test, train = (real.loc[real["split"] == split, "label"] for split in ("test", "train"))
    share = float((test == train.mode().iloc[0]).mean())
    uniform = 1 / len(names)
    return {
        "dataset": dataset,
        "source": source,
        "images": len(real),
        "classes": len(names),
        "class_names": names,
        "image_size": image_size,
        "splits": {
            str(split): {"images": len(rows), "classes": int(rows["label"].nunique())}
            for split, rows in real.groupby("split", sort=False)
        },
        "pairs": len(pairs),
        # Guessing evenly, or always the class most frequent in training.
        "chance": {"low": min(uniform, share), "high": max(uniform, share)},
    }


def check_class_folders(path: Path | None, key: str) -> Path:
    """Return ``path`` if it holds train/ and test/.

    Raises:
        DatasetError: naming the key to set.
    """
    if path is None or not (path / "train").is_dir() or not (path / "test").is_dir():
        raise DatasetError(
            f"{key}: there is no folder {path} with train/ and test/ in it. Set {key} to a folder that holds "
            "train/<class>/ and test/<class>/ with images"
        )
    return path
