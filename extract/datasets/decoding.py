"""Image and mask files, decoded to squares of bytes."""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from extract.datasets.packs import VOID, DatasetError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif"}
# What Pillow raises for files that are damaged, cut short, empty, folders, or claim a giant size.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


def read_image(file: Path) -> Image.Image:
    """Read an image of any mode as RGB, upright as its EXIF says, the first frame of an animation.

    Transparency is dropped, as the data sets' own loaders do; 16-bit grey is scaled to 8 bits, not clipped.

    Raises:
        DatasetError: for a file that is no image or is cut short.
    """
    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I;16"):
                image = Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))
            if image.mode == "P" and "transparency" in image.info:
                image = image.convert("RGBA")
            return image.convert("RGB")
    except UNREADABLE as error:
        raise DatasetError(f"{file}: not a readable image ({error}); remove or replace it") from error


def read_mask(file: Path, classes: int, image: Image.Image) -> Image.Image:
    """Read the class mask of an image: a palette or greyscale PNG whose values are classes, or VOID.

    Raises:
        DatasetError: where it is missing, unreadable, of another kind or size, or holds a value that is no class.
    """
    try:
        with Image.open(file) as opened:
            mask = opened.copy()
    except FileNotFoundError as error:
        raise DatasetError(f"{file}: this mask is missing; add it, or take its image off the list") from error
    except UNREADABLE as error:
        raise DatasetError(f"{file}: not a readable mask ({error}); replace it") from error
    if mask.mode not in ("P", "L"):
        raise DatasetError(
            f"{file}: the mask is of mode {mask.mode}, whose values name no class; needed: a PNG with a palette or "
            "8-bit grey, one class number per pixel"
        )
    if mask.size != image.size:
        raise DatasetError(
            f"{file}: the mask is {mask.size[0]} × {mask.size[1]} pixels and its image "
            f"{image.size[0]} × {image.size[1]}; they must be of one size"
        )
    values = np.unique(np.asarray(mask))
    if strange := [int(value) for value in values if value >= classes and value != VOID]:
        raise DatasetError(
            f"{file}: the mask holds {', '.join(map(str, strange))}; allowed: 0 to {classes - 1}, and {VOID} for void. "
            "Is the key classes of this data set complete?"
        )
    return mask


def cropped(image: Image.Image, size: int, resampling: Image.Resampling) -> NDArray[np.uint8]:
    """Resize the short side to ``size`` and crop the centre; size×size, or size×size×3."""
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    resized = image.resize((width, height), resampling)
    return np.asarray(resized.crop((left, top, left + size, top + size)))


def squeezed(image: Image.Image, size: int) -> NDArray[np.uint8]:
    """Resize both sides to ``size``, whatever the shape (bicubic, antialiased); size×size×3."""
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def decode(file: Path, size: int) -> NDArray[np.uint8]:
    """Read an image, resize its short side (bicubic, antialiased) and crop the centre; uint8 size×size×3.

    Raises:
        DatasetError: for a file that is no image or is cut short.
    """
    return cropped(read_image(file), size, Image.Resampling.BICUBIC)
