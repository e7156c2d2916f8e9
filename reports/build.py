r"""Build the report of a run from its tables, figures and verdicts.

python -m reports.build --settings results/demo/settings.yaml --published analysis/published
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from config.errors import InputError, report_errors
from config.layout import PUBLISHED
from reports.inputs import Inputs, read_inputs
from reports.project import read_project
from reports.staging import copy_files, stage
from reports.with_pandoc import render_with_pandoc
from reports.with_quarto import find_quarto, render_with_quarto

RENDERERS = ("auto", "quarto", "pandoc")


def build(settings: Path, published: Path, renderer: str = "auto", workers: int = 1) -> Path:
    """Stage and render the report of a run, and return its first page.

    An earlier report stays until the new one is complete. It is then replaced as a whole, so that no outdated page
    remains.

    Args:
        settings: `settings.yaml` of the run.
        published: folder of the published numbers.
        renderer: one of `RENDERERS`; `auto` is Quarto if it is installed, otherwise Pandoc.
        workers: pages that Pandoc renders side by side.

    Raises:
        InputError: something is missing or a page cannot be rendered.
    """
    inputs = read_inputs(settings, published)
    stage(inputs, inputs.run.site)
    report = inputs.run.report
    fresh = report.with_name(f".{report.name}.partial")
    _remove(fresh)
    fresh.mkdir(parents=True)
    try:
        _render(inputs, fresh, renderer, workers)
        _require_pages(fresh)
        _replace(report, fresh)
    finally:
        _remove(fresh)
    return report / "index.html"


def _render(inputs: Inputs, output: Path, renderer: str, workers: int) -> None:
    if renderer == "quarto" or (renderer == "auto" and find_quarto()):
        print("Rendering with Quarto", flush=True)
        render_with_quarto(inputs.run.site, output)
    else:
        print("Rendering with Pandoc", flush=True)
        render_with_pandoc(inputs.run.site, output, workers=workers)
    copy_files(inputs.downloads(), output)


def _require_pages(folder: Path) -> None:
    missing = [page.file for page in read_project().pages if not (folder / page.file).is_file()]
    if missing:
        raise InputError(
            f"The renderer succeeded, but did not write {', '.join(missing)}. Try another one with `--renderer`."
        )


def _replace(report: Path, fresh: Path) -> None:
    # A folder cannot be renamed onto one that is not empty, so the old one is moved out of the way first.
    old = report.with_name(f".{report.name}.old")
    _remove(old)
    if report.exists():
        report.rename(old)
    fresh.rename(report)
    _remove(old)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: build the report of a run."""
    parser = argparse.ArgumentParser(prog="python -m reports.build", description="Build the HTML report of a run.")
    parser.add_argument(
        "--settings",
        type=Path,
        required=True,
        help="settings.yaml of the run, in the folder of its tables, figures and verdicts",
    )
    parser.add_argument("--published", type=Path, default=PUBLISHED, help="folder of the published numbers")
    parser.add_argument(
        "--renderer",
        choices=RENDERERS,
        default="auto",
        help="auto: Quarto if it is installed, otherwise Pandoc (default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, default=1, help="pages that Pandoc renders side by side (default: %(default)s)"
    )
    given = parser.parse_args(arguments)
    print(f"Report: {build(given.settings, given.published, given.renderer, given.workers)}")


if __name__ == "__main__":
    report_errors(main)
