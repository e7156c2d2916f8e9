"""Arrays too large for memory, written row by row to a .npy file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from config.files import is_full, no_space, written_whole


class RowFile:
    """A uint8 .npy array whose rows are written in any order and from any thread.

    Written with ``pwrite`` and not through a memory map: where the disk is full, the first raises an error and the
    second kills the process; and the pages of a map count as the process's memory.
    """

    def __init__(self, path: Path, descriptor: int, start: int, shape: tuple[int, ...]) -> None:
        self._path, self._descriptor, self._start, self._shape = path, descriptor, start, shape
        self._row = shape[1:]

    def put(self, row: int, value: NDArray[np.uint8]) -> None:
        """Write one row.

        Raises:
            DiskFull: naming the file and its size, also where files of several arrays are open.
        """
        if value.shape != self._row or value.dtype != np.uint8:
            raise ValueError(f"Row {row} is {value.dtype} {value.shape}; expected uint8 {self._row}")
        left = memoryview(value.tobytes())
        place = self._start + row * prod(self._row)
        try:
            while left:
                written = os.pwrite(self._descriptor, left, place)
                left, place = left[written:], place + written
        except OSError as error:
            if is_full(error):
                raise no_space(self._path, prod(self._shape)) from error
            raise


@contextmanager
def rows_written(path: Path, shape: tuple[int, ...]) -> Iterator[RowFile]:
    """Yield a file for the rows of a uint8 array of ``shape``; rows that are never put are 0.

    Raises:
        DiskFull: naming the file and its size.
    """
    header: dict[str, Any] = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with written_whole(path, needed=prod(shape)) as partial, partial.open("wb") as file:
        npy.write_array_header_1_0(file, header)
        file.flush()
        start = file.tell()
        yield RowFile(path, file.fileno(), start, shape)
        file.truncate(start + prod(shape))
