"""ADE20K as the scene parsing benchmark distributes it: images with masks of 150 classes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from config.settings import Dataset
from extract.datasets.decoding import RESIZING, read_image, read_mask
from extract.datasets.folders import FolderFiles, files_below, left_out, listed_names
from extract.datasets.listing import Listing, calibration_and_rest, folder_of, in_keyed_order, photographs
from extract.datasets.packs import VOID, DatasetError

# Zhou et al., "Scene Parsing through ADE20K Dataset", CVPR 2017; ADEChallengeData2016.zip.
FOLDERS = {"train": "training", "test": "validation"}
NAMES, SCENES = "objectInfo150.txt", "sceneCategories.txt"
CLASSES = 150
AGAIN = "unpack ADEChallengeData2016.zip again"


def ade20k(dataset: Dataset, seed: int) -> Listing:
    """List ADE20K: training/ trains and calibrates, validation/ is tested.

    Masks hold 1 to 150 for the classes of objectInfo150.txt, and 0 for everything else, which is void here: it is
    neither trained on nor scored, as in the benchmark. The scene of an image is not used; an image has no label.

    Raises:
        DatasetError: for a layout that is incomplete, an image without mask, or too few images.
    """
    root = folder_of(dataset)
    names = class_names(root / NAMES)
    found = {split: files_below(root / "images" / folder) for split, folder in FOLDERS.items()}
    _require_whole(root, found)
    ordered = {split: in_keyed_order(files.images, root, seed) for split, files in found.items()}
    calibration, train = calibration_and_rest(ordered["train"], dataset, 1, "to train probes on")
    splits = {"calibration": calibration, "train": train, "test": ordered["test"]}
    files = [file for members in splits.values() for file in members]

    def draw(row: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        image = read_image(files[row])
        mask = read_mask(_mask_of(files[row], root), CLASSES + 1, image, files[row], f"Is it ADE20K's own? {AGAIN}")
        square = RESIZING[dataset.resize]
        values = square(mask, dataset.image_size, Image.Resampling.NEAREST)
        # 0, everything else, becomes 255; what is void already stays so.
        return (
            square(image, dataset.image_size, Image.Resampling.BICUBIC),
            np.where(values == VOID, np.uint8(VOID), values - np.uint8(1)),
        )

    listed = photographs(dataset, root, splits, left_out=left_out(root, found.values()))
    return replace(listed, draw=draw, mask_names=names, void=True)


def class_names(file: Path) -> tuple[str, ...]:
    """Return the names of the 150 classes: the first synonym, or all of them where two classes share the first.

    Raises:
        DatasetError: where the table is another one.
    """
    rows = [line.split("\t") for line in listed_names(file)[1:]]
    numbers, whole = [row[0].strip() for row in rows], [row[-1].strip() for row in rows]
    if numbers != [str(number) for number in range(1, CLASSES + 1)] or len(set(whole)) != CLASSES:
        raise DatasetError(
            f"{file}: {len(rows)} rows, which do not number {CLASSES} classes of different names; needed: a head line, "
            f"then number and name in the first and last of columns that are parted by tabs. Or {AGAIN}"
        )
    first = [name.split(",")[0].strip() for name in whole]
    times = Counter(first)
    return tuple(short if times[short] == 1 else name for short, name in zip(first, whole, strict=True))


def _require_whole(root: Path, found: Mapping[str, FolderFiles]) -> None:
    """Require the images that sceneCategories.txt lists, where it is there, and a mask of every image."""
    for split, files in found.items():
        if not files.images:
            raise DatasetError(f"{root / 'images' / FOLDERS[split]}: no image in this folder; {AGAIN}")
        masks = {path.stem for path in files_below(root / "annotations" / FOLDERS[split]).images}
        if absent := sorted(file.name for file in files.images if file.stem not in masks):
            raise DatasetError(
                f"{root / 'annotations' / FOLDERS[split]}: {len(absent)} of {len(files.images)} images have no mask, "
                f"the first {absent[0]}; {AGAIN}, or remove these images"
            )
    if not (root / SCENES).is_file():
        return
    there = {path.stem for files in found.values() for path in files.images}
    listed = [line.split()[0] for line in listed_names(root / SCENES)]
    if lost := [stem for stem in listed if stem not in there]:
        raise DatasetError(
            f"{root / 'images'}: {len(lost)} of the {len(listed)} images of {SCENES} are missing, the first {lost[0]}; "
            f"{AGAIN}, or take them off that list"
        )


def _mask_of(file: Path, root: Path) -> Path:
    return (root / "annotations" / file.relative_to(root / "images")).with_suffix(".png")
