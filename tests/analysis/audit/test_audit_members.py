"""Kinds about what is there, and kinds that need two quantities: what they say beyond a verdict."""

from decimal import Decimal

import pytest

from analysis.audit.kinds import KINDS, Case, Finding, Options, Verdict, printed_case
from analysis.audit.kinds.case import row_case

TASKS = [{"task": "naming"}, {"task": "sorting"}, {"task": "naming"}, {"task": ""}]


def of(kind: str, case: Case) -> Finding:
    return KINDS[kind].evaluate(case)


def test_a_count_is_of_different_entries() -> None:
    found = of("count", row_case("2", Options(column="task"), TASKS))
    assert (found.verdict, found.recomputed) == (Verdict.CONSISTENT, "2")
    assert of("count", row_case("3", Options(column="task"), TASKS)).verdict is Verdict.CONTRADICTED


def test_a_scope_says_for_which_words_it_holds() -> None:
    asked = Options(column="task", words=("naming", "sorting"), vague="every task")
    assert of("scope", row_case(None, asked, TASKS)).verdict is Verdict.CONSISTENT
    more = Options(column="task", words=("naming", "drawing"), vague="every task")
    found = of("scope", row_case(None, more, TASKS))
    assert found.verdict is Verdict.READING
    assert found.sensitivity == "It holds where 'every task' means naming, without drawing."
    none = Options(column="task", words=("drawing",), vague="every task")
    assert of("scope", row_case(None, none, TASKS)).verdict is Verdict.NOT_CHECKABLE


def test_items_are_shared_whole() -> None:
    patches = Options(per_item=Decimal(3))
    first, near, same = ["270", "3", "4"], ["270", "3", "5"], ["12", "1", "1", "270", "3", "4"]
    assert of("overlap", printed_case(None, patches, "count", first=first, second=near)).verdict is Verdict.CONSISTENT
    found = of("overlap", printed_case(None, patches, "count", first=first, second=same))
    assert (found.verdict, found.recomputed) == (Verdict.CONTRADICTED, "1 of 1")
    vague = Options(per_item=Decimal(3), vague="apart")
    told = of("overlap", printed_case(None, vague, "count", first=first, second=same))
    assert told.verdict is Verdict.READING and told.sensitivity == "It holds where 'apart' allows 1 of 1 in common."


def test_two_things_can_only_agree_in_order() -> None:
    found = of("association", printed_case(first=["17.9", "29.1"], second=["18.9", "36.6"]))
    assert found.verdict is Verdict.CONSISTENT
    assert "can only agree or disagree" in found.why


def test_one_quantity_falls_as_the_other_rises() -> None:
    case = printed_case(None, Options(direction="falling"), first=["1", "2", "3"], second=["9", "8", "7"])
    assert of("association", case).verdict is Verdict.CONSISTENT
    assert of("association", printed_case(first=["1", "2", "3"], second=["9", "8", "7"])).verdict.fails


def test_precedence_by_several_numbers_at_a_position_counts_the_largest() -> None:
    later = ["0.1@0", "0.2@4", "9.0@8", "0.1@0", "8.0@4", "1.0@8"]
    case = printed_case(None, Options(share=Decimal("0.5")), earlier=["0.1@0", "5.0@4", "9.0@8"], later=later)
    found = of("precedence", case)
    assert found.verdict is Verdict.CONTRADICTED and found.recomputed == "4 not before 4"


def test_precedence_without_common_positions_is_not_checkable() -> None:
    found = of("precedence", printed_case(earlier=["1@0", "2@1"], later=["1@2", "2@3"]))
    assert found.verdict is Verdict.NOT_CHECKABLE


def test_several_layers_before_has_a_range() -> None:
    case = printed_case(
        None, Options(vague="several layers"), earlier=["9@0", "9@8", "9@11"], later=["0.1@0", "5@8", "9@11"]
    )
    found = of("precedence", case)
    assert found.verdict is Verdict.READING
    assert found.sensitivity.endswith("and 'several layers' allows 8 to 11 positions.")


@pytest.mark.parametrize(
    ("apart", "n", "verdict"),
    [
        (False, "50", Verdict.CONSISTENT),  # 0.6 apart, standard error 2.83 / sqrt(50) = 0.40: 1.5 of them
        (False, "200", Verdict.CONTRADICTED),  # 0.20: 3 of them
        (True, "200", Verdict.CONSISTENT),
        (True, "50", Verdict.CONTRADICTED),
    ],
)
def test_differences_in_standard_errors(apart: bool, n: str, verdict: Verdict) -> None:
    case = printed_case(None, Options(apart=apart), first=["17.90"], second=["18.50"], sd=["2.83"], n=[n])
    assert of("standard_errors", case).verdict is verdict


def test_two_spreads_add_in_square() -> None:
    case = printed_case(first=["10.0"], second=["11.0"], sd=["3.0", "4.0"], n=["25"])
    assert of("standard_errors", case).recomputed == "1 standard errors"  # sqrt(9 + 16) / 5


def test_intervals_that_touch_are_told_by_how_much() -> None:
    bars = {"first": ["9.07", "18.03"], "second": ["5.35", "11.99"]}
    found = of("intervals", printed_case(None, Options(apart=True), **bars))
    assert (found.verdict, found.recomputed) == (Verdict.CONTRADICTED, "2.92 of overlap")
    vague = of("intervals", printed_case(None, Options(apart=True, vague="reduces"), **bars))
    assert vague.verdict is Verdict.READING


def test_how_often_a_part_that_may_be_zero_goes_into_a_whole_is_not_checkable() -> None:
    found = of("accounts", printed_case(None, Options(vague="most of"), part=["0.0"], whole=["-18.9"]))
    assert found.verdict is Verdict.NOT_CHECKABLE


def test_far_exceeding_has_a_factor() -> None:
    case = printed_case(None, Options(vague="far exceeding"), part=["-5.2", "-7.0"], whole=["-18.9", "-36.6"])
    assert of("accounts", case).sensitivity == "It holds where 'far exceeding' asks for 3.63 times or less."
