"""The engine stands by itself: whoever reads or reuses it needs nothing else of the project."""

from __future__ import annotations

import pytest

from config.layout import ROOT
from config.sources import sources


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "analysis" / "engine").glob("[!_]*.py")))
def test_the_engine_imports_nothing_but_itself_and_keys(module: str) -> None:
    elsewhere = {name for name in sources(f"analysis.engine.{module}") if not name.startswith("analysis/engine/")}
    assert elsewhere <= {"analysis/__init__.py", "config/__init__.py", "config/keys.py"}
