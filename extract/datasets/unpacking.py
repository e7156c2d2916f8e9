"""Archives of data sets, unpacked into a folder that appears whole or not at all, and never outside of it.

An archive is somebody else's: names that lead out of the folder, links, devices and bombs are refused, though none of
the public data sets has any.
"""

import io
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from config.errors import InputError
from config.files import is_full, no_space

CHUNK = 2**20
MOST_MEMBERS = 1_000_000
# Photographs do not compress; lists and annotations do.
MOST_GROWTH, ALLOWANCE = 4, 2**30
BROKEN = (EOFError, tarfile.TarError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


class UnpackingError(InputError):
    """An archive that is not unpacked, with the member and the reason."""


@dataclass(frozen=True)
class Limits:
    """What an archive may become.

    Attributes:
        size: bytes of all its files.
        members: files and folders.
    """

    size: int
    members: int = MOST_MEMBERS

    @classmethod
    def of(cls, archive: Path) -> "Limits":
        """Return the limits for an archive of photographs, by its size."""
        return cls(MOST_GROWTH * archive.stat().st_size + ALLOWANCE)


def unpack(archive: Path, folder: str, into: Path, limits: Limits | None = None) -> Path:
    """Unpack the folder of an archive, such as ``VOCdevkit/VOC2012``, to the same place below ``into``.

    Args:
        archive: a .tar, .tar.gz, .tgz or .zip file.
        folder: path of the data set in the archive.
        into: where to.
        limits: what the archive may become; by its size where None.

    Returns:
        The folder.

    Raises:
        UnpackingError: for an archive that is cut short, hostile, or without that folder, naming the member.
        DiskFull: naming the archive.
    """
    target = into / folder
    if target.exists():
        raise UnpackingError(f"{target} is there already; remove it to unpack {archive.name} again")
    partial = into / f".{archive.name}.unpacking"
    shutil.rmtree(partial, ignore_errors=True)  # of a job that was killed
    partial.mkdir(parents=True)
    try:
        with _told(archive):
            _unpack_all(archive, partial, limits or Limits.of(archive))
        if not (partial / folder).is_dir():
            raise UnpackingError(
                f"{archive}: holds no folder {folder}, but {_first_names(partial)}; needed: the archive as it is "
                "distributed"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        (partial / folder).replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


@contextmanager
def _told(archive: Path) -> Iterator[None]:
    """Turn the errors of broken archives and full disks into messages."""
    try:
        yield
    except BROKEN as error:
        raise UnpackingError(f"{archive}: not a whole archive ({error}); fetch it again") from error
    except OSError as error:
        if is_full(error):
            raise no_space(archive, None) from error
        if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
            raise UnpackingError(
                f"{archive}: two members want one place ({error.filename}); fetch the archive as it is distributed"
            ) from error
        # gzip's BadGzipFile is an OSError without a number.
        if error.errno is None:
            raise UnpackingError(f"{archive}: not a whole archive ({error}); fetch it again") from error
        raise


def _unpack_all(archive: Path, into: Path, limits: Limits) -> None:
    budget = _Budget(archive, limits)
    if zipfile.is_zipfile(archive):
        _unzip(archive, into, budget)
    else:
        _untar(archive, into, budget)


def _unzip(archive: Path, into: Path, budget: "_Budget") -> None:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UnpackingError(f"{archive}: {info.filename!r} is a link or a device; {_not_ours()}")
            place = budget.place(into, info.filename, info.file_size)
            if info.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            with opened.open(info) as content:
                _copied(content, place, info.file_size)


def _untar(archive: Path, into: Path, budget: "_Budget") -> None:
    with tarfile.open(archive, "r:*") as opened:
        for member in opened:
            if not (member.isreg() or member.isdir()):
                raise UnpackingError(f"{archive}: {member.name!r} is a link or a device; {_not_ours()}")
            place = budget.place(into, member.name, member.size)
            # Once more by Python's own rules (PEP 706), which know of more ways out than names and kinds.
            tarfile.data_filter(member, str(into))
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            content = opened.extractfile(member)
            assert content is not None
            _copied(content, place, member.size)
        _require_end(opened)


class _Budget:
    """What members may still take, and where they may lie."""

    def __init__(self, archive: Path, limits: Limits) -> None:
        self._archive, self._limits = archive, limits
        self._size = self._members = 0

    def place(self, into: Path, name: str, size: int) -> Path:
        """Return where a member goes, which no name can lead out of ``into``."""
        self._size += size
        self._members += 1
        if self._size > self._limits.size or self._members > self._limits.members:
            raise UnpackingError(
                f"{self._archive}: {name!r} takes it above {self._limits.size:,} bytes or {self._limits.members:,} "
                f"members, more than a data set of its size can be; {_not_ours()}"
            )
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
            raise UnpackingError(f"{self._archive}: {name!r} leads out of the folder; {_not_ours()}")
        return into.joinpath(*path.parts)


def _copied(stream: IO[bytes], place: Path, size: int) -> None:
    """Write a member; nothing is ever written over, or through a link."""
    place.parent.mkdir(parents=True, exist_ok=True)
    left = size
    with place.open("xb") as file:
        while left and (chunk := stream.read(min(CHUNK, left))):
            file.write(chunk)
            left -= len(chunk)
        # Past the last byte a zip compares its checksum.
        if left or stream.read(1):
            raise EOFError(f"{place.name} has not the {size:,} bytes that are stated")


def _require_end(opened: tarfile.TarFile) -> None:
    """Require the end of a tar, without which whole members may be missing."""
    stream = opened.fileobj
    assert stream is not None
    if isinstance(stream, io.BufferedReader):
        stream.seek(opened.offset)
        if stream.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise EOFError("the end mark is missing")
        return
    while stream.read(CHUNK):  # a compressed one compares its checksum at its end
        pass


def _not_ours() -> str:
    return "no public data set is like that, so nothing was unpacked. Fetch the archive as it is distributed"


def _first_names(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    return ", ".join(names[:5]) or "nothing"
