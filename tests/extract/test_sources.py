"""Data sets of every layout, listed and packed."""

import json
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from config.files import DiskFull
from config.layout import ROOT, Pack
from config.settings import Dataset
from extract.datasets.packs import VOID, DatasetError, OpenPack, open_pack, shard_blocks
from extract.datasets.prepare import prepare
from tests.extract.sources import dataset, noise, palette_mask, spair_folder, voc_folder

PHOTOS = ROOT.parent / "shared" / "data" / "photos"
NAMES = ("background", "left", "right")


def packed(listed: Dataset, folder: Path, workers: int = 2) -> OpenPack:
    prepare(listed, 0, Pack(folder), workers)
    return open_pack(Pack(folder))


def refused(listed: Dataset, folder: Path, match: str) -> None:
    with pytest.raises(DatasetError, match=match):
        prepare(listed, 0, Pack(folder))
    assert not [*folder.glob("*")]


def voc(root: Path, **changes: object) -> Dataset:
    return dataset("voc", root, **{"calibration": 2, "pairs": 3, "classes": NAMES, **changes})


def test_voc_lists_decide_the_splits_and_masks_follow_their_image(tmp_path: Path) -> None:
    pack = packed(voc(voc_folder(tmp_path / "voc")), tmp_path / "pack")
    assert pack.index["split"].value_counts().to_dict() == {"calibration": 2, "train": 3, "test": 4, "twin": 3}
    assert all(
        ("train_" in unit) == (split != "test")
        for unit, split in zip(*pack.index[["unit", "split"]].iloc[:9].T.to_numpy(), strict=True)
    )
    assert set(pack.index["label"]) == {-1}
    assert pack.mask_names == NAMES
    facts = yaml.safe_load(Pack(tmp_path / "pack").facts.read_text())
    assert facts["void"] == VOID == 255 and facts["mask_names"] == list(NAMES) and facts["chance"] is None
    # 24 × 20 becomes 19 × 16, of which 16 columns are left: class 1, a column of void at most, class 2.
    assert pack.masks is not None
    for mask in np.asarray(pack.masks[:9]):
        assert set(np.unique(mask)) <= {1, 2, VOID}
        assert (mask == mask[0]).all()  # nearest values: no row differs
        assert (mask[0, :7] == 1).all() and (mask[0, 9:] == 2).all()
    assert not np.asarray(pack.masks[9:]).any()


def test_no_pairs_are_no_twins(tmp_path: Path) -> None:
    pack = packed(voc(voc_folder(tmp_path / "voc"), pairs=0, calibration=0), tmp_path / "pack")
    assert pack.index["split"].value_counts().to_dict() == {"train": 5, "test": 4} and len(pack.pairs) == 0
    blocks = [block for shard in range(2) for block in shard_blocks(pack, shard, 2)]
    assert sorted(np.concatenate(blocks)) == [*range(9)]


def test_voc_without_names_has_the_twenty_classes(tmp_path: Path) -> None:
    pack = packed(voc(voc_folder(tmp_path / "voc"), classes=None), tmp_path / "pack")
    assert len(pack.mask_names) == 21
    assert pack.mask_names[15] == "person" and pack.mask_names[20] == "tv/monitor"


