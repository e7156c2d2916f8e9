"""The engine stands by itself: whoever reads or reuses it needs nothing else of the project, and finds examples."""

from __future__ import annotations

import ast

import pytest

from config.layout import ROOT
from config.sources import sources

MODULES = sorted(path.stem for path in (ROOT / "analysis" / "engine").glob("[!_]*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_the_engine_imports_nothing_but_itself_and_keys(module: str) -> None:
    elsewhere = {name for name in sources(f"analysis.engine.{module}") if not name.startswith("analysis/engine/")}
    assert elsewhere <= {"analysis/__init__.py", "config/__init__.py", "config/keys.py"}


@pytest.mark.parametrize("module", MODULES)
def test_every_public_function_and_class_has_an_example(module: str) -> None:
    tree = ast.parse((ROOT / "analysis" / "engine" / f"{module}.py").read_text(encoding="utf-8"))
    public = [
        node
        for node in tree.body
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")
    ]
    assert public
    assert [node.name for node in public if ">>>" not in (ast.get_docstring(node) or "")] == []
