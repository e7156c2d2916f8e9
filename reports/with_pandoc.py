"""Rendering of the staged website by Pandoc, every page as one self-contained file."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pypandoc
import yaml
from markupsafe import Markup

from config.errors import InputError
from reports.markup import lines
from reports.project import Page, Project, read_project
from reports.shortcodes import expand
from reports.staging import VARIABLES

TEMPLATE = "template.html"
STYLES = "styles.css"
BIBLIOGRAPHY = "references.bib"


def render_with_pandoc(site: Path, output: Path, *, pandoc: str | None = None, workers: int = 1) -> None:
    """Render every page of the staged folder `site` to `output`.

    Args:
        site: as `reports.staging.stage` leaves it.
        output: an existing folder.
        pandoc: the executable; the one of the pypandoc-binary package if not given.
        workers: pages rendered side by side; the pages do not depend on it.

    Raises:
        InputError: a shortcode cannot be expanded, or Pandoc fails or warns (for example about an unknown citation
            or a missing image); the message names the page.
    """
    project = read_project(site)
    values = yaml.safe_load((site / VARIABLES).read_text(encoding="utf-8"))
    executable = pandoc or pypandoc.get_pandoc_path()
    render = partial(_render_page, project=project, site=site, output=output, values=values, pandoc=executable)
    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(render, (*project.pages, *project.findings)):
            pass  # raises the error of the first page that has one


def _render_page(
    page: Page, project: Project, site: Path, output: Path, values: Mapping[str, object], pandoc: str
) -> None:
    source = (site / page.source).read_text(encoding="utf-8")
    text = expand(source, page=page.source, folder=site, values=values)
    with tempfile.TemporaryDirectory() as scratch:
        # Pandoc escapes a variable given on the command line, and the bar is HTML already.
        bar = Path(scratch) / "navigation.html"
        bar.write_text(navigation(project, page), encoding="utf-8")
        command = [
            pandoc,
            "--from=markdown",
            "--to=html5",
            "--standalone",
            "--embed-resources",
            "--citeproc",
            "--metadata=link-citations:true",
            f"--metadata=lang:{project.language}",
            f"--variable=site-title:{project.title}",
            f"--template={TEMPLATE}",
            f"--css={STYLES}",
            f"--bibliography={BIBLIOGRAPHY}",
            f"--include-before-body={bar}",
            "--toc",
            "--toc-depth=2",
            "--mathml",
            "--fail-if-warnings",
            # Pandoc runs inside `site`, where a relative path would lead elsewhere.
            f"--output={(output / page.file).resolve()}",
        ]
        done = subprocess.run(
            command, input=text, text=True, encoding="utf-8", capture_output=True, cwd=site, check=False
        )
    if done.returncode != 0:
        raise InputError(
            f"{page.source}: Pandoc failed (exit code {done.returncode}): {done.stderr.strip() or 'no message'}. "
            "Add a missing citation to references.bib; a missing image must be among the figures."
        )


def navigation(project: Project, current: Page) -> Markup:
    """Return the navigation bar, with the current page marked."""
    links = lines(
        Markup('<li><a href="{}"{}>{}</a></li>').format(page.file, _marked(page == current), page.label)
        for page in project.pages
    )
    return Markup(
        '<nav class="site" aria-label="Pages">\n<a class="brand" href="index.html">{}</a>\n<ul>\n{}\n</ul>\n</nav>'
    ).format(project.title, links)


def _marked(current: bool) -> Markup:
    return Markup(' aria-current="page"') if current else Markup()