def test_bad_masks_are_named(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "voc")
    file = root / "SegmentationClass" / "val_2.png"
    kept = file.read_bytes()
    for bad, said in (
        (
            palette_mask(np.zeros((10, 12))),
            r"val_2\.png: the mask is 12 × 10 pixels and its image .*val_2\.jpg is 24 × 20; they must",
        ),
        (palette_mask(np.full((20, 24), 3)), r"val_2\.png: the mask holds 3; allowed: 0 to 2, and 255 for void"),
        (noise(0, 20, 24), r"val_2\.png: the mask is of mode RGB"),
        (Image.fromarray(np.zeros((20, 24), np.uint16)), r"val_2\.png: the mask is of mode I;16"),
    ):
        bad.save(file)
        refused(voc(root), tmp_path / "pack", said)
    file.write_bytes(kept[: len(kept) // 2])
    refused(voc(root), tmp_path / "pack", r"val_2\.png: not a readable mask")
    file.unlink()
    refused(voc(root), tmp_path / "pack", r"val_2\.png: this mask is missing")


def test_bad_voc_lists_are_named(tmp_path: Path) -> None:
    root = voc_folder(tmp_path / "voc")
    lists = root / "ImageSets" / "Segmentation"
    (lists / "val.txt").write_text("val_0\nval_9\n")
    refused(voc(root), tmp_path / "pack", r"val\.txt: 1 of 2 images, the first val_9, are not in .*JPEGImages")
    (lists / "val.txt").write_text("val_0\nval_0\n")
    refused(voc(root), tmp_path / "pack", r"val\.txt: val_0 is listed twice; list it once")
    (lists / "val.txt").write_text("val_0\ntrain_1\n")
    refused(voc(root), tmp_path / "pack", r"val\.txt: train_1 is in .*train\.txt too")
    (lists / "val.txt").write_text("\n")
    refused(voc(root), tmp_path / "pack", r"val\.txt: no image is listed")
    (lists / "val.txt").unlink()
    refused(voc(root), tmp_path / "pack", r"datasets\.d\.path: .*voc lacks ImageSets/Segmentation/val\.txt")


def test_unlabelled_images_calibrate_and_are_tested(tmp_path: Path) -> None:
    for k in range(30):
        file = tmp_path / "images" / ("deep/er" if k % 2 else "") / f"{k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        noise(k, 18, 20).save(file)
    (tmp_path / "images" / ".hidden.png").write_text("left by another program")
    (tmp_path / "images" / "list.csv").write_text("no image")
    listed = dataset("images", tmp_path / "images", calibration=12, pairs=5)
    pack = packed(listed, tmp_path / "pack")
    assert pack.index["split"].value_counts().to_dict() == {"calibration": 12, "test": 18, "twin": 5}
    assert pack.masks is None and pack.mask_names == ()
    facts = yaml.safe_load(Pack(tmp_path / "pack").facts.read_text())
    assert facts["classes"] == 0 and facts["chance"] is None and facts["splits"]["test"] == {"images": 18, "classes": 0}
    # Another seed, another choice.
    prepare(listed, 1, Pack(tmp_path / "other"))
    other = open_pack(Pack(tmp_path / "other")).index
    assert set(other["unit"][:12]) != set(pack.index["unit"][:12])
    refused(replace(listed, calibration=29), tmp_path / "no", r"datasets\.d\.calibration: 29 of 30 .* at most 28")
    (tmp_path / "empty").mkdir()
    refused(replace(listed, path=tmp_path / "empty"), tmp_path / "no", r"empty: no image in this folder")


def test_a_share_of_every_class_is_tested(tmp_path: Path) -> None:
    for name, n in (("ant", 50), ("bee", 25)):
        (tmp_path / "val" / name).mkdir(parents=True)
        for k in range(n):
            noise(k, 16, 16).save(tmp_path / "val" / name / f"{k}.png")
    listed = dataset("class_folders", tmp_path / "val", test_share=0.2, calibration=10, pairs=2)
    index = packed(listed, tmp_path / "pack").index
    counted = index[index["split"] != "twin"].groupby(["class_name", index["split"] == "test"]).size().to_dict()
    assert counted == {("ant", False): 40, ("ant", True): 10, ("bee", False): 20, ("bee", True): 5}
    # An image that is taken away moves no more than one other: the split is keyed by names, not by places.
    tested = set(index.loc[index["split"] == "test", "unit"])
    (tmp_path / "val" / "ant" / "7.png").unlink()
    again = packed(listed, tmp_path / "again").index
    assert len(tested ^ set(again.loc[again["split"] == "test", "unit"])) <= 2
    refused(
        replace(listed, test_share=0.001), tmp_path / "no", r"datasets\.d\.test_share: 0\.001 of the 49 .*none to test"
    )
    for split in ("train", "test"):
        (tmp_path / "val" / split).mkdir()
    refused(listed, tmp_path / "no", r"datasets\.d\.test_share: 0\.2 .*holds train/ and test/ already")


CATEGORIES = {"cat": 30, "dog": 40, "cow": 50, "car": 20, "bus": 66}


@pytest.fixture(scope="module")
def spair_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return spair_folder(tmp_path_factory.mktemp("spair"), CATEGORIES, pairs=70)


def test_spair_points_are_fractions_of_the_squeezed_image(spair_root: Path, tmp_path: Path) -> None:
    pack = packed(dataset("spair", spair_root), tmp_path)
    assert len(pack.pairs) == 5 * 70 and len(pack.index) == sum(CATEGORIES.values())
    assert set(pack.index["split"]) == {"test"} and pack.pairs["warp"].isna().all()
    units = pack.index["unit"].to_numpy()
    for pair in pack.pairs.itertuples():
        _, source, twin = pair.unit.split(":")[0].split("/")[1].split("-")
        assert (
            units[pair.source] == f"d/{pair.cluster}/{source}.jpg"
            and units[pair.twin] == f"d/{pair.cluster}/{twin}.jpg"
        )
        np.testing.assert_allclose(pair.source_points, [10 / 40, 5 / 20, 39 / 40, 19 / 20], rtol=1e-6)
        np.testing.assert_allclose(pair.twin_points, [20 / 40, 10 / 20, 4 / 40, 15 / 20], rtol=1e-6)
        # 0.1 of the longer side of the box, 30 pixels: 3 pixels of 40 across, of 20 down.
        assert (pair.radius_x, pair.radius_y) == pytest.approx((3 / 40, 3 / 20))
    # Squeezed, not cropped: the corners are still there.
    with Image.open(spair_root / "JPEGImages" / "cat" / "0.jpg") as image:
        expected = np.asarray(image.convert("RGB").resize((16, 16), Image.Resampling.BICUBIC))
    row = int(np.flatnonzero(units == "d/cat/0.jpg")[0])
    assert np.array_equal(pack.images[row], expected)


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_spair_categories_stay_whole_and_groups_mix_them(spair_root: Path, tmp_path: Path, shards: int) -> None:
    pack = packed(dataset("spair", spair_root), tmp_path)
    parts = [np.concatenate(shard_blocks(pack, shard, shards)) for shard in range(shards)]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(pack.index)))
    category, group = (pack.index[key].to_numpy() for key in ("class_name", "group"))
    for key in (category, group):
        homes = [set(key[part]) for part in parts]
        assert sum(map(len, homes)) == len(set.union(*homes))
    bundle = np.array([name.rsplit("/", 1)[0] for name in group])
    for part in parts:
        assert np.array_equal(np.isin(pack.pairs["source"], part), np.isin(pack.pairs["twin"], part))
        # Bounded: the images of a category lie within one bundle, and bundles one behind the other.
        for name in set(bundle[part]):
            places = np.flatnonzero(bundle[part] == name)
            assert places.max() - places.min() + 1 == len(places) >= 64
            assert len(places) < 2 * 64 + max(CATEGORIES.values())
    assert len(set(zip(category, bundle, strict=True))) == len(CATEGORIES) > len(set(bundle)) > 1
    sizes = pd.Series(group).value_counts()
    assert sizes.max() <= 64 + 1 and sizes.min() >= 2
    mixed = pd.Series(category).groupby(group).nunique()
    assert (mixed > 1).mean() > 0.5


