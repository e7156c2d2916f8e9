"""False claims are noticed, true ones are not accused: invented cases of every kind, judged by hand.

The first eleven are claims that an earlier version of the audit let pass, because a number stood for a closed interval
and a count for half a unit around it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from analysis.audit.kinds import HELD, KINDS, Finding, Options, Verdict, printed_case

Parts = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Invented:
    """A claim in words, and the numbers that decide it."""

    words: str
    kind: str
    states: str | None = None
    options: Options = field(default_factory=Options)
    unit: str = "%"
    parts: Parts = field(default_factory=dict)

    def judged(self) -> Finding:
        return KINDS[self.kind].evaluate(printed_case(self.states, self.options, self.unit, **self.parts))


def claim(
    words: str,
    kind: str,
    states: str | None = None,
    options: Options | None = None,
    unit: str = "%",
    **parts: Sequence[str],
) -> Invented:
    """An invented claim; roles that are keywords of Python take an underscore."""
    return Invented(words, kind, states, options or Options(), unit, parts)


AT_MOST, AT_LEAST = Options(relation="<="), Options(relation=">=")
BELOW, ABOVE = Options(relation="<"), Options(relation=">")
FALLING, DROP = Options(direction="falling"), Options(drop=True)

ONCE_PASSED = (
    claim("12 layers here, 13 there", "equality", unit="layers", values=["12", "13"]),
    claim("four registers here, five there", "equality", "4", unit="registers", values=["5"]),
    claim("1 + 1 = 3 conditions", "sum", "3", unit="conditions", parts=["1", "1"]),
    claim("0.6 is above 1", "bound", "1", ABOVE, values=["0.6"]),
    claim("1.5 is below 1", "bound", "1", BELOW, values=["1.5"]),
    claim("rises from 73.3 to 73.2", "monotone", series=["73.3", "73.2"]),
    claim("84.7 is 84.8", "equality", values=["84.7", "84.8"]),
    claim("78.1 is at least 78.2", "order", smaller=["78.2"], larger=["78.1"]),
    claim("an error improves from 0.511 to 0.512", "monotone", None, FALLING, unit="error", series=["0.511", "0.512"]),
    claim("layer 5 is layer 6", "equality", "5", unit="layer", values=["6"]),
    claim(
        "six counts that sum to 45 are 48", "sum", "48", unit="count", parts=["3", "5", "7", "8", "10", "12"]
    ),
)  # fmt: skip

FALSE = (
    claim("from 62.0 to 25.4 is a drop of 36.8", "delta", "36.8", DROP, from_=["62.0"], to=["25.4"]),
    claim("24 layers less 12 layers are 11", "delta", "-11", unit="layers", from_=["24"], to=["12"]),
    claim("a fall told as a rise", "delta", "0.8", from_=["69.1"], to=["68.3"]),
    claim("40 and 60 images are 101", "sum", "101", unit="images", parts=["40", "60"]),
    claim("0.1 and 0.2 are 0.5", "sum", "0.5", parts=["0.1", "0.2"]),
    claim("the mean of 78.1, 78.2 and 78.3 is 78.3", "mean", "78.3", values=["78.1", "78.2", "78.3"]),
    claim("3 runs of 7, 8 and 9 images have a mean of 9", "mean", "9", unit="images", values=["7", "8", "9"]),
    claim("24 layers are three times 12", "ratio", "3", unit="layers", numerator=["24"], denominator=["12"]),
    claim("62.0 is 2.5 times 25.4", "ratio", "2.5", numerator=["62.0"], denominator=["25.4"]),
    claim("a drop of 35 % from 13.5 to 8.7", "percent_change", "34", DROP, from_=["13.5"], to=["8.7"]),
    claim("12 is 60 % more than 8", "percent_change", "60", unit="layers", from_=["8"], to=["12"]),
    claim("three times as many as 5 are 14", "factor", "3", AT_LEAST, unit="images", larger=["14"], smaller=["5"]),
    claim("0.180 is 300 times 0.00075", "factor", "~300", larger=["0.180"], smaller=["0.00075"]),
    claim("67.34 is 67.4", "equality", "67.4", values=["67.34"]),
    claim("the score is 67.3 before a change of -0.8 to 66.4", "baseline", "67.5", scores=["66.4"], changes=["-0.8"]),
    claim("between 0.87 and 0.90", "range", low=["0.87"], high=["0.90"], values=["0.86", "0.88"]),
    claim("from 3 to 8 layers", "range", unit="layers", low=["3"], high=["8"], values=["3", "9"]),
    claim("within 1 point", "sameness", "1", first=["69.1"], second=["67.9"]),
    claim("at most 0.2", "bound", "<=0.2", values=["0.1", "0.3"]),
    claim("below 14 in layer counts of 14", "bound", "<14", unit="layers", values=["14"]),
    claim("less than one", "bound", "<1", Options(absolute=True), values=["-1.1"]),
    claim("every task above 1", "quantifier", "1", ABOVE, values=["2.0", "0.9"]),
    claim("none above 1", "quantifier", "1", Options(relation=">", quantifier="none"), values=["1.1"]),
    claim("only 3 is above 1", "quantifier", "1", Options(relation=">", quantifier="only"), values=["3"], others=["2"]),
    claim("4.0 is below 3.9", "order", unit="rank", smaller=["4.0"], larger=["3.9"]),
    claim("12 layers are fewer than 12", "order", unit="layers", smaller=["12"], larger=["12"]),
    claim("grows with every step", "monotone", unit="images", series=["1", "2", "2"]),
    claim("is highest at 10", "peak", "10", unit="layer", series=["3@9", "5@10", "6@11"]),
    claim("comes up at 10 at the earliest", "onset", options=Options(earliest=Decimal(10)),
          series=["0.1@0", "5.0@8", "6.0@11"]),
    claim("71.5 % of 7", "denominator", options=Options(n=Decimal(7)), values=["71.5"]),
    claim("p < 0.0001 of 1,000 draws", "attainable_p", "<0.0001", draws=["1000"]),
    claim("p = 0.35 of 9 draws", "attainable_p", "0.35", draws=["9"]),
    claim("19 % of 10 classes are near chance", "chance", options=Options(classes=Decimal(10), near=Decimal("1.5")),
          values=["19.0"]),
    claim("p = 0.051 is a difference", "significance", "0.051"),
    claim("p = 0.049 is no difference", "nonsignificance", "0.049"),
    claim("registers compress", "causal", smaller=["8.8"], larger=["8.7"]),
    claim("the columns are equal", "pairwise_equality", first=["1.0", "2.0"], second=["1.0", "2.1"]),
    claim("attention tracks cost", "association", first=["0.9", "5.7", "21.1"], second=["0.1", "2.7", "1.8"]),
    claim("attention comes before content", "precedence", options=Options(share=Decimal("0.5")),
          earlier=["0.1@0", "0.2@4", "9.0@8"], later=["0.1@0", "7.0@4", "9.0@8"]),
    claim("the loss is specific to zeroing", "specific", effect=["-4.8", "-0.5"], others=["0.6"]),
    claim("another sample explains it", "standard_errors", first=["17.9"], second=["18.5"], sd=["2.83"], n=["200"]),
    claim("the intervals overlap", "intervals", first=["67.1", "68.2"], second=["68.3", "69.9"]),
    claim("four registers, by three names", "count", "4", unit="count", values=["1", "2", "3"]),
    claim("no image in common", "overlap", unit="count", first=["270", "194"], second=["12", "194"]),
    claim("every score falls", "pairwise", first=["61.0", "70.1"], second=["62.0", "70.0"]),
    claim("three of three improve", "pairwise", "3", unit="count", first=["1", "2", "4"], second=["2", "3", "3"]),
    claim("up to 36.6", "extreme", "36.6", values=["18.9", "36.7"]),
    claim("2 of 3 are 66.6 %", "share_of", "66.6", unit="count", part=["2"], whole=["3"]),
    claim("similar or better, within 0.5", "no_worse", "0.5", first=["68.5"], second=["69.1"]),
    claim("two deviations apart", "spreads_apart", "2", larger=["69.1"], smaller=["68.5"], spreads=["0.4"]),
    claim("3.17 points of 20 people", "denominator", None, Options(n=Decimal(20)), "points", values=["3.17"]),
    claim("5.23 and 2.55 of 35 people", "grimmer", None, Options(n=Decimal(35)), "points", mean=["5.23"], sd=["2.55"]),
    claim("0.36 and 0.11 of 20", "debit", None, Options(n=Decimal(20)), "fraction", mean=["0.36"], sd=["0.11"]),
    claim("t(28) = 2.20, p = .03", "p_value", "0.03", Options(test="t"), statistic=["2.20"], df=["28"]),
    claim("outside its interval", "confidence_interval", estimate=["2.20"], low=["0.22"], high=["2.18"]),
    claim("wider than its error", "confidence_interval", estimate=["1.2"], low=["0.2"], high=["2.2"], se=["0.7"]),
    claim("a p above 1", "possible", unit="p", values=["1.02"]),
    claim("a rank above the dimension", "possible", None, Options(highest=Decimal(384)), "rank", values=["400"]),
    claim("the same numbers twice", "independent", first=["1.1", "2.2", "3.3"], second=["1.1", "2.2", "3.3"]),
    claim("a mean of fourteen that is a digit off", "mean", "70.1", values=["70.0"] * 14),
)  # fmt: skip

TRUE = (
    claim("62.0 to 25.4 by rounded scores", "delta", "-36.7", from_=["62.0"], to=["25.4"]),  # 61.96 - 25.35 = 36.61..
    claim("-0.6 of 68.5 and 69.1", "delta", "-0.6", from_=["69.1"], to=["68.5"]),
    claim("12 of 24 layers", "delta", "12", DROP, unit="layers", from_=["24"], to=["12"]),
    claim("a change of nothing", "delta", "0.0", from_=["78.5"], to=["78.5"]),
    claim("three thirds", "sum", "100", parts=["33.3", "33.3", "33.3"]),
    claim("four quarters of counts", "sum", "48", unit="count", parts=["12", "12", "12", "12"]),
    claim("shares that add to 100.1", "sum", "100.0", parts=["28.6", "28.6", "42.9"]),
    claim("a mean that rounds up", "mean", "0.67", unit="", values=["0", "1", "1"]),
    claim("a mean of counts", "mean", "2", unit="count", values=["2", "2", "3"]),
    claim("a mean of rounded numbers", "mean", "0.12", unit="", values=["0.13", "0.11", "0.11"]),
    claim("a ratio of counts", "ratio", "0.67", unit="count", numerator=["2"], denominator=["3"]),
    claim("a ratio of rounded numbers", "ratio", "2.45", numerator=["62.0"], denominator=["25.4"]),
    claim("36 % less", "percent_change", "36", DROP, unit="rank", from_=["13.5"], to=["8.7"]),
    claim("33 % fewer layers", "percent_change", "33", DROP, unit="layers", from_=["12"], to=["8"]),
    claim("about 250 times", "factor", "~250", larger=["0.177"], smaller=["0.00075"]),
    claim("three times", "factor", "3", AT_LEAST, unit="images", larger=["15"], smaller=["5"]),
    claim("37 is 37.1", "equality", "37", values=["37.1"]),
    claim("-36.5 is -36.46", "equality", "-36.5", values=["-36.46"]),
    claim("62 may be 62.5", "equality", "62", values=["62.5"]),  # itself rounded: 62.46, say
    claim("67.3 is 66.5 and 0.8", "baseline", "67.3", scores=["66.5"], changes=["-0.8"]),
    claim("61 to 64", "range", low=["61"], high=["64"], values=["60.6", "64.4"]),
    claim("61 and 64 are the ends", "range", None, Options(attained=True), low=["61"], high=["64"],
          values=["60.6", "64.4"]),
    claim("within 1 point", "sameness", "1", first=["69.1"], second=["68.1"]),
    claim("within about 1 point", "sameness", "~1", first=["69.1"], second=["67.9"]),
    claim("at most 0.2", "bound", "<=0.2", values=["0.2"]),
    claim("below 6, printed as 6", "bound", "<6", values=["6"]),
    claim("within about 1 point", "bound", "~1", AT_MOST, values=["1.4"]),
    claim("none reach 1", "quantifier", "1", Options(relation=">=", quantifier="none"), values=["0.9", "0.99"]),
    claim("4.0 is below 4.1", "order", unit="rank", smaller=["4.0"], larger=["4.1"]),
    claim("printed alike", "order", smaller=["4.0"], larger=["4.0"]),
    claim("rises, printed alike", "monotone", series=["0.1", "0.1", "0.2"]),
    claim("is highest at 10, printed alike", "peak", "10", series=["3.0@9", "6.0@10", "6.0@11"]),
    claim("comes up at 10", "onset", options=Options(earliest=Decimal(10)), series=["0.1@0", "1.4@8", "6.0@11"]),
    claim("5 of 7", "denominator", options=Options(n=Decimal(7)), values=["71.4", "71.43"]),
    claim("p < 0.001 of 10,000 draws", "attainable_p", "<0.001", draws=["10000"]),
    claim("p = 0.33 of 9 draws", "attainable_p", "0.33", draws=["9"]),
    claim("0.1 % of 1,000 classes", "chance", options=Options(classes=Decimal(1000), near=Decimal(1)), values=["0.1"]),
    claim("p = 0.05 may be below 0.05", "significance", "0.05"),
    claim("p < 0.05", "significance", "<0.05"),
    claim("registers compress", "causal", smaller=["8.7"], larger=["8.8"]),
    claim("the columns are equal", "pairwise_equality", first=["1.0", "62"], second=["1.04", "62.5"]),
    claim("attention tracks cost", "association", first=["0.9", "0.9", "21.1"], second=["0.2", "0.1", "1.8"]),
    claim("attention comes before content", "precedence", options=Options(share=Decimal("0.5")),
          earlier=["0.1@0", "5.0@4", "9.0@8"], later=["0.1@0", "0.2@4", "9.0@8"]),
    claim("the loss is specific to zeroing", "specific", effect=["-4.8", "0.6"], others=["-0.6"]),
    claim("another sample explains it", "standard_errors", first=["18.2"], second=["18.5"], sd=["2.83"], n=["200"]),
    claim("the intervals overlap", "intervals", first=["67.1", "68.3"], second=["68.3", "69.9"]),
    claim("no image in common", "overlap", unit="count", first=["270", "195"], second=["12", "194"]),
    claim("every score falls, one printed alike", "pairwise", first=["61.0", "70.0"], second=["62.0", "70.0"]),
    claim("two of three images improve", "pairwise", "2", unit="count", first=["1", "2", "4"], second=["2", "3", "3"]),
    claim("up to 37", "extreme", "37", values=["18.9", "36.6"]),
    claim("2 of 3 are 66.7 %", "share_of", "66.7", unit="count", part=["2"], whole=["3"]),
    claim("similar or better, within 0.5", "no_worse", "0.5", first=["68.6", "79.5"], second=["69.1", "77.1"]),
    claim("1.5 deviations apart", "spreads_apart", "1.5", larger=["69.1"], smaller=["68.5"], spreads=["0.4"]),
    claim("3.15 points of 20 people", "denominator", None, Options(n=Decimal(20)), "points", values=["3.15"]),
    claim("4.74 and 6.55 of 31 people", "grimmer", None, Options(n=Decimal(31)), "points", mean=["4.74"], sd=["6.55"]),
    claim("0.53 and 0.50 of 1683", "debit", None, Options(n=Decimal(1683)), "fraction", mean=["0.53"], sd=["0.50"]),
    claim("t(28) = 2.20, p = .04", "p_value", "0.04", Options(test="t"), statistic=["2.20"], df=["28"]),
    claim("p < .05", "p_value", "<0.05", Options(test="z"), statistic=["1.96"]),
    claim("an interval of 1.96 errors", "confidence_interval", estimate=["1.2"], low=["0.2"], high=["2.2"], se=["0.5"]),
    claim("a p of 1", "possible", unit="p", values=["1.00"]),
    claim("nearly the same numbers", "independent", first=["1.1", "2.2", "3.3"], second=["1.1", "2.2", "3.4"]),
    claim("a mean of fourteen", "mean", "70.0", values=["70.1", *["70.0"] * 13]),
)  # fmt: skip


def named(case: Invented) -> str:
    return f"{case.kind}: {case.words}"


@pytest.mark.parametrize("case", ONCE_PASSED, ids=named)
def test_a_false_claim_that_once_passed_is_contradicted(case: Invented) -> None:
    found = case.judged()
    assert found.verdict is Verdict.CONTRADICTED, found.why


@pytest.mark.parametrize("case", FALSE, ids=named)
def test_a_false_claim_fails(case: Invented) -> None:
    found = case.judged()
    assert found.verdict.fails, found.why


@pytest.mark.parametrize("case", TRUE, ids=named)
def test_a_true_claim_with_awkward_rounding_holds(case: Invented) -> None:
    found = case.judged()
    assert found.verdict in HELD, found.why


def test_there_are_false_and_true_claims_of_every_kind_that_can_be_either() -> None:
    # From no p-value does sameness follow, and what was not published is neither.
    assert len(ONCE_PASSED) == 11 and len(FALSE) >= 30 and len(TRUE) >= 30
    # A revision is no error, and which words a sentence means is a reading.
    neither = {"not_checkable", "revision", "scope", "accounts"}
    assert {case.kind for case in FALSE} == set(KINDS) - neither
    # Rows, which a count needs, are in test_audit_members.
    assert {case.kind for case in TRUE} == set(KINDS) - neither - {"nonsignificance", "count"}
