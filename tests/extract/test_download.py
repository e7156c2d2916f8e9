"""Downloads from a server on this machine, with the faults that public ones have; hostile and broken archives."""

import fcntl
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.errors import InputError
from config.layout import ROOT
from config.vocabulary.sources import SOURCES
from extract.datasets import download as downloads
from extract.datasets.download import LOCK, Download, DownloadError, download
from extract.datasets.transfer import Remote, TransferError, fetch, part_of
from extract.datasets.unpacking import Limits, UnpackingError, unpack
from extract.preflight.catalogue import catalogue
from tests.extract.local_server import Site, served
from tests.extract.public_layouts import added

BYTES = bytes(range(256)) * 4000


def remote(site: Site, **changes: Any) -> Remote:
    digests = {"sha256": hashlib.sha256(site.content).hexdigest()}
    return Remote(**{"url": site.address, "size": len(site.content), "digests": digests, **changes})


def fetched(wanted: Remote, target: Path) -> list[float]:
    waits: list[float] = []
    fetch(wanted, target, sleep=waits.append)
    return waits


def test_a_broken_connection_continues_where_it_broke(tmp_path: Path) -> None:
    with served(Site(BYTES, breaks=[100_000, 300_000, 0]), "a.bin") as site:
        waits = fetched(remote(site), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BYTES and list(tmp_path.iterdir()) == [tmp_path / "a.bin"]
    assert site.asked == [None, "bytes=100000-", "bytes=400000-", "bytes=400000-"]
    assert waits == [2, 2, 4]  # twice as long only where an attempt brought nothing


def test_a_later_call_continues_a_part_and_leaves_it_where_the_server_is_gone(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    with served(Site(BYTES, breaks=[200_000, 0, 0, 0, 0, 0]), "a.bin") as site:
        wanted = remote(site)
        with pytest.raises(
            TransferError, match=r"5 attempts brought nothing .* 200,000 bytes are kept in .*a\.bin\.part"
        ):
            fetched(wanted, target)
        assert part_of(target).stat().st_size == 200_000 and not target.exists()
        site.breaks.clear()
        fetched(wanted, target)
    assert target.read_bytes() == BYTES and site.asked[-1] == "bytes=200000-"


@pytest.mark.parametrize("etag", ['"one"', ""])
def test_a_server_without_ranges_sends_all_again(tmp_path: Path, etag: str) -> None:
    with served(Site(BYTES, ranges=False, breaks=[100_000], etag=etag), "a.bin") as site:
        fetched(remote(site), tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BYTES and site.asked == [None, "bytes=100000-"]


def test_two_versions_of_a_file_are_never_mixed(tmp_path: Path) -> None:
    with served(Site(BYTES, breaks=[100_000, 0, 0, 0, 0, 0]), "a.bin") as site:
        wanted = remote(site, digests={})
        with pytest.raises(TransferError):
            fetched(wanted, tmp_path / "a.bin")
        site.content, site.etag = BYTES[::-1], '"two"'
        site.breaks.clear()
        fetched(wanted, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BYTES[::-1]


def test_a_part_of_another_address_or_one_that_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    part_of(target).write_bytes(b"something else")
    with served(Site(BYTES), "a.bin") as site:
        fetched(remote(site), target)
        assert target.read_bytes() == BYTES and site.asked == [None]
        target.replace(part_of(target))
        part_of(target).with_name("a.bin.part.json").write_text(f'{{"url": "{site.address}", "validator": ""}}')
        fetched(remote(site), target)
        assert target.read_bytes() == BYTES and site.asked[-1] == f"bytes={len(BYTES)}-"
        part_of(target).write_bytes(BYTES + b"more")
        part_of(target).with_name("a.bin.part.json").write_text(f'{{"url": "{site.address}", "validator": ""}}')
        target.unlink()
        fetched(remote(site), target)
    assert target.read_bytes() == BYTES


def test_a_passing_fault_is_waited_for_and_a_lasting_one_is_told(tmp_path: Path) -> None:
    with served(Site(BYTES, states=[503, 429]), "a.bin") as site:
        assert fetched(remote(site), tmp_path / "a.bin") == [2, 4]
    for state in (403, 404):
        with (
            served(Site(BYTES, states=[state]), "a.bin") as site,
            pytest.raises(TransferError, match=rf"a\.bin: the server answers {state} .*--archive"),
        ):
            fetched(remote(site), tmp_path / "b.bin")
    with pytest.raises(TransferError, match=r"5 attempts brought nothing .* 0 bytes are kept"):
        fetched(remote(site), tmp_path / "b.bin")
    with pytest.raises(TransferError, match="is no address of the web"):
        fetched(Remote("file:///etc/hostname"), tmp_path / "c")


@pytest.mark.parametrize("length", [True, False])
def test_a_page_in_place_of_the_file_is_refused_before_it_is_kept(tmp_path: Path, length: bool) -> None:
    with served(Site(b"<html>Sign in</html>", length=length), "a.bin") as site:
        with pytest.raises(TransferError, match=r"the server sends 20 bytes; the file of the catalogue has 1,024,000"):
            fetched(remote(site, size=len(BYTES)), tmp_path / "a.bin")
        site.content = BYTES + BYTES
        with pytest.raises(TransferError, match=r"the server sends [\d,]+ bytes; the file of the catalogue"):
            fetched(remote(site, size=len(BYTES)), tmp_path / "a.bin")
    assert not (tmp_path / "a.bin").exists()


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
def test_a_wrong_digest_leaves_nothing(tmp_path: Path, algorithm: str) -> None:
    with served(Site(BYTES), "a.bin") as site:
        wrong = hashlib.new(algorithm, b"other").hexdigest()
        found = hashlib.new(algorithm, BYTES).hexdigest()
        with pytest.raises(
            TransferError, match=rf"has the {algorithm.upper()} {found}, and not {wrong}\. It was removed"
        ):
            fetched(remote(site, digests={algorithm: wrong}), tmp_path / "a.bin")
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    part_of(target).symlink_to("/dev/full")
    with served(Site(BYTES), "a.bin") as site, pytest.raises(InputError, match=r"a\.bin\.part: no space is left"):
        fetched(remote(site), target)


def tar(path: Path, members: list[tarfile.TarInfo | tuple[str, bytes]], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for member in members:
            if isinstance(member, tuple):
                added(archive, *member)
            else:
                archive.addfile(member)
    return path


def special(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member


GOOD = ("data/a.jpg", b"picture")
HOSTILE = {
    "absolute": (("/tmp/register_audit_hostile", b"x"), "leads out of the folder"),
    "parent": (("data/../../hostile", b"x"), "leads out of the folder"),
    "backslash": (("data\\..\\hostile", b"x"), "leads out of the folder"),
    "symbolic link out": (special("data/out", tarfile.SYMTYPE, "/etc"), "is a link or a device"),
    "symbolic link inside": (special("data/in", tarfile.SYMTYPE, "a.jpg"), "is a link or a device"),
    "hard link": (special("data/hard", tarfile.LNKTYPE, "../../etc/passwd"), "is a link or a device"),
    "device": (special("data/null", tarfile.CHRTYPE), "is a link or a device"),
    "pipe": (special("data/pipe", tarfile.FIFOTYPE), "is a link or a device"),
    "twice": (GOOD, "two members want one place"),
    "file in a file": (("data/a.jpg/b", b"x"), "two members want one place"),
    "bomb": (("data/zeros", bytes(200_000)), "takes it above 100,000 bytes"),
}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Path]:
    """A folder beside which nothing may appear."""
    (tmp_path / "into").mkdir()
    before = {path.name for path in tmp_path.iterdir()}
    yield tmp_path / "into"
    assert {path.name for path in tmp_path.iterdir()} - before <= {"archive"}
    assert not Path("/tmp/register_audit_hostile").exists()


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_members_of_a_tar_are_refused(guarded: Path, what: str) -> None:
    member, said = HOSTILE[what]
    archive = tar(guarded.parent / "archive", [GOOD, member])
    with pytest.raises(UnpackingError, match=said) as caught:
        unpack(archive, "data", guarded, Limits(100_000))
    assert str(archive) in str(caught.value) and not list(guarded.iterdir())


@pytest.mark.parametrize("what", ["absolute", "parent", "backslash", "twice", "bomb", "symbolic link out"])
def test_hostile_members_of_a_zip_are_refused(guarded: Path, what: str) -> None:
    member, said = HOSTILE[what]
    archive = guarded.parent / "archive"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(*GOOD)
        if isinstance(member, tuple):
            with pytest.warns(UserWarning, match="Duplicate") if what == "twice" else _nothing():
                opened.writestr(*member)
        else:
            link = zipfile.ZipInfo(member.name)
            link.external_attr = 0o120777 << 16
            opened.writestr(link, member.linkname)
    with pytest.raises(UnpackingError, match=said):
        unpack(archive, "data", guarded, Limits(100_000))
    assert not list(guarded.iterdir())


class _nothing:
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_too_many_members_are_refused(guarded: Path) -> None:
    archive = tar(guarded.parent / "archive", [(f"data/{k}", b"") for k in range(20)])
    with pytest.raises(UnpackingError, match="10 members"):
        unpack(archive, "data", guarded, Limits(100, members=10))


@pytest.mark.parametrize("mode", ["w", "w:gz", "zip"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.97])
def test_truncated_archives_leave_nothing(guarded: Path, mode: str, share: float) -> None:
    members = [(f"data/{k}.jpg", os.urandom(5000)) for k in range(8)]
    archive = guarded.parent / "archive"
    if mode == "zip":
        with zipfile.ZipFile(archive, "w") as opened:
            for member in members:
                opened.writestr(*member)
    else:
        tar(archive, list(members), mode)
    content = archive.read_bytes()
    # The end of a tar is padding; what comes before it counts.
    end = 8 * (512 + 5120) if mode == "w" else len(content)
    archive.write_bytes(content[: int(share * end)])
    with pytest.raises(UnpackingError, match="not a whole archive"):
        unpack(archive, "data", guarded)
    assert not list(guarded.iterdir())
    archive.write_bytes(content)
    assert len(list(unpack(archive, "data", guarded).iterdir())) == 8
    with pytest.raises(UnpackingError, match="is there already; remove it"):
        unpack(archive, "data", guarded)


def test_a_tar_cut_between_members_and_a_changed_zip_are_refused(guarded: Path) -> None:
    archive = tar(guarded.parent / "archive", [GOOD, ("data/b.jpg", b"x")], "w")
    archive.write_bytes(archive.read_bytes()[:1024])
    with pytest.raises(UnpackingError, match=r"not a whole archive .*end mark"):
        unpack(archive, "data", guarded)
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(*GOOD)
    archive.write_bytes(archive.read_bytes().replace(b"picture", b"pixture"))
    with pytest.raises(UnpackingError, match=r"not a whole archive .*CRC"):
        unpack(archive, "data", guarded)


def test_another_archive_is_refused_with_what_it_holds(guarded: Path) -> None:
    archive = tar(guarded.parent / "archive", [("other/a.jpg", b"x")])
    with pytest.raises(
        UnpackingError, match="holds no folder data, but other; needed: the archive as it is distributed"
    ):
        unpack(archive, "data", guarded)


@pytest.fixture
def imagenette(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Site, dict[str, Any]]]:
    """A catalogue whose imagenette lies on this machine."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for split in ("train", "val"):
            added(archive, f"imagenette2-320/{split}/n01440764/1.JPEG", b"picture")
    with served(Site(packed.getvalue()), "imagenette2-320.tgz") as site:
        facts = dict(catalogue()["datasets"]["imagenette"])
        stated = {"url": site.address, "bytes": len(site.content), "sha256": hashlib.sha256(site.content).hexdigest()}
        facts["download"] = {**facts["download"], "files": [stated]}
        changed = {**catalogue(), "datasets": {**catalogue()["datasets"], "imagenette": facts}}
        monkeypatch.setattr(downloads, "catalogue", lambda: changed)
        yield site, stated


def test_a_data_set_is_fetched_checked_and_unpacked(imagenette: tuple[Site, dict[str, Any]], tmp_path: Path) -> None:
    site, stated = imagenette
    into = tmp_path / "data"
    with pytest.raises(
        DownloadError, match=r"imagenette: its licence must be accepted first: images of ImageNet.*--accept"
    ):
        download("imagenette", into)
    assert not site.asked and not into.exists()
    target = download("imagenette", into, accepted=True)
    assert target == into / "imagenette2-320" and (target / "val" / "n01440764" / "1.JPEG").read_bytes() == b"picture"
    assert sorted(path.name for path in into.iterdir()) == [".downloads", LOCK, "imagenette2-320"]
    noted = yaml.safe_load((into / LOCK).read_text())[site.address]
    assert (noted["sha256"], noted["how"]) == (stated["sha256"], "compared with the catalogue")
    assert download("imagenette", into, accepted=True) == target and len(site.asked) == 1


def test_an_archive_at_hand_is_checked_and_left(imagenette: tuple[Site, dict[str, Any]], tmp_path: Path) -> None:
    site, _ = imagenette
    (tmp_path / "mine.tgz").write_bytes(site.content[:-1] + b"?")
    with pytest.raises(TransferError, match=r"mine\.tgz: .* has the SHA256 .*, and not .*as it is distributed"):
        download("imagenette", tmp_path / "data", accepted=True, archive=tmp_path / "mine.tgz")
    (tmp_path / "mine.tgz").write_bytes(site.content)
    assert download("imagenette", tmp_path / "data", accepted=True, archive=tmp_path / "mine.tgz").is_dir()
    assert not site.asked and (tmp_path / "mine.tgz").exists()
    with pytest.raises(DownloadError, match=r"--archive .*none\.tgz: there is no such file"):
        download("imagenette", tmp_path / "other", accepted=True, archive=tmp_path / "none.tgz")


def test_without_a_public_digest_the_first_download_counts(
    imagenette: tuple[Site, dict[str, Any]], tmp_path: Path
) -> None:
    site, stated = imagenette
    del stated["sha256"], stated["bytes"]
    into = tmp_path / "data"
    target = download("imagenette", into, accepted=True)
    assert yaml.safe_load((into / LOCK).read_text())[site.address]["how"].startswith("trusted on first use")
    target.rename(tmp_path / "old")
    site.content = tar(tmp_path / "new.tgz", [("imagenette2-320/train/x/1.JPEG", b"another")]).read_bytes()
    with pytest.raises(
        DownloadError, match=r"and that of the first download was .*downloads\.lock\.yaml\)\. The file has"
    ):
        download("imagenette", into, accepted=True)
    assert not target.exists()
    (into / LOCK).write_text("[")
    with pytest.raises(DownloadError, match=r"downloads\.lock\.yaml: cannot be read .*remove it to start anew"):
        download("imagenette", into, accepted=True)


def test_files_that_are_no_archives_go_into_their_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with served(Site(BYTES), "splits.mat") as site:
        facts = dict(catalogue()["datasets"]["nyu"])
        facts["download"] = {**facts["download"], "files": [{"url": site.address}]}
        changed = {**catalogue(), "datasets": {"nyu": facts}}
        monkeypatch.setattr(downloads, "catalogue", lambda: changed)
        assert (download("nyu", tmp_path) / "splits.mat").read_bytes() == BYTES
        download("nyu", tmp_path)
    assert len(site.asked) == 1


def test_two_downloads_at_once_and_too_small_a_disk(imagenette: tuple[Site, dict[str, Any]], tmp_path: Path) -> None:
    with (tmp_path / ".downloads").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DownloadError, match="another download to this folder is under way"):
            download("imagenette", tmp_path, accepted=True)
    imagenette[1]["bytes"] = 10**18
    with pytest.raises(DownloadError, match=r"needs 2,000,000,000,000 MB, and .* are free; free some"):
        download("imagenette", tmp_path, accepted=True)


def test_data_behind_a_gate_is_never_fetched(tmp_path: Path) -> None:
    with pytest.raises(
        DownloadError, match=r"imagenet: .* behind a gate: an account at image-net\.org.*img_val\.tar \(MD5"
    ):
        download("imagenet", tmp_path, accepted=True)
    assert "download" not in catalogue()["datasets"]["imagenet"]
    with pytest.raises(
        DownloadError, match=r"'ade20' is no data set of the catalogue \(did you mean 'ade20k'\?\); known"
    ):
        download("ade20", tmp_path)
    for name, facts in catalogue()["datasets"].items():
        assert set(facts["from_source"]) <= set(SOURCES)
        # Only behind a gate is there no download, and every digest has the length of its algorithm.
        assert ("download" in facts) == (facts["gate"] == "none") or name == "imagenet"
        for each in Download.of(name).files if "download" in facts else ():
            for algorithm, stated in each.digests.items():
                assert len(bytes.fromhex(stated)) == hashlib.new(algorithm).digest_size


def test_the_command_lists_and_refuses_without_a_traceback(tmp_path: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "extract.datasets.download", *words, "--into", str(tmp_path / "data")]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    listed = run()
    assert listed.returncode == 0 and [line.split()[0] for line in listed.stdout.splitlines()] == list(
        catalogue()["datasets"]
    )
    for words, said in ((("imagenet",), "behind a gate"), (("imagenette",), "licence must be accepted")):
        done = run(*words)
        assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_killed_download_continues_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    """By a real process, killed in the middle of a transfer."""
    with served(Site(BYTES, pace=0.05), "a.bin") as site:
        digest = hashlib.sha256(BYTES).hexdigest()
        script = (
            "from pathlib import Path; from extract.datasets.transfer import Remote, fetch; "
            f"fetch(Remote({site.address!r}, {len(BYTES)}, {{'sha256': {digest!r}}}), "
            f"Path({str(tmp_path / 'a.bin')!r}))"
        )
        part = part_of(tmp_path / "a.bin")
        process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.DEVNULL)
        while not (part.is_file() and part.stat().st_size):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.wait()
        kept = part.stat().st_size
        assert 0 < kept < len(BYTES) and not (tmp_path / "a.bin").exists()
        site.pace = 0
        fetched(remote(site), tmp_path / "a.bin")
        assert site.asked[-1] == f"bytes={kept}-"
    assert (tmp_path / "a.bin").read_bytes() == BYTES
