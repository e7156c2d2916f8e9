"""A table as a value, and the pure function that turns it into HTML.

Raw HTML rather than Markdown, so that Quarto and Pandoc print the same table. The first column
heads its row and stays in sight when the box scrolls; so do the column titles.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape


@dataclass(frozen=True)
class Markup:
    """HTML that is already escaped."""

    html: str


Text = str | Markup


@dataclass(frozen=True)
class Column:
    """A column: its title, and the classes of its cells (`number`, `prose`, `wide`, …)."""

    title: Text
    classes: str = ""


@dataclass(frozen=True)
class Span:
    """A title over `width` neighbouring columns."""

    title: Text
    width: int


@dataclass(frozen=True)
class Row:
    """A row: one text a column; `ident` makes it a target for links, `data` are its `data-` attributes."""

    cells: tuple[Text, ...]
    ident: str = ""
    classes: str = ""
    data: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Body:
    """Rows that belong together, under an optional heading of their own."""

    rows: tuple[Row, ...]
    heading: Text = ""


@dataclass(frozen=True)
class Table:
    """A table. `ident` is unique on its page; `spans`, where given, cover every column."""

    ident: str
    caption: Text
    columns: tuple[Column, ...]
    bodies: tuple[Body, ...]
    spans: tuple[Span, ...] = field(default=())
    classes: str = ""


def escaped(text: Text) -> str:
    """`text` as HTML on one line; a backtick is an entity, so that no code fence can end early."""
    if isinstance(text, Markup):
        return text.html
    return escape(" ".join(text.split()), quote=True).replace("`", "&#96;")


def attribute(name: str, value: str) -> str:
    """` name="value"`, or nothing where the value is empty."""
    return f' {name}="{escape(value, quote=True)}"' if value else ""


def fenced(html: str) -> str:
    """`html` as a raw block that both renderers pass through untouched."""
    return f"```{{=html}}\n{html}\n```\n"


def source_link(file: str) -> str:
    """Where a table comes from, as a link to download, as HTML."""
    name = file.rpartition("/")[2]
    return f'<p class="from">From <a href="{escape(file)}" download>{escaped(name)}</a>.</p>'


def render(table: Table) -> str:
    """The HTML of `table` in its scrolling box.

    Raises ValueError where a row or the spans do not fit the columns.
    """
    width = len(table.columns)
    if table.spans and sum(span.width for span in table.spans) != width:
        raise ValueError(f"table {table.ident}: the spans do not cover the {width} columns")
    head = ""
    if table.spans:
        cells = "".join(_span(span) for span in table.spans)
        head += f'<tr class="spans">{cells}</tr>\n'
    titles = "".join(
        f'<th scope="col"{attribute("class", column.classes)}>{escaped(column.title)}</th>' for column in table.columns
    )
    head += f"<tr>{titles}</tr>"
    bodies = "\n".join(_body(body, table) for body in table.bodies)
    caption_id = f"{table.ident}-caption"
    return (
        f'<div class="table-box" role="region" tabindex="0" aria-labelledby="{caption_id}">\n'
        f'<table id="{escape(table.ident)}" class="{escape(f"data {table.classes}".strip())}">\n'
        f'<caption id="{caption_id}"><span>{escaped(table.caption)}</span></caption>\n'
        f"<thead>\n{head}\n</thead>\n{bodies}\n</table>\n</div>"
    )


def _span(span: Span) -> str:
    if not span.title:
        return f'<td colspan="{span.width}"></td>'
    return f'<th scope="colgroup" colspan="{span.width}">{escaped(span.title)}</th>'


def _body(body: Body, table: Table) -> str:
    lines = []
    if body.heading:
        lines.append(
            f'<tr class="group"><th scope="rowgroup" colspan="{len(table.columns)}">'
            f"<span>{escaped(body.heading)}</span></th></tr>"
        )
    for row in body.rows:
        if len(row.cells) != len(table.columns):
            raise ValueError(f"table {table.ident}: a row has {len(row.cells)} cells for {len(table.columns)} columns")
        cells = []
        for position, (column, cell) in enumerate(zip(table.columns, row.cells, strict=True)):
            classes = attribute("class", column.classes)
            if position == 0:
                cells.append(f'<th scope="row"{classes}>{escaped(cell)}</th>')
            else:
                cells.append(f"<td{classes}>{escaped(cell)}</td>")
        data = "".join(attribute(f"data-{name}", value) for name, value in row.data)
        opening = f"<tr{attribute('id', row.ident)}{attribute('class', row.classes)}{data}>"
        lines.append(f"{opening}{''.join(cells)}</tr>")
    return "<tbody>\n" + "\n".join(lines) + "\n</tbody>"
