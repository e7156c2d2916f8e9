"""Pieces of HTML shared by all pages.

HTML is written as a constant, ``Markup("<b>{}</b>").format(value)``, so that every value is escaped by construction.
A test of the sources refuses tags outside of such constants.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import Markup

# What a page includes must not be empty: some renderers warn about an empty file.
NOTHING = Markup("<!-- nothing to report in this run -->")
_NOT_IN_AN_IDENTIFIER = re.compile(r"[^a-z0-9]")


def slug(text: str) -> str:
    """Return `text` as part of an identifier or file name."""
    return _NOT_IN_AN_IDENTIFIER.sub("-", text.lower())


def code(name: str) -> Markup:
    """Return the name of a model or condition, set as code."""
    return Markup("<code>{}</code>").format(name)


def codes(names: Iterable[str]) -> Markup:
    """Return names of models or conditions, separated by commas."""
    return Markup(", ").join(map(code, names))


def pair(first: str, second: str, separator: str = ", ") -> Markup:
    """Return two names of models or conditions, with `separator` between them."""
    return Markup("{}{}{}").format(code(first), separator, code(second))


def heading(name: str, aside: str = "") -> Markup:
    """Return the heading of a group of rows, with an optional remark in small print."""
    return Markup("<b>{}</b> {}").format(name, small(aside)) if aside else Markup("<b>{}</b>").format(name)


def small(text: str) -> Markup:
    """Return `text` in small print."""
    return Markup("<small>{}</small>").format(text)


def aside(text: str) -> Markup:
    """Return `text` as an identifier or remark that follows a value."""
    return Markup('<span class="ident">{}</span>').format(text)


def sign(symbol: str) -> Markup:
    """Return a symbol that screen readers skip, because words next to it say the same."""
    return Markup('<span class="sign" aria-hidden="true">{}</span>').format(symbol)


def badge(key: str, symbol: str, words: str, title: str = "") -> Markup:
    """Return a coloured label.

    Args:
        key: class that sets the colour.
        symbol: sign that is understood without the colour.
        words: text of the label.
        title: explanation that is shown on hover, if any.
    """
    return Markup('<span class="badge {}"{}>{} {}</span>').format(key, attribute("title", title), sign(symbol), words)


def attribute(name: str, value: str) -> Markup:
    """Return ` name="value"`, or nothing if the value is empty."""
    return Markup(' {}="{}"').format(name, value) if value else Markup()


def lines(parts: Iterable[str]) -> Markup:
    """Return pieces of HTML, one per line; plain text among them is escaped."""
    return Markup("\n").join(parts)


def paragraph(text: str) -> Markup:
    """Return a paragraph."""
    return Markup("<p>{}</p>").format(text)


def download(file: str, label: str = "") -> Markup:
    """Return a link that downloads a file of the report; its label is the file's name unless given."""
    return Markup('<a href="{}" download>{}</a>').format(file, label or file.rpartition("/")[2])


def source_link(file: str) -> Markup:
    """Return the line under a table that links to the file with its numbers."""
    return Markup('<p class="from">From {}.</p>').format(download(file))


def definition_list(entries: Iterable[tuple[str, str]], label: str) -> Markup:
    """Return terms with their definitions; `label` names the list for screen readers."""
    items = lines(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(term, words) for term, words in entries)
    return Markup('<dl class="definitions" aria-label="{}">\n{}\n</dl>').format(label, items)


def fenced(html: Markup) -> str:
    """Return `html` as a raw block, which Quarto and Pandoc pass through untouched.

    Backticks and braces become entities, so that no value can close the fence or look like a shortcode: Quarto expands
    shortcodes in raw blocks too, and `{{` before a tag reads as the start of one.
    """
    return _raw_block(str(html).replace("`", "&#96;").replace("{", "&#123;"))


def fenced_script(source: str) -> str:
    """Return a script of this project as a raw block.

    Raises:
        ValueError: a line of the script would close the fence.
    """
    if "```" in source:
        raise ValueError("a script in a page must not contain three backticks in a row")
    return _raw_block(Markup("<script>\n{}</script>").format(Markup(source)))


def _raw_block(html: str) -> str:
    return f"```{{=html}}\n{html}\n```\n"
