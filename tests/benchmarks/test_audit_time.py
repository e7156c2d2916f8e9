"""How long the audit takes on one core, from the command to the verdicts."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import copy_checkout

SECONDS = 20


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot pin a process to a core")
def test_the_audit_takes_at_most_twenty_seconds_on_one_core_and_needs_no_model(tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    core = min(os.sched_getaffinity(0))
    start = time.monotonic()
    done = subprocess.run(
        checkout.command("--cores", "all", "audit"),
        cwd=checkout.folder,
        env=checkout.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
    )
    seconds = time.monotonic() - start
    print(f"snakemake --cores all audit: {seconds:.1f} s on one core")
    assert done.returncode == 0, done.stdout
    assert (checkout.run.audit / "claims.csv").is_file()
    assert (checkout.run.audit / "summary.md").is_file()
    made = {path.relative_to(checkout.run.folder).parts[0] for path in checkout.run.folder.rglob("*")}
    assert made == {"audit", "logs", "settings.yaml"}
    assert seconds <= SECONDS
