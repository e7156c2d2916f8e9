"""Rendering of the staged website by Quarto."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from config.errors import InputError
from reports.project import read_project

# Last lines of a failing Quarto's output: enough for its message without the whole stack trace.
LINES_SHOWN = 20


def find_quarto() -> str | None:
    """Return the `quarto` executable, or None if there is none."""
    return shutil.which("quarto")


def render_with_quarto(site: Path, output: Path, *, quarto: str | None = None) -> None:
    """Render the staged folder `site` to `output`.

    Quarto renders inside its project (`output-dir` of `_quarto.yml`), because a folder elsewhere is not
    cleaned and not every version accepts one; the result is then moved.

    Raises:
        InputError: there is no Quarto, it fails, or it omits a page.
    """
    executable = quarto or find_quarto()
    if executable is None:
        raise InputError("No `quarto` is on PATH. Install Quarto 1.7 or newer, or render with `--renderer pandoc`.")
    project = read_project(site)
    done = subprocess.run(
        [executable, "render", ".", "--to", "html", "--no-execute"],
        text=True,
        encoding="utf-8",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=site,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n  ".join(done.stdout.strip().splitlines()[-LINES_SHOWN:]) or "no message"
        raise InputError(
            f"{executable} render failed (exit code {done.returncode}); its last lines:\n  {tail}\n"
            "Try `--renderer pandoc`, which needs no Quarto."
        )
    rendered = site / project.output
    missing = [page.file for page in (*project.pages, *project.findings) if not (rendered / page.file).is_file()]
    if missing:
        raise InputError(
            f"{executable} render succeeded, but {rendered} lacks {', '.join(missing)}. Is Quarto older than 1.7? "
            "Try `--renderer pandoc`."
        )
    shutil.copytree(rendered, output, dirs_exist_ok=True)
    shutil.rmtree(rendered)
