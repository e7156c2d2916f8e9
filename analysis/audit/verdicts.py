"""Judge every claim of a folder: as worded, and under the most favourable reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from analysis.audit.claims import PERCENT_UNITS, Claim, Reading, TermIds, load_claims
from analysis.audit.kinds import HELD, KINDS, RELATIONS, Case, Finding, NumberTerm, Severity, Value, Verdict
from analysis.audit.kinds.finding import worst
from analysis.audit.kinds.revisions import explained_by
from analysis.audit.published import Published, PublishedNumbers, load_published
from config.errors import InputError

LIMITS = ("bound", "quantifier")
CUT_OFF = "further digits were cut off, not rounded"


@dataclass(frozen=True)
class Judged:
    """A claim with the finding of each of its readings, in their order, as worded first.

    Where the claim holds as worded, that is its verdict. Where it does not, and another reading is more favourable, the
    verdict is `depends on the reading`: neither an accusation nor a pass. Where it fails in every reading, the most
    favourable one decides.

    Examples:
        >>> claims = {item.claim.id: item for item in audit(Path("docs/examples/invented_article"))}
        >>> claims["delta-beta"].finding.why
        '60.0 - 81.3 = -21.3; stated -20.3. They differ by 1; rounding allows less than 0.15.'
        >>> claims["delta-beta"].fails, str(claims["delta-beta"].strictest)
        (True, 'contradicted')
    """

    claim: Claim
    findings: tuple[Finding, ...]
    last_digits: Mapping[str, Decimal] = field(default_factory=dict)

    @property
    def as_worded(self) -> Verdict:
        """The verdict of the sentence as worded: one end."""
        return self.findings[0].verdict

    @property
    def favourable(self) -> Verdict:
        """The most favourable verdict of all readings: the other end."""
        return self.findings[self._best].verdict

    @property
    def strictest(self) -> Verdict:
        """The least favourable verdict of all readings."""
        return worst(finding.verdict for finding in self.findings)

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict of the claim."""
        worded, best = self.as_worded, self.favourable
        if worded in (*HELD, Verdict.READING, Verdict.REVISED):
            return worded
        if worded.fails and best is Verdict.REVISED:
            return best
        if best in HELD or (worded.fails and not best.fails):
            return Verdict.READING
        return best if worded.fails else worded

    @property
    def _best(self) -> int:
        ranked = [(finding.verdict.rank, finding.severity.rank) for finding in self.findings]
        return ranked.index(min(ranked))

    @property
    def chosen(self) -> int:
        """Index of the reading whose arithmetic is shown: as worded, or the most favourable one if all fail."""
        return self._best if self.verdict.fails or self.verdict is Verdict.REVISED else 0

    @property
    def finding(self) -> Finding:
        """The finding whose arithmetic is shown."""
        return self.findings[self.chosen]

    @property
    def reading(self) -> Reading:
        """The reading whose arithmetic is shown."""
        return self.claim.readings[self.chosen]

    @property
    def holds_if(self) -> str:
        """For a verdict that depends on the reading: under which readings, or meanings of a word, the claim holds."""
        if self.verdict is not Verdict.READING:
            return ""
        pairs = zip(self.claim.readings, self.findings, strict=True)
        held = [reading.wording for reading, finding in pairs if finding.verdict in HELD]
        if held:
            return f"It holds only if read as: {'; or: '.join(held)}."
        if self.finding.sensitivity:
            return self.finding.sensitivity
        return f"Read as: {self.claim.readings[self._best].wording}, it is {self.favourable.value}."

    @cached_property
    def power(self) -> tuple[Decimal, str] | None:
        """The smallest move of a printed number that changes the verdict of a claim that holds, and the number.

        In units of the last printed digit; None where the claim does not hold, or rests on no printed number.
        """
        if self.verdict not in HELD:
            return None
        moves = []
        for key, move in self.finding.slack().items():
            unit = self.last_digits.get(key)
            if unit is not None:
                moves.append((abs(move) / unit, key))
        return min(moves, default=None)

    @property
    def fails(self) -> bool:
        """Whether the claim is contradicted or unsupported, or its sources disagree."""
        return self.verdict.fails

    @property
    def why(self) -> str:
        """The arithmetic of the reading that is shown, that of the others, and the note, as text."""
        why = self.finding.why if self.chosen == 0 else f"Read as: {self.reading.wording}. {self.finding.why}"
        if self.holds_if and self.holds_if != self.finding.sensitivity:
            why += f" {self.holds_if}"
        for position, (reading, finding) in enumerate(zip(self.claim.readings, self.findings, strict=True)):
            if position != self.chosen:
                why += f" Other reading ({reading.wording}): {finding.verdict.value}. {finding.why}"
        return f"{why} {self.claim.note}".strip()


