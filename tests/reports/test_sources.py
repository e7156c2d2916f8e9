"""The page sources: what they may hold, and that both renderers understand them."""

from __future__ import annotations

import re

import pytest
import yaml

from config.errors import InputError
from reports.project import CONFIG, PAGES_FOLDER, page_sources, read_project

QMD = sorted(PAGES_FOLDER.glob("*.qmd"))
# Digits that are no measurement: citation keys, the date of the article that was read, names.
ALLOWED = re.compile(r"@[a-z]+\d{4}|March 2026|DINOv[23]|\bR[1-4]\b")
REFERENCE_PREFIXES = re.compile(r"#(?:fig|tbl|sec|eq|lst)-|@(?:fig|tbl|sec|eq|lst)-")


def prose(text: str) -> str:
    """A page without front matter and shortcodes."""
    return re.sub(r"\{\{<.*?>\}\}", "", text.split("---", 2)[2])


@pytest.mark.parametrize("path", QMD, ids=lambda path: path.name)
def test_no_number_is_typed_by_hand(path):
    left = ALLOWED.sub("", prose(path.read_text(encoding="utf-8")))
    assert re.findall(r"[^\n]*\d[^\n]*", left) == []


@pytest.mark.parametrize("path", QMD, ids=lambda path: path.name)
def test_no_cross_reference_prefix_and_no_code_cell(path):
    text = path.read_text(encoding="utf-8")
    assert not REFERENCE_PREFIXES.search(text)
    assert "```" not in text


@pytest.mark.parametrize("path", QMD, ids=lambda path: path.name)
def test_includes_stand_alone_and_pages_are_signed(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    for position, line in enumerate(lines):
        if "include" in line and "{{<" in line:
            assert re.fullmatch(r"\{\{< include _generated/[a-z_]+\.md >\}\}", line)
            assert lines[position - 1] == ""
            assert position + 1 == len(lines) or lines[position + 1] == ""
    assert lines[-1] == "{{< include _generated/signature.md >}}"


def test_citations_have_an_entry():
    entries = set(re.findall(r"^@\w+\{(\w+),", (PAGES_FOLDER / "references.bib").read_text(), re.MULTILINE))
    cited = {key for path in QMD for key in re.findall(r"@([a-z]+\d{4})", path.read_text())}
    assert cited <= entries
    assert entries <= cited


def test_the_project_lists_the_pages_that_exist():
    loaded = yaml.safe_load((PAGES_FOLDER / CONFIG).read_text())
    listed = [link["href"] for link in loaded["website"]["navbar"]["left"]]
    assert sorted(listed) == [path.name for path in QMD]
    assert loaded["execute"] == {"enabled": False, "freeze": False}
    assert loaded["format"]["html"]["html-table-processing"] == "none"


def test_a_page_that_is_not_listed_is_an_error(tmp_path):
    for path in page_sources():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "extra.qmd").write_text("---\ntitle: Extra\n---\n")
    with pytest.raises(InputError, match=r"differ in extra\.qmd"):
        read_project(tmp_path)


def blocks(css: str, selector: str) -> list[str]:
    return re.findall(rf"{re.escape(selector)} \{{([^}}]*)\}}", css)


def colours(block: str) -> dict[str, str]:
    return dict(re.findall(r"(--[\w-]+):\s*([^;]+);", block))


def test_a_dark_system_and_quartos_switch_give_the_same_colours():
    css = (PAGES_FOLDER / "styles.css").read_text()
    (switched,) = blocks(css, "body.quarto-dark")
    system = css[css.index("(prefers-color-scheme: dark)") :]
    assert colours(blocks(system, ":root")[0]) == colours(switched)


def luminance(colour: str) -> float:
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("selector", ["body.quarto-light", "body.quarto-dark"])
def test_text_stands_out_from_what_it_lies_on(selector):
    named = colours(blocks((PAGES_FOLDER / "styles.css").read_text(), selector)[0])
    pairs = [
        (text, back) for text in ("--ink", "--soft", "--link", "--accent") for back in ("--page", "--card", "--stripe")
    ]
    pairs += [(f"--{key}", f"--{key}-back") for key in ("good", "near", "open", "weak", "apart", "bad")]
    pairs += [("--ink", "--weak-back"), ("--link", "--weak-back")]
    low = {pair: contrast(named[pair[0]], named[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}
