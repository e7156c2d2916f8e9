"""What came of a claim: verdict, how far off it is, the arithmetic, and what would change the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Verdict(StrEnum):
    """What the published numbers say of a claim, most favourable first."""

    CONSISTENT = "consistent"
    ROUNDING = "consistent only with rounding"
    NOT_CHECKABLE = "not checkable"
    UNSUPPORTED = "unsupported"
    SOURCES_DISAGREE = "sources disagree"
    CONTRADICTED = "contradicted"

    @property
    def rank(self) -> int:
        """0 for the most favourable."""
        return list(Verdict).index(self)


HELD = (Verdict.CONSISTENT, Verdict.ROUNDING)


class Severity(StrEnum):
    """How much it matters, least first."""

    NONE = "none"
    ROUNDING = "rounding"
    NUMBER = "number"
    CONCLUSION = "conclusion"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return list(Severity).index(self)


class Value(StrEnum):
    """How a stated value compares with the recomputed one; one of statcheck's two flags."""

    NOT_STATED = ""
    AS_PRINTED = "as printed"
    WITHIN_ROUNDING = "within rounding"
    NEAR = "off by less than its last digit"
    OFF = "off"

    @property
    def severity(self) -> Severity:
        """What a value that compares so is worth by itself."""
        if self is Value.OFF:
            return Severity.NUMBER
        return Severity.ROUNDING if self in (Value.WITHIN_ROUNDING, Value.NEAR) else Severity.NONE


@dataclass(frozen=True)
class Need:
    """A condition that a claim makes of its numbers: it is met, within rounding, while `room` ≥ 0.

    `rates` says by how much `room` changes when a number, by identifier, grows by one.
    """

    room: Decimal
    rates: Mapping[str, Decimal]


@dataclass(frozen=True)
class Finding:
    """The outcome of a claim.

    Attributes:
        published, recomputed, tolerance: numbers as text for a reader.
        verdict: what the published numbers say.
        value: whether the stated value is off (first flag).
        changes: whether the conclusion changes (second flag).
        why: the arithmetic, with the identifiers of the numbers in brackets.
        gap: how far the decisive number lies from what the claim needs, as a share of the larger of the
            two: 0 where the claim holds or nothing can be measured, at most 1.
        needs: the conditions that the numbers have to meet for the claim to hold. A number in none of
            them cannot change the verdict by itself.
    """

    published: str
    recomputed: str
    tolerance: str
    verdict: Verdict
    value: Value
    changes: bool
    why: str
    gap: Decimal = Decimal(0)
    needs: tuple[Need, ...] = ()

    @property
    def severity(self) -> Severity:
        """The graver of the two flags."""
        return Severity.CONCLUSION if self.changes else self.value.severity

    def slack(self) -> dict[str, Decimal]:
        """Identifier → the smallest move of that number, with its sign, that uses up what room there is.

        For a claim that holds, a larger move in that direction makes it fail.
        """
        slack: dict[str, Decimal] = {}
        for need in self.needs:
            for key, rate in need.rates.items():
                if rate:
                    move = need.room.copy_negate() / rate  # keeps the sign where no room is left
                    slack[key] = min(slack.get(key, move), move, key=abs)
        return slack


def share_apart(first: Decimal, second: Decimal) -> Decimal:
    """The distance of two numbers as a share of the larger in size, at most 1."""
    largest = max(abs(first), abs(second))
    return min(abs(first - second) / largest, Decimal(1)) if largest else Decimal(0)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The least favourable of some verdicts."""
    return max(verdicts, key=lambda verdict: verdict.rank)
