"""Findings: verdict, size of the discrepancy, arithmetic, and the changes that would alter the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from analysis.audit.kinds.reason import Phrase, Reason, phrase


class Verdict(StrEnum):
    """What the published numbers imply for a claim, most favourable first."""

    CONSISTENT = "consistent"
    ROUNDING = "consistent only with rounding"
    TIE = "consistent only by a tie"
    READING = "depends on the reading"
    REVISED = "revised in part"
    NOT_CHECKABLE = "not checkable"
    CANNOT_FAIL = "cannot fail"
    UNSUPPORTED = "unsupported"
    SOURCES_DISAGREE = "sources disagree"
    CONTRADICTED = "contradicted"

    @property
    def rank(self) -> int:
        """0 for the most favourable."""
        return list(Verdict).index(self)

    @property
    def fails(self) -> bool:
        """Whether the published numbers speak against the claim."""
        return self in (Verdict.UNSUPPORTED, Verdict.SOURCES_DISAGREE, Verdict.CONTRADICTED)


HELD = (Verdict.CONSISTENT, Verdict.ROUNDING)


class Severity(StrEnum):
    """How much a finding matters, least severe first."""

    NONE = "none"
    ROUNDING = "rounding"
    NUMBER = "number"
    CONCLUSION = "conclusion"

    @property
    def rank(self) -> int:
        """0 for the least severe."""
        return list(Severity).index(self)


class Value(StrEnum):
    """How a stated value compares with the recomputed one; one of statcheck's two flags."""

    NOT_STATED = ""
    AS_PRINTED = "as printed"
    WITHIN_ROUNDING = "within rounding"
    TIE = "at a tie"
    NEAR = "off by less than its last digit"
    OFF = "off"

    @property
    def severity(self) -> Severity:
        """The severity of the value alone, whatever becomes of the conclusion."""
        if self is Value.OFF:
            return Severity.NUMBER
        return Severity.ROUNDING if self in (Value.WITHIN_ROUNDING, Value.TIE, Value.NEAR) else Severity.NONE


@dataclass(frozen=True)
class Need:
    """A condition that the numbers must meet for a claim to hold; it is met, within rounding, while `room` > 0.

    Where no number is rounded, `room` = 0 meets it as well.

    Attributes:
        room: how far the condition is from failing, rounding included.
        rates: identifier of a number → change of `room` when that number grows by one.
    """

    room: Decimal
    rates: Mapping[str, Decimal]


@dataclass(frozen=True)
class Finding:
    """The outcome of a claim.

    Attributes:
        published, recomputed, tolerance: numbers as text for a reader.
        verdict: what the published numbers imply.
        reason: the arithmetic, sentence by sentence.
        value: whether the stated value is off (first flag).
        changes: whether the conclusion changes (second flag).
        sensitivity: for which meanings of a vague word the claim holds, where a word stands for a limit.
        gap: distance of the decisive number from what the claim needs, as a share of the larger of the two:
            0 where the claim holds or nothing can be measured, at most 1.
        conditions: gives `needs`; called only when they are asked for, since an order has one per pair of numbers.
    """

    published: str
    recomputed: str
    tolerance: str
    verdict: Verdict
    reason: Reason
    value: Value = Value.NOT_STATED
    changes: bool = False
    gap: Decimal = Decimal(0)
    conditions: Callable[[], Iterable[Need]] = tuple
    sensitivity: str = ""

    @property
    def severity(self) -> Severity:
        """The more severe of the two flags."""
        return Severity.CONCLUSION if self.changes else self.value.severity

    @property
    def why(self) -> str:
        """The reason as text, with the identifiers of the numbers in brackets."""
        return " ".join(sentence.text for sentence in self.reason)

    def with_sensitivity(self, sensitivity: str) -> Finding:
        """Return the finding with a sentence that says for which meanings of a vague word the claim holds."""
        return replace(self, sensitivity=sensitivity, reason=(*self.reason, phrase(sensitivity)))

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """The conditions for the claim to hold. A number in none of them cannot change the verdict by itself."""
        return tuple(self.conditions())

    def slack(self) -> dict[str, Decimal]:
        """Return for each number, by identifier, the smallest signed move that uses up the room that there is.

        For a claim that holds, a larger move in that direction makes it fail.

        Examples:
            >>> from analysis.audit.kinds import KINDS, printed_case
            >>> found = KINDS["bound"].evaluate(printed_case("<=1.0", values=["0.4", "0.9"]))
            >>> {key: str(move) for key, move in found.slack().items()}
            {'0.9': '0.15', '<=1.0': '-0.15', '0.4': '0.65'}
        """
        slack: dict[str, Decimal] = {}
        for need in self.needs:
            for key, rate in need.rates.items():
                if rate:
                    move = need.room.copy_negate() / rate  # keeps the sign where no room is left
                    slack[key] = min(slack.get(key, move), move, key=abs)
        return slack


def not_checkable_because(*sentences: str | Phrase, published: str = "", tolerance: str = "") -> Finding:
    """Return the finding of a claim that the published numbers cannot decide."""
    return Finding(published, "", tolerance, Verdict.NOT_CHECKABLE, tuple(map(phrase, sentences)))


def share_apart(first: Decimal, second: Decimal) -> Decimal:
    """Return the distance between two numbers as a share of the larger in size, at most 1.

    Examples:
        >>> share_apart(Decimal(4), Decimal(1))
        Decimal('0.75')
    """
    largest = max(abs(first), abs(second))
    return min(abs(first - second) / largest, Decimal(1)) if largest else Decimal(0)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the least favourable of some verdicts."""
    return max(verdicts, key=lambda verdict: verdict.rank)
