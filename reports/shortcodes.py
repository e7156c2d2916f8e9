"""Expansion of Quarto's shortcodes, for rendering without Quarto.

The pages use these three constructs and no other: `{{< include file >}}` on a line of its own,
`{{< var group.key >}}`, and callouts (`::: {.callout-note title="…"}`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from config.errors import InputError

_INCLUDE = re.compile(r"^\{\{<\s*include\s+(\S+)\s*>\}\}[ \t]*$", re.MULTILINE)
_VAR = re.compile(r"\{\{<\s*var\s+([^\s>]+)\s*>\}\}")
_ANY = re.compile(r"\{\{<[^\n]*")
_CALLOUT = re.compile(
    r'^(:{3,})[ \t]*\{\.callout-(note|tip|important|warning|caution)(?:[ \t]+title="([^"]*)")?\}[ \t]*$',
    re.MULTILINE,
)
_PAGE_LINK = re.compile(r"(\]\([^()\s:]+)\.qmd(#[^()\s]*)?\)")


def expand(text: str, *, page: str, folder: Path, values: Mapping[str, object]) -> str:
    """Expand every shortcode of a page, and turn callouts and links to pages into plain Markdown.

    Args:
        text: source of the page.
        page: its name, for messages.
        folder: where included files are looked for.
        values: content of `_variables.yml`.

    Raises:
        InputError: a file or key does not exist, or another shortcode is used; names page, key and remedy.
    """

    def included(match: re.Match[str]) -> str:
        file = folder / match[1]
        if not file.is_file():
            raise InputError(
                f"{page}: {{{{< include {match[1]} >}}}}: there is no such file in {folder}. Is the name "
                "misspelt? reports/generated.py lists the generated files."
            )
        return file.read_text(encoding="utf-8")

    def valued(match: re.Match[str]) -> str:
        return variable(match[1], page=page, values=values)

    # Variables come first: included text is data, and nothing in it may be expanded.
    text = _VAR.sub(valued, text)
    _refuse_unknown(_INCLUDE.sub("", text), page)
    text = _PAGE_LINK.sub(r"\1.html\2)", _CALLOUT.sub(_callout, text))
    return _INCLUDE.sub(included, text)


def variable(key: str, *, page: str, values: Mapping[str, object]) -> str:
    """Return the text of `group.key`.

    Raises:
        InputError: there is no such key, or it names a group.
    """
    found: object = values
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            known = ", ".join(sorted(_keys(values)))
            raise InputError(
                f"{page}: {{{{< var {key} >}}}}: there is no such key in _variables.yml. Is it misspelt? Known keys: "
                f"{known}. Add new ones in reports/variables.py."
            )
        found = found[part]
    if isinstance(found, Mapping):
        raise InputError(
            f"{page}: {{{{< var {key} >}}}} is a group, not a value. Append one of: "
            f"{', '.join(sorted(map(str, found)))}."
        )
    return str(found)


def _keys(values: Mapping[str, object], before: str = "") -> list[str]:
    keys: list[str] = []
    for key, value in values.items():
        keys += _keys(value, f"{before}{key}.") if isinstance(value, Mapping) else [f"{before}{key}"]
    return keys


def _refuse_unknown(text: str, page: str) -> None:
    left = _ANY.search(text)
    if left:
        raise InputError(
            f"{page}: {left[0].strip()!r} cannot be rendered without Quarto. Supported are "
            "{{< include file >}} on a line of its own and {{< var group.key >}}."
        )


def _callout(match: re.Match[str]) -> str:
    fence, kind, title = match[1], match[2], match[3] or match[2].capitalize()
    return f"{fence} {{.callout .callout-{kind}}}\n[{title}]{{.callout-heading}}\n"
