"""Mutation check: move any one number that a claim rests on by more than its slack, and the verdict changes.

A kind reports the slack of each number: the smallest move that uses up the room that there is. Here every reading of
every claim is judged alone. One that fails is first mended, by moving the
numbers that its own needs name, which changes its verdict. Then each of its numbers is moved: slightly less than its
slack changes nothing, slightly more makes the claim fail. A number without slack is one that the kind calls inert;
moving it by any amount either way must change nothing.

There is one test per kind, and its message names every reading and number that breaks the rule.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import pytest

from analysis.audit.claims import Claim, Reading, load_claims
from analysis.audit.kinds import HELD, Finding, Verdict
from analysis.audit.numbers import Bounds, Quantity
from analysis.audit.published import PublishedNumbers, load_published
from analysis.audit.verdicts import judge

FOLDER = Path(__file__).parents[3] / "analysis" / "published"
# In units of the slack. Kinds that divide are linear only for small moves, so their margins are wide.
DIVIDING = ("ratio", "factor", "percent_change")
MARGINS = {True: (Decimal("0.5"), Decimal("1.6")), False: (Decimal("0.999"), Decimal("1.001"))}
LEAST = Decimal("1e-9")
MOST_STEPS = 100


@dataclass(frozen=True)
class Subject:
    """A reading of a claim, judged alone, with the numbers as published."""

    claim: Claim
    published: PublishedNumbers

    @cached_property
    def name(self) -> str:
        return f"{self.claim.id}, {self.claim.readings[0].wording}"

    @cached_property
    def finding(self) -> Finding:
        return self.judged(self.published)

    @cached_property
    def holds(self) -> bool:
        return self.finding.verdict in HELD

    @cached_property
    def is_checkable(self) -> bool:
        """Whether there is something to move; otherwise the reason says what would have to be published."""
        options = self.claim.readings[0].options
        vague = bool(options.vague) or options.versions
        told = (Verdict.NOT_CHECKABLE, Verdict.CANNOT_FAIL, Verdict.REVISED)
        return self.finding.verdict not in told and not vague

    @cached_property
    def can_be_mended(self) -> bool:
        """Whether the inference follows for some numbers: from no p-value, and from no confounded comparison."""
        confounded = self.claim.kind == "causal" and bool(self.claim.readings[0].options.also_differs)
        return self.claim.kind != "nonsignificance" and not confounded

    @cached_property
    def mended(self) -> PublishedNumbers:
        """Numbers with which the claim holds: those of broken needs moved, one need after the other."""
        numbers = self.published
        for _ in range(MOST_STEPS):
            finding = self.judged(numbers)
            if finding.verdict in HELD:
                return numbers
            numbers = self.after_moving(numbers, *self.repair(finding))
        raise AssertionError(f"{self.name}: its needs do not say what would make it hold")

    @cached_property
    def start(self) -> PublishedNumbers:
        """Numbers to move from: mended, where the claim can be."""
        return self.mended if self.can_be_mended else self.published

    def judged(self, numbers: PublishedNumbers) -> Finding:
        return judge(self.claim, numbers).finding

    def after_moving(self, numbers: PublishedNumbers, key: str, by: Decimal) -> PublishedNumbers:
        """The numbers with one moved by `by`, given in the claim's unit."""
        in_percent = self.claim.readings[0].unit in ("%", "pp") and numbers[key].unit == "fraction"
        return numbers.changed(key, moved(numbers[key].quantity, by / 100 if in_percent else by))

    def repair(self, finding: Finding) -> tuple[str, Decimal]:
        """The number of the most broken need that a claim does not state, and the move that meets the need."""
        stated = self.claim.readings[0].states
        # What disagrees with the stated number first: everything else is then mended towards it.
        need = min(finding.needs, key=lambda need: (need.room >= 0 or stated not in need.rates, need.room))
        key = max((key for key in need.rates if need.rates[key]), key=lambda key: (key != stated, need.rates[key]))
        by = -need.room / need.rates[key]
        return key, by + LEAST.copy_sign(by) + by / 1000


def moved(quantity: Quantity, by: Decimal) -> Quantity:
    ends = Bounds(quantity.bounds.low + by, quantity.bounds.high + by)
    value = quantity.value + by
    return replace(quantity, text=f"{value:f}", value=value, bounds=ends)


def without_vague_words(reading: Reading) -> Reading:
    """The reading with what a kind assumes where the article has a word: one verdict, not a range."""
    return replace(reading, options=replace(reading.options, **ASSUMED.get(reading.kind, {})))


ASSUMED = {
    "onset": {"share": Decimal("0.5")},
    "precedence": {"share": Decimal("0.5")},
    "chance": {"near": Decimal(10)},
}
NUMBERS = load_published(FOLDER)
SUBJECTS = tuple(
    Subject(replace(claim, readings=(without_vague_words(reading),)), NUMBERS)
    for claim in load_claims(FOLDER)
    for reading in claim.readings
)
CHECKABLE = tuple(subject for subject in SUBJECTS if subject.is_checkable)
KINDS_CHECKED = sorted({subject.claim.kind for subject in CHECKABLE})


