r"""From tables, figures and verdicts to the report.

python -m reports.build --settings results/demo/settings.yaml --published analysis/published
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from config.errors import InputError
from config.layout import PUBLISHED
from reports.errors import ReportError
from reports.inputs import Inputs, read_inputs
from reports.project import read_project
from reports.staging import copy_files, stage
from reports.with_pandoc import render_with_pandoc
from reports.with_quarto import find_quarto, render_with_quarto

RENDERERS = ("auto", "quarto", "pandoc")


def build(settings: Path, published: Path, renderer: str = "auto") -> Path:
    """Stage and render the report of a run; return its first page.

    The old report stays until the new one is whole, and is then replaced altogether, so that no page of an
    older run is left.

    Args:
        settings: `settings.yaml` of the run.
        published: folder of the published numbers.
        renderer: one of `RENDERERS`; `auto` is Quarto where it is found, else Pandoc.

    Raises:
        ReportError: something is missing or a page cannot be rendered.
    """
    inputs = read_inputs(settings, published)
    stage(inputs, inputs.run.site)
    report = inputs.run.report
    fresh = report.with_name(f".{report.name}.partial")
    _remove(fresh)
    fresh.mkdir(parents=True)
    try:
        _render(inputs, fresh, renderer)
        _require_pages(fresh)
        _replace(report, fresh)
    finally:
        _remove(fresh)
    return report / "index.html"


def _render(inputs: Inputs, output: Path, renderer: str) -> None:
    if renderer == "quarto" or (renderer == "auto" and find_quarto()):
        print("Rendering with Quarto", flush=True)
        render_with_quarto(inputs.run.site, output)
    else:
        print("Rendering with Pandoc", flush=True)
        render_with_pandoc(inputs.run.site, output)
    copy_files(inputs.downloads(), output)


def _require_pages(folder: Path) -> None:
    missing = [page.html for page in read_project().pages if not (folder / page.html).is_file()]
    if missing:
        raise ReportError(
            f"The renderer ended well, but did not write {', '.join(missing)}. Try another one: `--renderer`."
        )


def _replace(report: Path, fresh: Path) -> None:
    # A folder cannot be renamed onto one that is not empty: the old one steps aside first.
    old = report.with_name(f".{report.name}.old")
    _remove(old)
    if report.exists():
        report.rename(old)
    fresh.rename(report)
    _remove(old)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0, or 2 with a message on stderr when the report cannot be built."""
    parser = argparse.ArgumentParser(prog="python -m reports.build", description="Build the HTML report of a run.")
    parser.add_argument(
        "--settings",
        type=Path,
        required=True,
        help="settings.yaml of the run; its tables, figures and verdicts lie beside it",
    )
    parser.add_argument("--published", type=Path, default=PUBLISHED, help="folder of the published numbers")
    parser.add_argument(
        "--renderer",
        choices=RENDERERS,
        default="auto",
        help="auto: Quarto where it is found, else Pandoc (default: %(default)s)",
    )
    given = parser.parse_args(arguments)
    try:
        page = build(given.settings, given.published, given.renderer)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"Report: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
