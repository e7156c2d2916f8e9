"""A file's place says what it may import: the table of docs/design.md is the rule, and this holds the code to it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.layout import ROOT

TOP = ("analysis", "config", "extract", "reports")
LONGEST = 400  # lines of a source file


def rooms() -> dict[str, set[str]]:
    """Room → the rooms that it may import, from the table of the design page."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    table = page.split("## Rooms")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([a-z_/]+)/?` \|[^|]*\|([^|]*)\|$", table, flags=re.MULTILINE)
    return {room.rstrip("/"): set(re.findall(r"`([a-z_/.]+?)/?`", allowed)) for room, allowed in rows}


ROOMS = rooms()


def room_of(module: str) -> str:
    path = module.replace(".", "/")
    return max((room for room in ROOMS if path == room or path.startswith(room + "/")), key=len)


def source_files() -> Iterator[Path]:
    for top in TOP:
        yield from sorted((ROOT / top).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written out in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_folder_of_sources_is_in_a_room_of_the_table() -> None:
    assert {"config/vocabulary", "analysis/engine", "analysis/figures", "extract", "reports"} <= set(ROOMS)
    for path in source_files():
        assert room_of(path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."))
    for room, allowed in ROOMS.items():
        assert (ROOT / room).is_dir(), f"docs/design.md names {room}, which is no folder"
        for name in allowed:
            assert (ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file(), f"{room} may import {name}: what is that?"


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_what_the_design_page_allows(room: str) -> None:
    seen = 0
    for path in source_files():
        module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        if room_of(module) != room:
            continue
        seen += 1
        for name in imported(path):
            if name.split(".")[0] not in TOP:
                continue
            place = name.replace(".", "/")
            allowed = ROOMS[room] | {room}
            # A room that may import `config` may import the files of config, not the rooms inside it, unless named.
            fits = room_of(name) in allowed or any(place == one or place.startswith(one + "/") for one in allowed)
            assert fits, f"{path.relative_to(ROOT)} imports {name}, but {room} may import {sorted(allowed)} alone"
    assert seen


def test_no_room_imports_in_a_circle() -> None:
    def reached(room: str, through: tuple[str, ...]) -> None:
        assert room not in through, " → ".join((*through, room))
        for name in ROOMS[room]:
            inner = room_of(name.replace("/", "."))
            if inner != room:
                reached(inner, (*through, room))

    for room in ROOMS:
        reached(room, ())


def test_no_source_file_is_too_long() -> None:
    lengths = {path.relative_to(ROOT).as_posix(): len(path.read_text().splitlines()) for path in source_files()}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}
