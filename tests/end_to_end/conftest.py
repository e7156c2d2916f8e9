"""A checkout of its own for every workflow that is run, so that nothing touches the developer's results."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.layout import ROOT, Run

PARTS = ("Snakefile", "config", "profiles", "extract", "analysis", "reports", "pyproject.toml")


@dataclass(frozen=True)
class Checkout:
    """A copy of the project and how to run Snakemake in it."""

    folder: Path
    config: Path

    @property
    def run(self) -> Run:
        return Run(self.folder / "results" / "small")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--configfile", str(self.config), *arguments]

    def environment(self) -> dict[str, str]:
        # Rules call `python`, which must be this environment's.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        # And with the threads that a user has, however the tests themselves are divided.
        return {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"} | {"PATH": path}

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.snakemake_of(["--configfile", str(self.config), *arguments])

    def snakemake_of(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        """Run it with all arguments given: targets go before the config."""
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def outputs(self) -> dict[str, bytes]:
        """The files a reader cites, by name."""
        run = self.run
        return {
            path.relative_to(run.folder).as_posix(): path.read_bytes()
            for folder in (run.tables, run.figures, run.audit)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }


def copy_checkout(folder: Path) -> Checkout:
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / part)
    return Checkout(folder, Path(__file__).with_name("small.yaml"))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which the small run has ended well."""
    checkout = copy_checkout(tmp_path_factory.mktemp("finished") / "checkout")
    done = checkout.snakemake("--cores", "2")
    assert done.returncode == 0, done.stdout
    return checkout
