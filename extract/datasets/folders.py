"""What lies in the folders of a data set: its images, and what is left out of it, which is told."""

import os
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from extract.datasets.decoding import SUFFIXES
from extract.datasets.packs import DatasetError

BOMS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


@dataclass(frozen=True)
class FolderFiles:
    """The files below a folder; hidden ones are in none of these.

    Attributes:
        images: those whose suffix is of an image.
        others: the rest.
        repeated: links to folders whose files are listed already, such as a link to a folder that holds it.
        folders: device and inode → folder that was read.
    """

    images: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()
    repeated: tuple[Path, ...] = ()
    folders: Mapping[tuple[int, int], Path] = field(default_factory=dict)


def files_below(folder: Path) -> FolderFiles:
    """List the files below a folder, however deep; links to folders are followed, each folder once.

    Hidden files and folders are left out. Folders come before links, so that a file is listed by its own place
    wherever it has one below ``folder``.

    Raises:
        DatasetError: for a folder that cannot be read.
    """
    images: list[Path] = []
    others: list[Path] = []
    repeated: list[Path] = []
    seen: dict[tuple[int, int], Path] = {}
    waiting, links = deque([folder]), deque[Path]()
    while waiting or links:
        place = (waiting or links).popleft()
        try:
            status = place.stat()
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            raise DatasetError(
                f"{place}: this folder cannot be read ({error.strerror}); allow it, or remove it"
            ) from error
        if (status.st_dev, status.st_ino) in seen:
            repeated.append(place)
            continue
        seen[status.st_dev, status.st_ino] = place
        for entry in entries:
            path = place / entry.name
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                (links if entry.is_symlink() else waiting).append(path)
            else:
                (images if path.suffix.lower() in SUFFIXES else others).append(path)
    return FolderFiles(tuple(images), tuple(others), tuple(repeated), seen)


def left_out(root: Path, found: Iterable[FolderFiles]) -> tuple[str, ...]:
    """Return what of a data set is not read, a sentence each with number, first file and remedy; paths below ``root``.

    Examples:
        >>> files = FolderFiles(others=(Path("d/ant/1.heic"), Path("d/ant/2.heic"), Path("d/bee/list")))
        >>> left_out(Path("d"), [files])[0]
        '3 files are left out, whose suffix is of no image: 2 .heic, 1 without suffix; the first is ant/1.heic. \
Convert them to .png or .jpg if they are images'
    """
    parts = list(found)
    others = [path for part in parts for path in part.others]
    repeated = [path for part in parts for path in part.repeated]
    told = []
    if others:
        kinds = Counter(path.suffix.lower() or "without suffix" for path in others)
        listed = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
        told.append(
            f"{_counted(others, 'file')} left out, whose suffix is of no image: {listed}; the first is "
            f"{_below(root, others)}. Convert them to .png or .jpg if they are images"
        )
    if repeated:
        told.append(
            f"{_counted(repeated, 'link')} not followed, to a folder that is listed already; the first is "
            f"{_below(root, repeated)}. Remove it, or link to another folder"
        )
    return tuple(told)


def _counted(paths: list[Path], noun: str) -> str:
    return f"1 {noun} is" if len(paths) == 1 else f"{len(paths)} {noun}s are"


def _below(root: Path, paths: list[Path]) -> str:
    return min(path.relative_to(root).as_posix() for path in paths)


def listed_names(file: Path) -> list[str]:
    """Return the lines of a list, one name each, without the blank ones; names may hold spaces.

    Raises:
        DatasetError: for text that is neither UTF-8 nor, with a byte order mark, UTF-16.
    """
    content = file.read_bytes()
    encoding = next((name for mark, name in BOMS.items() if content.startswith(mark)), "utf-8")
    try:
        lines = content.decode(encoding).splitlines()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DatasetError(
            f"{file}: line {line} is no UTF-8 ({error.reason}); save the list as UTF-8, such as by "
            f"`iconv -f LATIN1 -t UTF-8 {file.name}`"
        ) from error
    return [line.strip() for line in lines if line.strip()]
