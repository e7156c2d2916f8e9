"""Kinds that other tools have, held against the examples that these tools publish with their results.

statcheck (R): its tests of computed p-values and errors. scrutiny (R): the data sets pigs1 (GRIM), pigs2 (GRIM of
percentages), pigs3 (DEBIT) and pigs5 (GRIMMER) of its README and tests, with the consistency that it prints.
"""

from decimal import Decimal

import pytest

from analysis.audit.kinds import KINDS, Options, Verdict, printed_case
from analysis.audit.kinds.reported import tail

HELD = (Verdict.CONSISTENT, Verdict.ROUNDING, Verdict.TIE)

PIGS1 = """7.22 32 TRUE|4.74 25 FALSE|5.23 29 FALSE|2.57 24 FALSE|6.77 27 FALSE|2.68 28 TRUE|7.01 29 FALSE|7.38 26 TRUE
3.14 27 FALSE|6.89 31 FALSE|5.00 25 TRUE|0.24 28 FALSE"""
PIGS2 = "67.4 150 FALSE|54.2 150 FALSE|54.0 150 TRUE|69.8 150 FALSE|68.1 150 FALSE|55.4 150 FALSE"
PIGS3 = """0.53 0.50 1683 TRUE|0.44 0.50 1683 TRUE|0.77 0.42 1683 TRUE|0.19 0.35 1683 FALSE|0.34 0.47 1683 TRUE
0.93 0.25 1683 TRUE|0.12 0.33 1683 TRUE"""
PIGS5 = """7.22 5.30 38 FALSE|4.74 6.55 31 TRUE|5.23 2.55 35 FALSE|2.57 2.57 30 TRUE|6.77 2.18 33 FALSE
2.68 2.59 34 TRUE|7.01 6.68 35 FALSE|7.38 3.65 32 TRUE|3.14 5.32 33 FALSE|6.89 4.18 37 TRUE
5.00 2.18 31 TRUE|0.24 6.43 34 TRUE"""


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.replace("\n", "|").split("|")]


@pytest.mark.parametrize(("value", "n", "consistent"), lines(PIGS1))
def test_grim_of_means_as_scrutiny(value: str, n: str, consistent: str) -> None:
    found = KINDS["denominator"].evaluate(printed_case(None, Options(n=Decimal(n)), "points", values=[value]))
    assert (found.verdict in HELD) == (consistent == "TRUE"), found.why


@pytest.mark.parametrize(("value", "n", "consistent"), lines(PIGS2))
def test_grim_of_percentages_as_scrutiny(value: str, n: str, consistent: str) -> None:
    found = KINDS["denominator"].evaluate(printed_case(None, Options(n=Decimal(n)), "%", values=[value]))
    assert (found.verdict in HELD) == (consistent == "TRUE"), found.why


@pytest.mark.parametrize(("mean", "sd", "n", "consistent"), lines(PIGS5))
def test_grimmer_as_scrutiny(mean: str, sd: str, n: str, consistent: str) -> None:
    found = KINDS["grimmer"].evaluate(printed_case(None, Options(n=Decimal(n)), "points", mean=[mean], sd=[sd]))
    assert (found.verdict in HELD) == (consistent == "TRUE"), found.why


@pytest.mark.parametrize(("mean", "sd", "n", "consistent"), [*lines(PIGS3), ["0.35", "0.18", "20", "FALSE"]])
def test_debit_as_scrutiny(mean: str, sd: str, n: str, consistent: str) -> None:
    found = KINDS["debit"].evaluate(printed_case(None, Options(n=Decimal(n)), "fraction", mean=[mean], sd=[sd]))
    assert (found.verdict in HELD) == (consistent == "TRUE"), found.why


@pytest.mark.parametrize(
    ("test", "statistic", "degrees", "p"),
    [
        # What R's pt, pf, pnorm and pchisq give for the examples of statcheck.
        ("t", 2.20, [28], 0.0362255),
        ("F", 2.20, [2, 28], 0.1295932),
        ("z", 2.20, [], 0.0278069),
        ("chi2", 22.20, [28], 0.7719487),
        ("t", 1.02, [48], 0.3128421),
        ("r", 0.22, [28], 0.2427390),  # t = 1.19337 of 28
    ],
)
def test_p_values_as_statcheck(test: str, statistic: float, degrees: list[float], p: float) -> None:
    assert tail(test, statistic, degrees) == pytest.approx(p, abs=1e-6)


@pytest.mark.parametrize(
    ("test", "statistic", "degrees", "p", "verdict", "changes"),
    [
        ("t", "2.20", ["28"], "0.03", Verdict.CONTRADICTED, False),
        ("t", "2.20", ["28"], "0.04", Verdict.CONSISTENT, False),
        ("t", "2.20", ["28"], "0.036", Verdict.CONSISTENT, False),
        ("t", "-2.20", ["28"], "0.04", Verdict.CONSISTENT, False),
        ("t", "2.20", ["28"], "0.018", Verdict.READING, False),  # of one tail
        ("F", "2.20", ["2", "28"], "0.15", Verdict.CONTRADICTED, False),
        ("F", "2.20", ["2", "28"], "0.13", Verdict.CONSISTENT, False),
        ("z", "2.20", [], "0.04", Verdict.CONTRADICTED, False),
        ("chi2", "22.20", ["28"], "0.79", Verdict.CONTRADICTED, False),
        ("r", "0.22", ["28"], "0.26", Verdict.CONTRADICTED, False),
        ("r", "0.22", ["28"], "0.25", Verdict.ROUNDING, False),  # 0.2427, from 0.232 to 0.254
        ("t", "1.02", ["48"], "<0.05", Verdict.CONTRADICTED, True),  # statcheck: a decision error
        ("t", "2.0", ["48"], "0.049", Verdict.ROUNDING, False),
        ("t", "3.50", ["28"], "<0.01", Verdict.CONSISTENT, False),
        ("t", "2.20", ["2", "28"], "0.04", Verdict.NOT_CHECKABLE, False),
    ],
)
def test_a_p_value_and_its_statistic(
    test: str, statistic: str, degrees: list[str], p: str, verdict: Verdict, changes: bool
) -> None:
    found = KINDS["p_value"].evaluate(printed_case(p, Options(test=test), statistic=[statistic], df=degrees))
    assert (found.verdict, found.changes) == (verdict, changes), found.why


def test_a_p_value_of_one_tail_holds_where_the_claim_says_so() -> None:
    one = Options(test="t", tails="one")
    assert KINDS["p_value"].evaluate(printed_case("0.018", one, statistic=["2.20"], df=["28"])).verdict in HELD
    two = Options(test="t", tails="two")
    assert KINDS["p_value"].evaluate(printed_case("0.018", two, statistic=["2.20"], df=["28"])).verdict.fails


def test_a_score_of_a_few_people_is_a_mean_and_not_a_percentage() -> None:
    """3.15 points of 20 people are 63 of 20; as a percentage it would not be attainable."""
    score = {"values": ["3.15"]}
    options = Options(n=Decimal(20))
    assert KINDS["denominator"].evaluate(printed_case(None, options, "points", **score)).verdict is Verdict.CONSISTENT
    assert KINDS["denominator"].evaluate(printed_case(None, options, "%", **score)).verdict.fails
    wrong = KINDS["denominator"].evaluate(printed_case(None, options, "points", values=["3.17"]))
    assert wrong.verdict.fails and "80 % of all are not" in wrong.why
    scale = Options(n=Decimal(20), items=Decimal(3))
    # 190 of 60.
    assert KINDS["denominator"].evaluate(printed_case(None, scale, "points", values=["3.17"])).verdict in HELD
