"""The worked examples of docs/extending.md, read and applied to a checkout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"^(?:New file `(?P<new>[^`]+)`:\n\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_LISTED = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """A section of the page: the files that it lists, and its blocks of code."""

    title: str
    listed: tuple[str, ...]
    text: str

    def apply(self, folder: Path) -> None:
        """Make every change of the section."""
        for block in _BLOCK.finditer(self.text):
            if block["new"]:
                path = folder / block["new"]
                assert not path.exists(), f"{path} is there already"
                path.write_text(block["text"], encoding="utf-8")
            elif block["kind"] == "diff":
                name, *hunks = re.split(r"^@@\n", block["text"], flags=re.MULTILINE)
                path = folder / name.removeprefix("+++ b/").strip()
                for hunk in hunks:
                    _replace(path, hunk)


def _replace(path: Path, hunk: str) -> None:
    """Change the one place of a file that a hunk shows, as `patch` would; lines without a sign are context."""
    lines = [line or " " for line in hunk.splitlines()]
    assert all(line[0] in " +-" for line in lines), hunk
    before, after = ("".join(f"{line[1:]}\n" for line in lines if line[0] in signs) for signs in (" -", " +"))
    text = path.read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{path} has these lines {text.count(before)} times, and not once:\n{before}"
    path.write_text(text.replace(before, after), encoding="utf-8")


def recipes(page: Path) -> Iterator[Recipe]:
    """Yield the sections of the page."""
    _, *sections = re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for section in sections:
        title, _, text = section.partition("\n")
        yield Recipe(title, tuple(_LISTED.findall(text)), text)
