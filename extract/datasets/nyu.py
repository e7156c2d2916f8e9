"""NYU Depth v2, the labelled frames: images with depth in metres, from the authors' MATLAB file."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import loadmat

from config.settings import Dataset
from extract.datasets.decoding import RESIZING
from extract.datasets.listing import Listing, calibration_and_rest, folder_of, in_keyed_order, photographs
from extract.datasets.packs import DatasetError

# Silberman et al., "Indoor Segmentation and Support Inference from RGBD Images", ECCV 2012.
FRAMES, SPLITS = "nyu_depth_v2_labeled.mat", "splits.mat"
# Rows and columns of a frame that are kept, from the first on: the part on which Eigen et al. (NIPS 2014) and those
# after them score depth. The rectified images have a white margin, which is outside of it.
ROWS, COLUMNS = slice(45, 471), slice(41, 601)
HEIGHT, WIDTH = 480, 640
MILLIMETRES = 1000
FARTHEST = 60.0  # metres; what is more than a sensor of 10 m can see is no depth in metres


def nyu(dataset: Dataset, seed: int) -> Listing:
    """List the labelled frames in the authors' split: 795 train and calibrate, 654 are tested.

    Depth is the file's ``depths``: the sensor's, with its holes filled by the authors.

    Raises:
        DatasetError: for files that are missing, cut short or of another layout, or too few frames.
    """
    root = folder_of(dataset)
    with _opened(root / FRAMES) as file:
        count = _frames(file, root / FRAMES)
    train, test = _split(root / SPLITS, count)
    # Frames have numbers, and no files of their own: these paths are their names alone.
    names = {split: [root / f"{k + 1:04d}" for k in rows] for split, rows in (("train", train), ("test", test))}
    ordered = {split: in_keyed_order(each, root, seed) for split, each in names.items()}
    calibration, trained = calibration_and_rest(ordered["train"], dataset, 2, "to train probes on")
    splits = {"calibration": calibration, "train": trained, "test": ordered["test"]}
    frames = [frame for members in splits.values() for frame in members]

    def draw(row: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        return (
            _image(root / FRAMES, frames[row], dataset.image_size, dataset.resize),
            _depth(root / FRAMES, frames[row], dataset.image_size, dataset.resize),
        )

    def read(frame: Path, size: int) -> NDArray[np.uint8]:
        return _image(root / FRAMES, frame, size, dataset.resize)

    listed = photographs(dataset, root, splits, read=read)
    return replace(listed, draw=draw, depths=True)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open the MATLAB file (version 7.3, which is HDF5)."""
    try:
        import h5py
    except ImportError as error:
        raise DatasetError(f"{path}: reading it needs the package h5py; install it, such as by `uv sync`") from error
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError) as error:
        raise DatasetError(f"{path}: not a whole MATLAB 7.3 (HDF5) file ({error}); fetch it again") from error


def _frames(file: Any, path: Path) -> int:
    """Return the number of frames. MATLAB's first index is HDF5's last, so a frame is width × height here."""
    for name, one in (("images", (3, WIDTH, HEIGHT)), ("depths", (WIDTH, HEIGHT))):
        if name not in file:
            raise DatasetError(f"{path}: lacks {name}; needed: the labelled data set, {FRAMES}. Fetch it again")
        if file[name].shape[1:] != one:
            raise DatasetError(
                f"{path}: {name} is {' × '.join(map(str, file[name].shape))}; needed: frames × "
                f"{' × '.join(map(str, one))}. Fetch the labelled data set, {FRAMES}"
            )
    images, depths = (len(file[name]) for name in ("images", "depths"))
    if images != depths:
        raise DatasetError(f"{path}: {images} images and {depths} depth maps; needed: as many. Fetch it again")
    return int(images)


def _split(path: Path, count: int) -> tuple[list[int], list[int]]:
    """Return the frames to train and to test on, counted from 0."""
    try:
        read = loadmat(path)
        train, test = ([int(each) - 1 for each in np.ravel(read[key])] for key in ("trainNdxs", "testNdxs"))
    except Exception as error:  # of any kind, for SciPy has no error of its own for a broken file
        raise DatasetError(
            f"{path}: trainNdxs and testNdxs cannot be read ({error}); fetch the authors' splits.mat again"
        ) from error
    every = [*train, *test]
    if not train or not test or len(set(every)) != len(every) or not 0 <= min(every) <= max(every) < count:
        raise DatasetError(
            f"{path}: {len(train)} frames to train and {len(test)} to test on, which are not different ones of the "
            f"{count} in {FRAMES}; fetch both files of the authors again"
        )
    return train, test


def _image(path: Path, frame: Path, size: int, resize: str) -> NDArray[np.uint8]:
    with _opened(path) as file:
        pixels = file["images"][int(frame.name) - 1].transpose(2, 1, 0)
    return RESIZING[resize](Image.fromarray(pixels[ROWS, COLUMNS]), size, Image.Resampling.BICUBIC)


def _depth(path: Path, frame: Path, size: int, resize: str) -> NDArray[np.uint16]:
    with _opened(path) as file:
        metres = np.asarray(file["depths"][int(frame.name) - 1].T[ROWS, COLUMNS], dtype=np.float32)
    known = np.isfinite(metres) & (metres > 0)
    if metres[known].max(initial=0) > FARTHEST:
        raise DatasetError(
            f"{path}: frame {frame.name} has depths up to {metres[known].max():,.0f}; needed: metres, below "
            f"{FARTHEST:g}. Fetch the labelled data set, {FRAMES}"
        )
    near: Any = RESIZING[resize](Image.fromarray(np.where(known, metres, 0)), size, Image.Resampling.NEAREST)
    depth: NDArray[np.uint16] = np.rint(near * MILLIMETRES).astype(np.uint16)
    return depth