def of_kind(kind: str) -> list[Subject]:
    return [subject for subject in CHECKABLE if subject.claim.kind == kind]


def faults(check: Callable[[Subject], Iterator[str]], tried: Iterable[Subject]) -> list[str]:
    """What breaks a rule, each with the reading that it is of."""
    return [f"{subject.name}: {fault}" for subject in tried for fault in check(subject)]


def wrong_slack(subject: Subject) -> Iterator[str]:
    before = subject.judged(subject.start)
    held, slack = before.verdict in HELD, before.slack()

    def after(key: str, by: Decimal) -> Verdict:
        return subject.judged(subject.after_moving(subject.start, key, by)).verdict

    for key in subject.claim.ids:
        if key not in slack:
            for by in (Decimal(size) for size in ("0.01", "1", "1000", "-0.01", "-1", "-1000")):
                if (found := after(key, by)) is not before.verdict:
                    yield f"{key} is not inert: moved by {by}, {found}"
            continue
        within, beyond = MARGINS[subject.claim.kind in DIVIDING]
        little, much = slack[key] * within, slack[key] * beyond
        much += LEAST.copy_sign(much)
        inside, outside = after(key, little), after(key, much)
        if (inside in HELD) != held:
            yield f"{key} moved by {little}, within its slack: {inside}"
        if outside in HELD or outside is before.verdict:
            yield f"{key} moved by {much}, beyond its slack: {outside}"


@pytest.mark.parametrize("kind", KINDS_CHECKED)
def test_more_than_its_slack_changes_the_verdict_and_less_does_not(kind: str) -> None:
    assert not faults(wrong_slack, of_kind(kind))


def test_claims_that_fail_hold_once_their_numbers_are_mended() -> None:
    failing = [subject for subject in CHECKABLE if not subject.holds and subject.can_be_mended]
    assert len(failing) > 40
    assert [subject.name for subject in failing if subject.judged(subject.mended).verdict not in HELD] == []


def test_few_numbers_are_inert() -> None:
    """What windows of positions, ranks and sets leave free, rows that are only counted, and a size that may be zero.

    A baseline that a whole column shares cannot reorder it.
    """
    inert = {
        (subject.claim.kind, key)
        for subject in CHECKABLE
        for key in set(subject.claim.ids) - set(subject.judged(subject.start).slack())
    }
    assert {kind for kind, _ in inert} <= {
        "onset",
        "order",
        "precedence",
        "overlap",
        "count",
        "intervals",
        "association",
    }
    assert [key for kind, key in inert if kind == "order"] == ["t099"]


def wide_slack(subject: Subject) -> Iterator[str]:
    for key, slack in subject.finding.slack().items():
        if abs(slack) > 2 * Decimal(subject.finding.tolerance) + LEAST:
            yield f"the slack of {key} is {slack}, its tolerance {subject.finding.tolerance}"


@pytest.mark.parametrize("kind", ["delta", "sum"])
def test_the_slack_of_a_sum_is_at_most_twice_its_tolerance(kind: str) -> None:
    assert not faults(wide_slack, [subject for subject in of_kind(kind) if subject.holds])


def test_what_is_not_checkable_says_what_would_make_it_so() -> None:
    idle = Verdict.CANNOT_FAIL
    found = [subject for subject in SUBJECTS if not subject.is_checkable and subject.finding.verdict is not idle]
    assert len(found) > 30
    for subject in found:
        if subject.claim.kind == "revision":
            continue
        reading = subject.claim.readings[0]
        told = subject.finding.sensitivity or reading.options.needs or reading.older
        assert told and told in subject.finding.why, subject.name
        assert len(subject.finding.why) > 20, subject.name


def false_accusations(subject: Subject) -> Iterator[str]:
    for key in subject.claim.ids:
        quantity = subject.published[key].quantity
        if quantity.decimals is not None:
            continue
        by = quantity.bounds.half_width / 100
        for sign in (1, -1):
            changed = subject.published.changed(key, moved(quantity, by * sign))
            if subject.judged(changed).verdict not in HELD:
                yield f"{key} moved by {by * sign}, less than its rounding"


@pytest.mark.parametrize("kind", KINDS_CHECKED)
def test_less_than_rounding_is_never_an_accusation(kind: str) -> None:
    """An unprinted number moved by a hundredth of its width makes no claim fail that holds as printed.

    Printed numbers are left alone: they cannot move by less than their last digit. Other claims have no room on both
    sides.
    """
    consistent = [subject for subject in of_kind(kind) if subject.finding.verdict is Verdict.CONSISTENT]
    assert not faults(false_accusations, consistent)
