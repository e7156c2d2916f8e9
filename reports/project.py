"""The page sources and their list in `_quarto.yml`, read by both renderers and by the workflow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from config.errors import InputError

PAGES_FOLDER = Path(__file__).resolve().with_name("pages")
CONFIG = "_quarto.yml"
# Pages with this prefix are generated, one per finding of the audit, and are not in the navigation bar.
FINDING = "finding-"


@dataclass(frozen=True)
class Page:
    """A page of the website: its source and its name in the navigation bar."""

    source: str
    label: str

    @property
    def stem(self) -> str:
        """Name without suffix."""
        return Path(self.source).stem

    @property
    def file(self) -> str:
        """Name of the rendered page."""
        return f"{self.stem}.html"


@dataclass(frozen=True)
class Project:
    """The part of `_quarto.yml` that building the report needs.

    Attributes:
        title: title of the website.
        output: folder inside the project that Quarto renders to.
        pages: pages in the order of the navigation bar.
        language: language of the pages.
        findings: generated pages outside the navigation bar; none before the site is staged.
    """

    title: str
    output: str
    pages: tuple[Page, ...]
    language: str
    findings: tuple[Page, ...] = ()


def read_project(folder: Path = PAGES_FOLDER) -> Project:
    """Read `_quarto.yml` of a folder.

    Raises:
        InputError: the file is missing or lacks a key, or its list of pages differs from the pages that exist.
    """
    path = folder / CONFIG
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        project = Project(
            title=loaded["website"]["title"],
            output=loaded["project"]["output-dir"],
            pages=tuple(Page(link["href"], link["text"]) for link in loaded["website"]["navbar"]["left"]),
            language=loaded.get("lang", "en"),
            findings=tuple(Page(page.name, page.stem) for page in sorted(folder.glob(f"{FINDING}*.qmd"))),
        )
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing. It lists the pages of the report.") from error
    except (KeyError, TypeError, yaml.YAMLError) as error:
        raise InputError(
            f"{path}: {error} is missing or cannot be read. Needed: project.output-dir, "
            "website.title, and website.navbar.left with href and text of every page."
        ) from error
    listed = {page.source for page in project.pages}
    found = {page.name for page in folder.glob("*.qmd")} - {page.source for page in project.findings}
    if listed != found:
        raise InputError(
            f"{path}: website.navbar.left and the .qmd files beside it differ in "
            f"{', '.join(sorted(listed ^ found))}. List every page there, and only pages that exist."
        )
    return project


def page_sources(folder: Path = PAGES_FOLDER) -> tuple[Path, ...]:
    """Return every file that the pages are made from, sorted; the workflow lists them as inputs."""
    return tuple(sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")))
