"""Rows: declared once, written, read back, explained, and refused with a remedy."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import pytest

from analysis.audit.kinds import Severity
from analysis.rows.frames import frame_of, read_frame
from analysis.rows.registry import AUDIT, TABLES, TESTS
from analysis.rows.schema import (
    Row,
    TableError,
    column,
    columns_of,
    glossary,
    names_of,
    read_cells,
    read_rows,
    write_rows,
)
from config.layout import ROOT

DECLARED = {**TABLES, **TESTS, **AUDIT}


@dataclass(frozen=True, kw_only=True)
class Where(Row):
    place: str = column("where")


@dataclass(frozen=True, kw_only=True)
class How(Row):
    draws: int = column("how often")
    exact: bool = column("whether all were enumerated")


@dataclass(frozen=True, kw_only=True)
class Estimate(Where, How):
    value: float = column("how much", unit="fraction")
    low: float | None = column("lower end", default=None)
    clusters: int | None = column("clusters", default=None)
    method: str | None = column("method", default=None)


ROWS = [
    Estimate(place="here", draws=3, exact=True, value=-0.0, low=0.1, clusters=7, method="bca"),
    Estimate(place='a, "b"', draws=10**12, exact=False, value=math.nan),
]


def test_columns_begin_with_what_a_row_is_about_and_end_with_how_it_came_about() -> None:
    assert names_of(Estimate) == ("place", "value", "low", "clusters", "method", "draws", "exact")
    assert glossary(Estimate)["value"] == "how much (fraction)"
    assert glossary(Estimate)["draws"] == "how often"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_rows(Estimate, ROWS, path)
    assert path.read_text(encoding="utf-8") == (
        'place,value,low,clusters,method,draws,exact\nhere,0,0.1,7,bca,3,true\n"a, ""b""",,,,,1000000000000,false\n'
    )
    first, second = read_rows(Estimate, path)
    assert first == ROWS[0]
    assert math.isnan(second.value) and (second.low, second.clusters, second.method) == (None, None, None)
    assert (second.place, second.draws, second.exact) == (ROWS[1].place, ROWS[1].draws, ROWS[1].exact)
    frame = read_frame(Estimate, path)
    assert frame.equals(frame_of(Estimate, ROWS))
    assert [str(dtype) for dtype in frame.dtypes[1:4]] == ["float64", "float64", "Int64"]
    assert frame["exact"].tolist() == [True, False]


def test_seventeen_digits_are_exact(tmp_path: Path) -> None:
    third = Estimate(place="", draws=1, exact=True, value=1 / 3)
    write_rows(Estimate, [third], tmp_path / "t.csv", digits=17)
    assert read_rows(Estimate, tmp_path / "t.csv") == [third]


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    write_rows(Estimate, [], tmp_path / "t.csv")
    assert read_rows(Estimate, tmp_path / "t.csv") == []
    assert list(read_frame(Estimate, tmp_path / "t.csv").columns) == list(names_of(Estimate))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("place,value\n", "missing column low, clusters, method, draws, exact; found place, value"),
        ("", "missing column place, .*found none"),
        ("place,value,low,clusters,method,draws,exact\nx,1,,,,many,true\n", "line 2: column 'draws': 'many' is not a"),
        ("place,value,low,clusters,method,draws,exact\nx,1,,,,,true\n", "column 'draws': '' is not a whole number"),
        ("place,value,low,clusters,method,draws,exact\nx,1,,,,1,yes\n", "column 'exact': 'yes' is not a true or false"),
        ("place,value,low,clusters,method,draws,exact\nx,1,,2.5,,1,true\n", "column 'clusters': '2.5' is not a whole"),
    ],
)
def test_a_file_that_breaks_its_declaration_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text, encoding="utf-8")
    for read in (read_rows, read_cells):
        with pytest.raises(TableError, match=re.escape(str(path)) + ".*" + said) as caught:
            read(Estimate, path)
        assert "run the workflow again" in str(caught.value)


def test_a_missing_file_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"t\.csv is missing.*snakemake"):
        read_cells(Estimate, tmp_path / "t.csv")


def test_further_columns_are_kept_as_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("more,place\n1.50,here\n", encoding="utf-8")
    assert read_cells(Where, tmp_path / "t.csv") == ({"more": "1.50", "place": "here"},)


def test_a_row_is_built_from_parts_and_taken_apart() -> None:
    row = Estimate.of(Where(place="x"), How(draws=1, exact=True), value=0.5)
    assert row == Estimate(place="x", draws=1, exact=True, value=0.5)
    assert row.part(How) == How(draws=1, exact=True)
    with pytest.raises(TypeError, match="'place' is given twice"):
        Estimate.of(Where(place="x"), How(draws=1, exact=True), value=0.5, place="y")
    with pytest.raises(TypeError, match="value"):
        Estimate.of(Where(place="x"), How(draws=1, exact=True))
    with pytest.raises(TypeError, match="volume"):
        Estimate.of(Where(place="x"), How(draws=1, exact=True), value=0.5, volume=1)


def test_a_type_that_no_table_holds_is_refused() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Listed(Row):
        names: bytes = column("names")

    with pytest.raises(TypeError, match="'names': no table holds values of type"):
        columns_of(Listed)


@pytest.mark.parametrize("kind", DECLARED.values(), ids=list(DECLARED))
def test_every_column_says_what_it_means_and_none_is_lost(kind: type[Row]) -> None:
    assert set(names_of(kind)) == {field.name for field in fields(kind)}
    assert all(one.meaning for one in columns_of(kind))
    assert all(field.default is MISSING or field.default is None for field in fields(kind))


def test_sections_count_every_severity() -> None:
    assert {severity.value for severity in Severity} < set(names_of(AUDIT["summary"]))


def test_rows_import_nothing_heavy() -> None:
    heavy = "numpy", "pandas", "scipy", "torch", "yaml"
    code = f"import sys, analysis.rows.registry; print(*[name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.split() == []
