"""Decode a data set into a pack: ``python -m extract.datasets.prepare --help``."""

import argparse
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from tqdm import tqdm

from config.errors import report_errors
from config.files import written_whole
from config.layout import Pack, Run
from config.settings import Dataset, load_settings
from extract.datasets.ade20k import ade20k
from extract.datasets.array_file import rows_written
from extract.datasets.class_folders import class_folders
from extract.datasets.drawn_scenes import drawn_scenes
from extract.datasets.imagenet import imagenet
from extract.datasets.images import images
from extract.datasets.listing import Listing
from extract.datasets.nyu import nyu
from extract.datasets.packs import DatasetError, facts_of, group_names
from extract.datasets.spair import spair
from extract.datasets.voc import voc
from extract.datasets.warps import draw_warp

LISTINGS: Mapping[str, Callable[[Dataset, int], Listing]] = {
    "scenes": drawn_scenes,
    "class_folders": class_folders,
    "imagenet": imagenet,
    "voc": voc,
    "ade20k": ade20k,
    "nyu": nyu,
    "images": images,
    "spair": spair,
}

WAITING = 512  # images that wait for a worker at a time


def prepare(dataset: Dataset, seed: int, pack: Pack, workers: int = 1) -> None:
    """Write the pack of a data set.

    Images go to the disk as they are decoded, so memory holds the index and one image per worker.

    Args:
        dataset: what to decode.
        seed: seed of splits, order and warps.
        pack: where to.
        workers: images decoded side by side; the pack does not depend on it.

    Raises:
        DatasetError: for a missing folder, an unreadable image or too few images, naming the file or key.
        DiskFull: naming the file and the space it needs.
    """
    listing = LISTINGS[dataset.source](dataset, seed)
    index, pairs = _with_twins(listing, dataset, seed) if listing.pairs is None else (listing.index, listing.pairs)
    index = index.assign(group=_groups(dataset, index)).drop(columns="bundle", errors="ignore")
    facts = facts_of(
        dataset.name,
        dataset.source,
        index,
        pairs,
        dataset.image_size,
        listing.class_names,
        listing.mask_names,
        listing.void,
    )
    facts["left_out"] = list(listing.left_out)
    for line in listing.left_out:
        print(f"warning: data set {dataset.name}, {dataset.path}: {line}", file=sys.stderr)
    _write_pixels(listing, index, pairs, dataset.image_size, pack, workers)
    with written_whole(pack.index) as path:
        index.to_parquet(path, index=False)
    with written_whole(pack.pairs) as path:
        pairs.to_parquet(path, index=False)
    with written_whole(pack.facts) as path:
        path.write_text(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True))


def _with_twins(listing: Listing, dataset: Dataset, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the index with warped twins of the first test images appended, and the pairs that they form."""
    test = np.flatnonzero(listing.index["split"] == "test")
    if len(test) < dataset.pairs:
        raise DatasetError(
            f"datasets.{dataset.name}.pairs: {dataset.pairs} is more than the {len(test)} test images; "
            f"allowed: at most {len(test)}"
        )
    sources = test[: dataset.pairs]
    units = listing.index["unit"].iloc[sources].tolist()
    twins = listing.index.iloc[sources].assign(split="twin", unit=[f"{unit}#twin" for unit in units])
    index = pd.concat([listing.index, twins], ignore_index=True)
    warps = [draw_warp(seed, unit, ranges=dataset.warps).ravel() for unit in units]
    rows = np.arange(len(listing.index), len(index))
    return index, pd.DataFrame({"unit": units, "source": sources, "twin": rows, "warp": warps, "cluster": units})


def _groups(dataset: Dataset, index: pd.DataFrame) -> list[str]:
    """Return the group of every row: runs of a split, or of a bundle of it."""
    if "bundle" not in index:
        index = index.assign(bundle="")
    return [
        name
        for (split, bundle), rows in index.groupby(["split", "bundle"], sort=False)
        for name in group_names(
            dataset.name,
            f"{split}/{bundle}" if bundle != "" else str(split),
            len(rows),
            dataset.shuffle_group,
        )
    ]


def _write_pixels(
    listing: Listing, index: pd.DataFrame, pairs: pd.DataFrame, size: int, pack: Pack, workers: int
) -> None:
    """Write images, twins and masks, each as soon as it is drawn."""
    real = len(listing.index)
    with ExitStack() as files:
        images = files.enter_context(rows_written(pack.images, (len(index), size, size, 3)))
        masks = None
        if listing.mask_names:
            # Twins are never segmented; their rows keep the masks as long as the images.
            masks = files.enter_context(rows_written(pack.masks, (len(index), size, size)))
        elif listing.depths:
            masks = files.enter_context(rows_written(pack.depths, (len(index), size, size), np.uint16))

        def write(row: int) -> None:
            if row >= real:
                source, warp = (pairs[key].iloc[row - real] for key in ("source", "warp"))
                assert listing.twin is not None
                images.put(row, listing.twin(int(source), warp.reshape(2, 3)))
                return
            image, mask = listing.draw(row)
            images.put(row, image)
            if masks is not None and mask is not None:
                masks.put(row, mask)

        pool = files.enter_context(ThreadPoolExecutor(workers))
        with tqdm(desc="decoding", total=len(index), mininterval=5) as progress:
            # In parts, since every image that waits for a worker takes memory too.
            for first in range(0, len(index), WAITING):
                for _ in pool.map(write, range(first, min(first + WAITING, len(index)))):
                    progress.update()


def main() -> None:
    """Command line: write the pack of one data set of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    settings = load_settings(arguments.settings)
    run = Run(arguments.settings.parent)
    dataset = settings.datasets[arguments.dataset]
    prepare(dataset, settings.seed, run.pack(dataset.name), arguments.workers)


if __name__ == "__main__":
    report_errors(main)
