"""A campaign of faults against the workflow: ``python -m tests.benchmarks.faults --help``.

The small run (``faults.yaml``) is killed at random moments, resumed, killed again, and at last let end; its results
must then be those of a run that nobody killed, byte for byte. Moments are keyed by the number of the kill.
"""

import argparse
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from config.keys import keyed_generator
from tests.end_to_end.conftest import Checkout, copy_checkout

CONFIG = Path(__file__).with_name("faults.yaml")
# Of one run from its start to its end; then it is let end, so that a later part of it is met as often as an early one.
KILLS_PER_RUN = 5


def small_checkout(folder: Path) -> Checkout:
    """Copy the project to a folder, with the small run as its config."""
    return Checkout(copy_checkout(folder).folder, CONFIG)


def results(checkout: Checkout) -> dict[str, bytes]:
    """Return every file of the run but logs and what the report's renderer writes the time into, by name."""
    files = sorted(path for path in checkout.run.folder.rglob("*") if path.is_file())
    names = {path.relative_to(checkout.run.folder).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if name.partition("/")[0] not in ("logs", "report")}


def leftovers(checkout: Checkout) -> list[str]:
    """Return names of temporary files that are still there."""
    return sorted(path.name for path in checkout.run.folder.rglob(".*.partial*"))


def start(checkout: Checkout, *arguments: str) -> subprocess.Popen[str]:
    """Start the workflow in a process group of its own."""
    return subprocess.Popen(
        checkout.command("--cores", "2", *arguments),
        cwd=checkout.folder,
        env=checkout.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@dataclass(frozen=True)
class Killed:
    """A run that was killed and resumed until it ended.

    Attributes:
        moments: seconds after the start, of each kill.
        steps: how many files of the run there were then.
        differing: names of results that are not those of the undisturbed run.
        leftovers: temporary files that were still there at its end.
    """

    moments: tuple[float, ...]
    steps: tuple[int, ...]
    differing: tuple[str, ...]
    leftovers: tuple[str, ...]


def killed_runs(folder: Path, kills: int, seed: int) -> Iterator[Killed]:
    """Run the small run undisturbed once, and then again and again with kills, until there have been so many.

    Raises:
        RuntimeError: where a run that is resumed does not end well; the message is what it said.
    """
    checkout = small_checkout(folder)
    begun = time.monotonic()
    _finish(checkout)
    whole = time.monotonic() - begun
    expected = results(checkout)
    done = 0
    while done < kills:
        _clear(checkout)
        moments, steps, rest = [], [], whole
        for _ in range(min(KILLS_PER_RUN, kills - done)):
            moment = float(keyed_generator(seed, "kill", done).uniform(0, rest))
            process = start(checkout)
            try:
                process.communicate(timeout=moment)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
            moments.append(moment)
            steps.append(len(results(checkout)))
            done += 1
            # What is left takes less time than the whole; a moment after its end would kill nothing.
            rest = max(whole / 4, rest - moment)
        _finish(checkout)
        found = results(checkout)
        differing = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        yield Killed(tuple(moments), tuple(steps), tuple(differing), tuple(leftovers(checkout)))


def _finish(checkout: Checkout) -> None:
    checkout.snakemake("--unlock")
    done = checkout.snakemake("--cores", "2")
    if done.returncode:
        raise RuntimeError(done.stdout)


def _clear(checkout: Checkout) -> None:
    for path in sorted(checkout.run.folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()


def main() -> None:
    """Command line: kill the small run, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        for killed in killed_runs(Path(folder) / "checkout", arguments.kills, arguments.seed):
            total += len(killed.moments)
            when = ", ".join(f"{at:.1f} s ({n} files)" for at, n in zip(killed.moments, killed.steps, strict=True))
            wrong = [*killed.differing, *killed.leftovers]
            print(f"{total} kills; at {when}: {'differs: ' + ', '.join(wrong) if wrong else 'same bytes'}", flush=True)


if __name__ == "__main__":
    main()
