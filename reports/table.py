"""A table as a value, and the pure function that turns it into HTML.

Tables are raw HTML rather than Markdown, so that Quarto and Pandoc print the same. The first column
heads its row and stays in sight when the box scrolls; so do the column titles.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from reports.markup import attribute, lines


@dataclass(frozen=True)
class TableColumn:
    """A column: its title, and the classes of its cells (`number`, `prose`, `wide`, …)."""

    title: str
    classes: str = ""


@dataclass(frozen=True)
class Span:
    """A title over `width` neighbouring columns."""

    title: str
    width: int


@dataclass(frozen=True)
class TableRow:
    """A row: one text per column; `ident` makes it a target for links, `data` are its `data-` attributes."""

    cells: tuple[str, ...]
    ident: str = ""
    classes: str = ""
    data: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Body:
    """Rows that belong together, under an optional heading of their own."""

    rows: tuple[TableRow, ...]
    heading: str = ""


@dataclass(frozen=True)
class Table:
    """A table. Its texts are escaped unless they are `Markup`.

    Attributes:
        ident: identifier, unique on its page.
        caption: title of the table.
        columns: from left to right.
        bodies: groups of rows.
        spans: titles over several columns; if there are any, they cover every column.
        classes: of the table.
    """

    ident: str
    caption: str
    columns: tuple[TableColumn, ...]
    bodies: tuple[Body, ...]
    spans: tuple[Span, ...] = ()
    classes: str = ""


def render(table: Table) -> Markup:
    """Return the HTML of `table` in its scrolling box.

    Raises:
        ValueError: a row or the spans do not fit the columns.
    """
    width = len(table.columns)
    if table.spans and sum(span.width for span in table.spans) != width:
        raise ValueError(f"table {table.ident}: the spans do not cover the {width} columns")
    titles = (
        Markup('<th scope="col"{}>{}</th>').format(attribute("class", column.classes), column.title)
        for column in table.columns
    )
    head = [Markup("<tr>{}</tr>").format(Markup().join(titles))]
    if table.spans:
        head.insert(0, Markup('<tr class="spans">{}</tr>').format(Markup().join(map(_span, table.spans))))
    return Markup(
        '<div class="table-box" role="region" tabindex="0" aria-labelledby="{ident}-caption">\n'
        '<table id="{ident}" class="{classes}">\n'
        '<caption id="{ident}-caption"><span>{caption}</span></caption>\n'
        "<thead>\n{head}\n</thead>\n{bodies}\n</table>\n</div>"
    ).format(
        ident=table.ident,
        classes=f"data {table.classes}".strip(),
        caption=table.caption,
        head=lines(head),
        bodies=lines(_body(body, table) for body in table.bodies),
    )


def _span(span: Span) -> Markup:
    if not span.title:
        return Markup('<td colspan="{}"></td>').format(span.width)
    return Markup('<th scope="colgroup" colspan="{}">{}</th>').format(span.width, span.title)


def _body(body: Body, table: Table) -> Markup:
    rows = [_row(row, table) for row in body.rows]
    if body.heading:
        title = Markup('<tr class="group"><th scope="rowgroup" colspan="{}"><span>{}</span></th></tr>')
        rows.insert(0, title.format(len(table.columns), body.heading))
    return Markup("<tbody>\n{}\n</tbody>").format(lines(rows))


def _row(row: TableRow, table: Table) -> Markup:
    if len(row.cells) != len(table.columns):
        raise ValueError(f"table {table.ident}: a row has {len(row.cells)} cells for {len(table.columns)} columns")
    (first, *others) = (
        (attribute("class", column.classes), cell) for column, cell in zip(table.columns, row.cells, strict=True)
    )
    attributes = [attribute("id", row.ident), attribute("class", row.classes)]
    attributes += [attribute(f"data-{name}", value) for name, value in row.data]
    return Markup("<tr{}>{}{}</tr>").format(
        Markup().join(attributes),
        Markup('<th scope="row"{}>{}</th>').format(*first),
        Markup().join(Markup("<td{}>{}</td>").format(*other) for other in others),
    )
