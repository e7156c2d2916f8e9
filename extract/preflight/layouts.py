"""The folders of data sets, looked at from outside: what is damaged in them, and how many images they hold."""

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.inputs import folder_of_tests
from config.settings import Dataset
from extract.preflight.catalogue import public_dataset

SECONDS = 3.0  # that are spent on counting the files of one data set
IMAGES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
GZIP, HDF5, MATLAB = b"\x1f\x8b", b"\x89HDF\r\n\x1a\n", b"MATLAB 5.0"
BLOCK = 512  # of a tar, which ends with two of zeros


def faults(dataset: Dataset) -> Iterator[str]:
    """Yield what is wrong with the files of a data set whose layout is there, with counts."""
    public, path = public_dataset(dataset) or {}, dataset.path
    assert path is not None
    checked = {
        "class_folders": lambda: _of_class_folders(dataset, path, public),
        "imagenet": lambda: _of_imagenet(path),
        "voc": lambda: _of_voc(path, public),
        "ade20k": lambda: _of_ade20k(path, public),
        "nyu": lambda: _of_nyu(path),
        "spair": lambda: _of_spair(path, public),
    }
    if dataset.source in checked:
        yield from checked[dataset.source]()


def _of_class_folders(dataset: Dataset, path: Path, public: Mapping[str, Any]) -> Iterator[str]:
    counted = class_counts(dataset)
    if not counted.found:
        yield f"{path}: no class folder with images in it"
    if counted.empty:
        yield f"{path}: {counted.empty:,} files are empty, the first {counted.first_empty}"
    if public.get("classes") not in (None, len(counted.found)) and dataset.test_share is not None:
        yield f"{path}: {len(counted.found):,} class folders; {public['label']} has {public['classes']:,}"
    if few := [name for name, n in counted.found.items() if counted.whole and n < public.get("per_class", 1)]:
        yield (
            f"{path}: {len(few):,} classes have fewer than {public.get('per_class', 1)} images, the first {few[0]} "
            f"with {counted.found[few[0]]}"
        )


def _of_imagenet(path: Path) -> Iterator[str]:
    tar, devkit = path / "ILSVRC2012_img_val.tar", path / "ILSVRC2012_devkit_t12.tar.gz"
    with tar.open("rb") as file:
        first, size = file.read(BLOCK), tar.stat().st_size
        file.seek(max(0, size - 2 * BLOCK))
        end = file.read()
    if first[257:262] != b"ustar" and not first.startswith(b"ILSVRC2012_val_"):
        yield f"{tar} is no uncompressed tar; fetch it again"
    elif size % BLOCK or any(end):
        yield f"{tar} is cut short: {size:,} bytes, without the end mark of a tar; fetch it again"
    if _start(devkit, 2) != GZIP:
        yield f"{devkit} is no .tar.gz; fetch it again"


def _of_voc(path: Path, public: Mapping[str, Any]) -> Iterator[str]:
    for split, name in (("train", "train"), ("test", "val")):
        stems = lines(path / "ImageSets" / "Segmentation" / f"{name}.txt")
        if public.get(split) not in (None, len(stems)):
            yield f"{name}.txt lists {len(stems):,} images; {public['label']} has {public[split]:,}"
        for folder in ("JPEGImages", "SegmentationClass"):
            there = _stems(path / folder)
            if absent := [stem for stem in stems if stem not in there]:
                yield f"{path / folder} lacks {len(absent):,} of the images of {name}.txt, the first {absent[0]}"


def _of_ade20k(path: Path, public: Mapping[str, Any]) -> Iterator[str]:
    for split, name in (("train", "training"), ("test", "validation")):
        images, masks = (_stems(path / folder / name) for folder in ("images", "annotations"))
        if public.get(split) not in (None, len(images)):
            yield f"{path / 'images' / name} holds {len(images):,} images; {public['label']} has {public[split]:,}"
        if absent := sorted(images - masks):
            yield f"{path / 'annotations' / name} lacks the masks of {len(absent):,} images, the first {absent[0]}"


def _of_nyu(path: Path) -> Iterator[str]:
    frames, splits = path / "nyu_depth_v2_labeled.mat", path / "splits.mat"
    # MATLAB puts a head of its own before the HDF5 file.
    if HDF5 not in (_start(frames, 8), _start(frames, 520)[512:]):
        yield f"{frames} is no MATLAB 7.3 file; fetch it again"
    elif (size := frames.stat().st_size) < (whole := _whole_size(_start(frames, 2 * BLOCK))):
        yield f"{frames} has {size:,} bytes and should have {whole:,}; fetch it again"
    if not _start(splits, 16).startswith(MATLAB):
        yield f"{splits} is no MATLAB file; fetch it again"


def _of_spair(path: Path, public: Mapping[str, Any]) -> Iterator[str]:
    listed = len(lines(path / "Layout" / "large" / "test.txt"))
    found = sum(1 for entry in os.scandir(path / "PairAnnotation" / "test") if entry.name.endswith(".json"))
    if found < listed:
        yield f"{path / 'PairAnnotation/test'} has {found:,} annotations for {listed:,} pairs"
    if public.get("pairs") not in (None, listed):
        yield f"Layout/large/test.txt lists {listed:,} pairs; {public['label']} has {public['pairs']:,}"


def lines(path: Path) -> list[str]:
    """Return the words of a list."""
    return path.read_text(encoding="utf-8", errors="replace").split()


def image_count(folder: Path) -> int:
    """Return the number of images in a folder, those below it not counted."""
    return len(_stems(folder))


def _stems(folder: Path) -> set[str]:
    return {entry.name.rpartition(".")[0] for entry in os.scandir(folder)}


def _start(path: Path, length: int) -> bytes:
    with path.open("rb") as file:
        return file.read(length)


def _whole_size(start: bytes) -> int:
    """Return the size that the first bytes of an HDF5 file state: its end, in the superblock (versions 0 to 3)."""
    superblock = start[BLOCK:] if start.find(HDF5) == BLOCK else start
    place = 28 if superblock[8] >= 2 else 40
    return int.from_bytes(superblock[place : place + 8], "little")


@dataclass(frozen=True)
class Counts:
    """Images by class folder, empty files, and whether there was time to count them all."""

    found: dict[str, int]
    empty: int
    first_empty: str
    whole: bool


def class_counts(dataset: Dataset) -> Counts:
    """Count the images of every class folder, for as long as SECONDS allow."""
    assert dataset.path is not None
    roots = (
        [dataset.path] if dataset.test_share is not None else [dataset.path / "train", folder_of_tests(dataset.path)]
    )
    found: dict[str, int] = {}
    empty: list[str] = []
    start, whole = time.monotonic(), True
    for root in roots:
        for folder in sorted(entry.path for entry in os.scandir(root) if entry.is_dir()):
            name = os.path.relpath(folder, dataset.path)
            found[name] = 0
            if time.monotonic() - start > SECONDS:
                whole = False
                continue
            files = [file for file in Path(folder).rglob("*") if file.suffix.lower() in IMAGES]
            found[name] = len(files)
            empty += [str(file) for file in files if not file.stat().st_size]
    return Counts(found, len(empty), empty[0] if empty else "", whole)
