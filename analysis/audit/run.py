"""Evaluate every claim of a folder and write the verdicts.

    python -m analysis.audit analysis/published --out results/demo/audit

writes `claims.csv` (one row per claim) and `summary.csv` (claims by verdict and severity). Both are
functions of the folder alone: the same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.audit.claims import PERCENT_UNITS, Claim, Reading, TermIds, load_claims
from analysis.audit.errors import AuditInputError
from analysis.audit.kinds import KINDS, RELATIONS, Case, Finding, Severity, Term, Verdict
from analysis.audit.published import Published, PublishedNumbers, load_published
from config.files import write_whole

CLAIMS_FILE = "claims.csv"
SUMMARY_FILE = "summary.csv"
COLUMNS = (
    "id",
    "place",
    "kind",
    "claim",
    "published",
    "recomputed",
    "tolerance",
    "verdict",
    "why",
    "numbers",
    "severity",
)


@dataclass(frozen=True)
class Judged:
    """A claim with what came of it; `numbers` are the identifiers of every reading."""

    claim: Claim
    finding: Finding

    @property
    def numbers(self) -> tuple[str, ...]:
        """Identifiers of every number used, each once."""
        return self.claim.ids

    def row(self) -> dict[str, str]:
        """The row of `claims.csv`."""
        unit = self.claim.readings[0].unit
        suffix = f" {unit}" if unit else ""
        return {
            "id": self.claim.id,
            "place": self.claim.place,
            "kind": self.claim.kind,
            "claim": self.claim.text,
            "published": self.finding.published,
            "recomputed": self.finding.recomputed,
            "tolerance": self.finding.tolerance + (suffix if self.finding.tolerance else ""),
            "verdict": self.finding.verdict.value,
            "why": self.finding.why,
            "numbers": ";".join(self.numbers),
            "severity": self.finding.severity.value,
        }


def evaluate(claim: Claim, numbers: PublishedNumbers) -> Finding:
    """The finding of a claim: its most favourable reading, the others told in `why`.

    Readings are ranked by verdict, then by severity, then as listed. Raises AuditInputError for a
    number that is not published, or for numbers of one claim in different units.
    """
    findings = [KINDS[r.kind].evaluate(_case(claim, r, numbers)) for r in claim.readings]
    verdicts, severities = list(Verdict), list(Severity)
    best = min(
        range(len(findings)),
        key=lambda i: (
            verdicts.index(findings[i].verdict),
            severities.index(findings[i].severity),
            i,
        ),
    )
    chosen = findings[best]
    why = chosen.why if best == 0 else f"Read as: {claim.readings[best].wording}. {chosen.why}"
    for i, (reading, finding) in enumerate(zip(claim.readings, findings, strict=True)):
        if i != best:
            why += f" Other reading ({reading.wording}): {finding.verdict.value}. {finding.why}"
    return Finding(
        chosen.published,
        chosen.recomputed,
        chosen.tolerance,
        chosen.verdict,
        chosen.severity,
        f"{why} {claim.note}".strip(),
    )


def _case(claim: Claim, reading: Reading, numbers: PublishedNumbers) -> Case:
    where = f"claim {claim.id!r}"
    in_percent = reading.unit in PERCENT_UNITS

    def find(key: str) -> Published:
        number = numbers.find(key, where)
        return number.percent() if in_percent else number

    def term(ids: TermIds) -> Term:
        return Term(tuple(map(find, ids.plus)), tuple(map(find, ids.minus)))

    parts = {role: tuple(map(term, terms)) for role, terms in reading.parts.items()}
    printed = find(reading.states) if reading.states else None
    together = [n for terms in parts.values() for t in terms for n in t.numbers]
    if printed is not None and KINDS[reading.kind].same_unit:
        together.append(printed)
    _require_one_unit(where, together)
    if reading.kind == "bound" and printed is not None:
        _require_side(where, reading, printed)
    return Case(printed, parts, reading.options)


def _require_one_unit(where: str, numbers: Iterable[Published]) -> None:
    # Percent and percentage points are added and compared freely; nothing else is.
    units: Mapping[str, str] = {"%" if n.unit in PERCENT_UNITS else n.unit: n.id for n in numbers}
    if len(units) > 1:
        listed = ", ".join(f"{unit!r} ({key})" for unit, key in sorted(units.items()))
        raise AuditInputError(
            f"{where}: its numbers are in different units: {listed}. Is an identifier wrong, or "
            "should the claim say unit: '%' so that fractions are read as percent?"
        )


def _require_side(where: str, reading: Reading, limit: Published) -> None:
    if reading.options.relation is None and limit.quantity.qualifier not in RELATIONS:
        raise AuditInputError(
            f"{where}: number {limit.id!r} has qualifier {limit.quantity.qualifier!r}, which is no "
            f"side of a limit. Give option 'relation': {', '.join(RELATIONS)}."
        )


def audit(folder: Path) -> tuple[Judged, ...]:
    """Every claim of `folder`, judged, in file order. Raises AuditInputError for faulty input."""
    numbers = load_published(folder)
    return tuple(Judged(claim, evaluate(claim, numbers)) for claim in load_claims(folder))


def claims_csv(judged: Sequence[Judged]) -> str:
    """The text of `claims.csv`."""
    return _csv(COLUMNS, (item.row() for item in judged))


def summary_csv(judged: Sequence[Judged]) -> str:
    """The text of `summary.csv`: how many claims have each verdict and severity, zeros left out."""
    counts = Counter((item.finding.verdict, item.finding.severity) for item in judged)
    rows = [
        {"verdict": verdict.value, "severity": severity.value, "claims": str(counts[key])}
        for verdict in Verdict
        for severity in Severity
        if counts[key := (verdict, severity)]
    ]
    return _csv(("verdict", "severity", "claims"), rows)


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0, or 2 with a message on stderr for faulty input."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.audit",
        description="Hold published claims against published numbers; one verdict per claim.",
    )
    parser.add_argument(
        "folder",
        type=Path,
        help="folder with claims.yaml and tables.csv, figures.csv, interactive.csv",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for claims.csv and summary.csv")
    options = parser.parse_args(arguments)
    try:
        judged = audit(options.folder)
    except AuditInputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_whole(options.out / SUMMARY_FILE, summary_csv(judged).encode())
    write_whole(options.out / CLAIMS_FILE, claims_csv(judged).encode())
    counts = Counter(item.finding.verdict for item in judged)
    parts = [f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]]
    print(f"{len(judged)} claims: {', '.join(parts)}. Written to {options.out / CLAIMS_FILE}")
    return 0
