"""The keys of a config that decide what the article leaves open: each changes what it says, and nothing else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from config.layout import Pack, Run
from config.resolve import schema
from config.settings import Dataset, Probe, Warps
from extract.datasets.packs import OpenPack, open_pack, shard_blocks
from extract.datasets.prepare import prepare
from extract.datasets.warps import draw_warp
from extract.preflight.inventory import size_of
from extract.tasks.probes import linear_probe

RNG = np.random.default_rng(5)


def packed(folder: Path, dataset: Dataset) -> OpenPack:
    prepare(dataset, seed=0, pack=Pack(folder / dataset.name))
    return open_pack(Pack(folder / dataset.name))


def scenes(name: str, **keys: object) -> Dataset:
    given = {"calibration": 12, "train": 10, "test": 20, "pairs": 3, "segmentation_train": 4, **keys}
    return Dataset(name, "scenes", 16, ("classification",), **given)  # type: ignore[arg-type]


def test_the_defaults_of_settings_are_those_of_the_schema() -> None:
    keys = schema()["properties"]["datasets"]["additionalProperties"]["properties"]
    dataset = Dataset("d", "scenes", 16, ())
    for key in ("calibration_trains", "resize", "shuffle_group"):
        assert getattr(dataset, key) == keys[key]["default"], key
    stated = {key: one["default"] for key, one in keys["warps"]["properties"].items()}
    assert dataset.warps == Warps(**stated)
    probe = schema()["properties"]["probe"]["properties"]["standardise"]
    assert Probe((0.1,), 0.2, ("cls",), 0, 9).standardise is probe["default"]


def test_calibration_images_train_too_and_every_other_image_stays(tmp_path: Path) -> None:
    apart, both = packed(tmp_path, scenes("apart")), packed(tmp_path, scenes("both", calibration_trains=True))
    units = [index["unit"].str.partition("/")[2] for index in (apart.index, both.index)]
    (calibrates, trains, tested), (also, more, same) = (
        [set(names[index["split"] == split]) for split in ("calibration", "train", "test")]
        for names, index in zip(units, (apart.index, both.index), strict=True)
    )
    assert len(calibrates) == 12 and not calibrates & trains
    assert (also, more, same) == (calibrates, calibrates | trains, tested)
    # They are the same pixels, they are extracted, and they are counted once.
    rows = [both.rows(split)[:12] for split in ("calibration", "train")]
    assert (both.images[rows[0]] == both.images[rows[1]]).all()
    assert (both.index["label"].to_numpy()[rows[0]] == both.index["label"].to_numpy()[rows[1]]).all()
    assert sum(map(len, shard_blocks(both, 0, 1))) == sum(map(len, shard_blocks(apart, 0, 1))) + 12
    assert "images: 42" in Pack(tmp_path / "both").facts.read_text()


def test_calibration_takes_nothing_from_the_training_images_of_folders(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for k in range(3):
                pixels = RNG.integers(0, 256, (20, 20, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / split / name / f"{k}.png")
    given = {"path": tmp_path / "data", "calibration": 3, "pairs": 0}
    counts = {}
    for trains in (False, True):
        name = f"trains_{trains}".lower()
        dataset = Dataset(name, "class_folders", 16, ("classification",), calibration_trains=trains, **given)
        counts[trains] = packed(tmp_path, dataset).index["split"].value_counts().to_dict()
        size = size_of(dataset, Run(tmp_path / "nothing packed"))
        assert size is not None and (size.calibration, size.train, size.test) == (3, counts[trains]["train"], 6)
    assert counts == {False: {"calibration": 3, "train": 3, "test": 6}, True: {"calibration": 3, "train": 6, "test": 6}}


@pytest.mark.parametrize(
    ("resize", "left", "right"),
    # A ramp from 0 at the left edge to 1 at the right of a picture twice as wide as high: what lies at both edges.
    [("crop", 0.25, 0.75), ("crop_margin", 0.25 + 0.5 / 16, 0.75 - 0.5 / 16), ("squash", 0.0, 1.0)],
)
def test_resizing_keeps_what_it_says(tmp_path: Path, resize: str, left: float, right: float) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 448)[None, :, None], (224, 448, 3)).astype(np.uint8)
    root = tmp_path / "data"
    root.mkdir()
    Image.fromarray(ramp).save(root / "ramp.png")
    for k in range(2):
        Image.fromarray(ramp[::-1, ::-1]).save(root / f"other{k}.png")
    pack = packed(tmp_path, Dataset("d", "images", 112, ("retrieval",), path=root, resize=resize))
    row = int(np.flatnonzero(pack.index["unit"] == "d/ramp.png")[0])
    shown = pack.images[row, 56, [0, -1], 0] / 255
    assert pack.images.shape[1:3] == (112, 112)
    # Half a pixel of the square is at most 1/112 of the picture.
    np.testing.assert_allclose(shown, [left, right], atol=1 / 112 + 1 / 255)


def test_masks_are_resized_as_their_images(tmp_path: Path) -> None:
    root = tmp_path / "voc"
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    mask = np.zeros((30, 60), dtype=np.uint8)
    mask[:, :15] = 1  # outside the crop, inside the squashed image
    for name in ("one", "two"):
        Image.fromarray(np.repeat(255 * mask[..., None], 3, axis=2)).save(root / "JPEGImages" / f"{name}.png")
        Image.fromarray(mask).save(root / "SegmentationClass" / f"{name}.png")
    for split, name in (("train", "one"), ("val", "two")):
        (root / "ImageSets/Segmentation" / f"{split}.txt").write_text(f"{name}\n")
    shares = {}
    for resize in ("crop", "squash"):
        dataset = Dataset(resize, "voc", 20, ("segmentation",), path=root, classes=("none", "some"), resize=resize)
        pack = packed(tmp_path, dataset)
        assert pack.masks is not None
        assert ((pack.images[..., 0] > 128) == (pack.masks == 1)).all()
        shares[resize] = float((pack.masks == 1).mean())
    assert shares == {"crop": 0.0, "squash": 0.25}


def test_warps_stay_within_their_ranges_and_fill_them() -> None:
    for ranges in (Warps(), Warps(turn=90, zoom=2, shift=0.3), Warps(turn=0, zoom=1, shift=0)):
        drawn = np.stack([draw_warp("ranges", k, ranges=ranges) for k in range(300)]).astype(np.float64)
        linear, shift = drawn[..., :2], drawn[..., 2]
        zoom = np.sqrt(np.linalg.det(linear))
        turn = np.rad2deg(np.arctan2(linear[:, 1, 0], linear[:, 0, 0]))
        moved = shift - (0.5 - linear.sum(axis=2) / 2)
        for found, limit in ((np.log(zoom), np.log(ranges.zoom)), (turn, ranges.turn), (moved, ranges.shift)):
            assert np.abs(found).max() <= limit + 1e-5
            assert np.abs(found).max() >= 0.95 * limit


def test_groups_have_the_size_that_the_config_says(tmp_path: Path) -> None:
    for size, largest in ((5, 5), (8, 8), (19, 20)):  # of 20 test scenes, one left over joins the group before it
        pack = packed(tmp_path, scenes(f"groups{size}", shuffle_group=size))
        counts = pack.index[pack.index["split"] == "test"]["group"].value_counts()
        assert counts.max() == largest == pack.largest_group
        assert counts.min() >= 2


def test_without_standardising_scale_is_left_to_the_penalty() -> None:
    labels = np.arange(60) % 2
    features = RNG.normal(size=(60, 2)).astype(np.float32)
    features[:, 0] += 2 * labels  # tells the classes, and so does the second
    features[:, 1] += 2 * labels
    small = features * np.array([1, 1e-3], dtype=np.float32)
    units = [f"image {k}" for k in range(60)]

    def weights(rows: np.ndarray, standardise: bool) -> np.ndarray:
        options = Probe((0.01,), 0.2, ("cls",), 0, 500, standardise)
        return linear_probe(rows, labels, units, options).weights

    # Standardised, the scale of a dimension is no matter; otherwise the penalty forbids the weight that it would take.
    np.testing.assert_allclose(weights(features, True), weights(small, True), rtol=1e-3)
    plain = weights(small, False)
    assert np.abs(plain[1]).max() < 1e-2 * np.abs(plain[0]).max()


def test_without_standardising_the_optimum_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    labels = np.arange(90) % 3
    features = (RNG.normal(size=(90, 4)) * [0.1, 1, 3, 10] + labels[:, None]).astype(np.float32)
    options = Probe((0.05,), 0.2, ("cls",), 0, 2000, standardise=False)
    probe = linear_probe(features, labels, [str(k) for k in range(90)], options)
    reference = LogisticRegression(C=0.05, tol=1e-10, max_iter=10_000).fit(features.astype(np.float64), labels)
    logits = probe.decision(features)
    mine = np.exp(logits - logits.max(axis=1, keepdims=True))
    mine /= mine.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mine, reference.predict_proba(features.astype(np.float64)), atol=2e-6)


def test_an_image_of_two_splits_has_one_identity(tmp_path: Path) -> None:
    index: pd.DataFrame = packed(tmp_path, scenes("twice", calibration_trains=True)).index
    assert index.groupby("split")["unit"].apply(lambda units: units.is_unique).all()
