"""Fetch a public data set and unpack it: ``python -m extract.datasets.download imagenette --accept-licence``.

Without a name it lists what can be fetched. A broken download continues where it stopped; what arrives is held against
the digest of the catalogue, or, where none is public, against that of the first download, which downloads.lock.yaml
keeps; archives are unpacked into a folder that appears whole or not at all. Data behind a gate is never fetched.
"""

import argparse
import fcntl
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from config.errors import InputError, did_you_mean, report_errors
from config.files import write_whole
from extract.datasets.transfer import Remote, digest_of, fetch, part_of, require_digests
from extract.datasets.unpacking import unpack
from extract.preflight.catalogue import catalogue, terms_of_public

DATA = Path("data")
LOCK = "downloads.lock.yaml"
ALGORITHMS = ("sha256", "sha1", "md5")
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")


class DownloadError(InputError):
    """A data set that is not fetched, with the reason and what to do."""


@dataclass(frozen=True)
class Download:
    """How a data set of the catalogue is fetched.

    Attributes:
        name: in the catalogue.
        label: for readers.
        folder: where it lies below the folder of data, and in its archive.
        accept: whether its licence has to be agreed to.
        licence, source: of the catalogue.
        files: to fetch: archives, which are unpacked, or the files of the data set themselves.
    """

    name: str
    label: str
    folder: str
    accept: bool
    licence: str
    source: str
    files: tuple[Remote, ...]

    @classmethod
    def of(cls, name: str) -> "Download":
        """Return how a data set is fetched.

        Raises:
            DownloadError: for a name that the catalogue lacks, or data behind a gate, saying where to get it.
        """
        known = catalogue()["datasets"]
        if name not in known:
            raise DownloadError(
                f"{name!r} is no data set of the catalogue{did_you_mean(name, known)}; known: {', '.join(known)}"
            )
        facts = known[name]
        if "download" not in facts:
            terms = terms_of_public(facts)
            raise DownloadError(
                f"{name}: {facts['label']} is not downloaded, because it is behind a gate: {terms.gate}. Get it "
                f"yourself: {terms.get}"
            )
        stated = facts["download"]
        files = tuple(_remote(each) for each in stated["files"])
        return cls(name, facts["label"], stated["folder"], stated["accept"], facts["licence"], facts["source"], files)

    @property
    def size(self) -> int:
        """Bytes to fetch, as far as they are known."""
        return sum(each.size or 0 for each in self.files)


def _remote(stated: Mapping[str, Any]) -> Remote:
    return Remote(stated["url"], stated.get("bytes"), {each: stated[each] for each in ALGORITHMS if each in stated})


def download(
    name: str, into: Path = DATA, accepted: bool = False, url: str | None = None, archive: Path | None = None
) -> Path:
    """Fetch a data set and unpack it.

    Args:
        name: in the catalogue.
        into: folder of data, where the data set's own folder appears.
        accepted: whether the user agrees to its licence.
        url: another address of its first file, which must be the same file.
        archive: its first file, where the user has it; it is left where it is.

    Returns:
        The data set's folder.

    Raises:
        InputError: for data behind a gate, a licence that is not accepted, and all that can go wrong on the way.
    """
    chosen = Download.of(name)
    target = into / chosen.folder
    if chosen.accept and not accepted:
        raise DownloadError(
            f"{name}: its licence must be accepted first: {chosen.licence}. Read {chosen.source}, then run the command "
            "again with --accept-licence"
        )
    with _alone(into):
        if _is_there(chosen, target):
            print(f"{target} is there already; remove it to fetch {chosen.label} again", file=sys.stderr)
            return target
        print(f"{chosen.label}. Licence: {chosen.licence}. Source: {chosen.source}", file=sys.stderr)
        for place, remote in enumerate(chosen.files):
            first = place == 0
            _one(chosen, remote, into, archive if first else None, url if first else None)
    return target


def _is_there(chosen: Download, target: Path) -> bool:
    if any(remote.name.endswith(ARCHIVES) for remote in chosen.files):
        return target.exists()
    return all((target / remote.name).exists() for remote in chosen.files)


