"""ImageNet (ILSVRC 2012) as it is distributed: the tar of validation images, read in place, labelled by the devkit."""

import io
import re
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.io import loadmat

from config.settings import Dataset
from extract.datasets.class_folders import kept_per_class, labelled, split_by_share
from extract.datasets.decoding import RESIZING, read_image
from extract.datasets.listing import Listing, folder_of
from extract.datasets.packs import DatasetError

IMAGES, DEVKIT = "ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"
# Of the archives, as torchvision.datasets.imagenet states them.
MD5 = {IMAGES: "29b22e2961454d5413ddabcf34fc5622", DEVKIT: "fa75699e90414af021442c21a62c3abf"}
TRUTH, META = "data/ILSVRC2012_validation_ground_truth.txt", "data/meta.mat"
NUMBERED = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG")
WNID = re.compile(r"n\d{8}")
LARGEST = 2**26  # bytes of a file of the devkit, or of an image
BROKEN = (OSError, EOFError, tarfile.TarError, zlib.error)


@dataclass(frozen=True)
class Member:
    """Where an image lies in its tar."""

    name: str
    start: int
    size: int


def imagenet(dataset: Dataset, seed: int) -> Listing:
    """List ImageNet's validation images, which the tar holds in no class folders, by the labels of the devkit.

    Splits, order and units are those of :func:`extract.datasets.class_folders.class_folders` on the same images in a
    folder per class (WordNet id), so that either gives the same pack.

    Raises:
        DatasetError: for an archive that is missing, cut short or another one.
    """
    root = folder_of(dataset)
    wnids = validation_classes(root / DEVKIT)
    place = {}
    classes: dict[str, list[Path]] = {}
    for wnid, member in zip(wnids, validation_images(root / IMAGES, len(wnids)), strict=True):
        place[root / wnid / member.name] = member
        classes.setdefault(wnid, []).append(root / wnid / member.name)

    def read(file: Path, size: int) -> NDArray[np.uint8]:
        return _decoded(root / IMAGES, place[file], size, dataset.resize)

    splits = split_by_share(kept_per_class(classes, dataset, root, seed), dataset, root, seed)
    return labelled(dataset, seed, root, splits, read=read)


def validation_classes(devkit: Path) -> list[str]:
    """Return the WordNet id of every validation image, in the order of their numbers.

    Args:
        devkit: ILSVRC2012_devkit_t12.tar.gz.

    Raises:
        DatasetError: where it is cut short, or holds something else.
    """
    files = _devkit_files(devkit)
    try:
        synsets = loadmat(io.BytesIO(files[META]), squeeze_me=True, struct_as_record=True)["synsets"]
        # Only the leaves are classes: the other rows are their hypernyms.
        wnid_of = {
            int(number): str(wnid)
            for number, wnid, children in zip(
                *(np.atleast_1d(synsets[key]) for key in ("ILSVRC2012_ID", "WNID", "num_children")), strict=True
            )
            if int(children) == 0
        }
    except Exception as error:  # of any kind, for SciPy has no error of its own for a broken file
        raise DatasetError(f"{devkit}: {META} cannot be read ({error}); {_again(DEVKIT)}") from error
    if strange := [wnid for wnid in wnid_of.values() if not WNID.fullmatch(wnid)]:
        raise DatasetError(f"{devkit}: {META} names the class {strange[0]!r}, no WordNet id; {_again(DEVKIT)}")
    lines = files[TRUTH].decode("ascii", "replace").split()
    for row, line in enumerate(lines, 1):
        if not line.isdecimal() or int(line) not in wnid_of:
            raise DatasetError(
                f"{devkit}: line {row} of {TRUTH} is {line[:20]!r}, the number of no class in {META}; {_again(DEVKIT)}"
            )
    if not lines:
        raise DatasetError(f"{devkit}: {TRUTH} is empty; {_again(DEVKIT)}")
    return [wnid_of[int(line)] for line in lines]


def _devkit_files(devkit: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(devkit, "r:gz") as archive:
            for member in archive:
                name = member.name.partition("/")[2]
                if name in (TRUTH, META) and member.isreg() and member.size <= LARGEST:
                    opened = archive.extractfile(member)
                    assert opened is not None
                    found[name] = opened.read()
    except BROKEN as error:
        raise DatasetError(f"{devkit}: not a whole .tar.gz ({error}); {_again(DEVKIT)}") from error
    if absent := [name for name in (TRUTH, META) if name not in found]:
        raise DatasetError(f"{devkit}: lacks {', '.join(absent)}; {_again(DEVKIT)}")
    return found


def validation_images(tar: Path, count: int) -> Sequence[Member]:
    """Return the place of every image in the tar, by number; only headers are read.

    Args:
        tar: ILSVRC2012_img_val.tar.
        count: images that there must be, numbered from 1.

    Raises:
        DatasetError: where it is cut short, compressed, or lacks an image.
    """
    found: dict[int, Member] = {}
    try:
        with tarfile.open(tar, "r:") as archive:
            for member in archive:
                matched = NUMBERED.fullmatch(member.name.rpartition("/")[2])
                if matched and member.isreg() and member.size <= LARGEST:
                    place = Member(matched[0], member.offset_data, member.size)
                    found.setdefault(int(matched[1]), place)
    except BROKEN as error:
        raise DatasetError(f"{tar}: not a whole tar ({error}); {_again(IMAGES)}") from error
    lacking = [number for number in range(1, count + 1) if number not in found]
    if lacking or len(found) > count:
        first = f", the first that it lacks is number {lacking[0]}" if lacking else ""
        raise DatasetError(
            f"{tar}: holds {len(found):,} validation images, and {DEVKIT} labels {count:,}{first}; {_again(IMAGES)}"
        )
    last = max(found.values(), key=lambda member: member.start)
    if tar.stat().st_size < last.start + last.size:
        raise DatasetError(f"{tar}: cut short within {last.name}; {_again(IMAGES)}")
    return [found[number] for number in range(1, count + 1)]


def _decoded(tar: Path, member: Member, size: int, resize: str) -> NDArray[np.uint8]:
    with tar.open("rb") as file:
        file.seek(member.start)
        content = io.BytesIO(file.read(member.size))
    image = read_image(tar / member.name, content, _again(IMAGES))
    return RESIZING[resize](image, size, Image.Resampling.BICUBIC)


def _again(archive: str) -> str:
    return f"fetch it again from https://www.image-net.org/download and compare its MD5, {MD5[archive]}"
