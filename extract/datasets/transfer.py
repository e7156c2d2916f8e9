"""A file over HTTP: resumed where it broke off, with digests that are checked before it gets its name."""

import hashlib
import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from config.errors import InputError
from config.files import is_full, no_space, write_whole

CHUNK = 2**20
SILENCE = 60  # seconds without a byte after which a connection counts as broken
ATTEMPTS = 5  # in a row that bring no byte
PASSING = (408, 425, 429, 500, 502, 503, 504)  # states of a server that may be over soon
RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")
BROKEN = (http.client.HTTPException, OSError)  # URLError, timeouts and resets are of the second kind


class TransferError(InputError):
    """A file that could not be fetched, with its address, what was kept, and the remedy."""


@dataclass(frozen=True)
class Remote:
    """A file of the catalogue.

    Attributes:
        url: where it is.
        size: its bytes; None where not known.
        digests: algorithm (sha256, sha1, md5) → hexadecimal digest.
    """

    url: str
    size: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its last part, the name of the file."""
        return self.url.rstrip("/").rpartition("/")[2]


def part_of(target: Path) -> Path:
    """Return the name of a file that is not whole yet."""
    return target.with_name(f"{target.name}.part")


def fetch(remote: Remote, target: Path, pause: float = 2.0, sleep: Callable[[float], None] = time.sleep) -> None:
    """Fetch a file to ``target`` through ``target``.part, which a later call continues.

    Args:
        remote: what to fetch.
        target: the file; written only when whole, and with the digests of ``remote``.
        pause: seconds before the second attempt; each further one waits twice as long.
        sleep: waits so many seconds.

    Raises:
        TransferError: where the server refuses, breaks off too often, or sends another file.
        DiskFull: naming the file and its size.
    """
    if not remote.url.startswith(("https://", "http://")):
        raise TransferError(f"{remote.url}: is no address of the web (https:// or http://); give a file by --archive")
    target.parent.mkdir(parents=True, exist_ok=True)
    part, failed = part_of(target), 0
    while True:
        before = _kept(part)
        try:
            _continue(remote, part)
            break
        except urllib.error.HTTPError as error:
            if error.code not in PASSING:
                raise TransferError(_refused(remote, error)) from error
            reason = f"the server answers {error.code} {error.reason}"
        except BROKEN as error:
            if isinstance(error, OSError) and is_full(error):
                raise no_space(part, remote.size, _kept(part)) from error
            reason = str(error) or type(error).__name__
        failed = 1 if _kept(part) > before else failed + 1
        if failed >= ATTEMPTS:
            raise TransferError(
                f"{remote.url}: {ATTEMPTS} attempts brought nothing ({reason}). {_kept(part):,} bytes are kept in "
                f"{part}; the same command continues there"
            )
        sleep(pause * 2 ** (failed - 1))
    require_digests(remote, part, part_is_ours=True)
    part.replace(target)
    _note_of(part).unlink(missing_ok=True)


def _continue(remote: Remote, part: Path) -> None:
    """Fetch what is missing of a part, in one request."""
    start, note = _kept(part), _note(part)
    if start and note.get("url") != remote.url:
        start = 0
    request = urllib.request.Request(
        remote.url, headers={"User-Agent": "register-audit", "Accept-Encoding": "identity"}
    )
    if start:
        request.add_header("Range", f"bytes={start}-")
        if note.get("validator"):  # so that a file that has changed meanwhile is sent whole, and not its second half
            request.add_header("If-Range", note["validator"])
    try:
        response = urllib.request.urlopen(request, timeout=SILENCE)
    except urllib.error.HTTPError as error:
        if error.code == 416 and start and _total(error.headers.get("Content-Range")) == start:
            return
        if error.code == 416 and start:
            part.unlink()
            raise ConnectionError("what was kept does not fit the file of the server; starting again") from error
        raise
    with closing(response):
        stated = _range(response.headers.get("Content-Range"))
        if response.status == 206 and stated != start:
            raise ConnectionError(f"bytes from {stated} were sent, not from {start}")
        if response.status != 206:
            start = 0
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        _require_size(remote, total)
        validator = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
        # A weak tag does not promise equal bytes, and servers do not take it here.
        noted = {"url": remote.url, "validator": "" if validator.startswith("W/") else validator}
        write_whole(_note_of(part), json.dumps(noted).encode())
        _copy(response, part, start, total, remote)


def _copy(response: Any, part: Path, start: int, total: int | None, remote: Remote) -> None:
    at = start
    with (
        part.open("r+b" if start else "wb") as file,
        tqdm(desc=remote.name, initial=start, total=total, unit="B", unit_scale=True, mininterval=5) as progress,
    ):
        file.seek(start)
        while chunk := response.read1(CHUNK):
            file.write(chunk)
            at += len(chunk)
            progress.update(len(chunk))
            if total is None:
                _require_size(remote, at, growing=True)
    if total is not None and at < total:
        raise ConnectionError(f"the connection broke after {at:,} of {total:,} bytes")
    if total is None:
        _require_size(remote, at)


def _require_size(remote: Remote, size: int | None, growing: bool = False) -> None:
    """Require the size of the catalogue, before the file is there: a page to sign in is not it."""
    if remote.size is None or size is None or size == remote.size or (growing and size < remote.size):
        return
    raise TransferError(
        f"{remote.url}: the server sends {size:,} bytes; the file of the catalogue has {remote.size:,}. The file has "
        "changed or moved: look at its page, and give another address by --url or the file itself by --archive"
    )


def require_digests(remote: Remote, file: Path, part_is_ours: bool = False) -> None:
    """Require a file to have the size and the digests of the catalogue.

    Args:
        remote: of the catalogue.
        file: to check.
        part_is_ours: whether to remove a file that has others, since nothing can be continued from it.

    Raises:
        TransferError: naming the file, the digest it has and the one it should have.
    """
    size = file.stat().st_size
    wrong = f"{size:,} bytes, and not {remote.size:,}" if remote.size not in (None, size) else ""
    for algorithm, stated in remote.digests.items():
        found = digest_of(file, algorithm)
        if found != stated.lower():
            wrong = f"the {algorithm.upper()} {found}, and not {stated.lower()}"
            break
    if not wrong:
        return
    if part_is_ours:
        file.unlink()
        _note_of(file).unlink(missing_ok=True)
    done = "It was removed; run the command again" if part_is_ours else "Give the file as it is distributed"
    raise TransferError(f"{file}: what {remote.url} should be has {wrong}. {done}. Nothing was unpacked")


def digest_of(file: Path, algorithm: str) -> str:
    """Return the digest of a file, hexadecimal, in lower case."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest()


def _refused(remote: Remote, error: urllib.error.HTTPError) -> str:
    return (
        f"{remote.url}: the server answers {error.code} {error.reason}. Look at the page of the data set for another "
        "address (--url), or give the file itself (--archive)"
    )


def _kept(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _note_of(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _note(part: Path) -> dict[str, str]:
    """Return where a part is from, and the server's mark of that version; empty where nobody knows."""
    try:
        noted: dict[str, str] = json.loads(_note_of(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _range(header: str | None) -> int | None:
    matched = RANGE.fullmatch(header or "")
    return int(matched[1]) if matched and matched[1] else None


def _total(header: str | None) -> int | None:
    matched = RANGE.fullmatch(header or "")
    return int(matched[2]) if matched and matched[2] != "*" else None
