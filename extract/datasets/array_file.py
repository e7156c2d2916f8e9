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

Numbers = NDArray[np.uint8] | NDArray[np.uint16]


class RowFile:
    """A .npy array of unsigned integers whose rows are written in any order and from any thread.

    Written with ``pwrite`` and not through a memory map: where the disk is full, the first raises an error and the
    second kills the process; and the pages of a map count as the process's memory.
    """

    def __init__(self, path: Path, descriptor: int, start: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._path, self._descriptor, self._start, self._shape = path, descriptor, start, shape
        self._row, self._dtype = shape[1:], dtype

    def put(self, row: int, value: Numbers) -> None:
        """Write one row.

        Raises:
            DiskFull: naming the file and its size, also where files of several arrays are open.
        """
        if value.shape != self._row or value.dtype != self._dtype:
            raise ValueError(f"Row {row} is {value.dtype} {value.shape}; expected {self._dtype} {self._row}")
        left = memoryview(value.tobytes())
        place = self._start + row * len(left)
        try:
            while left:
                written = os.pwrite(self._descriptor, left, place)
                left, place = left[written:], place + written
        except OSError as error:
            if is_full(error):
                raise no_space(self._path, prod(self._shape) * self._dtype.itemsize) from error
            raise


@contextmanager
def rows_written(
    path: Path, shape: tuple[int, ...], dtype: type[np.unsignedinteger[Any]] = np.uint8
) -> Iterator[RowFile]:
    """Yield a file for the rows of an array of ``shape``; rows that are never put are 0.

    Raises:
        DiskFull: naming the file and its size.
    """
    kind = np.dtype(dtype).newbyteorder("<")
    size = prod(shape) * kind.itemsize
    header: dict[str, Any] = {"descr": npy.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    with written_whole(path, needed=size) as partial, partial.open("wb") as file:
        npy.write_array_header_1_0(file, header)
        file.flush()
        start = file.tell()
        yield RowFile(path, file.fileno(), start, shape, kind)
        file.truncate(start + size)
