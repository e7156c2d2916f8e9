"""What the audit writes: tables of claims, sections, sources and points, and a summary in Markdown."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from analysis.audit.kinds import KINDS, Severity, Term, Verdict
from analysis.audit.kinds.agreement import implied
from analysis.audit.numbers import shown
from analysis.audit.published import Published, PublishedNumbers
from analysis.audit.quantities import Vocabulary
from analysis.audit.sources import COLUMNS as SOURCE_COLUMNS
from analysis.audit.sources import Agreement, Pair
from analysis.audit.verdicts import Judged, case_of, foremost, gravest

CLAIM_COLUMNS = (
    *("id", "place", "kind", "claim", "published", "recomputed", "tolerance", "verdict", "why", "numbers"),
    *("severity", "value", "conclusion", "gap", "rank", "foremost", "reading", "strictest"),
)
SECTION_COLUMNS = ("place", "claims", *(severity.value for severity in Severity), "failing")
POINT_COLUMNS = (
    "claim",
    "kind",
    "role",
    "number",
    "label",
    "axis",
    "position",
    "value",
    "low",
    "high",
    "source",
    "unit",
)
STATED, IMPLIED, RECOMPUTED = "stated", "implied", "recomputed"
LABEL_COLUMNS = ("model", "scale", "condition", "x", "token", "layer")
COMPUTED = frozenset({"delta", "sum", "mean", "ratio", "percent_change"})
SETTINGS = ("earliest", "latest", "share", "n", "near", "alpha")  # options that a figure draws


def claims_csv(judged: Sequence[Judged]) -> str:
    """The text of `claims.csv`: one row per claim, in file order.

    `value` and `conclusion` are the two flags; `gap` is how far off the decisive number is; `rank`
    orders the findings of severity number or above, `foremost` those that a summary shows first;
    `strictest` is the least favourable verdict of all readings.
    """
    ranks = {item.claim.id: str(rank) for rank, item in enumerate(gravest(judged), 1)}
    first = {item.claim.id: str(rank) for rank, item in enumerate(foremost(judged), 1)}
    return _csv(CLAIM_COLUMNS, (_claim_row(item, ranks, first) for item in judged))


def _claim_row(item: Judged, ranks: Mapping[str, str], first: Mapping[str, str]) -> dict[str, str]:
    claim, finding = item.claim, item.finding
    suffix = f" {item.reading.unit}" if item.reading.unit and finding.tolerance else ""
    return {
        "id": claim.id,
        "place": claim.place,
        "kind": item.reading.kind,
        "claim": claim.text,
        "published": finding.published,
        "recomputed": finding.recomputed,
        "tolerance": finding.tolerance + suffix,
        "verdict": finding.verdict.value,
        "why": item.why,
        "numbers": ";".join(claim.ids),
        "severity": finding.severity.value,
        "value": finding.value.value,
        "conclusion": "changes" if finding.changes else "",
        "gap": shown(finding.gap, 3) if item.fails else "",
        "rank": ranks.get(claim.id, ""),
        "foremost": first.get(claim.id, ""),
        "reading": item.reading.wording,
        "strictest": item.strictest.value,
    }


def sections_csv(judged: Sequence[Judged]) -> str:
    """The text of `summary.csv`: claims of each section by severity, and how many of them fail."""
    return _csv(SECTION_COLUMNS, _section_rows(judged))


def _section_rows(judged: Sequence[Judged]) -> Iterator[dict[str, str]]:
    for place in dict.fromkeys(item.claim.place for item in judged):
        items = [item for item in judged if item.claim.place == place]
        counts = Counter(item.finding.severity for item in items)
        yield {
            "place": place,
            "claims": str(len(items)),
            **{severity.value: str(counts[severity]) for severity in Severity},
            "failing": str(sum(item.fails for item in items)),
        }


def sources_csv(pairs: Sequence[Pair]) -> str:
    """The text of `sources.csv`: every pair of values for one quantity, those that differ first."""
    return _csv(SOURCE_COLUMNS, (pair.row() for pair in pairs))


def points_csv(judged: Sequence[Judged], numbers: PublishedNumbers, vocabulary: Vocabulary | None) -> str:
    """The text of `points.csv`: the values that each finding of severity number or above rests on.

    One row a term of the reading that decides, one for the number that it states, one for each number that
    its kind computed from them, and one for each setting that its kind was given. `low` and `high` are the
    ends that rounding allows; `label` tells the columns that name the number, separated by " · ".
    """
    return _csv(POINT_COLUMNS, (row for item in gravest(judged) for row in _points(item, numbers, vocabulary)))


def _points(item: Judged, numbers: PublishedNumbers, vocabulary: Vocabulary | None) -> Iterator[dict[str, str]]:
    case = case_of(item.claim, item.reading, numbers)
    if case.printed is not None:
        yield _point(item, STATED, Term((case.printed,)), vocabulary)
    for role, terms in case.parts.items():
        yield from (_point(item, role, term, vocabulary) for term in terms)
    if item.reading.kind == "baseline":
        yield from (_point(item, IMPLIED, term, vocabulary) for term in implied(case))
    if item.reading.kind in COMPUTED:
        value = dict.fromkeys(("value", "low", "high"), item.finding.recomputed)
        yield {**dict.fromkeys(POINT_COLUMNS, ""), **value, "claim": item.claim.id, "role": RECOMPUTED}
    taken = KINDS[item.reading.kind].options
    for setting in SETTINGS:
        value = getattr(case.options, setting)
        if setting in taken and value is not None:
            told = {column: shown(value) for column in ("value", "low", "high")}
            yield {**dict.fromkeys(POINT_COLUMNS, ""), "claim": item.claim.id, "role": setting, **told}


def _point(item: Judged, role: str, term: Term, vocabulary: Vocabulary | None) -> dict[str, str]:
    return {
        "claim": item.claim.id,
        "kind": item.reading.kind,
        "role": role,
        "number": ";".join(number.id for number in term.numbers),
        "label": _label(term),
        "axis": _axis(term.plus[0], vocabulary),
        "position": "" if term.position is None else shown(term.position),
        "value": shown(term.value, 9),
        "low": shown(term.interval.low, 9),
        "high": shown(term.interval.high, 9),
        "source": " and ".join(sorted(term.sources)),
        "unit": term.plus[0].unit,
    }


def _axis(number: Published, vocabulary: Vocabulary | None) -> str:
    """What the position of a number counts: layers, where a column or `quantities.yaml` says so."""
    named = vocabulary.name(number) if vocabulary is not None else None
    return "layer" if number.row.get("layer") or (named is not None and named[0].layer) else "position"


def _label(term: Term) -> str:
    row = term.plus[0].row
    cells = dict(row)
    if row.get("layer"):
        cells["layer"] = f"layer {row['layer']}"
    if row.get("x", "").isdecimal():
        cells["x"] = f"at {row['x']}"
    label = " · ".join(filter(None, (cells.get(column, "") for column in LABEL_COLUMNS)))
    return f"{label} · and {len(term.plus) - 1} more, added" if len(term.plus) > 1 else label


def summary_markdown(judged: Sequence[Judged], pairs: Sequence[Pair] | None, title: str) -> str:
    """The text of `summary.md`: counts, sections, and every finding of severity number or above.

    Args:
        judged: every claim.
        pairs: of the cross-source sweep, or None where no `quantities.yaml` names quantities.
        title: of what was audited.
    """
    grave = gravest(judged)
    lines = [
        f"# Audit of {title}",
        "",
        f"{len(judged)} claims; {sum(item.fails for item in judged)} do not hold; {len(grave)} findings of severity "
        "number or above. Written by `python -m analysis.audit`; do not edit.",
        "",
        "## Verdicts",
        "",
        *_markdown_table(("verdict", *(severity.value for severity in Severity), "claims"), _verdict_rows(judged)),
        "",
        "## Sections",
        "",
        *_markdown_table(SECTION_COLUMNS, (list(row.values()) for row in _section_rows(judged))),
        "",
        "## Findings",
        "",
        "Gravest first: by severity, then by verdict, then by how far the decisive number lies from what the claim "
        "needs (0 to 1, in parentheses).",
        "",
        *(_finding_line(item) for item in grave),
        *(_sweep_lines(pairs) if pairs is not None else ()),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _verdict_rows(judged: Sequence[Judged]) -> Iterator[list[str]]:
    counts = Counter((item.finding.verdict, item.finding.severity) for item in judged)
    for verdict in Verdict:
        row = [counts[verdict, severity] for severity in Severity]
        if any(row):
            yield [verdict.value, *map(str, row), str(sum(row))]


def _finding_line(item: Judged) -> str:
    finding = item.finding
    arithmetic = _plain(_without(finding.why, item.claim.ids))
    gap = f" ({shown(finding.gap, 2)})" if finding.gap else ""
    return (
        f"- **{item.claim.id}** · {finding.severity.value} · {finding.verdict.value}{gap} · "
        f"{item.claim.text} {arithmetic}"
    )


def _without(text: str, numbers: Sequence[str]) -> str:
    """A reason without the identifiers, which stand in brackets."""
    listed = "|".join(re.escape(number) for number in numbers)
    return re.sub(rf"\s*\[(?:{listed})(?:, (?:{listed}))*\]", "", text)


def _plain(text: str) -> str:
    # Markdown reads < and | as its own.
    return text.replace("<", "&lt;").replace("|", "\\|")


def _sweep_lines(pairs: Sequence[Pair]) -> list[str]:
    shown_pairs = [pair for pair in pairs if not pair.superseded]
    counts = Counter(pair.agreement for pair in shown_pairs)
    lines = ["", "## The same quantity in several places", ""]
    lines += _markdown_table(("agreement", "pairs"), ([a.value, str(counts[a])] for a in Agreement if counts[a]))
    lines += ["", f"Left out: {len(pairs) - len(shown_pairs)} pairs with a superseded document.", ""]
    for pair in shown_pairs:
        if pair.agreement.differs:
            row = pair.row()
            lines.append(
                f"- {row['quantity']}: {row['first_value']} ({row['first_source']}), {row['second_value']} "
                f"({row['second_source']}); {row['apart']} apart, {row['agreement']}."
            )
    return lines


def _markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    head = "| " + " | ".join(columns) + " |"
    return [head, "|" + "---|" * len(columns), *("| " + " | ".join(row) + " |" for row in rows)]


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
