"""The audit's tables of claims: how many have each verdict, and every claim with its reasons."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.inputs import Cells
from reports.markup import aside, badge, lines, paragraph, sign
from reports.numbers import MISSING, count, counted
from reports.table import Body, Column, Row, Table


@dataclass(frozen=True)
class Verdict:
    """How a verdict is shown: `key` names its colour and its variable; the sign needs no colour."""

    name: str
    key: str
    sign: str
    meaning: str
    fails: bool


# Most favourable first, as the audit ranks them.
VERDICTS = (
    Verdict("consistent", "consistent", "✓", "the numbers give what the article states", False),
    Verdict(
        "consistent only with rounding",
        "rounding",
        "≈",
        "they do so only because printed numbers were rounded",
        False,
    ),
    Verdict("not checkable", "unchecked", "?", "what would decide it was not published", False),
    Verdict("unsupported", "unsupported", "⊬", "the numbers stand, the inference does not follow", True),
    Verdict("sources disagree", "disagree", "≠", "two published places give different numbers", True),
    Verdict("contradicted", "contradicted", "✕", "published numbers give something else", True),
)
_BY_NAME = {verdict.name: verdict for verdict in VERDICTS}
_SEVERITIES = ("conclusion", "number", "rounding", "none")
# The audit puts identifiers of published numbers in brackets; they are long, and set small.
_SOURCE = re.compile(r"\[((?:t\d+|fig/|json/)[^\]]*)\]")
_BRACKETED = re.compile(rf"\s*{_SOURCE.pattern}")
_SENTENCE = re.compile(r"(?<=[.!?]) (?=[A-Z0-9-])")


def verdict_of(claim: Cells) -> Verdict:
    """The verdict of a claim; one that this module does not know is shown as it stands."""
    name = claim["verdict"]
    return _BY_NAME.get(name, Verdict(name, "unchecked", "?", "", False))


def verdict_badge(verdict: Verdict) -> Markup:
    """Return a verdict as a coloured label."""
    return badge(verdict.key, verdict.sign, verdict.name)


def verdict_counts(claims: Sequence[Cells]) -> Counter[str]:
    """Verdict name → number of claims."""
    return Counter(claim["verdict"] for claim in claims)


def verdict_summary(claims: Sequence[Cells]) -> Table:
    """How many claims have each verdict, and how much they matter."""
    counts = verdict_counts(claims)
    severities = Counter((claim["verdict"], claim["severity"]) for claim in claims)
    shown = [*VERDICTS, *(verdict_of({"verdict": name}) for name in counts if name not in _BY_NAME)]
    rows = []
    for verdict in shown:
        touched = [
            f"{count(severities[verdict.name, severity])} × {severity}"
            for severity in _SEVERITIES
            if severity != "none" and severities[verdict.name, severity]
        ]
        rows.append(
            Row(
                (
                    verdict_badge(verdict),
                    count(counts[verdict.name]),
                    _share_bar(counts[verdict.name], len(claims), verdict),
                    verdict.meaning,
                    ", ".join(touched) or MISSING,
                )
            )
        )
    return Table(
        ident="verdict-counts",
        caption="Claims by verdict",
        columns=(
            Column("Verdict"),
            Column("Claims", "number"),
            Column("Share", "bar-cell"),
            Column("Meaning", "prose"),
            Column("Severity", "prose"),
        ),
        bodies=(Body(tuple(rows)),),
    )


def claims_table(claims: Sequence[Cells], reproduced: Mapping[str, Cells]) -> Table:
    """Every claim, in the order of the article; `reproduced` says of each what the run measured."""
    places = dict.fromkeys(claim["place"] for claim in claims)
    return Table(
        ident="all-claims",
        caption="Every claim, in the order of the article",
        columns=(
            Column("Verdict"),
            Column("Claim", "prose"),
            Column("Published", "figure"),
            Column("Recomputed", "figure"),
            Column("Rounding allows", "figure"),
            Column("In this run"),
            Column("Why", "prose why"),
        ),
        bodies=tuple(
            Body(
                tuple(_claim_row(claim, reproduced[claim["id"]]) for claim in claims if claim["place"] == place),
                heading=place,
            )
            for place in places
        ),
        classes="claims",
    )


def _claim_row(claim: Cells, reproduced: Cells) -> Row:
    verdict = verdict_of(claim)
    strictest = verdict_of({"verdict": claim["strictest"]})
    shown = [verdict_badge(verdict)]
    if strictest.fails and not verdict.fails:
        shown.append(aside(f"another reading: {strictest.name}"))
    return Row(
        (
            Markup(" ").join(shown),
            Markup("{} {}").format(claim["claim"], aside(f"{claim['id']} · {claim['kind']}")),
            printed(claim["published"]),
            printed(claim["recomputed"]),
            printed(claim["tolerance"]),
            _measured(reproduced),
            _reason(claim),
        ),
        ident=f"claim-{claim['id']}",
        classes=f"is-{verdict.key}",
        data=(
            ("verdict", claim["verdict"]),
            ("severity", claim["severity"]),
            ("place", claim["place"]),
            ("run", reproduced["reproduced"]),
            ("rank", claim["rank"]),
        ),
    )


def _measured(reproduced: Cells) -> Markup:
    symbol = {"reproduced": "✓", "not reproduced": "✕"}.get(reproduced["reproduced"], "")
    words = Markup("{} {}").format(sign(symbol), reproduced["reproduced"]) if symbol else reproduced["reproduced"]
    shown = Markup('<span class="measured">{}</span>').format(words)
    measured = int(reproduced["measured"])
    if not measured:
        return shown
    return Markup("{} {}").format(shown, aside(f"{measured} of {reproduced['quantities']} numbers"))


def printed(text: str) -> str:
    """What the audit wrote, digits untouched, comparisons set as one sign."""
    return _signs(text).replace("≤", "≤ ") or MISSING


def _signs(text: str) -> str:
    return text.replace("<=", "≤").replace(">=", "≥")


def _reason(claim: Cells) -> str:
    """The first sentence in sight, without identifiers; the whole reason and its numbers to be opened."""
    why = claim["why"]
    if claim["kind"] == "not_checkable":
        why = f"Not published: {why}"
    first, *rest = _SENTENCE.split(why, maxsplit=1)
    numbers = [number for number in claim["numbers"].split(";") if number]
    shown = without_sources(first)
    longer = bool(rest) or _BRACKETED.search(first) is not None
    if not longer and not numbers:
        return shown
    more = lines((*([paragraph(with_sources(why))] if longer else []), *([source_list(numbers)] if numbers else [])))
    label = counted(len(numbers), "published number") if numbers else "in full"
    if longer and numbers:
        label = f"in full, with {label}"
    return Markup("{}<details><summary>{}</summary>{}</details>").format(shown, label, more)


def source_list(numbers: Sequence[str]) -> Markup:
    """Identifiers of published numbers as a list, each with the file in which its row stands."""
    items = (
        Markup('<li><a href="published/{file}" download title="{file}">{number}</a></li>').format(
            file=published_file(number), number=number
        )
        for number in numbers
    )
    return Markup('<ul class="sources">{}</ul>').format(Markup().join(items))


def published_file(number: str) -> str:
    """The file in which the row of a number stands."""
    return {"fig": "figures.csv", "json": "interactive.csv"}.get(number.partition("/")[0], "tables.csv")


def without_sources(text: str) -> str:
    """Return a reason without the identifiers of numbers."""
    return _signs(_BRACKETED.sub("", text))


def with_sources(text: str) -> Markup:
    """Return a reason with the identifiers of numbers in small print."""
    return Markup().join(
        Markup('<span class="source">[{}]</span>').format(part) if index % 2 else _signs(part)
        for index, part in enumerate(_SOURCE.split(text))
    )


def _share_bar(part: int, whole: int, verdict: Verdict) -> Markup:
    share = 100 * part / whole if whole else 0.0
    return Markup(
        '<span class="bar" aria-hidden="true"><span class="{key}" style="width:{share:.1f}%"></span></span>'
        '<span class="share">{share:.0f} %</span>'
    ).format(key=verdict.key, share=share)
