"""Image and mask files, decoded to squares of bytes."""

import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from extract.datasets.packs import VOID, DatasetError

SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".avif")
)
# What Pillow raises for files that are damaged, cut short, empty, folders, or claim a giant size.
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
ORIENTATION = 0x0112  # EXIF's tag
UPRIGHT, SIDEWAYS = 1, (5, 6, 7, 8)  # its values: 2 to 4 keep width and height, and these swap them
# Sides of which one is longer by more: of such a stripe, the square in the middle shows next to nothing.
MOST_ELONGATED = 100


def read_image(file: Path, stream: BinaryIO | None = None, remedy: str = "remove or replace it") -> Image.Image:
    """Read an image of any mode as RGB, upright as its EXIF says, the first frame of an animation.

    Transparency is dropped, as the data sets' own loaders do; 16-bit grey is scaled to 8 bits, not clipped.

    Args:
        file: the image.
        stream: its bytes, where it lies in an archive and ``file`` is but its name.
        remedy: what to do about one that cannot be read.

    Raises:
        DatasetError: for a file that is no image or is cut short, whose values have no known range, or that is a pixel
            or a stripe.
    """
    try:
        with Image.open(stream or file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith("I;16"):
                image = Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))
            if image.mode == "P" and "transparency" in image.info:
                image = image.convert("RGBA")
            mode, upright = image.mode, image.convert("RGB")
    except UNREADABLE as error:
        raise DatasetError(f"{file}: not a readable image ({error}); {remedy}") from error
    if mode in ("I", "F"):
        raise DatasetError(
            f"{file}: the image is of mode {mode}, 32 bits whose range is not known; save it in 8 or 16 bits"
        )
    short, long = sorted(upright.size)
    if short < 2 or long > MOST_ELONGATED * short:
        raise DatasetError(
            f"{file}: the image is {_size(upright)} pixels, and the square in its middle shows nothing; {remedy}"
        )
    return upright


def orientation_of(file: Path) -> int:
    """Return the EXIF orientation of a readable image, 1 to 8; 1 where it states none."""
    with Image.open(file) as opened:
        return int(opened.getexif().get(ORIENTATION, UPRIGHT))


def read_mask(
    file: Path, classes: int, image: Image.Image, of: Path, hint: str = "Is the key classes of this data set complete?"
) -> Image.Image:
    """Read the class mask of an image: a palette or greyscale PNG whose values are classes, or VOID.

    A mask is turned by its own EXIF, as its image is by its. One that states no orientation is taken to be upright,
    where its size says so.

    Args:
        file: the mask.
        classes: number of its classes, the background among them.
        image: its image, upright.
        of: the file of the image.
        hint: likely reason of a value that is no class.

    Raises:
        DatasetError: where it is missing, unreadable, of another kind or size, or holds a value that is no class; or
            where the EXIF of its image turns that, and nothing tells whether the mask has been turned with it.
    """
    try:
        with Image.open(file) as opened:
            own = opened.getexif().get(ORIENTATION, UPRIGHT)
            mask = ImageOps.exif_transpose(opened)
            mask.load()
    except FileNotFoundError as error:
        raise DatasetError(f"{file}: this mask is missing; add it, or take its image off the list") from error
    except UNREADABLE as error:
        raise DatasetError(f"{file}: not a readable mask ({error}); replace it") from error
    if mask.mode not in ("P", "L"):
        raise DatasetError(
            f"{file}: the mask is of mode {mask.mode}, whose values name no class; needed: a PNG with a palette or "
            "8-bit grey, one class number per pixel"
        )
    _require_same_pixels(mask, file, int(own), image, of)
    values = np.unique(np.asarray(mask))
    if strange := [int(value) for value in values if value >= classes and value != VOID]:
        raise DatasetError(
            f"{file}: the mask holds {', '.join(map(str, strange))}; allowed: 0 to {classes - 1}, and {VOID} for void. "
            f"{hint}"
        )
    return mask


def _require_same_pixels(mask: Image.Image, file: Path, own: int, image: Image.Image, of: Path) -> None:
    """Require a mask to be of the pixels of its image, turned alike."""
    turned = orientation_of(of)
    remedy = (
        "If the mask was drawn on the pixels as they are stored, take the orientation out of the image, such as by "
        f"`exiftool -Orientation=1 -n {of.name}`; if on the upright image, turn the pixels, such as by "
        f"`mogrify -auto-orient {of.name}`"
    )
    if mask.size != image.size:
        sizes = f"the mask is {_size(mask)} pixels and its image {of} is {_size(image)}"
        if turned == UPRIGHT:
            raise DatasetError(f"{file}: {sizes}; they must be of one size")
        raise DatasetError(f"{file}: {sizes} once its EXIF turns it (orientation {turned}). {remedy}")
    size_tells = turned in SIDEWAYS and image.size[0] != image.size[1]
    if turned not in (UPRIGHT, own) and not size_tells:
        raise DatasetError(
            f"{file}: the EXIF of its image {of} turns it (orientation {turned}), and nothing tells whether this mask "
            f"is turned too. {remedy}"
        )


def _size(image: Image.Image) -> str:
    return f"{image.size[0]} × {image.size[1]}"


def cropped(image: Image.Image, size: int, resampling: Image.Resampling) -> NDArray[np.uint8]:
    """Resize the short side to ``size`` and crop the centre; size×size, or size×size×3."""
    scale = size / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    resized = image.resize((width, height), resampling)
    return np.asarray(resized.crop((left, top, left + size, top + size)))


def squeezed(image: Image.Image, size: int, resampling: Image.Resampling) -> NDArray[np.uint8]:
    """Resize both sides to ``size``, whatever the shape; size×size, or size×size×3."""
    return np.asarray(image.resize((size, size), resampling))


def cropped_with_margin(image: Image.Image, size: int, resampling: Image.Resampling) -> NDArray[np.uint8]:
    """Resize the short side to 8/7 of ``size`` and crop the centre, as 256 and 224; size×size, or size×size×3."""
    margin = max(1, round(size / 14))
    return cropped(image, size + 2 * margin, resampling)[margin:-margin, margin:-margin]


# Value of the key `resize` of a data set → how images, and their masks, become squares of `size`.
RESIZING: Mapping[str, Callable[[Image.Image, int, Image.Resampling], NDArray[np.uint8]]] = {
    "crop": cropped,
    "crop_margin": cropped_with_margin,
    "squash": squeezed,
}


def decode(file: Path, size: int, resize: str = "crop") -> NDArray[np.uint8]:
    """Read an image and resize it to a square (bicubic, antialiased); uint8 size×size×3.

    Args:
        file: the image.
        size: side of the square.
        resize: a key of `RESIZING`.

    Raises:
        DatasetError: for a file that is no image or is cut short.
    """
    return RESIZING[resize](read_image(file), size, Image.Resampling.BICUBIC)
