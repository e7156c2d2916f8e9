"""One GPU a process: which of this machine's GPUs a job computes on.

Snakemake counts GPUs (``--resources gpu=4``), but assigns none, so every job takes one here: it locks a file that
stands for a GPU, and hides the others from itself. The lock is the operating system's (``flock``) and ends with the
process, however that ends; nothing has to be cleaned up after a SIGKILL. Files are named by the GPUs' UUIDs and not by
their indices, which start at 0 in every job where a cluster shows each job its own GPU alone.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"  # read by CUDA when a process first uses it, which must be after take_gpu
POLL = 0.5  # seconds between two looks for a free GPU
_LISTED = re.compile(r"^(?P<indent>\s*)(?:GPU|MIG)\b.*\(UUID: (?P<uuid>[\w./-]+)\)")

_held: list[int] = []  # file descriptors; open until the process ends


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a part of one (MIG), that this process may use.

    Attributes:
        name: as CUDA_VISIBLE_DEVICES names it: an index where the user gave one, else the UUID.
        uuid: its identity on this machine.
    """

    name: str
    uuid: str


def listed_gpus(text: str) -> list[list[str]]:
    r"""Return the UUIDs of the output of ``nvidia-smi -L``: one list per GPU, of it or of its parts.

    Examples:
        >>> listed_gpus("GPU 0: NVIDIA H200 (UUID: GPU-1a)\nGPU 1: NVIDIA H200 (UUID: GPU-2b)")
        [['GPU-1a'], ['GPU-2b']]
        >>> listed_gpus("GPU 0: A100 (UUID: GPU-1a)\n  MIG 3g.40gb Device 0: (UUID: MIG-3c)")
        [['MIG-3c']]
    """
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if (match := _LISTED.match(line)) is None:
            continue
        if match["indent"] and found:
            found[-1][1].append(match["uuid"])
        else:
            found.append((match["uuid"], []))
    return [parts or [whole] for whole, parts in found]


def visible_gpus(listed: Sequence[Sequence[str]], chosen: str | None) -> list[Gpu]:
    """Return the GPUs that a process may use.

    Args:
        listed: as :func:`listed_gpus` returns them.
        chosen: value of CUDA_VISIBLE_DEVICES: indices, or UUIDs and beginnings of them; all GPUs for None. As in CUDA,
            what follows the first entry that names no GPU is not visible.

    Examples:
        >>> visible_gpus([["GPU-1a"], ["GPU-2b"]], "1")
        [Gpu(name='1', uuid='GPU-2b')]
        >>> visible_gpus([["GPU-1a"], ["GPU-2b"]], "GPU-2,7,0")
        [Gpu(name='GPU-2b', uuid='GPU-2b')]
    """
    every = [uuid for parts in listed for uuid in parts]
    if chosen is None:
        return [Gpu(uuid, uuid) for uuid in every]
    found = []
    for entry in map(str.strip, chosen.split(",")):
        if entry.isdigit() and int(entry) < len(listed):
            # The index stays what CUDA is told: on a machine of different GPUs, CUDA may count in another order.
            found.append(Gpu(entry, listed[int(entry)][0]))
        elif named := [uuid for uuid in every if entry and uuid.startswith(entry)]:
            found.append(Gpu(named[0], named[0]))
        else:
            break
    return found


def take_gpu(device: str, folder: Path | None = None) -> str | None:
    """Take a free GPU for this process until it ends, and hide the others from CUDA; wait where none is free.

    To be called before anything uses CUDA, by command lines and not by functions that tests and notebooks call too.

    Args:
        device: ``extraction.device``: auto, cpu or cuda.
        folder: of the lock files; the machine's temporary one, by user, where left out.

    Returns:
        The GPU's UUID; None where none is taken: on the CPU, where the machine has none, or for the second call.
    """
    if device == "cpu" or _held:
        return None
    gpus = visible_gpus(listed_gpus(_nvidia_smi()), os.environ.get(VISIBLE))
    if not gpus:
        return None  # without the driver's tool CUDA chooses, and torch says what is wrong where there is none
    folder = folder or Path(tempfile.gettempdir()) / f"register-audit-gpus-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        for gpu in gpus:
            if _lock(folder / f"{gpu.uuid.replace('/', '_')}.lock"):
                os.environ[VISIBLE] = gpu.name
                return gpu.uuid
        if not told:
            print(
                f"waiting for a GPU: all {len(gpus)} that this job may use are held by other jobs ({folder}). Call "
                f"Snakemake with --resources gpu={len(gpus)}, or fewer",
                file=sys.stderr,
                flush=True,
            )
            told = True
        time.sleep(POLL)


def _lock(path: Path) -> bool:
    """Lock a file until this process ends, and tell whether that was possible."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # not inherited by programs that this process starts
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    _held.append(descriptor)
    return True


def _nvidia_smi() -> str:
    if shutil.which("nvidia-smi") is None:
        return ""
    try:
        return subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (subprocess.SubprocessError, OSError):
        return ""