def test_bad_spair_annotations_are_named(tmp_path: Path) -> None:
    root = spair_folder(tmp_path / "spair", {"cat": 3}, pairs=1)
    file = next((root / "PairAnnotation" / "test").glob("*.json"))
    good = json.loads(file.read_text())
    for change, said in (
        ({"trg_kps": [[1, 2]]}, "2 source and 1 target key points"),
        ({"src_kps": [], "trg_kps": []}, "0 source and 0 target key points"),
        ({"src_kps": [[1, 2, 3], [4, 5, 6]]}, "src_kps is no list of x, y pairs"),
        ({"trg_bndbox": [5, 5, 5, 9]}, r"trg_bndbox \[5, 5, 5, 9\] is empty"),
        ({"src_imsize": [80, 40, 3]}, "was 80 × 40 pixels when annotated and is now 40 × 20"),
        ({"trg_imname": "9.jpg"}, r"9\.jpg: not a readable image"),
    ):
        file.write_text(json.dumps(good | change))
        refused(dataset("spair", root), tmp_path / "pack", said)
    file.write_text(json.dumps({"category": "cat"}))
    refused(dataset("spair", root), tmp_path / "pack", "the annotation lacks src_imname, ")
    file.write_text("{")
    refused(dataset("spair", root), tmp_path / "pack", "not a readable annotation")
    file.unlink()
    refused(dataset("spair", root), tmp_path / "pack", r"test\.txt: pair 000000-0-1:cat has no annotation")


