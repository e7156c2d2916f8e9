"""Probes kept on disk until the outcomes that they lead to are written: a killed job need not fit them again."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from config.files import written_whole
from extract.tasks.linear_probe import LinearProbe

_FOLDER: ContextVar[Path | None] = ContextVar("checkpoints", default=None)


@contextmanager
def kept_probes(folder: Path) -> Iterator[None]:
    """Keep what is fitted inside the block in a folder; remove the folder when the block ends well.

    A probe is found again by a digest of all that leads to it: features, labels, options and the code of this package.
    What another version or other data left in the folder is never read, and goes with it.

    Args:
        folder: for this purpose alone; made where it is missing.
    """
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)
    shutil.rmtree(folder, ignore_errors=True)


def fitted_once(
    fit: Callable[[], Sequence[LinearProbe]], arrays: Sequence[NDArray[np.generic]], options: object
) -> list[LinearProbe]:
    """Return probes that were kept for the same inputs, or fit them, and keep them where :func:`kept_probes` says so.

    Args:
        fit: fits the probes.
        arrays: all arrays that they are fitted on.
        options: everything else that they depend on; its ``repr`` must tell all of it.
    """
    folder = _FOLDER.get()
    if folder is None:
        return list(fit())
    path = folder / f"{_digest(arrays, options)}.npz"
    if path.is_file():
        return _read(path)
    probes = list(fit())
    with written_whole(path) as partial:
        np.savez(partial, **{f"{k} {name}": np.asarray(value) for k, name, value in _entries(probes)})  # type: ignore[arg-type]
    return probes


def _entries(probes: Sequence[LinearProbe]) -> Iterator[tuple[int, str, object]]:
    """Yield every field of every probe."""
    for k, probe in enumerate(probes):
        for each in fields(LinearProbe):
            yield k, each.name, getattr(probe, each.name)


def _read(path: Path) -> list[LinearProbe]:
    """Read probes from a file of checkpoints."""
    with np.load(path) as found:
        names = [each.name for each in fields(LinearProbe)]
        several = range(len(found.files) // len(names))
        values = [{name: found[f"{k} {name}"] for name in names} for k in several]
    return [LinearProbe(**{name: each if each.ndim else each.item() for name, each in one.items()}) for one in values]


def _digest(arrays: Sequence[NDArray[np.generic]], options: object) -> str:
    """Return a name for inputs and the code that reads them."""
    found = blake2b(repr(options).encode(), digest_size=16)
    for array in arrays:
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).view(np.uint8).data)
    for module in sorted(Path(__file__).parent.glob("*.py")):
        found.update(module.read_bytes())
    return found.hexdigest()
