"""Decoding real files into packs, and cutting packs into batches and shards."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from config.layout import ROOT, Pack
from config.settings import Dataset
from extract.datasets.decoding import decode
from extract.datasets.packs import DatasetError, OpenPack, batches, group_names, open_pack, shard_blocks
from extract.datasets.prepare import prepare

PHOTOS = ROOT.parent / "shared" / "data" / "photos" / "clothing"
COUNTS = {"train": {"ant": 40, "bee": 30}, "test": {"ant": 12, "bee": 9}}


def folders(path: Path) -> Dataset:
    return Dataset(
        name="insects",
        source="class_folders",
        image_size=16,
        tasks=("classification",),
        calibration=20,
        train=0,
        test=0,
        pairs=8,
        segmentation_train=2,
        shards=1,
        path=path,
    )


@pytest.fixture(scope="module")
def insects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders of small images in every mode and two formats."""
    root = tmp_path_factory.mktemp("insects")
    rng = np.random.default_rng(0)
    for split, classes in COUNTS.items():
        for name, n in classes.items():
            (root / split / name).mkdir(parents=True)
            for k in range(n):
                image = Image.fromarray(rng.integers(0, 256, (20 + k % 7, 24, 3), dtype=np.uint8))
                mode = ("RGB", "L", "P", "RGBA")[k % 4]
                suffix = "png" if mode in ("P", "RGBA") else "jpg"
                image.convert(mode).save(root / split / name / f"{k}.{suffix}")
    return root


def scenes(**changes: object) -> Dataset:
    plain = replace(folders(Path()), name="s", source="scenes", path=None, image_size=32)
    return replace(plain, **{"calibration": 70, "train": 130, "test": 100, "pairs": 66, **changes})


def packed(dataset: Dataset, folder: Path, workers: int = 1) -> OpenPack:
    prepare(dataset, 0, Pack(folder), workers)
    return open_pack(Pack(folder))


def test_counts_are_those_on_disk(insects: Path, tmp_path: Path) -> None:
    pack = packed(folders(insects), tmp_path)
    facts = yaml.safe_load(Pack(tmp_path).facts.read_text())
    assert facts["images"] == 91 and facts["classes"] == 2 and facts["class_names"] == ["ant", "bee"]
    assert {split: n["images"] for split, n in facts["splits"].items()} == {"calibration": 20, "train": 50, "test": 21}
    assert facts["pairs"] == 8 and len(pack.images) == 91 + 8
    assert pack.images.shape[1:] == (16, 16, 3)
    test = pack.index[pack.index["split"] == "test"]
    assert test["class_name"].value_counts().to_dict() == COUNTS["test"]
    # Knowing nothing: one in two, or always the class most frequent in training.
    assert facts["chance"]["low"] == 0.5
    majority = pack.index[pack.index["split"] == "train"]["class_name"].mode()[0]
    assert facts["chance"]["high"] == pytest.approx(max(0.5, COUNTS["test"][majority] / 21))


def test_splits_share_no_image_and_mix_classes(insects: Path, tmp_path: Path) -> None:
    index = packed(folders(insects), tmp_path).index
    assert index["unit"].is_unique
    by_split = index.groupby("split")["unit"].agg(set)
    assert not by_split["calibration"] & (by_split["train"] | by_split["test"])
    assert all("/train/" in unit for unit in by_split["calibration"] | by_split["train"])
    for _, group in index.groupby("group"):
        assert group["class_name"].nunique() == 2


def test_workers_do_not_matter(insects: Path, tmp_path: Path) -> None:
    one, two = (packed(folders(insects), tmp_path / str(n), workers=n) for n in (1, 2))
    assert np.array_equal(one.images, two.images)
    pd.testing.assert_frame_equal(one.index, two.index)


def test_decoding_keeps_the_middle_upright(tmp_path: Path) -> None:
    wide = np.zeros((40, 120, 3), dtype=np.uint8)
    wide[:, 40:80, 0] = 200  # the middle square is red, its sides are black
    Image.fromarray(wide).save(tmp_path / "wide.png")
    square = decode(tmp_path / "wide.png", 20)
    assert square.shape == (20, 20, 3) and square[:, 3:-3, 0].min() > 180 and square[..., 1:].max() == 0

    upright = np.zeros((40, 40, 3), dtype=np.uint8)
    upright[:20] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me by 90 degrees clockwise", as phones write it
    Image.fromarray(np.rot90(upright)).save(tmp_path / "phone.jpg", exif=exif, quality=95)
    shown = decode(tmp_path / "phone.jpg", 40)
    assert shown[:15].mean() > 240 and shown[25:].mean() < 15


def test_bad_folders_are_named(insects: Path, tmp_path: Path) -> None:
    def refused(dataset: Dataset, match: str) -> None:
        with pytest.raises(DatasetError, match=match):
            prepare(dataset, 0, Pack(tmp_path / "pack"))
        assert not list(tmp_path.glob("pack/*"))

    refused(folders(tmp_path / "nowhere"), r"datasets\.insects\.path: there is no folder .*nowhere")
    refused(replace(folders(insects), pairs=22), r"datasets\.insects\.pairs: 22 .* at most 21")
    refused(replace(folders(insects), calibration=69), r"datasets\.insects\.calibration: 69 .* at most 68")

    empty = tmp_path / "empty"
    for part in ("train/ant", "train/bee", "test/ant"):
        (empty / part).mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(empty / "train/ant/1.png")
    refused(folders(empty), r"train/bee: no image")


