"""One GPU a process, with GPUs that only a stand-in for nvidia-smi knows, and real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.layout import ROOT
from extract.gpu_pool import Gpu, listed_gpus, visible_gpus

TAKE = (
    "import os, sys; from pathlib import Path; from extract.gpu_pool import take_gpu; "
    "uuid = take_gpu('auto', Path(sys.argv[1])); "
    "print(uuid, os.environ.get('CUDA_VISIBLE_DEVICES'), take_gpu('cuda'), flush=True); "
    "sys.stdin.read()"
)


class Jobs:
    """Processes that take a GPU and hold it until they are told to end."""

    def __init__(self, folder: Path, gpus: int) -> None:
        tool = folder / "bin" / "nvidia-smi"
        tool.parent.mkdir()
        lines = "\n".join(f"GPU {k}: NVIDIA H200 (UUID: GPU-{k}{k})" for k in range(gpus))
        tool.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n")
        tool.chmod(0o755)
        self.locks = folder / "locks"
        self.environment = {**os.environ, "PATH": f"{tool.parent}:{os.environ['PATH']}"}
        self.environment.pop("CUDA_VISIBLE_DEVICES", None)
        self.started: list[subprocess.Popen[str]] = []

    def start(self, **environment: str) -> subprocess.Popen[str]:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        command = [sys.executable, "-c", TAKE, str(self.locks)]
        job = subprocess.Popen(command, cwd=ROOT, env={**self.environment, **environment}, text=True, **pipes)  # type: ignore[call-overload]
        self.started.append(job)
        return job  # type: ignore[no-any-return]


def taken(job: subprocess.Popen[str]) -> list[str]:
    """Return what a job took, what it shows CUDA, and what a second call took; waits until it has one."""
    assert job.stdout is not None
    return job.stdout.readline().split()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Jobs]:
    jobs = Jobs(tmp_path, 3)
    yield jobs
    for job in jobs.started:
        job.kill()
        job.communicate()


def test_every_job_has_a_gpu_of_its_own(three: Jobs) -> None:
    jobs = [three.start() for _ in range(3)]
    found = [taken(job) for job in jobs]
    assert sorted(uuid for uuid, _, _ in found) == ["GPU-00", "GPU-11", "GPU-22"]
    assert all(shown == uuid and second == "None" for uuid, shown, second in found)


@pytest.mark.parametrize("how", ["ends", "is killed"])
def test_one_more_job_waits_says_so_and_takes_what_another_leaves(three: Jobs, how: str) -> None:
    jobs = [three.start() for _ in range(3)]
    found = [taken(job)[0] for job in jobs]
    late = three.start()
    assert late.stderr is not None
    said = late.stderr.readline()
    assert said.startswith("waiting for a GPU: all 3") and "--resources gpu=3" in said
    if how == "ends":
        jobs[1].communicate()  # closes its standard input
    else:
        os.kill(jobs[1].pid, signal.SIGKILL)
    assert taken(late)[0] == found[1]


def test_jobs_share_what_they_were_shown_and_nothing_else(three: Jobs) -> None:
    # One is told indices and the other a UUID: the second GPU is the same for both.
    first = three.start(CUDA_VISIBLE_DEVICES="1")
    assert taken(first)[:2] == ["GPU-11", "1"]
    second = three.start(CUDA_VISIBLE_DEVICES="GPU-11,GPU-22")
    assert taken(second)[:2] == ["GPU-22", "GPU-22"]
    third = three.start(CUDA_VISIBLE_DEVICES="0,1,2")
    assert taken(third)[:2] == ["GPU-00", "0"]


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_job_that_is_shown_none_takes_none(three: Jobs, hidden: str) -> None:
    assert taken(three.start(CUDA_VISIBLE_DEVICES=hidden))[0] == "None"


def test_a_machine_without_the_drivers_tool_takes_none(three: Jobs) -> None:
    assert taken(three.start(PATH="/nowhere"))[0] == "None"


def test_parts_of_a_gpu_are_gpus() -> None:
    listed = listed_gpus(
        "GPU 0: NVIDIA A100 (UUID: GPU-5c89852c)\n"
        "  MIG 3g.40gb     Device  0: (UUID: MIG-c2f0)\n"
        "  MIG 3g.40gb     Device  1: (UUID: MIG-d3a1)\n"
        "GPU 1: NVIDIA A100 (UUID: GPU-7b01)\n"
    )
    assert listed == [["MIG-c2f0", "MIG-d3a1"], ["GPU-7b01"]]
    assert visible_gpus(listed, None) == [Gpu(each, each) for each in ("MIG-c2f0", "MIG-d3a1", "GPU-7b01")]
    assert visible_gpus(listed, "MIG-d") == [Gpu("MIG-d3a1", "MIG-d3a1")]
    assert listed_gpus("No devices found.") == []
