"""Image files of every kind, whole and damaged."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from extract.datasets.decoding import decode, read_image
from extract.datasets.packs import DatasetError

RED = (200, 40, 10)


def close(image: np.ndarray, colour: tuple[int, int, int], tolerance: int) -> bool:
    return bool(np.abs(image.astype(int) - np.array(colour)).max() <= tolerance)


@pytest.mark.parametrize(
    ("mode", "suffix", "tolerance"),
    [("RGB", "jpg", 3), ("CMYK", "jpg", 6), ("RGBA", "png", 0), ("P", "png", 0), ("PA", "png", 0), ("RGB", "webp", 6)],
)
def test_colours_survive_every_mode(tmp_path: Path, mode: str, suffix: str, tolerance: int) -> None:
    file = tmp_path / f"red.{suffix}"
    base = "RGB" if mode in ("P", "PA") else mode
    image = Image.new("RGB", (20, 24), RED).convert(base)
    if mode in ("P", "PA"):
        image = image.quantize(4)
    image.save(file, **({"transparency": b"\x80\xff\x00\x10"} if mode == "PA" else {}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert close(decode(file, 16), RED, tolerance)


def test_grey_is_grey_in_8_and_in_16_bits(tmp_path: Path) -> None:
    for value in (0, 1, 127, 128, 254, 255):
        Image.fromarray(np.full((20, 20), value, np.uint8)).save(tmp_path / "8.png")
        Image.fromarray(np.full((20, 20), value * 257, np.uint16)).save(tmp_path / "16.png")
        for name in ("8.png", "16.png"):
            assert (decode(tmp_path / name, 16) == value).all()
    with Image.open(tmp_path / "16.png") as opened:
        assert opened.mode == "I;16"


@pytest.mark.parametrize("suffix", ["webp", "png", "gif"])
def test_an_animation_is_its_first_frame(tmp_path: Path, suffix: str) -> None:
    first, second = (Image.new("RGB", (20, 20), colour) for colour in (RED, (0, 0, 250)))
    first.save(tmp_path / f"moving.{suffix}", save_all=True, append_images=[second], duration=100)
    assert close(decode(tmp_path / f"moving.{suffix}", 16), RED, 6)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "bmp"])
def test_damage_is_told_by_the_name_of_the_file(tmp_path: Path, suffix: str) -> None:
    """Cut anywhere or overwritten anywhere: an image or an error that names the file, and nothing else."""
    rng = np.random.default_rng(0)
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(whole)
    content = whole.read_bytes()
    file = tmp_path / f"damaged.{suffix}"
    refused = 0
    for attempt in range(60):
        damaged = bytearray(content[: rng.integers(len(content))] if attempt % 2 else content)
        if attempt % 2 == 0:
            place = rng.integers(len(content) - 4)
            damaged[place : place + 4] = rng.integers(0, 256, 4, dtype=np.uint8).tobytes()
        file.write_bytes(bytes(damaged))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of some damage and goes on
            try:
                assert decode(file, 16).shape == (16, 16, 3)
            except DatasetError as error:
                assert f"damaged.{suffix}: not a readable image" in str(error)
                refused += 1
    assert refused >= 25


def test_a_folder_and_an_empty_file_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "empty.jpg").touch()
    for name in ("folder.jpg", "empty.jpg", "absent.jpg"):
        with pytest.raises(DatasetError, match=rf"{name}: not a readable image"):
            read_image(tmp_path / name)
