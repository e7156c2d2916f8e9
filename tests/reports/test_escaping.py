"""Hostile text comes out escaped wherever data enter a page, because no other way of writing HTML exists."""

from __future__ import annotations

import ast
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup

from config.analysis import Margin
from config.conditions import Condition
from config.layout import ROOT
from config.settings import Model
from reports import checks, equivalence, facts, findings, generated, markup, questions, reasons, verdicts
from reports.plates import Plate, render_plate
from reports.project import Page, Project
from reports.table import Body, Span, Table, TableColumn, TableRow, render
from reports.with_pandoc import navigation

MODULES = sorted((ROOT / "reports").glob("*.py"))
TAG = re.compile(r"</?[a-z][a-z0-9]*[ >]")
SPECIAL = re.compile(r"[<>&\"'`{}|]")
HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "a & b &amp; c",
    "{{< include /etc/passwd >}} {{< var run.seed >}}",
    "| a | b |\n|---|---|\n",
    "```\n</table>\n```{=html}\n~~~",
    "`code` **bold** [link](javascript:alert(1)) :::",
)
texts = st.one_of(
    st.sampled_from(HOSTILE),
    st.lists(st.sampled_from([*HOSTILE, "<", ">", '"', "'", "&", "`", "\n", "|", "{{<", "{", "}", "x "])).map("".join),
)


class Skeleton(HTMLParser):
    """The structure of a piece of HTML (tags and names of attributes), apart from its text and values."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, ...]] = []
        self.values: list[str] = []
        self.text = ""
        self.feed(str(html))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]

    def shows(self, text: str) -> bool:
        return text in self.text or text in self.values

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((f"/{tag}",))

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", data))

    def handle_data(self, data: str) -> None:
        self.text += data


def claim(text: str) -> dict[str, str]:
    names = ("id", "place", "kind", "claim", "published", "recomputed", "tolerance", "verdict", "why", "severity")
    return {**dict.fromkeys((*names, "strictest"), text), "numbers": text.replace(";", ","), "rank": "1"}


def table_of(text: str) -> Table:
    row = TableRow((text, text), ident=text, classes=text, data=(("place", text),))
    columns = (TableColumn(text, text), TableColumn(text, text))
    return Table(text, text, columns, (Body((row,), heading=text),), (Span(text, 1), Span(text, 1)), classes=text)


def check(text: str) -> dict[str, str]:
    return {**dict.fromkeys(("dataset", "model", "check", "condition", "quantity", "expected"), text), "passed": "true"}


def settings_of(text: str) -> SimpleNamespace:
    return SimpleNamespace(
        settings=SimpleNamespace(
            **{"run": text, "seed": 1, "title": text, "calibrate_on": text},
            analysis=SimpleNamespace(draws=1, resamples=1, margins={text: Margin(0.1, text)}),
            conditions={text: Condition(text, (text,), "zero")},
        ),
        packs={text: {"source": text, "splits": {text: {"images": 1, "classes": 1}}, "images": 1, "classes": 1}},
        models={text: Model(text, "timm", text, text, architecture=text, weights="random")},
        checks=(),
        ablation=(),
    )


def pack_with_classes(text: str) -> SimpleNamespace:
    inputs = settings_of(text)
    inputs.packs[text].update(class_names=[text], chance=None)
    return inputs


def unchecked_sink(text: str) -> SimpleNamespace:
    return SimpleNamespace(models={text: Model(text, "known_answer", "sink", "S")}, checks=())


def reasons_of(text: str) -> reasons.Reasons:
    one = reasons.JudgedReading(text, text, text, ([text, {"numbers": [text]}], [text]))
    return reasons.Reasons((one, one), 1, text, {text: text})


# Where data enter, by what they become. Every entry takes one text and puts it wherever it can.
PLACES = {
    "table": lambda text: render(table_of(text)),
    "figure": lambda text: render_plate(Plate(text, text, text, text, (text,))),
    "badge": lambda text: markup.badge(text, text, text, text),
    "heading": lambda text: markup.heading(text, text),
    "pair of names": lambda text: markup.pair(text, text, text),
    "names": lambda text: markup.codes([text, text]),
    "definitions": lambda text: markup.definition_list([(text, text)], text),
    "download": lambda text: markup.download(text, text),
    "source": markup.source_link,
    "navigation": lambda text: navigation(Project(text, text, (Page(text, text),), text), Page(text, text)),
    "claims": lambda text: render(
        verdicts.claims_table([claim(text)], {text: {**REPRODUCED, "reproduced": text}}, {text: reasons_of(text)})
    ),
    "reasons": lambda text: markup.lines(reasons.in_full(reasons_of(text))),
    "published numbers": lambda text: reasons.number_list({text: text}),
    "findings": lambda text: render(findings.findings_table(SimpleNamespace(claims=[claim(text)]))),
    "steps": lambda text: findings._steps(claim(text), claim(text)),
    "checks": lambda text: render(checks.check_table([{**check(text), "observed": text, "low": "", "high": ""}])),
    "models": lambda text: render(facts.model_table(settings_of(text))),
    "conditions": lambda text: render(facts.condition_table(settings_of(text))),
    "data sets": lambda text: render(facts.dataset_table(settings_of(text))),
    "classes": lambda text: facts.dataset_notes(pack_with_classes(text)),
    "signature": lambda text: facts.signature(settings_of(text)),
    "unchecked": lambda text: checks.state_of_checks(unchecked_sink(text)),
    "title": lambda text: generated._title(settings_of(text)),
    "random weights": lambda text: questions.random_weights_note(settings_of(text)),
    "margins": lambda text: render(equivalence.margin_table(settings_of(text))),
}
REPRODUCED = {"measured": "1", "quantities": "2"}


@pytest.mark.parametrize("place", PLACES)
@given(text=texts)
@example(text="".join(HOSTILE))
def test_no_text_adds_a_tag_or_an_attribute(place: str, text: str) -> None:
    made = PLACES[place](text)
    assert isinstance(made, Markup)
    found = Skeleton(made)
    assert found.shows(text) or place == "steps"  # which has but a name made of letters and hyphens
    assert found.tags == Skeleton(PLACES[place](SPECIAL.sub("x", text))).tags


@given(text=texts)
@example(text="".join(HOSTILE))
def test_no_text_closes_the_raw_block_or_looks_like_a_shortcode(text: str) -> None:
    opening, *inside, closing = markup.fenced(markup.lines([text, PLACES["figure"](text)])).splitlines()
    assert (opening, closing) == ("```{=html}", "```")
    assert not {"`", "{"} & set("".join(inside))
    assert Skeleton("\n".join(inside)).shows(text)


def test_a_script_that_would_close_its_raw_block_is_refused() -> None:
    with pytest.raises(ValueError, match="three backticks"):
        markup.fenced_script("`x`; ```")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_tags_are_written_in_constants_of_markup_only(path: Path) -> None:
    """What is not a constant is a value, and values are escaped when they are formatted into one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "Markup"]
    unsafe = [ast.unparse(call) for call in calls if not all(isinstance(given, ast.Constant) for given in call.args)]
    assert unsafe == (["Markup(source)"] if path.name == "markup.py" else [])
    allowed = {id(constant) for call in calls for constant in call.args}
    written = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [node.value for node in written if id(node) not in allowed and TAG.search(node.value)] == (
        # The module's own documentation shows the way.
        [ast.get_docstring(tree, clean=False)] if path.name == "markup.py" else []
    )
