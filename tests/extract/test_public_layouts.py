"""Public data sets in their own layouts: what is packed, and what is said of broken ones."""

import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from config.layout import Pack
from config.settings import Dataset
from extract.datasets.decoding import cropped
from extract.datasets.imagenet import validation_classes
from extract.datasets.packs import VOID, DatasetError, OpenPack, open_pack
from extract.datasets.prepare import prepare
from tests.extract.public_layouts import (
    DEVKIT,
    TAR,
    WNIDS,
    added,
    ade20k_folder,
    depth_of,
    imagenet_by_class,
    imagenet_folder,
    jpeg,
    nyu_folder,
)
from tests.extract.sources import dataset


def packed(listed: Dataset, folder: Path) -> OpenPack:
    prepare(listed, 0, Pack(folder), 2)
    return open_pack(Pack(folder))


def refused(listed: Dataset, folder: Path, match: str) -> None:
    """With the file and a remedy, and before any file is written."""
    with pytest.raises(DatasetError, match=match) as caught:
        prepare(listed, 0, Pack(folder))
    assert str(listed.path) in str(caught.value) or listed.name in str(caught.value)
    assert not [*folder.glob("*")]


def imagenet(root: Path, **changes: object) -> Dataset:
    common = {"test_share": 0.3, "calibration": 3, "pairs": 4, "name": "imagenet"}
    return dataset("imagenet", root, **{**common, **changes})


def test_the_tar_of_imagenet_gives_the_pack_of_its_class_folders(tmp_path: Path) -> None:
    for changes in ({}, {"per_class": 6}):
        listed = imagenet(tmp_path / "tars" / str(len(changes)), **changes)
        assert listed.path is not None
        tars = packed(replace(listed, path=imagenet_folder(listed.path)), tmp_path / "a" / str(len(changes)))
        sorted_by_hand = imagenet_by_class(tmp_path / "sorted")
        folders = packed(
            replace(listed, source="class_folders", path=sorted_by_hand), tmp_path / "b" / str(len(changes))
        )
        assert tars.index.equals(folders.index) and len(tars.index) == (30 if not changes else 18) + 4
        assert np.array_equal(tars.images, folders.images) and len(np.unique(tars.images)) > 50
        assert set(tars.index["class_name"]) == set(WNIDS)
    # Nothing was unpacked beside the archives.
    assert sorted(path.name for path in listed.path.iterdir()) == [f"{DEVKIT}.tar.gz", TAR]


def test_the_labels_of_the_devkit_are_those_of_leaves(tmp_path: Path) -> None:
    root = imagenet_folder(tmp_path / "d", images=4, truth=[3, 1, 1, 2])
    assert validation_classes(root / f"{DEVKIT}.tar.gz") == [WNIDS[2], WNIDS[0], WNIDS[0], WNIDS[1]]
    root = imagenet_folder(tmp_path / "e", images=2, truth=[1, 4])
    refused(imagenet(root), tmp_path / "pack", r"devkit_t12\.tar\.gz: line 2 of .*ground_truth\.txt is '4', the number")


