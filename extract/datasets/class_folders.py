"""Photographs in class folders: train/<class>/ and test/<class>/, or <class>/ alone, split by a share."""

from pathlib import Path

from config.settings import Dataset
from extract.datasets.listing import (
    Listing,
    calibration_and_rest,
    folder_of,
    image_files,
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
    if dataset.test_share is None:
        root = folder_of(dataset)
        classes = {split: _kept(_by_class(root / split), dataset, root, seed) for split in SPLITS}
    else:
        root = folder_of(dataset)
        if all((root / split).is_dir() for split in SPLITS):
            raise DatasetError(
                f"datasets.{dataset.name}.test_share: {dataset.test_share} for {root}, which holds train/ and test/ "
                "already; remove the key"
            )
        classes = _split(_kept(_by_class(root), dataset, root, seed), dataset, root, seed)
    names = tuple(sorted(classes["train"]))
    if unseen := sorted(set(classes["test"]) - set(names)):
        raise DatasetError(f"{root}: classes {', '.join(unseen)} are in test/ but not in train/")
    name_of = {file: name for split in SPLITS for name, files in classes[split].items() for file in files}
    train, test = (in_keyed_order([*_flat(classes[split])], root, seed) for split in SPLITS)
    calibration, train = map(list, calibration_and_rest(train, dataset, len(names), "to train probes on"))
    return photographs(
        dataset, root, {"calibration": calibration, "train": train, "test": test}, names, name_of.__getitem__
    )


def _by_class(folder: Path) -> dict[str, list[Path]]:
    """Return the images of every class folder, however deep in it."""
    found = {below.name: image_files(below) for below in sorted(folder.iterdir()) if below.is_dir()}
    for name, files in found.items():
        if not files:
            raise DatasetError(f"{folder / name}: no image in this class folder; remove it or fill it")
    if not found:
        raise DatasetError(f"{folder}: no class folder in it; expected {folder}/<class>/<image>")
    return found


def _kept(classes: dict[str, list[Path]], dataset: Dataset, root: Path, seed: int) -> dict[str, list[Path]]:
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


def _split(classes: dict[str, list[Path]], dataset: Dataset, root: Path, seed: int) -> dict[str, dict[str, list[Path]]]:
    """Split every class by the share of its images that are for testing, keyed by their names."""
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


def _flat(classes: dict[str, list[Path]]) -> list[Path]:
    return [file for files in classes.values() for file in files]