@pytest.mark.parametrize("source", ["voc", "spair", "scenes"])
def test_workers_do_not_matter(spair_root: Path, tmp_path: Path, source: str) -> None:
    listed = {
        "voc": lambda: voc(voc_folder(tmp_path / "voc")),
        "spair": lambda: dataset("spair", spair_root),
        "scenes": lambda: dataset("scenes", None, calibration=4, train=20, test=30, pairs=6),
    }[source]()
    for workers in (1, 3):
        prepare(listed, 0, Pack(tmp_path / str(workers)), workers)
    files = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert "images.npy" in files and ("masks.npy" in files) == (source != "spair")
    for name in files:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes()


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    with Path("/dev/full").open("wb", buffering=0) as full:
        # After the tenth image, every write goes to the device that is always full.
        monkeypatch.setattr(
            os, "pwrite", lambda file, data, at: write(full.fileno() if at > 10 * 16 * 16 * 3 else file, data, at)
        )
        listed = dataset("scenes", None, calibration=4, train=20, test=30, pairs=6)
        with pytest.raises(DiskFull, match=r"images\.npy: no space is left on the disk .*; this file needs 0\.05 MB"):
            prepare(listed, 0, Pack(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    """Traced allocations; the images alone would take 75 kB each."""
    for k in range(120):
        (tmp_path / "images").mkdir(exist_ok=True)
        noise(k, 160, 160).save(tmp_path / "images" / f"{k}.bmp")
    peaks = []
    for n in (30, 118):
        tracemalloc.start()
        prepare(
            dataset("images", tmp_path / "images", image_size=158, calibration=120 - n, pairs=n),
            0,
            Pack(tmp_path / "p"),
        )
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 10 * 158 * 158 * 3


@pytest.mark.skipif(not PHOTOS.exists(), reason="the real photographs are not here")
def test_real_masks(tmp_path: Path) -> None:
    pets = dataset(
        "voc", PHOTOS / "pets", image_size=64, calibration=50, pairs=20, classes=("background", "cat", "dog")
    )
    pack = packed(pets, tmp_path)
    assert pack.index["split"].value_counts().to_dict() == {"calibration": 50, "train": 154, "test": 137, "twin": 20}
    breeds = pd.read_csv(PHOTOS / "pets" / "breeds.csv").set_index("image")["species"]
    assert pack.masks is not None
    for row in pack.rows("test"):
        species = breeds[Path(pack.index["unit"][row]).stem]
        found = set(np.unique(pack.masks[row]))
        assert found <= {0, {"cat": 1, "dog": 2}[species]} and len(found) > 0
    # The object is in the middle more often than at the rim.
    inside = np.isin(pack.masks[pack.rows("test")], (1, 2)).mean(axis=0)
    assert inside[24:40, 24:40].mean() > inside[:, [0, -1]].mean() + 0.2


@pytest.mark.skipif(not PHOTOS.exists(), reason="the real photographs are not here")
def test_real_unlabelled_photographs(tmp_path: Path) -> None:
    pack = packed(dataset("images", PHOTOS / "kodak", image_size=64, calibration=8, pairs=16), tmp_path)
    assert len(pack.images) == 24 + 16
    spread = np.asarray(pack.images).astype(float).std(axis=(1, 2, 3))
    assert spread.min() > 5 and spread.max() < 120
