"""The audit's tables of claims: how many have each verdict, and every claim with its reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.inputs import Cells
from reports.markup import aside, badge, sign
from reports.numbers import MISSING, count
from reports.reasons import Reasons, folded, with_signs
from reports.table import Body, Table, TableColumn, TableRow


@dataclass(frozen=True)
class VerdictStyle:
    """Presentation of a verdict: `key` names its colour and its variable; the sign works without colour."""

    name: str
    key: str
    sign: str
    meaning: str
    fails: bool


# Most favourable first, as the audit ranks them.
VERDICTS = (
    VerdictStyle("consistent", "consistent", "✓", "the numbers give what the article states", False),
    VerdictStyle(
        "consistent only with rounding",
        "rounding",
        "≈",
        "they do so only because printed numbers were rounded",
        False,
    ),
    VerdictStyle(
        "consistent only by a tie",
        "tie",
        "≈",
        "a number lies exactly between two printed ones, and rounds to the stated one by one convention",
        False,
    ),
    VerdictStyle(
        "depends on the reading",
        "reading",
        "◐",
        "it does not hold as worded, or rests on a vague word, and holds in another reading",
        False,
    ),
    VerdictStyle(
        "revised in part",
        "revised",
        "↻",
        "what disagrees belongs to different versions of the article, one of which was revised and the other not",
        False,
    ),
    VerdictStyle("not checkable", "unchecked", "?", "what would decide it was not published", False),
    VerdictStyle("cannot fail", "idle", "○", "it is true of any numbers, and supports nothing", False),
    VerdictStyle("unsupported", "unsupported", "⊬", "the numbers stand, the inference does not follow", True),
    VerdictStyle("sources disagree", "disagree", "≠", "two published places give different numbers", True),
    VerdictStyle("contradicted", "contradicted", "✕", "published numbers give something else", True),
)
_BY_NAME = {verdict.name: verdict for verdict in VERDICTS}
_SEVERITIES = ("conclusion", "number", "rounding", "none")


def verdict_of(claim: Cells) -> VerdictStyle:
    """Return the style of a claim's verdict; an unknown verdict is shown as is."""
    name = claim["verdict"]
    return _BY_NAME.get(name, VerdictStyle(name, "unchecked", "?", "", False))


def verdict_badge(verdict: VerdictStyle) -> Markup:
    """Return a verdict as a coloured label."""
    return badge(verdict.key, verdict.sign, verdict.name)


def verdict_counts(claims: Sequence[Cells]) -> Counter[str]:
    """Return verdict name → number of claims."""
    return Counter(claim["verdict"] for claim in claims)


def verdict_summary(claims: Sequence[Cells]) -> Table:
    """Return how many claims have each verdict, and with which severity."""
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
            TableRow(
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
            TableColumn("Verdict"),
            TableColumn("Claims", "number"),
            TableColumn("Share", "bar-cell"),
            TableColumn("Meaning", "prose"),
            TableColumn("Severity", "prose"),
        ),
        bodies=(Body(tuple(rows)),),
    )


def claims_table(claims: Sequence[Cells], reproduced: Mapping[str, Cells], reasons: Mapping[str, Reasons]) -> Table:
    """Return every claim, in the order of the article.

    Args:
        claims: rows of `claims.csv`.
        reproduced: claim → its row of `reproduced.csv`.
        reasons: claim → why it has its verdict.
    """
    places = dict.fromkeys(claim["place"] for claim in claims)
    return Table(
        ident="all-claims",
        caption="Every claim, in the order of the article",
        columns=(
            TableColumn("Verdict"),
            TableColumn("Claim", "prose"),
            TableColumn("Published", "figure"),
            TableColumn("Recomputed", "figure"),
            TableColumn("Rounding allows", "figure"),
            TableColumn("In this run"),
            TableColumn("Why", "prose why"),
        ),
        bodies=tuple(
            Body(
                tuple(
                    _claim_row(claim, reproduced[claim["id"]], reasons[claim["id"]])
                    for claim in claims
                    if claim["place"] == place
                ),
                heading=place,
            )
            for place in places
        ),
        classes="claims",
    )


def _claim_row(claim: Cells, reproduced: Cells, reasons: Reasons) -> TableRow:
    verdict = verdict_of(claim)
    strictest = verdict_of({"verdict": claim["strictest"]})
    shown = [verdict_badge(verdict)]
    if strictest.fails and not verdict.fails:
        shown.append(aside(f"another reading: {strictest.name}"))
    return TableRow(
        (
            Markup(" ").join(shown),
            Markup("{} {}").format(claim["claim"], aside(f"{claim['id']} · {claim['kind']}")),
            printed(claim["published"]),
            printed(claim["recomputed"]),
            printed(claim["tolerance"]),
            _measured(reproduced),
            folded(reasons),
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
    """Return what the audit wrote, digits unchanged, with each comparison as a single sign."""
    return with_signs(text).replace("≤", "≤ ") or MISSING


def _share_bar(part: int, whole: int, verdict: VerdictStyle) -> Markup:
    share = 100 * part / whole if whole else 0.0
    return Markup(
        '<span class="bar" aria-hidden="true"><span class="{key}" style="width:{share:.1f}%"></span></span>'
        '<span class="share">{share:.0f} %</span>'
    ).format(key=verdict.key, share=share)
