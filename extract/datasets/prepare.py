"""Decode a data set into a pack: ``python -m extract.datasets.prepare --help``."""

import argparse
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from tqdm import tqdm

from config.errors import report_errors
from config.files import written_whole
from config.keys import digest
from config.layout import Pack, Run
from config.settings import Dataset, load_settings
from extract.datasets.packs import (
    DatasetError,
    check_class_folders,
    facts_of,
    group_names,
)
from extract.datasets.warps import draw_warp, warp_image
from extract.known_answer.scenes import CLASS_NAMES, draw_scenes, render

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
RENDER_BLOCK = 256


@dataclass(frozen=True)
class Decoded:
    """A data set in memory, before its twins are made.

    ``twins`` draws the warped twins of the given rows (of ``index``) through the given warps.
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.uint8] | None
    index: pd.DataFrame  # unit, split, label, class_name
    class_names: list[str]
    twins: Callable[[NDArray[np.int64], NDArray[np.float32]], NDArray[np.uint8]]


def prepare(dataset: Dataset, seed: int, pack: Pack, workers: int = 1) -> None:
    """Write the pack of a data set.

    Args:
        dataset: what to decode.
        seed: seed of splits, order and warps.
        pack: where to.
        workers: images decoded side by side; the pack does not depend on it.

    Raises:
        DatasetError: for a missing folder, an unreadable image or too few images, naming the file or key.
    """
    decoded = (_scenes if dataset.source == "scenes" else _class_folders)(dataset, seed, workers)
    test = np.flatnonzero(decoded.index["split"] == "test")
    if len(test) < dataset.pairs:
        raise DatasetError(
            f"datasets.{dataset.name}.pairs: {dataset.pairs} is more than the {len(test)} test images; "
            f"allowed: at most {len(test)}"
        )
    sources = test[: dataset.pairs]
    units = decoded.index["unit"].iloc[sources].tolist()
    warps = np.stack([draw_warp(seed, unit) for unit in units])
    twins = decoded.index.iloc[sources].assign(split="twin", unit=[f"{unit}#twin" for unit in units])
    index = pd.concat([decoded.index, twins], ignore_index=True)
    index["group"] = [
        name
        for split, rows in index.groupby("split", sort=False)
        for name in group_names(dataset.name, str(split), len(rows))
    ]
    images = np.concatenate([decoded.images, decoded.twins(sources, warps)])
    pairs = pd.DataFrame(
        {
            "unit": units,
            "source": sources,
            "twin": np.arange(len(decoded.index), len(index)),
            "warp": list(warps.reshape(-1, 6)),
        }
    )
    facts = facts_of(dataset.name, dataset.source, index, pairs, dataset.image_size, decoded.class_names)
    with written_whole(pack.images) as path:
        np.save(path, images)
    if decoded.masks is not None:
        # Twins are never segmented; their rows keep the masks as long as the images.
        blank = np.zeros((len(twins), *decoded.masks.shape[1:]), np.uint8)
        with written_whole(pack.masks) as path:
            np.save(path, np.concatenate([decoded.masks, blank]))
    with written_whole(pack.index) as path:
        index.to_parquet(path, index=False)
    with written_whole(pack.pairs) as path:
        pairs.to_parquet(path, index=False)
    with written_whole(pack.facts) as path:
        path.write_text(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True))


def _scenes(dataset: Dataset, seed: int, _workers: int) -> Decoded:
    images, masks, frames, drawn = [], [], [], []
    for split, n in (
        ("calibration", dataset.calibration),
        ("train", dataset.train),
        ("test", dataset.test),
    ):
        scenes = draw_scenes(n, "data set scenes", dataset.name, split, seed)
        for first in tqdm(range(0, n, RENDER_BLOCK), desc=f"scenes: {split}", mininterval=5):
            image, mask = render(scenes[first : first + RENDER_BLOCK], dataset.image_size)
            images.append(image)
            masks.append(mask)
        drawn.append(scenes)
        frames.append(
            pd.DataFrame(
                {
                    "unit": [f"{dataset.name}/{split}/{i:06d}" for i in range(n)],
                    "split": split,
                    "label": scenes.label,
                    "class_name": [CLASS_NAMES[label] for label in scenes.label],
                }
            )
        )

    def twins(rows: NDArray[np.int64], warps: NDArray[np.float32]) -> NDArray[np.uint8]:
        first = rows[0] - dataset.calibration - dataset.train  # the sources are the first test scenes
        return render(drawn[2][first : first + len(rows)], dataset.image_size, warps)[0]

    return Decoded(
        np.concatenate(images),
        np.concatenate(masks),
        pd.concat(frames, ignore_index=True),
        list(CLASS_NAMES),
        twins,
    )


def _class_folders(dataset: Dataset, seed: int, workers: int) -> Decoded:
    key = f"datasets.{dataset.name}"
    root = check_class_folders(dataset.path, f"{key}.path")
    files = {split: _files(root / split, seed) for split in ("train", "test")}

    def class_of(file: Path) -> str:
        return file.relative_to(root).parts[1]  # split/class/…, however deep the file lies

    class_names = sorted({class_of(file) for file in files["train"]})
    if unseen := sorted({class_of(file) for file in files["test"]} - set(class_names)):
        raise DatasetError(f"{root}: classes {', '.join(unseen)} are in test/ but not in train/")
    if len(files["train"]) < dataset.calibration + len(class_names):
        raise DatasetError(
            f"{key}.calibration: {dataset.calibration} of {len(files['train'])} training images leave too few "
            f"to train probes on; allowed: at most {len(files['train']) - len(class_names)}"
        )
    splits = {
        "calibration": files["train"][: dataset.calibration],
        "train": files["train"][dataset.calibration :],
        "test": files["test"],
    }
    rows = [
        {
            "unit": f"{dataset.name}/{file.relative_to(root).as_posix()}",
            "split": split,
            "label": class_names.index(class_of(file)),
            "class_name": class_of(file),
        }
        for split, members in splits.items()
        for file in members
    ]
    members = [file for part in splits.values() for file in part]
    with ThreadPoolExecutor(workers) as pool:
        decoded = pool.map(lambda file: decode(file, dataset.image_size), members)
        images = np.stack(list(tqdm(decoded, "decoding", len(members), mininterval=5)))

    def twins(sources: NDArray[np.int64], warps: NDArray[np.float32]) -> NDArray[np.uint8]:
        pairs = zip(sources, warps, strict=True)
        return np.stack([warp_image(images[source], warp) for source, warp in pairs])

    return Decoded(images, None, pd.DataFrame(rows), class_names, twins)


def _files(folder: Path, seed: int) -> list[Path]:
    """Return the images of ``folder/<class>/`` in an order keyed by their names.

    The order mixes the classes: images of one class side by side would shuffle registers within the class.
    """
    files: list[Path] = []
    for below in sorted(path for path in folder.iterdir() if path.is_dir()):
        images = [path for path in below.rglob("*") if path.suffix.lower() in SUFFIXES]
        if not images:
            raise DatasetError(f"{below}: no image in this class folder; remove it or fill it")
        files += images
    if not files:
        raise DatasetError(f"{folder}: no class folder in it; expected {folder}/<class>/<image>")
    return sorted(files, key=lambda file: digest(seed, file.relative_to(folder.parent).as_posix()))


def decode(file: Path, size: int) -> NDArray[np.uint8]:
    """Read an image, resize its short side to ``size`` (bicubic, antialiased) and crop the centre.

    Returns:
        uint8 size×size×3.

    Raises:
        DatasetError: for a file that is no image or is cut short.
    """
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise DatasetError(f"{file}: not a readable image ({error}); remove or replace it") from error
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size)))


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
