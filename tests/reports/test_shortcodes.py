"""The three Quarto constructs that are expanded without Quarto."""

from __future__ import annotations

import pytest

from config.errors import InputError
from reports.shortcodes import expand

VALUES = {"audit": {"claims": "163", "failing": "25"}}


def expanded(text, folder):
    return expand(text, page="page.qmd", folder=folder, values=VALUES)


def test_variables(tmp_path):
    text = "Of {{< var audit.claims >}} claims {{<var audit.failing>}} fail."
    assert expanded(text, tmp_path) == "Of 163 claims 25 fail."


def test_includes_are_inserted_as_they_stand(tmp_path):
    (tmp_path / "table.md").write_text("{{< var nothing >}} ::: {.callout-note}")
    text = "Before\n\n{{< include table.md >}}\n\nAfter"
    assert expanded(text, tmp_path) == "Before\n\n{{< var nothing >}} ::: {.callout-note}\n\nAfter"


def test_callouts_become_divs(tmp_path):
    text = '::: {.callout-note title="What was at hand"}\nText\n:::\n\n:::: {.callout-warning}\nText\n::::'
    assert expanded(text, tmp_path) == (
        "::: {.callout .callout-note}\n[What was at hand]{.callout-heading}\n\nText\n:::\n\n"
        ":::: {.callout .callout-warning}\n[Warning]{.callout-heading}\n\nText\n::::"
    )


def test_links_to_pages(tmp_path):
    text = "[a](audit.qmd), [b](results.qmd#here), [c](https://example.org/page.qmd)"
    assert expanded(text, tmp_path) == ("[a](audit.html), [b](results.html#here), [c](https://example.org/page.qmd)")


def test_an_unknown_variable_names_page_key_and_what_is_known(tmp_path):
    with pytest.raises(InputError, match=r"page\.qmd.*audit\.claim >.*audit\.claims.*variables\.py"):
        expanded("{{< var audit.claim >}}", tmp_path)


def test_a_group_is_no_value(tmp_path):
    with pytest.raises(InputError, match=r"audit.* is a group.*claims, failing"):
        expanded("{{< var audit >}}", tmp_path)


def test_a_missing_include_names_page_file_and_remedy(tmp_path):
    with pytest.raises(InputError, match=r"page\.qmd.*_generated/x\.md.*generated\.py"):
        expanded("{{< include _generated/x.md >}}", tmp_path)


@pytest.mark.parametrize("text", ["{{< meta title >}}", "In text {{< include a.md >}}", "{{< var >}}"])
def test_what_cannot_be_expanded_is_an_error(tmp_path, text):
    with pytest.raises(InputError, match=r"page\.qmd.*cannot be rendered without Quarto"):
        expanded(text, tmp_path)
