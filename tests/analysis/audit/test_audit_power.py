"""The power of the audit: which changes of printed numbers it notices, and whether the committed result is current."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest

from analysis.audit.kinds import Verdict
from analysis.audit.mutations import ALL, ONE_DIGIT, SIGN, TWO_DIGITS, Audited, audited, mutate, power_rows, shares
from analysis.audit.verdicts import Judged, audit

FOLDER = Path(__file__).parents[3] / "analysis" / "published"
RENEW = "renew it: python -m analysis.audit.mutations analysis/published --out analysis/published"
EVERY = 9


@pytest.fixture(scope="module")
def subject() -> Audited:
    return audited(FOLDER)


def committed(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def article(folder: Path, claims: str, rows: str) -> Path:
    (folder / "tables.csv").write_text("id,value,unit,qualifier\n" + rows, encoding="utf-8")
    (folder / "claims.yaml").write_text(claims, encoding="utf-8")
    return folder


def test_the_committed_mutations_are_current(subject: Audited) -> None:
    rows = committed("mutations.csv")
    printed = [number.id for number in subject.printed()]
    assert list(dict.fromkeys(row["number"] for row in rows)) == printed, RENEW
    for key in printed[::EVERY]:
        kept = [row for row in rows if row["number"] == key]
        assert [mutation.row() for mutation in subject.mutations(key)] == kept, f"{key}; {RENEW}"


def test_the_committed_power_counts_the_committed_mutations() -> None:
    rows, power = committed("mutations.csv"), committed("power.csv")
    for change in (ONE_DIGIT, TWO_DIGITS, SIGN):
        pinned = [row for row in rows if row["change"] == change and row["pinned"] == "yes"]
        noticed = sum(row["noticed"] == "yes" for row in pinned)
        assert shares(power)[ALL, change] == (noticed, len(pinned)), RENEW


def test_nine_in_ten_changes_of_a_last_digit_are_noticed_where_the_other_side_is_as_precise() -> None:
    power = shares(committed("power.csv"))
    noticed, tried = power[ALL, ONE_DIGIT]
    assert tried > 200
    assert noticed >= Decimal("0.9") * tried
    for change in (TWO_DIGITS, SIGN):
        noticed, tried = power[ALL, change]
        assert noticed >= Decimal("0.95") * tried


def test_every_change_that_is_not_noticed_has_its_reason() -> None:
    for row in committed("mutations.csv"):
        assert bool(row["why_not"]) == (row["noticed"] == "no"), row


def test_a_number_as_precise_as_the_other_is_pinned_and_a_coarser_one_is_not(tmp_path: Path) -> None:
    claims = "".join(
        f"- {{id: {name}, place: p, kind: {kind}, claim: C., states: {name}, parts: {parts}}}\n"
        for name, kind, parts in (
            ("same", "equality", "{values: [other]}"),
            ("change", "delta", "{from: [a], to: [b]}"),
            ("limit", "bound", "{values: [b]}"),
        )
    )
    rows = "same,84.7,%,\nother,84.7,%,\na,72.9,%,\nb,58.9,%,\nchange,-14.0,%,\nlimit,70,%,<\nunused,1.0,%,\n"
    found = mutate(audited(article(tmp_path, claims, rows)))
    one = {m.number.id: m for m in found if m.change == ONE_DIGIT}
    assert one["same"].pinned and one["same"].noticed and one["same"].accused
    assert not one["change"].pinned and one["change"].noticed and not one["change"].accused  # 58.86 - 72.94
    assert not one["limit"].noticed and one["limit"].why_not == "it is in limits or orders with room to spare"
    assert one["unused"].why_not == "no claim or comparison rests on it"
    power = {(row["kind"], row["change"]): row for row in power_rows(found)}
    assert power["equality", ONE_DIGIT]["pinned_noticed"] == "4"  # two numbers, up and down
    assert power["delta", TWO_DIGITS]["accused"] == "6"


@pytest.fixture(scope="module")
def judged() -> dict[str, Judged]:
    return {item.claim.id: item for item in audit(FOLDER)}


@pytest.mark.parametrize(
    ("claim", "power", "number"),
    [
        ("b-v3-zero-cls-correspondence", "1.5", "t121"),  # 79.5 - 77.1 = +2.4, each known to half a digit
        ("content-twelve-layers", "0", "t032"),  # counts are exact
        ("buffer-37", "0.45", "t004"),  # 37.1 beside a 37 that is known to 0.5
    ],
)
def test_the_power_of_a_claim_is_the_smallest_move_in_last_digits(
    judged: dict[str, Judged], claim: str, power: str, number: str
) -> None:
    found = judged[claim].power
    assert found == (Decimal(power), number)


def test_a_claim_that_is_true_of_any_numbers_supports_nothing(tmp_path: Path) -> None:
    claims = "- {id: itself, place: p, kind: equality, claim: C., states: a, parts: {values: [a]}}\n"
    (item,) = audit(article(tmp_path, claims, "a,72.9,%,\n"))
    assert item.verdict is Verdict.CANNOT_FAIL
    assert not item.fails and item.power is None
