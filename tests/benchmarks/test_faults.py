"""What a fault leaves: kills at random moments, a disk that is full, two runs in one folder.

Left out of the default run, since each fault costs a run: `uv run pytest -n 0 -m benchmark -s
tests/benchmarks/test_faults.py`. The whole campaign of a hundred kills is `uv run python -m tests.benchmarks.faults`.
"""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.benchmarks.faults import killed_runs, leftovers, results, small_checkout, start
from tests.end_to_end.conftest import Checkout

pytestmark = pytest.mark.benchmark

MEGABYTES = (1, 4, 8)  # of a disk that the small run, of 11 MB, fills: at the images, the records, and what comes after


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "--mount", "--map-root-user", "true"], capture_output=True)
    return tried.returncode == 0


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = small_checkout(tmp_path_factory.mktemp("undisturbed") / "checkout")
    done = checkout.snakemake("--cores", "2")
    assert done.returncode == 0, done.stdout
    return checkout


def test_killed_runs_end_with_the_same_bytes(tmp_path: Path) -> None:
    for killed in killed_runs(tmp_path / "checkout", kills=5, seed=1):
        print(killed)
        assert not killed.differing and not killed.leftovers


@pytest.mark.skipif(not can_mount(), reason="this system lets no user mount a small disk")
@pytest.mark.parametrize("size", MEGABYTES)
def test_a_full_disk_is_told_and_a_larger_one_resumed(undisturbed: Checkout, tmp_path: Path, size: int) -> None:
    checkout = small_checkout(tmp_path / "checkout")
    (checkout.folder / "results").mkdir()
    command = subprocess.list2cmdline(checkout.command("--cores", "2"))
    kept = tmp_path / "kept"
    script = f"""
        mount -t tmpfs -o size={size}m tmpfs results
        {command}; echo "ended with $?"
        find results -name '.*.partial*' | sed 's/^/left over: /'
        mount -o remount,size=500m results
        {command} || exit 1
        cp -r results {kept}
    """
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script],
        cwd=checkout.folder,
        env=checkout.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    full, _, resumed = done.stdout.partition("ended with ")
    assert resumed.startswith("1"), done.stdout
    assert "no space is left on the disk" in full and "Free some space" in full, full
    assert "Traceback" not in full and "left over" not in done.stdout, done.stdout
    shutil.copytree(kept, checkout.folder / "results", dirs_exist_ok=True)
    assert results(checkout) == results(undisturbed)


def test_a_second_run_in_the_folder_is_refused_and_harms_nothing(undisturbed: Checkout, tmp_path: Path) -> None:
    checkout = small_checkout(tmp_path / "checkout")
    first = start(checkout)
    while not (checkout.run.folder / "logs").exists():
        assert first.poll() is None
        time.sleep(0.1)
    second = checkout.snakemake("--cores", "1")
    assert second.returncode != 0 and "lock" in second.stdout.lower(), second.stdout
    assert "Traceback" not in second.stdout
    said, _ = first.communicate()
    assert first.returncode == 0, said
    assert results(checkout) == results(undisturbed) and not leftovers(checkout)
