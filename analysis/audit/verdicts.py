"""Every claim of a folder, judged: the most favourable reading decides, the others are told."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from analysis.audit.claims import PERCENT_UNITS, Claim, Reading, TermIds, load_claims
from analysis.audit.errors import AuditInputError
from analysis.audit.kinds import HELD, KINDS, RELATIONS, Case, Finding, Severity, Term, Verdict
from analysis.audit.kinds.finding import worst
from analysis.audit.published import Published, PublishedNumbers, load_published

LIMITS = ("bound", "quantifier")


@dataclass(frozen=True)
class Judged:
    """A claim with what came of each of its readings, in their order."""

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def chosen(self) -> int:
        """The most favourable reading: by verdict, then by severity, then as listed."""
        ranked = [(finding.verdict.rank, finding.severity.rank) for finding in self.findings]
        return ranked.index(min(ranked))

    @property
    def finding(self) -> Finding:
        """The finding that decides."""
        return self.findings[self.chosen]

    @property
    def reading(self) -> Reading:
        """The reading that decides."""
        return self.claim.readings[self.chosen]

    @property
    def strictest(self) -> Verdict:
        """The least favourable verdict of all readings."""
        return worst(finding.verdict for finding in self.findings)

    @property
    def fails(self) -> bool:
        """Whether the claim is contradicted, unsupported, or its sources disagree."""
        return self.finding.verdict not in (*HELD, Verdict.NOT_CHECKABLE)

    @property
    def why(self) -> str:
        """The arithmetic of the reading that decides, then that of the others, then the note."""
        why = self.finding.why if self.chosen == 0 else f"Read as: {self.reading.wording}. {self.finding.why}"
        for position, (reading, finding) in enumerate(zip(self.claim.readings, self.findings, strict=True)):
            if position != self.chosen:
                why += f" Other reading ({reading.wording}): {finding.verdict.value}. {finding.why}"
        return f"{why} {self.claim.note}".strip()


def judge(claim: Claim, numbers: PublishedNumbers) -> Judged:
    """Judge every reading of a claim.

    Raises AuditInputError for a number that is not published, or for numbers of one claim in different
    units.
    """
    cases = (case_of(claim, reading, numbers) for reading in claim.readings)
    findings = (KINDS[r.kind].evaluate(case) for r, case in zip(claim.readings, cases, strict=True))
    return Judged(claim, tuple(findings))


def audit(folder: Path) -> tuple[Judged, ...]:
    """Every claim of `folder`, judged, in file order. Raises AuditInputError for faulty input."""
    numbers = load_published(folder)
    return tuple(judge(claim, numbers) for claim in load_claims(folder))


def case_of(claim: Claim, reading: Reading, numbers: PublishedNumbers) -> Case:
    """The published numbers of a reading, by role; fractions as percent where its unit is percent."""
    where = f"claim {claim.id!r}"
    in_percent = reading.unit in PERCENT_UNITS

    def find(key: str) -> Published:
        number = numbers.find(key, where)
        return number.percent() if in_percent else number

    def term(ids: TermIds) -> Term:
        return Term(tuple(map(find, ids.plus)), tuple(map(find, ids.minus)))

    kind = KINDS[reading.kind]
    parts = {role: tuple(map(term, terms)) for role, terms in reading.parts.items()}
    printed = find(reading.states) if reading.states else None
    together = [n for role, terms in parts.items() if role not in kind.free for t in terms for n in t.numbers]
    if printed is not None and kind.same_unit:
        together.append(printed)
    _require_one_unit(where, together)
    if reading.kind in LIMITS and printed is not None:
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


def _gravity(item: Judged) -> tuple[int, int, Decimal]:
    return -item.finding.severity.rank, -item.finding.verdict.rank, -item.finding.gap


def gravest(judged: Sequence[Judged]) -> tuple[Judged, ...]:
    """Claims that fail with a severity of number or above, gravest first.

    By severity, then by verdict (a contradiction before sources that disagree before an inference that
    does not follow), then by how far the decisive number lies from what the claim needs, as a share of
    the larger of the two; ties in file order.
    """
    grave = (item for item in judged if item.fails and item.finding.severity.rank >= Severity.NUMBER.rank)
    return tuple(sorted(grave, key=_gravity))


def foremost(judged: Sequence[Judged], most: int = 5) -> tuple[Judged, ...]:
    """The gravest finding of each section of the article, of the `most` gravest sections."""
    return tuple(_one_per_place(gravest(judged)))[:most]


def _one_per_place(items: Iterable[Judged]) -> Iterator[Judged]:
    seen = set()
    for item in items:
        if item.claim.place not in seen:
            seen.add(item.claim.place)
            yield item
