"""A folder of unlabelled images, for warped pairs."""

from config.settings import Dataset
from extract.datasets.folders import files_below, left_out
from extract.datasets.listing import (
    Listing,
    calibration_and_rest,
    folder_of,
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
    found = files_below(root)
    told = left_out(root, [found])
    files = in_keyed_order(found.images, root, seed)
    if not files:
        raise DatasetError(". ".join([f"{root}: no image in this folder", *told]))
    calibration, test = calibration_and_rest(files, dataset, 2, "to test on")
    return photographs(dataset, root, {"calibration": calibration, "test": test}, left_out=told)
