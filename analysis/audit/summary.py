"""The summary of an audit in Markdown: counts, sections, findings, and quantities published in several places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from analysis.audit.kinds import Severity, Verdict
from analysis.audit.numbers import shown
from analysis.audit.sources import Agreement, Pair
from analysis.audit.tables import section_rows
from analysis.audit.usage import Usage
from analysis.audit.verdicts import Judged, defects, most_severe
from analysis.rows.audit import SectionRow
from analysis.rows.schema import names_of

AUDIT = "audit"


def summary_markdown(
    judged: Sequence[Judged],
    pairs: Sequence[Pair] | None,
    power: Sequence[Mapping[str, str]],
    used: Usage,
    title: str,
) -> str:
    """Return the text of `summary.md`: counts, sections, and every finding of severity number or above.

    Args:
        judged: every claim.
        pairs: of the cross-source sweep, or None where no `quantities.yaml` names quantities.
        power: rows of `power.csv`.
        used: what the published numbers are used for.
        title: name of what was audited.
    """
    severe = most_severe(judged)
    readings = [item for item in judged if item.verdict is Verdict.READING]
    checks = [item for item in judged if item.claim.origin == AUDIT]
    wrong = defects(judged)
    lines = [
        f"# Audit of {title}",
        "",
        f"{len(judged)} claims: {len(judged) - len(checks)} statements of the article and {len(checks)} checks that "
        f"the audit adds. {sum(item.fails for item in judged)} do not hold, from {len(wrong)} defects; "
        f"{len(readings)} depend on the reading; {len(severe)} findings of severity number or above. Written by "
        "`python -m analysis.audit`; do not edit.",
        "",
        usage_sentence(used),
        "",
        "## Verdicts",
        "",
        *_markdown_table(("verdict", *(severity.value for severity in Severity), "claims"), _verdict_rows(judged)),
        "",
        "## Sections",
        "",
        *_markdown_table(names_of(SectionRow), (list(row.values()) for row in section_rows(judged))),
        "",
        "## Findings",
        "",
        "Most severe first: by severity, then by verdict, then by the distance of the decisive number from what the "
        "claim needs (0 to 1, in parentheses).",
        "",
        *(_finding_line(item) for item in severe if item.claim.origin != AUDIT),
        "",
        "## Findings of checks that the audit adds",
        "",
        *(_finding_line(item) for item in severe if item.claim.origin == AUDIT),
        "",
        "## Defects",
        "",
        "Findings of one defect are one finding.",
        "",
        *(_defect_line(name, items) for name, items in wrong.items()),
        "",
        "## Holds only if read as …",
        "",
        "Neither consistent nor held against the article: each with its verdict as worded.",
        "",
        *(_reading_line(item) for item in readings),
        "",
        "## Revised in part",
        "",
        "What disagrees belongs to different versions of the article. A revision is no error.",
        "",
        *(_reading_line(item) for item in judged if item.verdict is Verdict.REVISED),
        *_power_lines(judged, power),
        *(_sweep_lines(pairs) if pairs is not None else ()),
    ]
    return "\n".join(lines).rstrip() + "\n"


def usage_sentence(used: Usage) -> str:
    """Return how many of the published numbers are used, in a sentence."""
    return (
        f"{len(used.by_claims):,} of {len(used.numbers):,} published numbers are used by a claim and "
        f"{len(used.only_compared):,} more by the comparison of sources ({100 * used.share:.1f} %)."
    )


def _verdict_rows(judged: Sequence[Judged]) -> Iterator[list[str]]:
    counts = Counter((item.verdict, item.finding.severity) for item in judged)
    for verdict in Verdict:
        row = [counts[verdict, severity] for severity in Severity]
        if any(row):
            yield [verdict.value, *map(str, row), str(sum(row))]


def _finding_line(item: Judged) -> str:
    finding = item.finding
    arithmetic = _plain(" ".join(sentence.plain for sentence in finding.reason))
    gap = f" ({shown(finding.gap, 2)})" if finding.gap else ""
    return (
        f"- **{item.claim.id}** · {finding.severity.value} · {item.verdict.value}{gap} · {item.claim.text} {arithmetic}"
    )


def _defect_line(name: str, items: Sequence[Judged]) -> str:
    places = ", ".join(item.claim.id for item in items)
    return f"- {_plain(name)}: {places}" if [name] != [item.claim.id for item in items] else f"- {name}"


def _reading_line(item: Judged) -> str:
    arithmetic = _plain(" ".join(sentence.plain for sentence in item.finding.reason))
    worded = "" if item.as_worded is Verdict.READING else f" As worded: {item.as_worded.value}."
    told = "" if item.holds_if == item.finding.sensitivity else f" {_plain(item.holds_if)}"
    return f"- {item.claim.id} · {item.claim.text}{worded} {arithmetic}{told}"


def _plain(text: str) -> str:
    # Markdown reads < and | as its own.
    return text.replace("<", "&lt;").replace("|", "\\|")


def _power_lines(judged: Sequence[Judged], power: Sequence[Mapping[str, str]]) -> list[str]:
    idle = [item.claim.id for item in judged if item.verdict is Verdict.CANNOT_FAIL]
    columns = ("kind", "change", "tried", "noticed", "accused", "pinned", "pinned_noticed", "pinned_accused")
    return [
        "",
        "## Power",
        "",
        "Every printed number was moved by one and by two units of its last digit, and its sign turned. A change is "
        "noticed where a verdict gets worse, and accused where something fails that did not. A number is pinned where "
        "something published at least as precisely holds it from both sides.",
        "",
        *_markdown_table(columns, ([row[name] for name in columns] for row in power)),
        "",
        f"Claims that cannot fail, whatever the numbers: {', '.join(idle) or 'none'}. They support nothing.",
    ]


def _sweep_lines(pairs: Sequence[Pair]) -> list[str]:
    current = [pair for pair in pairs if not pair.superseded]
    counts = Counter(pair.agreement for pair in current)
    lines = ["", "## The same quantity in several places", ""]
    lines += _markdown_table(("agreement", "pairs"), ([a.value, str(counts[a])] for a in Agreement if counts[a]))
    lines += ["", f"Left out: {len(pairs) - len(current)} pairs with a superseded document.", ""]
    for pair in current:
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
