"""Public data sets in small, in the exact layout in which they are distributed."""

import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from tests.extract.sources import noise

WNIDS = ("n01440764", "n01443537", "n02102040")
HYPERNYM = "n00001740"
DEVKIT = "ILSVRC2012_devkit_t12"
TAR = "ILSVRC2012_img_val.tar"


def added(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def jpeg(seed: int, height: int = 20, width: int = 24) -> bytes:
    buffer = io.BytesIO()
    noise(seed, height, width).save(buffer, "JPEG")
    return buffer.getvalue()


def imagenet_folder(root: Path, images: int = 30, truth: list[int] | None = None, listed: int | None = None) -> Path:
    """The tar of validation images and the devkit: three classes and a hypernym, as ILSVRC2012_ID 1 to 4.

    Args:
        root: where to.
        images: in the tar.
        truth: ILSVRC2012_ID of every image; 1, 2, 3, 1, … where None.
        listed: of them in the ground truth.
    """
    root.mkdir(parents=True)
    with tarfile.open(root / TAR, "w") as archive:
        for number in range(1, images + 1):
            added(archive, f"ILSVRC2012_val_{number:08d}.JPEG", jpeg(number))
    truth = truth or [number % len(WNIDS) + 1 for number in range(listed or images)]
    kinds = [("ILSVRC2012_ID", "f8"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "f8")]
    rows = [(k + 1, wnid, f"thing {k}", "", 0) for k, wnid in enumerate(WNIDS)]
    synsets = np.array([*rows, (4, HYPERNYM, "entity", "", 3)], dtype=kinds)[:, None]
    meta = io.BytesIO()
    savemat(meta, {"synsets": synsets})
    lines = "".join(f"{number}\n" for number in truth).encode()
    with tarfile.open(root / f"{DEVKIT}.tar.gz", "w:gz") as archive:
        added(archive, f"{DEVKIT}/readme.txt", b"ILSVRC 2012")
        added(archive, f"{DEVKIT}/data/meta.mat", meta.getvalue())
        added(archive, f"{DEVKIT}/data/ILSVRC2012_validation_ground_truth.txt", lines)
    return root


def imagenet_by_class(root: Path, images: int = 30) -> Path:
    """The same images as people sort them: in a folder per class."""
    for number in range(1, images + 1):
        folder = root / WNIDS[(number - 1) % len(WNIDS)]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"ILSVRC2012_val_{number:08d}.JPEG").write_bytes(jpeg(number))
    return root


def ade20k_folder(root: Path, training: int = 5, validation: int = 4) -> Path:
    """ADEChallengeData2016: images of 24 × 20 pixels, whose left is 0 (other), then class 1, then class 150."""
    values = np.zeros((20, 24), np.uint8)
    values[:, 8:], values[:, 16:] = 1, 150
    scenes = []
    for split, short, n in (("training", "train", training), ("validation", "val", validation)):
        for kind in ("images", "annotations"):
            (root / kind / split).mkdir(parents=True)
        for k in range(1, n + 1):
            stem = f"ADE_{short}_{k:08d}"
            noise(k, 20, 24).save(root / "images" / split / f"{stem}.jpg")
            Image.fromarray(values).save(root / "annotations" / split / f"{stem}.png")
            scenes.append(f"{stem} street\n")
    (root / "sceneCategories.txt").write_text("".join(scenes))
    names = ["wall", "building, edifice", *(f"thing {k}, object" for k in range(3, 149))]
    names += ["screen, silver screen", "screen, CRT screen"]
    rows = [f"{k}\t0.1{k}\t{k}\t{k}\t1\t{name}\n" for k, name in enumerate(names, 1)]
    (root / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tStuff\tName\n" + "".join(rows))
    return root


def depth_of(frame: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Depth in metres at pixels of a frame, counted from 1: a slope to the right, farther with every frame."""
    return 1 + 0.01 * columns + 0.25 * frame + 0 * rows


def nyu_folder(root: Path, frames: int = 12, train: int = 7) -> Path:
    """nyu_depth_v2_labeled.mat (MATLAB 7.3: HDF5 behind a head of 512 bytes) and splits.mat (MATLAB 5)."""
    import h5py

    root.mkdir(parents=True)
    rows, columns = np.mgrid[:480, :640]
    images = np.full((frames, 3, 640, 480), 255, np.uint8)  # the margin is white
    depths = np.zeros((frames, 640, 480), np.float32)
    for k in range(frames):
        shown = np.zeros((480, 640, 3), np.uint8)
        shown[...] = (10 * k, 0, 0)
        shown[:, 320:, 1] = 200
        images[k, :, 41:601, 45:471] = shown[45:471, 41:601].transpose(2, 1, 0)
        depths[k] = depth_of(k + 1, rows, columns).T
    path = root / "nyu_depth_v2_labeled.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["images"], file["depths"] = images, depths
        file["labels"] = np.zeros((frames, 640, 480), np.uint16)
    with path.open("r+b") as head:
        head.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    numbers = np.arange(1, frames + 1)[:, None]
    savemat(root / "splits.mat", {"trainNdxs": numbers[:train], "testNdxs": numbers[train:]})
    return root
