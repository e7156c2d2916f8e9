"""The summary of an audit in Markdown: counts, sections, findings, and quantities published in several places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from analysis.audit.kinds import Severity, Verdict
from analysis.audit.numbers import shown
from analysis.audit.sources import Agreement, Pair
from analysis.audit.tables import section_rows
from analysis.audit.verdicts import Judged, most_severe
from analysis.rows.audit import SectionRow
from analysis.rows.schema import names_of


def summary_markdown(judged: Sequence[Judged], pairs: Sequence[Pair] | None, title: str) -> str:
    """Return the text of `summary.md`: counts, sections, and every finding of severity number or above.

    Args:
        judged: every claim.
        pairs: of the cross-source sweep, or None where no `quantities.yaml` names quantities.
        title: name of what was audited.
    """
    severe = most_severe(judged)
    lines = [
        f"# Audit of {title}",
        "",
        f"{len(judged)} claims; {sum(item.fails for item in judged)} do not hold; {len(severe)} findings of severity "
        "number or above. Written by `python -m analysis.audit`; do not edit.",
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
        *(_finding_line(item) for item in severe),
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
    arithmetic = _plain(" ".join(sentence.plain for sentence in finding.reason))
    gap = f" ({shown(finding.gap, 2)})" if finding.gap else ""
    return (
        f"- **{item.claim.id}** · {finding.severity.value} · {finding.verdict.value}{gap} · "
        f"{item.claim.text} {arithmetic}"
    )


def _plain(text: str) -> str:
    # Markdown reads < and | as its own.
    return text.replace("<", "&lt;").replace("|", "\\|")


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
