"""When the code of a rule counts as changed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from config import sources
from config.layout import ROOT

MODULE = '''"""What it does."""

from analysis.rows.schema import Row, column


class Pair(Row):
    """Two numbers."""

    first: int = column("the first", unit="nats")

    def total(self) -> int:
        """Sum of both."""
        return self.first + 2  # and not 3
'''


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sources, "ROOT", tmp_path)

    def of(text: str) -> str:
        (tmp_path / "analysis").mkdir(exist_ok=True)
        (tmp_path / "analysis" / "pair.py").write_text(text, encoding="utf-8")
        for cached in (sources.sources, sources.code_of, sources._code, sources._imported):
            cached.cache_clear()
        return sources.code_of("analysis.pair")

    yield of
    for cached in (sources.sources, sources.code_of, sources._code, sources._imported):
        cached.cache_clear()


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("# and not 3", "# ever", True),
        ("Sum of both.", "The sum.", True),
        ("What it does.", "Nothing.", True),
        ('"the first"', '"the one before"', True),
        ("return self.first + 2", "return (\n            self.first + 2\n        )", True),
        ("+ 2", "+ 3", False),
        ('"nats"', '"bits"', False),
        ("first: int", "second: int", False),
    ],
)
def test_words_for_readers_change_nothing(digest, before: str, after: str, same: bool) -> None:
    assert before in MODULE
    assert (digest(MODULE) == digest(MODULE.replace(before, after))) is same


def test_code_that_is_imported_counts(digest) -> None:
    alone = digest("import analysis.other\n")
    (sources.ROOT / "analysis" / "other.py").write_text("VALUE = 1\n")
    assert digest("import analysis.other\n") != alone


@pytest.mark.parametrize("room", sources.ROOMS)
def test_imports_are_those_of_the_syntax_tree(room: str) -> None:
    for path in (ROOT / room).rglob("*.py"):
        name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
        stated = {name.rpartition(".")[0]}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                stated |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                stated |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        read = set(sources._imported(name, path))
        assert {one for one in read if sources.file_of(one)} == {one for one in stated if sources.file_of(one)}, path
