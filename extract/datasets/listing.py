"""What a data set holds, listed before anything is decoded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from config.inputs import missing_data
from config.keys import Key, digest
from config.settings import Dataset
from extract.datasets.decoding import decode
from extract.datasets.packs import NO_LABEL, DatasetError
from extract.datasets.warps import Floats, warp_image

Pixels = NDArray[np.uint8]
Depths = NDArray[np.uint16]


@dataclass(frozen=True)
class Listing:
    """The images of a data set in the order of their pack, and how each is drawn.

    Attributes:
        index: one row per image: unit, split, label, class_name, and bundle, the images among which groups are cut.
        draw: pack row → image size×size×3, and its mask or depth map size×size where the data set has them.
        class_names: names of the labels.
        mask_names: names of the mask's values, the background first.
        void: whether masks may hold VOID.
        twin: pack row and warp → the warped twin; None where a data set brings its own pairs.
        pairs: annotated pairs, without which the first test images are paired with their twins.
        left_out: what lies in the folders and is not read, a sentence each.
        depths: whether draw returns depth maps, uint16 in millimetres, 0 where unknown; then there are no masks.
    """

    index: pd.DataFrame
    draw: Callable[[int], tuple[Pixels, Pixels | Depths | None]]
    class_names: tuple[str, ...] = ()
    mask_names: tuple[str, ...] = ()
    void: bool = False
    twin: Callable[[int, Floats], Pixels] | None = None
    pairs: pd.DataFrame | None = None
    left_out: tuple[str, ...] = ()
    depths: bool = False


def photographs(
    dataset: Dataset,
    root: Path,
    splits: dict[str, Sequence[Path]],
    class_names: tuple[str, ...] = (),
    class_of: Callable[[Path], str] | None = None,
    read: Callable[[Path, int], Pixels] | None = None,
    left_out: tuple[str, ...] = (),
) -> Listing:
    """List the files of each split; without ``class_of`` they have no label.

    Args:
        dataset: of the config.
        root: folder that units are named relative to.
        splits: split → its files, in the order of the pack.
        class_names: names of the labels.
        class_of: file → name of its class.
        read: file and side → image side×side×3; left out, files are images, and the data set's `resize` decides.
        left_out: what is not read, a sentence each.
    """
    files = [file for members in splits.values() for file in members]
    names = ["" if class_of is None else class_of(file) for file in files]
    labels = {name: label for label, name in enumerate(class_names)}
    pixels = partial(decode, resize=dataset.resize) if read is None else read

    index = pd.DataFrame(
        {
            "unit": [f"{dataset.name}/{file.relative_to(root).as_posix()}" for file in files],
            "split": [split for split, members in splits.items() for _ in members],
            "label": [labels.get(name, NO_LABEL) for name in names],
            "class_name": names,
        }
    )
    return Listing(
        index,
        draw=lambda row: (pixels(files[row], dataset.image_size), None),
        class_names=class_names,
        twin=lambda row, warp: warp_image(pixels(files[row], dataset.image_size), warp),
        left_out=left_out,
    )


def folder_of(dataset: Dataset) -> Path:
    """Return the data set's folder.

    Raises:
        DatasetError: where it is not there or lacks what its layout needs, naming the key to set.
    """
    if (complaint := missing_data(dataset)) is not None:
        raise DatasetError(complaint)
    assert dataset.path is not None
    return dataset.path


def in_keyed_order(files: Sequence[Path], root: Path, *key: Key) -> list[Path]:
    """Return files in an order keyed by ``key`` and their names.

    The order mixes the classes: images of one class side by side would shuffle registers within the class.
    """
    return sorted(files, key=lambda file: digest(*key, file.relative_to(root).as_posix()))


def calibration_and_rest(
    files: Sequence[Path], dataset: Dataset, least: int, purpose: str
) -> tuple[Sequence[Path], Sequence[Path]]:
    """Split off the first images for calibration; ``least`` of the others must be left for ``purpose``.

    With `calibration_trains`, nothing is taken away from the others: the same images are in both.
    """
    n = dataset.calibration
    if len(files) < n + least:
        raise DatasetError(
            f"datasets.{dataset.name}.calibration: {n} of {len(files)} images leave too few {purpose}; "
            f"allowed: at most {max(0, len(files) - least)}"
        )
    return files[:n], files if dataset.calibration_trains else files[n:]
