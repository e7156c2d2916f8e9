"""Packs: a data set decoded and resized once, with everything that later jobs need to know about its images.

Rows of a pack are ordered by split (calibration, train, test, twin) and, within a split, by a keyed order, so
that the groups within which registers are shuffled mix the classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from config.errors import InputError
from config.layout import Pack

NO_LABEL = -1  # of an image that has no class
VOID = 255  # of a mask's pixel that belongs to no class: never trained on, and in no intersection and no union


class DatasetError(InputError):
    """A data set that cannot be packed, with the file or key and what to do about it."""


@dataclass(frozen=True)
class OpenPack:
    """A pack, memory-mapped.

    Attributes:
        images: uint8 N×H×W×3.
        masks: uint8 N×H×W class masks, or None; may hold VOID.
        index: one row per image: unit, split, label, class_name, group.
        pairs: one row per pair: unit, source and twin (rows of the pack), cluster (pairs that are not independent of
            each other share one), and either warp (six numbers, row by row) or, with warp None, source_points and
            twin_points (x, y, x, y, … in fractions of the sides), radius_x and radius_y (how far from its point a
            prediction may lie, in fractions of the sides).
        mask_names: names of the masks' values, the background first.
        depths: uint16 N×H×W depth in millimetres, 0 where unknown; or None.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8] | None
    index: pd.DataFrame
    pairs: pd.DataFrame
    mask_names: tuple[str, ...] = ()
    depths: NDArray[np.uint16] | None = None

    def rows(self, split: str) -> NDArray[np.int64]:
        """Return the rows of a split, in order."""
        return np.flatnonzero(self.index["split"] == split)

    @property
    def largest_group(self) -> int:
        """Number of images in the largest group: where a condition mixes images, they must pass at once."""
        return int(self.index["group"].value_counts().iloc[0])


def open_pack(pack: Pack) -> OpenPack:
    """Open a pack without reading its images."""
    masks = np.load(pack.masks, mmap_mode="r") if pack.masks.exists() else None
    return OpenPack(
        np.load(pack.images, mmap_mode="r"),
        masks,
        pd.read_parquet(pack.index),
        pd.read_parquet(pack.pairs),
        tuple(yaml.safe_load(pack.facts.read_text(encoding="utf-8"))["mask_names"]),
        np.load(pack.depths, mmap_mode="r") if pack.depths.exists() else None,
    )


def group_names(dataset: str, split: str, n: int, size: int) -> list[str]:
    """Return the group of each of the ``n`` images of a split: within it, a condition may shuffle rows.

    Groups are runs of ``size`` images; a single image left over joins the group before it, since alone it would have
    no donor.

    Examples:
        >>> group_names("scenes", "test", 65, 64)[-1], group_names("scenes", "test", 66, 64)[-1]
        ('scenes/test/0', 'scenes/test/1')
    """
    last = max(0, (n - 1) // size - (n > size and n % size == 1))
    return [f"{dataset}/{split}/{min(i // size, last)}" for i in range(n)]


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
    """Join consecutive parts into runs of at most ``size`` rows, and at least one part."""
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

    A block is a group followed by the twins of its images, or whatever other groups pairs tie together: the twins of
    a group, the groups of a category. A pass over it needs to hold the patches of one block only, however many pairs
    there are. Calibration images belong to no part.
    """
    evaluated = (pack.index["split"] != "calibration").to_numpy()
    twins = (pack.index["split"] == "twin").to_numpy()
    tied = _tied_groups(pack)
    mine = np.array_split(pd.unique(tied[evaluated]), shards)[shard]
    blocks = [np.flatnonzero(evaluated & (tied == name)) for name in mine]
    return [np.r_[block[~twins[block]], block[twins[block]]] for block in blocks]


def _tied_groups(pack: OpenPack) -> NDArray[np.int64]:
    """Return, for every row of the pack, which set of groups it is in, groups tied by a pair being in one set."""
    group, names = pd.factorize(pack.index["group"])
    ties = (group[pack.pairs["source"]], group[pack.pairs["twin"]])
    graph = coo_array((np.ones(len(pack.pairs)), ties), shape=(len(names), len(names)))
    sets: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return sets[group]


def shard_name(shard: int, shards: int) -> str:
    """Return the folder name of a shard, such as ``2-of-3``."""
    return f"{shard + 1}-of-{shards}"


def facts_of(
    dataset: str,
    source: str,
    index: pd.DataFrame,
    pairs: pd.DataFrame,
    image_size: int,
    class_names: tuple[str, ...],
    mask_names: tuple[str, ...],
    void: bool,
) -> dict[str, object]:
    """Return the facts of a data set that the report prints: counts by split, classes, and accuracy at chance."""
    real = index[index["split"] != "twin"]
    return {
        "dataset": dataset,
        "source": source,
        # An image that calibrates and trains is in both splits.
        "images": int(real["unit"].nunique()),
        "classes": len(class_names),
        "class_names": list(class_names),
        "mask_names": list(mask_names),
        # The value of mask pixels that belong to no class, where there may be any.
        "void": VOID if void else None,
        "image_size": image_size,
        "splits": {
            str(split): {"images": len(rows), "classes": int(rows["label"][rows["label"] != NO_LABEL].nunique())}
            for split, rows in real.groupby("split", sort=False)
        },
        "pairs": len(pairs),
        "chance": _chance(real, len(class_names)),
    }


def _chance(real: pd.DataFrame, classes: int) -> dict[str, float] | None:
    """Return the accuracy of guessing evenly and of always guessing the class most frequent in training.

    None where no class can be learned: images without labels, or none to train on.
    """
    test, train = (real.loc[real["split"] == split, "label"] for split in ("test", "train"))
    if not classes or train.empty:
        return None
    share, uniform = float((test == train.mode().iloc[0]).mean()), 1 / classes
    return {"low": min(uniform, share), "high": max(uniform, share)}