def judge(claim: Claim, numbers: PublishedNumbers) -> Judged:
    """Judge every reading of a claim.

    A value that is off as worded is judged once more with the further digits of every printed number cut off instead of
    rounded; if the claim holds so, that is one reading more.

    Raises:
        InputError: for a number that is not published, or for numbers of one claim in different units.
    """
    findings = [_found(claim, reading, numbers) for reading in claim.readings]
    if findings[0].verdict.fails and findings[0].value in (Value.NEAR, Value.OFF):
        cut = replace(claim.readings[0], wording=CUT_OFF, cut_off=True)
        found = KINDS[cut.kind].evaluate(case_of(claim, cut, numbers))
        if found.verdict in HELD:
            return Judged(replace(claim, readings=(*claim.readings, cut)), (*findings, found))
    if findings[0].verdict in HELD and KINDS[claim.kind].tells_needs and _is_true_of_any(findings[0]):
        findings[0] = replace(findings[0], verdict=Verdict.CANNOT_FAIL)
    return Judged(claim, tuple(findings), _last_digits(claim, numbers))


def _is_true_of_any(finding: Finding) -> bool:
    """Whether no number of a claim could make it fail: it is compared with itself, or true of any numbers."""
    return all(not rate for need in finding.needs for rate in need.rates.values())


def _last_digits(claim: Claim, numbers: PublishedNumbers) -> Mapping[str, Decimal]:
    """Return the unit of the last digit of each printed number of the claim as worded, in the unit of the claim."""
    in_percent = claim.readings[0].unit in PERCENT_UNITS
    units = {}
    for key in claim.readings[0].ids:
        number = numbers[key].percent() if in_percent else numbers[key]
        unit = number.quantity.unit_of_last_digit()
        if unit is not None:
            units[key] = unit
    return units


def _found(claim: Claim, reading: Reading, numbers: PublishedNumbers) -> Finding:
    found = KINDS[reading.kind].evaluate(case_of(claim, reading, numbers))
    return explained_by(found, reading.older) if reading.older and found.verdict in HELD else found


def audit(folder: Path) -> tuple[Judged, ...]:
    """Judge every claim of a folder, in file order.

    Args:
        folder: with `claims.yaml` and the published numbers.

    Raises:
        InputError: for a missing or faulty file.

    Examples:
        >>> from collections import Counter
        >>> verdicts = Counter(str(item.verdict) for item in audit(Path("docs/examples/invented_article")))
        >>> verdicts["consistent"], verdicts["contradicted"]
        (28, 8)
    """
    numbers = load_published(folder)
    return tuple(judge(claim, numbers) for claim in load_claims(folder))


def case_of(claim: Claim, reading: Reading, numbers: PublishedNumbers) -> Case:
    """Return the published numbers of a reading, by role; fractions as percent where its unit is percent."""
    where = f"claim {claim.id!r}"
    in_percent = reading.unit in PERCENT_UNITS

    def find(key: str) -> Published:
        number = numbers.find(key, where)
        if reading.cut_off:
            number = replace(number, quantity=number.quantity.cut_off())
        return number.percent() if in_percent else number

    def term(ids: TermIds) -> NumberTerm:
        return NumberTerm(tuple(map(find, ids.plus)), tuple(map(find, ids.minus)))

    kind = KINDS[reading.kind]
    parts = {role: tuple(map(term, terms)) for role, terms in reading.parts.items()}
    printed = find(reading.states) if reading.states else None
    if kind.unit_by_pair and kind.paired:
        for pair in zip(*(parts[role] for role in kind.paired), strict=True):
            _require_one_unit(where, (number for each in pair for number in each.numbers))
        return Case(printed, parts, reading.options)
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


def defects(judged: Iterable[Judged]) -> Mapping[str, tuple[Judged, ...]]:
    """Return the claims that fail by what is wrong, in file order: findings of one defect are one finding.

    A claim without a declared defect is its own.

    Examples:
        >>> found = defects(audit(Path("docs/examples/invented_article")))
        >>> {name: len(items) for name, items in found.items()}["delta-beta"]
        1
    """
    found: dict[str, tuple[Judged, ...]] = {}
    for item in judged:
        if item.fails:
            name = item.claim.defect or item.claim.id
            found[name] = (*found.get(name, ()), item)
    return found


def _by_severity(item: Judged) -> tuple[int, int, Decimal]:
    return -item.finding.severity.rank, -item.verdict.rank, -item.finding.gap


def most_severe(judged: Sequence[Judged]) -> tuple[Judged, ...]:
    """Return the claims that fail with a severity of number or above, most severe first.

    Sorted by severity, then by verdict (a contradiction before sources that disagree before an inference that does not
    follow), then by the distance of the decisive number from what the claim needs, as a share of the larger of the two;
    ties in file order.

    Examples:
        >>> [item.claim.id for item in most_severe(audit(Path("docs/examples/invented_article")))][:2]
        ['overlap', 'no-worse']
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
