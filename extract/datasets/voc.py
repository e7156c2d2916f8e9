"""Images with class masks in the layout of Pascal VOC."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from config.settings import Dataset
from extract.datasets.decoding import RESIZING, SUFFIXES, read_image, read_mask
from extract.datasets.folders import listed_names
from extract.datasets.listing import Listing, calibration_and_rest, folder_of, in_keyed_order, photographs
from extract.datasets.packs import DatasetError

LISTS = {split: f"ImageSets/Segmentation/{name}.txt" for split, name in (("train", "train"), ("test", "val"))}
# Everingham et al., "The PASCAL Visual Object Classes Challenge 2012 (VOC2012) Development Kit", section 3.
CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train", "tv/monitor",
)  # fmt: skip


def voc(dataset: Dataset, seed: int) -> Listing:
    """List a data set with masks: train.txt trains and calibrates, val.txt is tested.

    An image holds many classes, so it has no label. Masks are resized and cropped as their image is, taking the
    nearest value.

    Raises:
        DatasetError: for a layout that is incomplete, a listed image that is missing, or too few images.
    """
    root = folder_of(dataset)
    names = dataset.classes or CLASSES
    listed = {split: in_keyed_order(_listed(root, root / file), root, seed) for split, file in LISTS.items()}
    if shared := sorted(set(listed["train"]) & set(listed["test"])):
        raise DatasetError(f"{root / LISTS['test']}: {shared[0].stem} is in {LISTS['train']} too; take it off one list")
    calibration, train = calibration_and_rest(listed["train"], dataset, 1, "to train probes on")
    splits = {"calibration": calibration, "train": train, "test": listed["test"]}
    files = [file for members in splits.values() for file in members]

    def draw(row: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        image = read_image(files[row])
        mask = read_mask(root / "SegmentationClass" / f"{files[row].stem}.png", len(names), image, files[row])
        square = RESIZING[dataset.resize]
        return (
            square(image, dataset.image_size, Image.Resampling.BICUBIC),
            square(mask, dataset.image_size, Image.Resampling.NEAREST),
        )

    return replace(photographs(dataset, root, splits), draw=draw, mask_names=names, void=True)


def _listed(root: Path, file: Path) -> list[Path]:
    """Return the images that a list names, one stem per line."""
    folder = root / "JPEGImages"
    named: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        named.setdefault(path.stem, []).append(path)
    images = {
        stem: found for stem, paths in named.items() if (found := [p for p in paths if p.suffix.lower() in SUFFIXES])
    }
    stems = listed_names(file)
    if absent := [stem for stem in stems if stem not in images]:
        raise DatasetError(
            f"{file}: {len(absent)} of {len(stems)} images, the first {absent[0]}, are not in {folder}"
            f"{_likely_reason(absent[0], named)}"
        )
    if not stems:
        raise DatasetError(f"{file}: no image is listed; add the names of images, one per line")
    if stem := next((stem for stem, times in Counter(stems).items() if times > 1), None):
        raise DatasetError(f"{file}: {stem} is listed twice; list it once")
    for stem in stems:
        if len(images[stem]) > 1:
            several = " and ".join(path.name for path in images[stem])
            raise DatasetError(f"{file}: {stem} stands for {several} in {folder}; remove all but one of them")
    return [images[stem][0] for stem in stems]


def _likely_reason(stem: str, named: Mapping[str, Sequence[Path]]) -> str:
    """Say why a listed image may not have been found, and what to do."""
    if stem in named:
        return f". {named[stem][0].name} is there, whose suffix is of no image: convert it to .png or .jpg"
    words = {"its suffix": Path(stem).stem, "what follows the first space": stem.split()[0]}
    for what, shorter in words.items():
        if shorter != stem and shorter in named:
            return f". A list names images without suffix, one per line: take {what} away"
    return "; add them, or take them off the list"
