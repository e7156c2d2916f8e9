"""Image pairs with annotated key points: SPair-71k (Min et al. 2019, arXiv 1908.10543).

An image is squeezed to a square, not cropped, so that a key point keeps its place as a fraction of the sides. A
prediction is right where its distance from the annotated point, in pixels of the original target image, is at most
0.1 times the longer side of the target's bounding box: a circle there, and in fractions of the sides an ellipse.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from config.keys import digest
from config.settings import Dataset
from extract.datasets.decoding import UNREADABLE, read_image, squeezed
from extract.datasets.folders import listed_names
from extract.datasets.listing import Listing, folder_of
from extract.datasets.packs import DatasetError

LAYOUT = "Layout/large/test.txt"
ANNOTATIONS = "PairAnnotation/test"
ALPHA = 0.1  # of the longer side of the target's bounding box
KEYS = ("category", "src_imname", "trg_imname", "src_kps", "trg_kps", "trg_bndbox")
STATED = ("src_imsize", "trg_imsize")  # width, height, channels; checked where they are stated


def spair(dataset: Dataset, seed: int) -> Listing:
    """List the test pairs of SPair-71k and the images that they are made of, all in the split test.

    Categories are ordered by a key and bundled, whole, until a bundle holds a group of images; within a bundle the
    images mix. So shuffled registers come from other categories too, and the patches of one bundle are all that a
    pass over the rows must hold. The cluster of a pair is its category: pairs share images all over a category, so
    nothing smaller is independent of the rest.

    Raises:
        DatasetError: for missing files and annotations that cannot be used.
    """
    root = folder_of(dataset)
    pairs = [_read(path) for path in _annotations(root)]
    categories = sorted({pair["category"] for pair in pairs})
    images: dict[str, set[str]] = {name: set() for name in categories}
    for pair in pairs:
        images[pair["category"]] |= {pair["src_imname"], pair["trg_imname"]}
    index = pd.DataFrame(
        [
            {
                "unit": f"{dataset.name}/{category}/{name}",
                "split": "test",
                "label": categories.index(category),
                "class_name": category,
                "bundle": bundle,
                "file": root / "JPEGImages" / category / name,
            }
            for bundle, members in enumerate(_bundles(images, dataset.shuffle_group, seed))
            for category, name in members
        ]
    )
    files = index.pop("file").tolist()
    row_of = {(file.parent.name, file.name): row for row, file in enumerate(files)}
    sizes = [_size(file) for file in files]
    return Listing(
        index,
        draw=lambda row: (squeezed(read_image(files[row]), dataset.image_size, Image.Resampling.BICUBIC), None),
        class_names=tuple(categories),
        pairs=pd.DataFrame([_placed(pair, dataset.name, row_of, sizes) for pair in pairs]),
    )


def _annotations(root: Path) -> list[Path]:
    """Return the annotation file of every line of the layout, whatever stands for the colon before the category."""
    found = []
    for line in listed_names(root / LAYOUT):
        candidates = [root / ANNOTATIONS / f"{line.replace(':', mark)}.json" for mark in (":", "_")]
        existing = [path for path in candidates if path.is_file()]
        if not existing:
            raise DatasetError(
                f"{root / LAYOUT}: pair {line} has no annotation {candidates[0]}; fetch the data set again"
            )
        found.append(existing[0])
    if not found:
        raise DatasetError(f"{root / LAYOUT}: no pair is listed; fetch the data set again")
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        pair: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DatasetError(f"{path}: not a readable annotation ({error}); put the original file there") from error
    if not isinstance(pair, dict):
        raise DatasetError(f"{path}: not an annotation, but a {type(pair).__name__}; put the original file there")
    if absent := [key for key in KEYS if key not in pair]:
        raise DatasetError(f"{path}: the annotation lacks {', '.join(absent)}; put the original file there")
    for key in ("src_kps", "trg_kps"):
        if not isinstance(pair[key], list):
            raise DatasetError(f"{path}: {key} is no list of x, y pairs; put the original file there")
    source, target = len(pair["src_kps"]), len(pair["trg_kps"])
    if source != target or source == 0:
        raise DatasetError(f"{path}: {source} source and {target} target key points; needed: as many, at least one")
    box = pair["trg_bndbox"]
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(side, int | float) for side in box):
        raise DatasetError(f"{path}: trg_bndbox {box!r} is no box; needed: left, top, right, bottom")
    left, top, right, bottom = box
    if not (left < right and top < bottom):
        raise DatasetError(f"{path}: trg_bndbox {box} is empty; needed: left, top, right, bottom")
    return {**{key: pair[key] for key in KEYS}, **{key: pair.get(key) for key in STATED}, "path": path}


def _bundles(images: dict[str, set[str]], size: int, seed: int) -> list[list[tuple[str, str]]]:
    """Bundle whole categories, in an order keyed by their names, to at least ``size`` images each."""
    bundles: list[list[tuple[str, str]]] = [[]]
    for category in sorted(images, key=lambda name: digest(seed, name)):
        if len(bundles[-1]) >= size:
            bundles.append([])
        bundles[-1] += [(category, name) for name in images[category]]
    if len(bundles) > 1 and len(bundles[-1]) < size:
        rest = bundles.pop()
        bundles[-1] += rest
    return [sorted(members, key=lambda member: digest(seed, *member)) for members in bundles]


def _size(file: Path) -> tuple[int, int]:
    """Return width and height, upright, without decoding the image."""
    try:
        with Image.open(file) as opened:
            width, height = opened.size
            turned = opened.getexif().get(0x0112, 1) >= 5
    except UNREADABLE as error:
        raise DatasetError(f"{file}: not a readable image ({error}); SPair-71k's test pairs need it") from error
    return (height, width) if turned else (width, height)


def _placed(
    pair: dict[str, Any], dataset: str, row_of: dict[tuple[str, str], int], sizes: list[tuple[int, int]]
) -> dict[str, Any]:
    """Return the row of ``pairs.parquet``: points as fractions of the sides, the threshold along each axis."""
    source, twin = (row_of[pair["category"], pair[key]] for key in ("src_imname", "trg_imname"))
    left, top, right, bottom = pair["trg_bndbox"]
    threshold = ALPHA * max(right - left, bottom - top)
    width, height = sizes[twin]
    return {
        "unit": f"{dataset}/{pair['path'].stem}",
        "source": source,
        "twin": twin,
        "warp": None,
        "source_points": _fractions(pair, "src_kps", sizes[source]),
        "twin_points": _fractions(pair, "trg_kps", sizes[twin]),
        "radius_x": threshold / width,
        "radius_y": threshold / height,
        "cluster": pair["category"],
    }


def _fractions(pair: dict[str, Any], key: str, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return key points as x, y, x, y, … in fractions of the sides."""
    try:
        points = np.asarray(pair[key], dtype=np.float64)
    except (TypeError, ValueError):
        points = np.zeros(0)
    if points.shape != (len(pair[key]), 2) or not np.isfinite(points).all():
        raise DatasetError(f"{pair['path']}: {key} is no list of x, y pairs; put the original file there")
    stated = pair[key.replace("kps", "imsize")]
    if stated is not None and tuple(stated[:2]) != size:
        raise DatasetError(
            f"{pair['path']}: its image was {stated[0]} × {stated[1]} pixels when annotated and is now "
            f"{size[0]} × {size[1]}; put the original image there"
        )
    return (points / size).astype(np.float32).ravel()
