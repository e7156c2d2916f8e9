"""Judge every claim of a folder: the most favourable reading decides, and the others are reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from analysis.audit.claims import PERCENT_UNITS, Claim, Reading, TermIds, load_claims
from analysis.audit.kinds import KINDS, RELATIONS, Case, Finding, NumberTerm, Severity, Verdict
from analysis.audit.kinds.finding import worst
from analysis.audit.published import Published, PublishedNumbers, load_published
from config.errors import InputError

LIMITS = ("bound", "quantifier")


@dataclass(frozen=True)
class Judged:
    """A claim with the finding of each of its readings, in their order.

    Examples:
        >>> claims = {item.claim.id: item for item in audit(Path("docs/examples/invented_article"))}
        >>> claims["delta-beta"].finding.why
        '60.0 - 81.3 = -21.3; stated -20.3. They differ by 1; rounding allows less than 0.15.'
        >>> claims["delta-beta"].fails, str(claims["delta-beta"].strictest)
        (True, 'contradicted')
    """

    claim: Claim
    findings: tuple[Finding, ...]

    @property
    def chosen(self) -> int:
        """Index of the most favourable reading: by verdict, then by severity, then as listed."""
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
        """Whether the claim is contradicted or unsupported, or its sources disagree."""
        return self.finding.verdict.fails

    @property
    def why(self) -> str:
        """The arithmetic of the reading that decides, that of the others, and the note, as text."""
        why = self.finding.why if self.chosen == 0 else f"Read as: {self.reading.wording}. {self.finding.why}"
        for position, (reading, finding) in enumerate(zip(self.claim.readings, self.findings, strict=True)):
            if position != self.chosen:
                why += f" Other reading ({reading.wording}): {finding.verdict.value}. {finding.why}"
        return f"{why} {self.claim.note}".strip()


def judge(claim: Claim, numbers: PublishedNumbers) -> Judged:
    """Judge every reading of a claim.

    Raises:
        InputError: for a number that is not published, or for numbers of one claim in different units.
    """
    cases = (case_of(claim, reading, numbers) for reading in claim.readings)
    findings = (KINDS[r.kind].evaluate(case) for r, case in zip(claim.readings, cases, strict=True))
    return Judged(claim, tuple(findings))


def audit(folder: Path) -> tuple[Judged, ...]:
    """Judge every claim of a folder, in file order.

    Args:
        folder: with `claims.yaml` and the published numbers.

    Raises:
        InputError: for a missing or faulty file.

    Examples:
        >>> from collections import Counter
        >>> verdicts = Counter(str(item.finding.verdict) for item in audit(Path("docs/examples/invented_article")))
        >>> verdicts["consistent"], verdicts["contradicted"]
        (16, 4)
    """
    numbers = load_published(folder)
    return tuple(judge(claim, numbers) for claim in load_claims(folder))


def case_of(claim: Claim, reading: Reading, numbers: PublishedNumbers) -> Case:
    """Return the published numbers of a reading, by role; fractions as percent where its unit is percent."""
    where = f"claim {claim.id!r}"
    in_percent = reading.unit in PERCENT_UNITS

    def find(key: str) -> Published:
        number = numbers.find(key, where)
        return number.percent() if in_percent else number

    def term(ids: TermIds) -> NumberTerm:
        return NumberTerm(tuple(map(find, ids.plus)), tuple(map(find, ids.minus)))

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
        raise InputError(
            f"{where}: its numbers are in different units: {listed}. Is an identifier wrong, or should the claim have "
            "unit: '%', so that fractions are read as percent?"
        )


def _require_side(where: str, reading: Reading, limit: Published) -> None:
    if reading.options.relation is None and limit.quantity.qualifier not in RELATIONS:
        raise InputError(
            f"{where}: number {limit.id!r} has qualifier {limit.quantity.qualifier!r}, which is not a side of a limit. "
            f"Set options.relation; allowed: {', '.join(RELATIONS)}"
        )


def _by_severity(item: Judged) -> tuple[int, int, Decimal]:
    return -item.finding.severity.rank, -item.finding.verdict.rank, -item.finding.gap


def most_severe(judged: Sequence[Judged]) -> tuple[Judged, ...]:
    """Return the claims that fail with a severity of number or above, most severe first.

    Sorted by severity, then by verdict (a contradiction before sources that disagree before an inference that does not
    follow), then by the distance of the decisive number from what the claim needs, as a share of the larger of the two;
    ties in file order.

    Examples:
        >>> [item.claim.id for item in most_severe(audit(Path("docs/examples/invented_article")))][:2]
        ['monotone', 'chance']
    """
    severe = (item for item in judged if item.fails and item.finding.severity.rank >= Severity.NUMBER.rank)
    return tuple(sorted(severe, key=_by_severity))


def foremost(judged: Sequence[Judged], most: int = 5) -> tuple[Judged, ...]:
    """Return the most severe finding of each section of the article, for the `most` sections that come first."""
    return tuple(_one_per_place(most_severe(judged)))[:most]


def _one_per_place(items: Iterable[Judged]) -> Iterator[Judged]:
    seen = set()
    for item in items:
        if item.claim.place not in seen:
            seen.add(item.claim.place)
            yield item