def test_broken_archives_of_imagenet_are_named_with_their_md5(tmp_path: Path) -> None:
    root = imagenet_folder(tmp_path / "d")
    tar, devkit, listed = root / TAR, root / f"{DEVKIT}.tar.gz", imagenet(root)
    whole, kit = tar.read_bytes(), devkit.read_bytes()
    again = "fetch it again from https://www.image-net.org/download and compare its MD5, 29b22e2961454d5413ddabcf"
    tar.write_bytes(whole[: len(whole) // 2])
    refused(listed, tmp_path / "pack", rf"img_val\.tar: .*{again}")
    tar.write_bytes(b"<html>Sign in</html>")
    refused(listed, tmp_path / "pack", rf"img_val\.tar: not a whole tar .*{again}")
    tar.write_bytes(whole)
    with tarfile.open(tar, "a") as archive:
        added(archive, "ILSVRC2012_val_00000031.JPEG", jpeg(31))
    refused(listed, tmp_path / "pack", rf"holds 31 validation images, and {DEVKIT}.tar.gz labels 30; {again}")
    with tarfile.open(tar, "w") as archive:
        for number in (*range(1, 8), *range(9, 31)):
            added(archive, f"ILSVRC2012_val_{number:08d}.JPEG", jpeg(number))
    refused(listed, tmp_path / "pack", rf"holds 29 .* labels 30, the first that it lacks is number 8; {again}")
    tar.write_bytes(whole)
    for content, said in ((kit[:200], r"not a whole \.tar\.gz"), (b"", r"not a whole \.tar\.gz")):
        devkit.write_bytes(content)
        refused(listed, tmp_path / "pack", rf"devkit_t12\.tar\.gz: {said}.* MD5, fa75699e90414af021442c21a62c3abf")
    for kept in ("meta.mat", "ILSVRC2012_validation_ground_truth.txt"):
        with tarfile.open(devkit, "w:gz") as archive:
            added(archive, f"{DEVKIT}/data/{kept}", b"junk")
        refused(listed, tmp_path / "pack", r"devkit_t12\.tar\.gz: lacks data/.*; fetch it again")
    with tarfile.open(devkit, "w:gz") as archive:
        for name in ("meta.mat", "ILSVRC2012_validation_ground_truth.txt"):
            added(archive, f"{DEVKIT}/data/{name}", b"1\n" * 30)
    refused(listed, tmp_path / "pack", r"devkit_t12\.tar\.gz: data/meta\.mat cannot be read")
    devkit.unlink()
    refused(listed, tmp_path / "pack", rf"datasets\.imagenet\.path: .* lacks {DEVKIT}\.tar\.gz")


def test_a_damaged_image_in_the_tar_is_named(tmp_path: Path) -> None:
    root = imagenet_folder(tmp_path / "d", images=0, listed=12)
    with tarfile.open(root / TAR, "w") as archive:
        for number in range(1, 13):
            added(archive, f"ILSVRC2012_val_{number:08d}.JPEG", jpeg(number)[: 40 if number == 5 else None])
    match = r"img_val\.tar/ILSVRC2012_val_00000005\.JPEG: not a readable image .*MD5"
    refused(imagenet(root, pairs=0), tmp_path / "pack", match)


def ade(root: Path, **changes: object) -> Dataset:
    common = {"calibration": 2, "pairs": 3, "name": "ade", "tasks": ("segmentation",), "image_size": 20}
    return dataset("ade20k", root, **{**common, **changes})


def test_ade20k_has_150_classes_and_other_is_void(tmp_path: Path) -> None:
    pack = packed(ade(ade20k_folder(tmp_path / "ade")), tmp_path / "pack")
    assert pack.index["split"].value_counts().to_dict() == {"calibration": 2, "train": 3, "test": 4, "twin": 3}
    assert {unit.split("/")[2] for unit in pack.index["unit"][pack.index["split"] == "test"]} == {"validation"}
    assert pack.masks is not None and (pack.index["label"] == -1).all()
    for row in np.flatnonzero(pack.index["split"] != "twin"):
        # Of columns 2 to 21 of 24: six of other, eight of class 1, six of class 150.
        assert pack.masks[row][7].tolist() == [VOID] * 6 + [0] * 8 + [149] * 6
    names = pack.mask_names
    assert len(names) == len(set(names)) == 150 and names[:3] == ("wall", "building", "thing 3")
    assert names[148:] == ("screen, silver screen", "screen, CRT screen")


def test_broken_folders_of_ade20k_are_refused_with_the_file(tmp_path: Path) -> None:
    root, pack = ade20k_folder(tmp_path / "ade"), tmp_path / "pack"
    mask = root / "annotations" / "training" / "ADE_train_00000002.png"
    content = mask.read_bytes()
    mask.unlink()
    refused(
        ade(root), pack, r"annotations/training: 1 of 5 images have no mask, the first ADE_train_00000002\.jpg; unpa"
    )
    Image.fromarray(np.full((20, 24), 151, np.uint8)).save(mask)
    refused(
        ade(root), pack, r"00002\.png: the mask holds 151; allowed: 0 to 150, and 255 .* unpack ADEChallengeData2016"
    )
    noise_mask = Image.fromarray(np.zeros((20, 24, 3), np.uint8))
    noise_mask.save(mask)
    refused(ade(root), pack, r"00002\.png: the mask is of mode RGB")
    mask.write_bytes(content)
    (root / "images" / "validation" / "ADE_val_00000001.jpg").unlink()
    refused(
        ade(root), pack, r"1 of the 9 images of sceneCategories\.txt are missing, the first ADE_val_00000001; unpack"
    )
    (root / "sceneCategories.txt").unlink()
    assert (packed(ade(root), tmp_path / "whole").index["split"] == "test").sum() == 3
    table = root / "objectInfo150.txt"
    rows = table.read_text()
    for broken in ("\n".join(rows.splitlines()[:80]), rows.replace("thing 7, object", "thing 8, object"), ""):
        table.write_text(broken)
        refused(ade(root), pack, r"objectInfo150\.txt: \d+ rows, which do not number 150 classes .* Or unpack ADEChall")
    table.unlink()
    refused(ade(root), pack, r"datasets\.ade\.path: .* lacks objectInfo150\.txt")


def nyu(root: Path, **changes: object) -> Dataset:
    common = {"calibration": 2, "pairs": 3, "name": "nyu", "tasks": ("metric_depth",), "image_size": 64}
    return dataset("nyu", root, **{**common, **changes})


def test_nyu_frames_are_upright_without_margin_and_their_depth_in_millimetres(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    pack = packed(nyu(nyu_folder(tmp_path / "nyu")), tmp_path / "pack")
    assert pack.index["split"].value_counts().to_dict() == {"calibration": 2, "train": 5, "test": 5, "twin": 3}
    assert pack.masks is None and pack.depths is not None and pack.depths.dtype == np.uint16
    assert set(pack.index["unit"][pack.rows("test")]) == {f"nyu/{k:04d}" for k in range(8, 13)}
    rows, columns = np.mgrid[45:471, 41:601]
    for row in np.flatnonzero(pack.index["split"] != "twin"):
        frame = int(pack.index["unit"][row].split("/")[1])
        # The frame's own colour; the left half without green, as the file's axes are those of MATLAB.
        assert np.all(pack.images[row][:, :, 0] == 10 * (frame - 1)) and pack.images[row].max() < 255
        assert pack.images[row][:, :25, 1].max() == 0 and pack.images[row][:, 40:, 1].min() == 200
        expected = depth_of(frame, rows, columns).astype(np.float32)
        metres = cropped(Image.fromarray(expected), 64, Image.Resampling.NEAREST)
        assert np.abs(pack.depths[row] / 1000 - metres).max() < 0.0006
    assert np.array_equal(np.load(Pack(tmp_path / "pack").depths), pack.depths)


def test_holes_are_unknown_and_other_units_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    root = nyu_folder(tmp_path / "nyu")
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "r+") as file:
        file["depths"][3, 300:, :] = np.nan
        file["depths"][3, :, 300:] = 0
    pack = packed(nyu(root), tmp_path / "pack")
    (row,) = np.flatnonzero(pack.index["unit"] == "nyu/0004")
    assert pack.depths is not None
    known = pack.depths[row] > 0
    assert known[:30, :20].all() and not known[:, 40:].any() and not known[45:].any()
    with h5py.File(root / "nyu_depth_v2_labeled.mat", "r+") as file:
        file["depths"][5] *= 1000
    refused(
        nyu(root), tmp_path / "other", r"labeled\.mat: frame 0006 has depths up to .*; needed: metres, below 60\. Fe"
    )


def test_broken_files_of_nyu_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    root, pack = nyu_folder(tmp_path / "nyu"), tmp_path / "pack"
    path, splits = root / "nyu_depth_v2_labeled.mat", root / "splits.mat"
    whole, parts = path.read_bytes(), splits.read_bytes()
    for content in (whole[: len(whole) // 2], b"<html></html>", b""):
        path.write_bytes(content)
        refused(nyu(root), pack, r"labeled\.mat: not a whole MATLAB 7\.3 \(HDF5\) file .*; fetch it again")
    for change, said in (
        (lambda file: file.pop("depths"), r"lacks depths; needed: the labelled data set"),
        (
            lambda file: file.move("labels", "x") or file.__delitem__("images") or file.move("x", "images"),
            "images is 12 ×",
        ),
    ):
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            change(file)
        refused(nyu(root), pack, said)
    path.write_bytes(whole)
    for content in (parts[:60], b"", b"junk"):
        splits.write_bytes(content)
        refused(
            nyu(root), pack, r"splits\.mat: trainNdxs and testNdxs cannot be read .*; fetch the authors' splits\.mat"
        )
    numbers = np.arange(1, 13)
    for train, test in ((numbers[:7], numbers[6:]), (numbers[:7], numbers[7:] + 1), (numbers[:0], numbers)):
        savemat(splits, {"trainNdxs": train, "testNdxs": test})
        refused(nyu(root), pack, r"splits\.mat: \d+ frames to train .* not different ones of the 12")


def test_without_its_package_nyu_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    for name in ("nyu_depth_v2_labeled.mat", "splits.mat"):
        (tmp_path / name).write_bytes(b"")
    refused(nyu(tmp_path), tmp_path / "pack", r"labeled\.mat: reading it needs the package h5py; install it")


def test_imagenette_has_val_in_place_of_test(tmp_path: Path) -> None:
    for split, n in (("train", 4), ("val", 3)):
        for wnid in WNIDS:
            folder = tmp_path / "imagenette2-320" / split / wnid
            folder.mkdir(parents=True)
            for k in range(n):
                (folder / f"{wnid}_{k}.JPEG").write_bytes(jpeg(k))
    (tmp_path / "imagenette2-320" / "noisy_imagenette.csv").write_text("path\n")
    listed = dataset("class_folders", tmp_path / "imagenette2-320", calibration=2, pairs=2)
    pack = packed(listed, tmp_path / "pack")
    assert pack.index["split"].value_counts().to_dict() == {"calibration": 2, "train": 10, "test": 9, "twin": 2}
    assert all("/val/" in unit for unit in pack.index["unit"][pack.index["split"] == "test"])
    refused(replace(listed, test_share=0.2), tmp_path / "x", r"holds train/ and val/ already; remove the key")
    (tmp_path / "imagenette2-320" / "val" / "n09999999").mkdir()
    (tmp_path / "imagenette2-320" / "val" / "n09999999" / "1.JPEG").write_bytes(jpeg(1))
    refused(listed, tmp_path / "x", r"classes n09999999 are in val/ but not in train/")
