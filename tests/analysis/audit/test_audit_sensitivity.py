"""Mutation check: move any one number that a claim rests on by more than its slack, and the verdict changes.

A kind reports the slack of each number: the smallest move that uses up what room there is. Here every reading
of every claim is judged alone. One that fails is first mended, by moving the numbers that its own needs name,
which changes its verdict. Then each of its numbers is moved: a little less than its slack changes nothing, more
than its slack makes the claim fail. A number without slack is one that the kind calls inert; moving it by any
amount either way must indeed change nothing.
"""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from analysis.audit.claims import Claim, load_claims
from analysis.audit.kinds import HELD, Finding, Verdict
from analysis.audit.numbers import Bounds, Quantity
from analysis.audit.published import PublishedNumbers, load_published
from analysis.audit.verdicts import judge

FOLDER = Path(__file__).parents[3] / "analysis" / "published"
NUMBERS = load_published(FOLDER)
READINGS = [
    replace(claim, id=f"{claim.id}, {reading.wording}", readings=(reading,))
    for claim in load_claims(FOLDER)
    for reading in claim.readings
]
# Nothing to move: these say what would have to be published.
NOT_CHECKABLE = [claim for claim in READINGS if judge(claim, NUMBERS).finding.verdict is Verdict.NOT_CHECKABLE]
CHECKABLE = [claim for claim in READINGS if claim not in NOT_CHECKABLE]
# An inference that follows from no p-value and from no confounded comparison: there is nothing to mend.
BEYOND_MENDING = [
    claim
    for claim in CHECKABLE
    if claim.kind == "nonsignificance" or (claim.kind == "causal" and claim.readings[0].options.also_differs)
]
# In units of the slack. Kinds that divide are linear only for small moves, so their margins are wide.
DIVIDING = ("ratio", "factor", "percent_change")
MARGINS = {True: (Decimal("0.5"), Decimal("1.6")), False: (Decimal("0.999"), Decimal("1.001"))}
LEAST = Decimal("1e-9")
MOST_STEPS = 100


def verdict(claim: Claim, numbers: PublishedNumbers) -> Verdict:
    return judge(claim, numbers).finding.verdict


def moved(quantity: Quantity, by: Decimal) -> Quantity:
    ends = Bounds(quantity.bounds.low + by, quantity.bounds.high + by)
    value = quantity.value + by
    return replace(quantity, text=f"{value:f}", value=value, bounds=ends)


def after_moving(claim: Claim, numbers: PublishedNumbers, key: str, by: Decimal) -> PublishedNumbers:
    """The numbers with one moved by `by`, given in the claim's unit."""
    in_percent = claim.readings[0].unit in ("%", "pp") and numbers[key].unit == "fraction"
    return numbers.changed(key, moved(numbers[key].quantity, by / 100 if in_percent else by))


def mended(claim: Claim) -> PublishedNumbers:
    """Numbers with which the claim holds: those of broken needs moved, one need after the other."""
    numbers = NUMBERS
    for _ in range(MOST_STEPS):
        finding = judge(claim, numbers).finding
        if finding.verdict in HELD:
            return numbers
        key, by = repair(finding, claim)
        numbers = after_moving(claim, numbers, key, by)
    raise AssertionError(f"{claim.id}: its needs do not say what would make it hold")


def repair(finding: Finding, claim: Claim) -> tuple[str, Decimal]:
    """The number of the most broken need that a claim does not state, and the move that meets the need."""
    stated = claim.readings[0].states
    # What disagrees with the stated number first: everything else is then mended towards it.
    need = min(finding.needs, key=lambda need: (need.room >= 0 or stated not in need.rates, need.room))
    key = max((key for key in need.rates if need.rates[key]), key=lambda key: (key != stated, need.rates[key]))
    by = -need.room / need.rates[key]
    return key, by + LEAST.copy_sign(by) + by / 1000


@pytest.mark.parametrize("claim", CHECKABLE, ids=lambda claim: claim.id)
def test_more_than_its_slack_changes_the_verdict_and_less_does_not(claim: Claim) -> None:
    numbers = NUMBERS if claim in BEYOND_MENDING else mended(claim)
    before = judge(claim, numbers).finding
    held = before.verdict in HELD
    slack = before.slack()
    for key in claim.ids:
        if key not in slack:
            for by in (Decimal(size) for size in ("0.01", "1", "1000", "-0.01", "-1", "-1000")):
                assert verdict(claim, after_moving(claim, numbers, key, by)) is before.verdict, f"{key} is not inert"
            continue
        within, beyond = MARGINS[claim.kind in DIVIDING]
        little, much = slack[key] * within, slack[key] * beyond
        much += LEAST.copy_sign(much)
        inside = verdict(claim, after_moving(claim, numbers, key, little))
        outside = verdict(claim, after_moving(claim, numbers, key, much))
        assert (inside in HELD) == held, f"{key} moved by {little}: {inside}"
        assert outside not in HELD and outside is not before.verdict, f"{key} moved by {much}: {outside}"


@pytest.mark.parametrize(
    "claim",
    [claim for claim in CHECKABLE if verdict(claim, NUMBERS) not in HELD and claim not in BEYOND_MENDING],
    ids=lambda claim: claim.id,
)
def test_a_claim_that_fails_holds_once_its_numbers_are_mended(claim: Claim) -> None:
    assert verdict(claim, mended(claim)) in HELD


def test_few_numbers_are_inert() -> None:
    """Positions inside the window that an onset claim names, and a size held against one that may be zero."""
    inert = {
        (claim.kind, key)
        for claim in CHECKABLE
        for key in claim.ids
        if key not in judge(claim, NUMBERS if claim in BEYOND_MENDING else mended(claim)).finding.slack()
    }
    assert {kind for kind, _ in inert} <= {"onset", "order"}
    assert [key for kind, key in inert if kind == "order"] == ["t099"]


@pytest.mark.parametrize(
    "claim",
    [claim for claim in CHECKABLE if claim.kind in ("delta", "sum") and verdict(claim, NUMBERS) in HELD],
    ids=lambda claim: claim.id,
)
def test_the_slack_of_a_sum_is_at_most_twice_its_tolerance(claim: Claim) -> None:
    finding = judge(claim, NUMBERS).finding
    for key, slack in finding.slack().items():
        assert abs(slack) <= 2 * Decimal(finding.tolerance) + LEAST, key


@pytest.mark.parametrize("claim", NOT_CHECKABLE, ids=lambda claim: claim.id)
def test_what_is_not_checkable_says_what_would_make_it_so(claim: Claim) -> None:
    finding = judge(claim, NUMBERS).finding
    assert claim.readings[0].options.needs in finding.why
    assert len(finding.why) > 20


@pytest.mark.parametrize(
    "claim",
    # Only claims that hold as printed have room on both sides.
    [claim for claim in CHECKABLE if verdict(claim, NUMBERS) is Verdict.CONSISTENT],
    ids=lambda claim: claim.id,
)
def test_less_than_rounding_is_never_an_accusation(claim: Claim) -> None:
    """An unprinted number moved by a hundredth of its width makes no held claim fail.

    Printed numbers are left alone: they cannot move by less than their last digit.
    """
    for key in claim.ids:
        if NUMBERS[key].quantity.decimals is not None:
            continue
        by = NUMBERS[key].quantity.bounds.half_width / 100
        for sign in (1, -1):
            changed = NUMBERS.changed(key, moved(NUMBERS[key].quantity, by * sign))
            assert verdict(claim, changed) in HELD, key
