"""The audit's tables: verdict counts, the claims that do not hold, and every claim."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from reports.inputs import Cells
from reports.numbers import MISSING, count, counted
from reports.table import Body, Column, Markup, Row, Table, escaped


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
    Verdict("contradicted", "contradicted", "✕", "published numbers say the opposite", True),
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


def badge(verdict: Verdict) -> Markup:
    """A verdict as a coloured label with sign and text."""
    return Markup(
        f'<span class="badge {verdict.key}"><span class="sign" aria-hidden="true">{verdict.sign}</span> '
        f"{escaped(verdict.name)}</span>"
    )


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
                    badge(verdict),
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
            Column("What it touches", "prose"),
        ),
        bodies=(Body(tuple(rows)),),
    )


def failing_claims(claims: Sequence[Cells]) -> Table:
    """Claims that are unsupported or contradicted, or whose sources disagree; gravest first."""
    failing = [claim for claim in claims if verdict_of(claim).fails]

    def gravity(claim: Cells) -> tuple[int, int]:
        severity = claim["severity"]
        rank = _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
        return rank, -VERDICTS.index(verdict_of(claim))

    rows = tuple(
        Row(
            (
                badge(verdict_of(claim)),
                Markup(f'<a href="#claim-{escaped(claim["id"])}">{escaped(claim["claim"])}</a>'),
                claim["severity"],
                _printed(claim["published"]),
                _printed(claim["recomputed"]),
            )
        )
        for claim in sorted(failing, key=gravity)
    )
    return Table(
        ident="failing-claims",
        caption="Claims that do not hold, those that touch a conclusion first",
        columns=(
            Column("Verdict"),
            Column("Claim", "prose"),
            Column("Touches"),
            Column("Published", "figure"),
            Column("Recomputed", "figure"),
        ),
        bodies=(Body(rows),),
    )


def claims_table(claims: Sequence[Cells]) -> Table:
    """Every claim, in the order of the article."""
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
            Column("Why", "prose why"),
        ),
        bodies=tuple(
            Body(tuple(_claim_row(claim) for claim in claims if claim["place"] == place), heading=place)
            for place in places
        ),
        classes="claims",
    )


def _claim_row(claim: Cells) -> Row:
    verdict = verdict_of(claim)
    return Row(
        (
            badge(verdict),
            Markup(
                f"{escaped(claim['claim'])} "
                f'<span class="ident">{escaped(claim["id"])} · {escaped(claim["kind"])}</span>'
            ),
            _printed(claim["published"]),
            _printed(claim["recomputed"]),
            _printed(claim["tolerance"]),
            _reason(claim),
        ),
        ident=f"claim-{claim['id']}",
        classes=f"is-{verdict.key}",
    )


def _printed(text: str) -> str:
    """What the audit wrote, digits untouched, comparisons set as one sign."""
    return text.replace("<=", "≤ ").replace(">=", "≥") or MISSING


def _reason(claim: Cells) -> Markup:
    """The first sentence in sight, without identifiers; the whole reason and its numbers to be opened."""
    why = claim["why"]
    if claim["kind"] == "not_checkable":
        why = f"Not published: {why}"
    first, *rest = _SENTENCE.split(why, maxsplit=1)
    numbers = [number for number in claim["numbers"].split(";") if number]
    shown = escaped(_BRACKETED.sub("", first))
    longer = bool(rest) or _BRACKETED.search(first) is not None
    if not longer and not numbers:
        return Markup(shown)
    more = f"<p>{_with_sources(why)}</p>" if longer else ""
    if numbers:
        listed = "".join(f"<li>{escaped(number)}</li>" for number in numbers)
        more += f'<ul class="sources">{listed}</ul>'
    label = counted(len(numbers), "published number") if numbers else "in full"
    if longer and numbers:
        label = f"in full, with {label}"
    return Markup(f"{shown}<details><summary>{label}</summary>{more}</details>")


def _with_sources(text: str) -> str:
    parts = _SOURCE.split(text)
    return "".join(
        f'<span class="source">[{escaped(part)}]</span>' if index % 2 else _spaced(part)
        for index, part in enumerate(parts)
    )


def _spaced(text: str) -> str:
    # escaped() trims, but between two sources the blanks matter.
    before = " " if text[:1].isspace() else ""
    after = " " if text[-1:].isspace() and text.strip() else ""
    return before + escaped(text) + after


def _share_bar(part: int, whole: int, verdict: Verdict) -> Markup:
    share = 100 * part / whole if whole else 0.0
    return Markup(
        f'<span class="bar" aria-hidden="true"><span class="{verdict.key}" style="width:{share:.1f}%">'
        f'</span></span><span class="share">{share:.0f} %</span>'
    )