def test_corrupt_image_is_named(insects: Path, tmp_path: Path) -> None:
    whole = next((insects / "train" / "ant").glob("*.jpg")).read_bytes()
    for name, content in (("cut.jpg", whole[: len(whole) // 2]), ("text.jpg", b"hello")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DatasetError, match=rf"{name}: not a readable image"):
            decode(tmp_path / name, 16)


def test_an_image_that_claims_a_giant_size_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "giant.bmp")
    content = bytearray((tmp_path / "giant.bmp").read_bytes())
    content[18:26] = (60_000).to_bytes(4, "little") * 2  # width and height
    (tmp_path / "giant.bmp").write_bytes(content)
    with pytest.raises(DatasetError, match=r"giant\.bmp: not a readable image"):
        decode(tmp_path / "giant.bmp", 16)


def test_classes_are_the_folders_below_the_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("ant", "bee"):
            (tmp_path / split / name / "batch 1").mkdir(parents=True)
            for k in range(4):
                Image.new("RGB", (9, 9)).save(tmp_path / split / name / "batch 1" / f"{k}.png")
    index = packed(replace(folders(tmp_path), calibration=2, pairs=2), tmp_path / "pack").index
    assert set(index["class_name"]) == {"ant", "bee"}
    assert all(f"/{name}/" in unit for unit, name in zip(index["unit"], index["class_name"], strict=True))


@pytest.mark.skipif(not PHOTOS.exists(), reason="the real photographs are not here")
def test_real_photographs(tmp_path: Path) -> None:
    pack = packed(replace(folders(PHOTOS), name="clothing", calibration=128, pairs=128, image_size=64), tmp_path, 2)
    facts = yaml.safe_load(Pack(tmp_path).facts.read_text())
    assert facts["images"] == len(list(PHOTOS.rglob("*.jpg")))
    assert facts["class_names"] == sorted(path.name for path in (PHOTOS / "train").iterdir())
    assert facts["splits"]["test"]["images"] == len(list((PHOTOS / "test").rglob("*.jpg")))
    # Pictures, not noise or blanks.
    spread = np.asarray(pack.images[:50]).astype(float).std(axis=(1, 2, 3))
    assert spread.min() > 5 and spread.max() < 120


@pytest.mark.parametrize(
    ("n", "sizes"),
    [(1, [1]), (64, [64]), (65, [65]), (66, [64, 2]), (128, [64, 64]), (129, [64, 65]), (200, [64, 64, 64, 8])],
)
def test_groups(n: int, sizes: list[int]) -> None:
    names = pd.Series(group_names("d", "test", n, 64))
    assert names.groupby(names, sort=False).size().tolist() == sizes


def test_batches_cut_rows_or_groups() -> None:
    groups = pd.Series(group_names("d", "test", 200, 64))
    rows = np.arange(200)
    assert [len(batch) for batch in batches(rows, groups, 90, whole_groups=False)] == [90, 90, 20]
    for size, expected in ((7, [64, 64, 64, 8]), (128, [128, 72]), (1000, [200])):
        found = list(batches(rows, groups, size, whole_groups=True))
        assert [len(batch) for batch in found] == expected
        assert np.array_equal(np.concatenate(found), rows)


@pytest.fixture(scope="module")
def scene_pack(tmp_path_factory: pytest.TempPathFactory) -> OpenPack:
    return packed(scenes(), tmp_path_factory.mktemp("scenes"))


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_shards_partition_what_is_evaluated(scene_pack: OpenPack, shards: int) -> None:
    pack = scene_pack
    parts = [np.concatenate(shard_blocks(pack, shard, shards)) for shard in range(shards)]
    together = np.concatenate(parts)
    evaluated = np.flatnonzero(pack.index["split"] != "calibration")
    assert np.array_equal(np.sort(together), evaluated)
    for part in parts:
        groups = pack.index["group"].to_numpy()
        assert not set(groups[part]) & set(groups[np.setdiff1d(evaluated, part)])
        # Both halves of a pair are in one shard, the source first.
        place = {row: k for k, row in enumerate(part)}
        for source, twin in zip(pack.pairs["source"], pack.pairs["twin"], strict=True):
            assert (source in place) == (twin in place)
            assert source not in place or place[source] < place[twin]


def test_scene_packs_hold_exact_masks_and_twins(scene_pack: OpenPack) -> None:
    pack = scene_pack
    assert pack.masks is not None and len(pack.masks) == len(pack.images) == 70 + 130 + 100 + 66
    labels = pack.index["label"].to_numpy()
    for row in pack.rows("test"):
        assert set(np.unique(pack.masks[row])) == {0, labels[row] + 1}
    sources, twins = pack.pairs["source"].to_numpy(), pack.pairs["twin"].to_numpy()
    assert np.array_equal(labels[sources], labels[twins])
    assert not np.array_equal(pack.images[sources], pack.images[twins])
