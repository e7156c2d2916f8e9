"""What lies in a folder is read, or it is told how much of it is not, and what to do."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from config.layout import Pack
from config.settings import Dataset
from extract.datasets.decoding import read_image, read_mask
from extract.datasets.folders import files_below, listed_names
from extract.datasets.packs import DatasetError, open_pack
from extract.datasets.prepare import prepare
from tests.extract.sources import dataset, noise, palette_mask, voc_folder


def classes(root: Path, n: int = 8) -> Path:
    for name in ("ant", "bee"):
        (root / name).mkdir(parents=True)
        for k in range(n):
            noise(k, 20, 20).save(root / name / f"{k}.png")
    return root


def listed(root: Path, **changes: object) -> Dataset:
    return dataset("class_folders", root, **{"test_share": 0.25, "calibration": 2, "pairs": 2, **changes})


def packed(given: Dataset, folder: Path) -> tuple[pd.DataFrame, list[str]]:
    """Index without twins, and what was left out."""
    prepare(given, 0, Pack(folder))
    index = open_pack(Pack(folder)).index
    facts = yaml.safe_load(Pack(folder).facts.read_text())
    return index[index["split"] != "twin"], facts["left_out"]


def test_images_of_every_suffix_are_read_and_others_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = classes(tmp_path / "data")
    for suffix, kind in {"tiff": "tiff", "tif": "tiff", "JFIF": "jpeg", "jpe": "jpeg", "ppm": "ppm"}.items():
        noise(9, 20, 20).save(root / "ant" / f"more.{suffix}", format=kind)
    for name in ("a.heic", "b.heic", "c.mp4", "noted", ".hidden.heic"):
        (root / "bee" / name).write_text("no image")
    (root / ".thumbnails").mkdir()
    noise(0, 20, 20).save(root / ".thumbnails" / "0.png")
    for name in ("loose.jpg", "list.csv"):
        noise(0, 20, 20).save(root / name, format="png")
    index, left_out = packed(listed(root), tmp_path / "pack")
    assert index["class_name"].value_counts().to_dict() == {"ant": 13, "bee": 8}
    assert left_out == [
        "4 files are left out, whose suffix is of no image: 2 .heic, 1 .mp4, 1 without suffix; the first is "
        "bee/a.heic. Convert them to .png or .jpg if they are images",
        "1 image lies beside the class folders and has no class; the first is loose.jpg. Move them into one",
    ]
    told = capsys.readouterr().err
    assert all(f"warning: data set d, {root}: {line}" in told for line in left_out)


def test_nothing_is_told_where_nothing_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, left_out = packed(listed(classes(tmp_path / "data")), tmp_path / "pack")
    assert left_out == [] and "warning" not in capsys.readouterr().err


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    root = classes(tmp_path / "data")
    elsewhere = tmp_path / "elsewhere" / "deep"
    elsewhere.mkdir(parents=True)
    for k in range(5):
        noise(k, 20, 20).save(elsewhere / f"x{k}.png")
    (root / "ant" / "a_link").symlink_to(elsewhere.parent)
    (root / "ant" / "b_link").symlink_to(elsewhere)  # in the first one
    (root / "bee" / "around").symlink_to(root / "bee")
    (root / "bee" / "sub").mkdir()
    noise(0, 20, 20).save(root / "bee" / "sub" / "0.png")
    (root / "bee" / "before_sub").symlink_to(root / "bee" / "sub")
    index, left_out = packed(listed(root), tmp_path / "pack")
    assert index["class_name"].value_counts().to_dict() == {"ant": 13, "bee": 9}
    # By its own place wherever it has one.
    assert "d/bee/sub/0.png" in set(index["unit"])
    assert left_out == [
        "3 links are not followed, to a folder that is listed already; the first is ant/b_link. Remove it, or link to "
        "another folder"
    ]


def test_links_around_in_a_circle_end(tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        (tmp_path / name).mkdir()
        (tmp_path / name / other).symlink_to(tmp_path / other)
        noise(0, 20, 20).save(tmp_path / name / f"{name}.png")
    found = files_below(tmp_path / "one")
    assert [path.name for path in found.images] == ["one.png", "two.png"] and len(found.repeated) == 1


def test_calibration_leaves_every_class_something_to_train_on(tmp_path: Path) -> None:
    """The largest number that the message allows is allowed, and the next one is not."""
    classes(tmp_path / "data" / "train")
    classes(tmp_path / "data" / "test", n=2)
    for file in sorted((tmp_path / "data" / "train" / "ant").iterdir())[2:]:
        file.unlink()
    refusals = []
    for n in range(9):
        folder = tmp_path / f"pack{n}"
        try:
            index, _ = packed(listed(tmp_path / "data", test_share=None, calibration=n), folder)
            assert set(index.loc[index["split"] == "train", "class_name"]) == {"ant", "bee"}
            refusals.append("")
        except DatasetError as error:
            refusals.append(str(error))
    first = next(n for n, said in enumerate(refusals) if said)
    assert all(refusals[first:]) and f"allowed: at most {first - 1}" in refusals[first]


ORIENTATIONS = range(1, 9)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_mask_is_of_the_pixels_that_its_image_shows(tmp_path: Path, orientation: int) -> None:
    """A bright half and its mask, stored turned in every way that EXIF knows: aligned, or told with both files."""
    upright = np.zeros((20, 24), np.uint8)
    upright[:, :12] = 1
    turns = {
        **{1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180},
        **{4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90},
        **{7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270},
    }

    def stored(picture: Image.Image) -> Image.Image:
        turn = turns[orientation]
        return picture if turn is None else picture.transpose(turn)

    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = tmp_path / "photo.png"
    stored(Image.fromarray(upright * 255).convert("RGB")).save(photo, exif=exif)
    image = read_image(photo)
    assert np.array_equal(np.asarray(image)[..., 0] > 0, upright == 1)

    def read(mask: Image.Image, **kept: object) -> np.ndarray:
        mask.save(tmp_path / "mask.png", **kept)
        return np.asarray(read_mask(tmp_path / "mask.png", 2, image, photo))

    # Turned as its image is, and saying so.
    assert np.array_equal(read(stored(palette_mask(upright)), exif=exif), upright)
    told = (
        rf"mask\.png: .*photo\.png .*turns it \(orientation {orientation}\).*exiftool.*mogrify -auto-orient photo\.png"
    )
    if orientation == 1:
        assert np.array_equal(read(palette_mask(upright)), upright)
    elif orientation < 5:
        # Upright or as stored, the size is the same, and nothing tells which.
        for mask in (palette_mask(upright), stored(palette_mask(upright))):
            with pytest.raises(DatasetError, match=told):
                read(mask)
    else:
        assert np.array_equal(read(palette_mask(upright)), upright)
        with pytest.raises(DatasetError, match=told):
            read(stored(palette_mask(upright)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_names_on_a_list_may_hold_spaces_and_accents(tmp_path: Path, encoding: str, end: str) -> None:
    root = voc_folder(tmp_path / "voc")
    for folder, suffix in (("JPEGImages", "jpg"), ("SegmentationClass", "png")):
        shutil.move(root / folder / f"val_0.{suffix}", root / folder / f"Café am  Eck.{suffix}")
    names = ["Café am  Eck", "val_1", "val_2"]
    file = root / "ImageSets" / "Segmentation" / "val.txt"
    file.write_bytes(f"{end}{end.join(names)} {end}".encode(encoding))
    assert listed_names(file) == names
    given = dataset("voc", root, calibration=2, pairs=2, classes=("background", "left", "right"))
    index, _ = packed(given, tmp_path / "pack")
    assert set(index.loc[index["split"] == "test", "unit"]) == {
        *("d/JPEGImages/Café am  Eck.jpg", "d/JPEGImages/val_1.jpg", "d/JPEGImages/val_2.jpg")
    }
