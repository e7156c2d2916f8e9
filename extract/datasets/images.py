"""A folder of unlabelled images, for warped pairs."""

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


def images(dataset: Dataset, seed: int) -> Listing:
    """List every image of a folder; the first in keyed order are for calibration, the others are tested.

    Raises:
        DatasetError: where the folder is missing or holds no image, or too few.
    """
    root = folder_of(dataset)
    files = in_keyed_order(image_files(root), root, seed)
    if not files:
        raise DatasetError(f"{root}: no image in this folder")
    calibration, test = calibration_and_rest(files, dataset, 2, "to test on")
    return photographs(dataset, root, {"calibration": calibration, "test": test})
