"""Photographs in class folders: train/<class>/ and test/<class>/ (or val/), or <class>/ alone, split by a share."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.inputs import folder_of_tests
from config.settings import Dataset
from extract.datasets.decoding import SUFFIXES
from extract.datasets.folders import FolderFiles, files_below, left_out
from extract.datasets.listing import (
    Listing,
    calibration_and_rest,
    folder_of,
    in_keyed_order,
    photographs,
)
from extract.datasets.packs import DatasetError

SPLITS = ("train", "test")


def class_folders(dataset: Dataset, seed: int) -> Listing:
    """List class folders; the first training images in keyed order are for calibration.

    Raises:
        DatasetError: for missing or empty folders, classes without training images, or too few images.
    """
    root = folder_of(dataset)
    places = {"train": root / "train", "test": folder_of_tests(root)} if dataset.test_share is None else {"": root}
    if dataset.test_share is not None and all(folder.is_dir() for folder in (root / "train", folder_of_tests(root))):
        raise DatasetError(
            f"datasets.{dataset.name}.test_share: {dataset.test_share} for {root}, which holds train/ and "
            f"{folder_of_tests(root).name}/ already; remove the key"
        )
    found = {split: _by_class(place) for split, place in places.items()}
    kept = {split: kept_per_class(_images(folders), dataset, root, seed) for split, folders in found.items()}
    classes = kept if dataset.test_share is None else split_by_share(kept[""], dataset, root, seed)
    _require_different(found.values())
    told = [part for folders in found.values() for part in folders.values()]
    loose = [_beside(place, dataset) for place in places.values()]
    return labelled(dataset, seed, root, classes, left_out=(*left_out(root, told), *filter(None, loose)))


def labelled(
    dataset: Dataset,
    seed: int,
    root: Path,
    classes: Mapping[str, Mapping[str, Sequence[Path]]],
    read: Callable[[Path, int], NDArray[np.uint8]] | None = None,
    left_out: tuple[str, ...] = (),
) -> Listing:
    """List images of known classes; the first training images in keyed order are for calibration.

    Args:
        dataset: of the config.
        seed: of the order.
        root: folder that units are named relative to.
        classes: split (train, test) → class → its images.
        read: file and side → image side×side×3; left out, files are images.
        left_out: what is not read, a sentence each.

    Raises:
        DatasetError: for classes without training images, or too few images.
    """
    names = tuple(sorted(classes["train"]))
    if unseen := sorted(set(classes["test"]) - set(names)):
        tested = folder_of_tests(root).name
        raise DatasetError(
            f"{root}: classes {', '.join(unseen)} are in {tested}/ but not in train/; add images to train/, or take "
            f"them out of {tested}/"
        )
    name_of = {file: name for split in SPLITS for name, files in classes[split].items() for file in files}
    train, test = (in_keyed_order(_flat(classes[split]), root, seed) for split in SPLITS)
    if not dataset.calibration_trains:
        _require_every_class(train, name_of, dataset)
    calibration, train = map(list, calibration_and_rest(train, dataset, len(names), "to train probes on"))
    return photographs(
        dataset,
        root,
        {"calibration": calibration, "train": train, "test": test},
        names,
        name_of.__getitem__,
        read,
        left_out,
    )


def _by_class(folder: Path) -> dict[str, FolderFiles]:
    """Return the files of every class folder, however deep in it."""
    below = [path for path in sorted(folder.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    found = {path.name: files_below(path) for path in below}
    for name, files in found.items():
        if not files.images:
            raise DatasetError(
                ". ".join(
                    [
                        f"{folder / name}: no image in this class folder; remove it or fill it",
                        *left_out(folder, [files]),
                    ]
                )
            )
    if not found:
        raise DatasetError(f"{folder}: no class folder in it; expected {folder}/<class>/<image>")
    return found


def _images(folders: Mapping[str, FolderFiles]) -> dict[str, list[Path]]:
    return {name: list(files.images) for name, files in folders.items()}


def _require_different(found: Iterable[Mapping[str, FolderFiles]]) -> None:
    """Require that no two class folders hold one folder, through links: its images would be two classes or splits."""
    places: dict[tuple[int, int], Path] = {}
    for files in (files for folders in found for files in folders.values()):
        for key, folder in files.folders.items():
            if (other := places.setdefault(key, folder)) is not folder:
                raise DatasetError(f"{folder}: the same folder as {other}, through a link; remove one of them")


def _require_every_class(train: Sequence[Path], name_of: Mapping[Path, str], dataset: Dataset) -> None:
    """Require that calibration, which takes the first training images, leaves every class one to train on."""
    last = {name_of[file]: place for place, file in enumerate(train)}
    lost = {
        name: sum(name_of[file] == name for file in train)
        for name, place in last.items()
        if place < dataset.calibration
    }
    if lost and dataset.calibration + len(last) <= len(train):
        first = min(lost)
        raise DatasetError(
            f"datasets.{dataset.name}.calibration: {dataset.calibration} of {len(train)} training images leave nothing "
            f"to train on of {len(lost)} of {len(last)} classes, the first {first}, which has {lost[first]} "
            f"({train[last[first]].parent}); allowed: at most {min(last.values())}, or add images to these classes"
        )


def _beside(folder: Path, dataset: Dataset) -> str:
    """Say which images lie beside the class folders, and are of no class."""
    loose = sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix.lower() in SUFFIXES)
    if not loose:
        return ""
    lie, have = ("1 image lies", "has") if len(loose) == 1 else (f"{len(loose)} images lie", "have")
    where = f"{folder.name}/" if dataset.test_share is None else ""
    return f"{lie} beside the class folders and {have} no class; the first is {where}{loose[0]}. Move them into one"


def kept_per_class(
    classes: Mapping[str, Sequence[Path]], dataset: Dataset, root: Path, seed: int
) -> Mapping[str, Sequence[Path]]:
    """Keep as many images of every class as the config asks for, chosen by a key of their names.

    Raises:
        DatasetError: where a class has fewer, so that classes would be of unequal size unseen.
    """
    if dataset.per_class is None:
        return classes
    if few := [name for name, files in classes.items() if len(files) < dataset.per_class]:
        raise DatasetError(
            f"datasets.{dataset.name}.per_class: {dataset.per_class}, but class {few[0]} in {root} has "
            f"{len(classes[few[0]])} images; allowed: at most {min(map(len, classes.values()))}"
        )
    return {
        name: in_keyed_order(files, root, seed, "per class")[: dataset.per_class] for name, files in classes.items()
    }


def split_by_share(
    classes: Mapping[str, Sequence[Path]], dataset: Dataset, root: Path, seed: int
) -> Mapping[str, Mapping[str, Sequence[Path]]]:
    """Split every class by the share of its images that are for testing, keyed by their names.

    Raises:
        DatasetError: where a class is left without images on either side.
    """
    assert dataset.test_share is not None
    parts: dict[str, dict[str, list[Path]]] = {"train": {}, "test": {}}
    for name, files in classes.items():
        n = round(len(files) * dataset.test_share)
        if not 0 < n < len(files):
            raise DatasetError(
                f"datasets.{dataset.name}.test_share: {dataset.test_share} of the {len(files)} images in "
                f"{root / name} leaves {'none to test' if n == 0 else 'none to train'} on; change the share, or add "
                "images"
            )
        # Keyed apart from the order within a split, whose first images calibrate.
        ordered = in_keyed_order(files, root, seed, "test share")
        parts["test"][name], parts["train"][name] = ordered[:n], ordered[n:]
    return parts


def _flat(classes: Mapping[str, Sequence[Path]]) -> list[Path]:
    return [file for files in classes.values() for file in files]
