"""Small data sets of every layout, written to a folder for the tests."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from config.settings import Dataset


def dataset(source: str, path: Path | None, **changes: object) -> Dataset:
    tasks = {"class_folders": ("classification",), "voc": ("segmentation",)}.get(source, ("correspondence",))
    return Dataset(**{"name": "d", "source": source, "image_size": 16, "tasks": tasks, "path": path, **changes})  # type: ignore[arg-type]


def noise(seed: int, height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def palette_mask(values: np.ndarray) -> Image.Image:
    """A mask as Pascal VOC stores it: palette indices, whose colours say nothing."""
    mask = Image.fromarray(values.astype(np.uint8))
    mask.putpalette([(k * 37) % 256 for k in range(768)])
    return mask


def voc_folder(root: Path, train: int = 5, val: int = 4) -> Path:
    """Images 24 × 20 whose left half is class 1, their right class 2, parted by a column of void."""
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / name).mkdir(parents=True)
    values = np.full((20, 24), 1)
    values[:, 12:], values[:, 12] = 2, 255
    for split, n in (("train", train), ("val", val)):
        stems = [f"{split}_{k}" for k in range(n)]
        for k, stem in enumerate(stems):
            noise(k, 20, 24).save(root / "JPEGImages" / f"{stem}.jpg")
            palette_mask(values).save(root / "SegmentationClass" / f"{stem}.png")
        (root / "ImageSets" / "Segmentation" / f"{split}.txt").write_text("\n".join(stems) + "\n")
    return root


def spair_folder(root: Path, images: dict[str, int], pairs: int) -> Path:
    """Categories of images 40 wide and 20 high, and pairs of neighbours with two key points each."""
    (root / "Layout" / "large").mkdir(parents=True)
    (root / "PairAnnotation" / "test").mkdir(parents=True)
    lines = []
    for category, n in images.items():
        (root / "JPEGImages" / category).mkdir(parents=True)
        for k in range(n):
            noise(k, 20, 40).save(root / "JPEGImages" / category / f"{k}.jpg")
        for k in range(pairs):
            name = f"{len(lines):06d}-{k % n}-{(k + 1) % n}:{category}"
            annotation = {
                "category": category,
                "src_imname": f"{k % n}.jpg",
                "trg_imname": f"{(k + 1) % n}.jpg",
                "src_imsize": [40, 20, 3],
                "src_kps": [[10, 5], [39, 19]],
                "trg_kps": [[20, 10], [4, 15]],
                "trg_bndbox": [5, 2, 35, 18],
            }
            (root / "PairAnnotation" / "test" / f"{name}.json").write_text(json.dumps(annotation))
            lines.append(name)
    (root / "Layout" / "large" / "test.txt").write_text("\n".join(lines))
    return root
