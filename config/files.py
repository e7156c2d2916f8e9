"""Files that are either whole or absent."""

import csv
import errno
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from config.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT)


# What a folder answers that is read-only, belongs to somebody else, or is a file.
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


class DiskFull(InputError):
    """A file that the disk has no room for."""


class NotWritable(InputError):
    """A file in a folder that cannot be written to."""


@contextmanager
def written_whole(path: Path, needed: int | None = None) -> Iterator[Path]:
    """Yield a temporary name beside ``path`` and rename it to ``path`` when the block ends well.

    A block that raises leaves neither file behind, so a job that dies never leaves a half-written result under
    its final name. The temporary name is fixed, so that what a killed job left behind is overwritten by the next one;
    the suffix of ``path`` is kept, because writers choose the format by it.

    Args:
        path: the file to write.
        needed: its size in bytes, where it is known beforehand.

    Raises:
        DiskFull: where the block fails for want of space, naming the file and the space it needs.
        NotWritable: where its folder cannot be made or written to.
    """
    _require_writable(path)
    temporary = path.with_name(f".{path.stem}.partial{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except Exception as error:
        if not is_full(error):
            raise
        written = temporary.stat().st_size if temporary.is_file() else 0
        raise no_space(path, needed, written) from error
    finally:
        temporary.unlink(missing_ok=True)


def _require_writable(path: Path) -> None:
    """Make the folder of a file, and require that it can be written to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path.parent))
    except OSError as error:
        if error.errno not in CLOSED:
            raise
        raise NotWritable(
            f"{path}: cannot be written ({error.strerror}: {error.filename}). Make that folder writable, or run in "
            "another place: results are written to results/ below the working directory, which may be a link"
        ) from error


def is_full(error: Exception) -> bool:
    """Tell whether a write failed for want of space; safetensors says so in words alone."""
    code = getattr(error, "errno", None)
    return code in FULL if code is not None else "No space left on device" in str(error)


def no_space(path: Path, needed: int | None, written: int = 0) -> DiskFull:
    """Return the error for a file that the disk has no room for: its size in bytes, or what was written of it."""
    space = f"{needed / 1e6:,.2f} MB" if needed else f"more than the {written / 1e6:,.2f} MB written so far"
    return DiskFull(
        f"{path}: no space is left on the disk (or in the quota); this file needs {space}. Nothing of it was kept. "
        "Free some space, or move results/ to a larger disk, and run again"
    )


def write_whole(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, whole or not at all."""
    with written_whole(path) as partial:
        partial.write_bytes(content)


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]], *, digits: int = 10) -> None:
    """Write rows as CSV, whole or not at all; equal rows give equal bytes.

    Args:
        path: the file to write.
        columns: names of the columns, in order.
        rows: one mapping per row; a missing key and None are empty cells, bools are ``true`` and ``false``.
        digits: significant digits of floats. NaN is an empty cell, and −0.0 is written as 0.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row.get(name), digits) for name in columns] for row in rows)
    write_whole(path, text.getvalue().encode("utf-8"))


def _cell(value: object, digits: int) -> object:
    if value is None or value != value:
        return ""
    if isinstance(value, bool) or type(value).__name__ == "bool_":
        return "true" if value else "false"
    # Adding 0 turns -0.0 into 0.0: which of the two a sum ends in is an accident of rounding.
    return f"{float(value) + 0.0:.{digits}g}" if isinstance(value, float) else value