def _one(chosen: Download, remote: Remote, into: Path, archive: Path | None, url: str | None) -> None:
    """Fetch one file, hold it against its digests and those of the lock, and unpack it where it is an archive."""
    packed = remote.name.endswith(ARCHIVES)
    place = (into if packed else into / chosen.folder) / remote.name
    if archive is not None:
        if not archive.is_file():
            raise DownloadError(f"--archive {archive}: there is no such file; give the path of {remote.name}")
        require_digests(remote, archive)
    elif not place.exists():
        _require_room(remote, place, 2 if packed else 1)
        fetch(Remote(url or remote.url, remote.size, remote.digests), place)
    else:  # of a run that ended before it was unpacked
        require_digests(remote, place)
    _require_first(remote, archive or place, into / LOCK)
    if packed:
        unpack(archive or place, chosen.folder, into)
        if archive is None:
            place.unlink()
    elif archive is not None:
        place.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(place)
        shutil.copyfile(archive, part)
        part.replace(place)


def _require_first(remote: Remote, file: Path, lock: Path) -> None:
    """Hold a file against the SHA-256 of its first download, and note it where this is the first.

    Raises:
        DownloadError: where the file is another one than the first time.
    """
    noted: dict[str, dict[str, Any]] = {}
    if lock.is_file():
        try:
            noted = yaml.safe_load(lock.read_text(encoding="utf-8")) or {}
            before = noted.get(remote.url, {}).get("sha256")
        except (AttributeError, ValueError, yaml.YAMLError) as error:
            reason = str(error).splitlines()[0]
            raise DownloadError(f"{lock}: cannot be read ({reason}); restore it, or remove it to start anew") from error
    else:
        before = None
    found = digest_of(file, "sha256")
    if before not in (None, found):
        raise DownloadError(
            f"{file}: its SHA-256 is {found}, and that of the first download was {before} ({lock}). The file has "
            f"changed at {remote.url}, or on the way: compare with the page of the data set, then remove {file}, or "
            "the entry of that address"
        )
    if before is None:
        how = "compared with the catalogue" if remote.digests else "trusted on first use: no digest of it is public"
        noted[remote.url] = {"sha256": found, "bytes": file.stat().st_size, "how": how}
        write_whole(lock, yaml.safe_dump(noted, sort_keys=True).encode())
        print(f"{remote.name}: SHA-256 {found}, {how}; kept in {lock}", file=sys.stderr)


def _require_room(remote: Remote, place: Path, times: int) -> None:
    """Require room for a file, and once more for what it is unpacked to."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(place)
    needed = times * (remote.size or 0) - (part.stat().st_size if part.is_file() else 0)
    if (free := shutil.disk_usage(place.parent).free) < needed:
        raise DownloadError(
            f"{place}: needs {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free; free some, or choose another "
            "place by --into"
        )


@contextmanager
def _alone(into: Path) -> Iterator[None]:
    """Hold off a second download to the same folder, as long as this process lives."""
    into.mkdir(parents=True, exist_ok=True)
    with (into / ".downloads").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadError(f"{into}: another download to this folder is under way; wait for its end") from error
        yield


def _listed() -> Iterator[str]:
    for name, facts in catalogue()["datasets"].items():
        if "download" not in facts:
            yield f"{name:11} not downloaded: {facts['gate']}"
            continue
        chosen = Download.of(name)
        yield f"{name:11} {chosen.size / 1e6:7,.0f} MB  {chosen.label}. Licence: {chosen.licence}" + (
            " (to be accepted)" if chosen.accept else ""
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: fetch one data set, or list them."""
    parser = argparse.ArgumentParser(prog="python -m extract.datasets.download", description=__doc__)
    parser.add_argument("name", nargs="?", help="of the data set; without one, all are listed")
    parser.add_argument("--into", type=Path, default=DATA, help="folder of data (default: data)")
    parser.add_argument("--accept-licence", action="store_true", help="agree to the data set's licence")
    parser.add_argument("--url", help="another address of the same file (its first one, where there are several)")
    parser.add_argument("--archive", type=Path, help="the same file, fetched before; only checked and unpacked")
    given = parser.parse_args(arguments)
    if given.name is None:
        print("\n".join(_listed()))
        return
    print(download(given.name, given.into, given.accept_licence, given.url, given.archive))


if __name__ == "__main__":
    report_errors(main)
