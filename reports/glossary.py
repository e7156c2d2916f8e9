"""What every column of every table means, from the declaration of its rows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from markupsafe import Markup

from analysis.rows.registry import AUDIT, TABLES, TESTS
from analysis.rows.schema import Row, glossary
from reports.markup import code, lines, small
from reports.numbers import counted
from reports.table import Body, Table, TableColumn, TableRow, render

_DETAILS = Markup("<details><summary>{}: {} {}</summary>\n{}\n</details>")


def glossaries() -> Markup:
    """Return the columns of every table that a reader can download, one folded list per file."""
    return lines(
        _DETAILS.format(code(file), _first_sentence(kind), small(counted(len(glossary(kind)), "column")), render(table))
        for file, kind, table in _tables()
    )


def _tables() -> Iterator[tuple[str, type[Row], Table]]:
    for folder, kinds in (("tables", TABLES), ("tests", TESTS), ("audit", AUDIT)):
        for name, kind in kinds.items():
            rows = tuple(TableRow((code(column), meaning)) for column, meaning in glossary(kind).items())
            columns = (TableColumn("Column"), TableColumn("Meaning", "prose"))
            file = f"{folder}/{name}.csv"
            yield file, kind, Table(f"columns-{folder}-{name}", f"Columns of {file}", columns, (Body(rows),))


def _first_sentence(kind: type[Row]) -> str:
    return inspect.cleandoc(kind.__doc__ or "").splitlines()[0]
