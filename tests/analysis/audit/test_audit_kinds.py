"""Each kind: consistent, consistent only with rounding, wrong, and what it cannot judge."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from analysis.audit.kinds import HELD, KINDS, Case, Finding, NumberTerm, Options, Severity, Value, Verdict
from analysis.audit.numbers import parse_digitised, parse_printed, parse_stored
from analysis.audit.published import Published

OK, ROUNDED = Verdict.CONSISTENT, Verdict.ROUNDING
WRONG, DISAGREE = Verdict.CONTRADICTED, Verdict.SOURCES_DISAGREE
TIE, READ = Verdict.TIE, Verdict.READING


def text(value: str, qualifier: str = "") -> Published:
    return Published(f"t{value}", parse_printed(value, qualifier), "%", "article text")


def figure(value: str, precision: str = "1e-6") -> Published:
    return Published(f"f{value}", parse_digitised(value, precision), "%", "figure 1")


def data(value: str) -> Published:
    return Published(f"j{value}", parse_stored(value), "%", "data d")


def terms(*numbers: Published | str) -> tuple[NumberTerm, ...]:
    return tuple(NumberTerm((text(n) if isinstance(n, str) else n,)) for n in numbers)


def judge(
    kind: str,
    printed: Published | str | None = None,
    options: Options | None = None,
    **parts: tuple[NumberTerm, ...],
) -> Finding:
    stated = text(printed) if isinstance(printed, str) else printed
    return KINDS[kind].evaluate(Case(stated, parts, options or Options()))


@pytest.mark.parametrize(
    ("printed", "start", "end", "verdict", "severity"),
    [
        ("-14.0", "72.9", "58.9", OK, Severity.NONE),
        ("-14.1", "72.9", "58.9", ROUNDED, Severity.ROUNDING),  # 58.86 - 72.94
        ("-14.2", "72.9", "58.9", WRONG, Severity.NUMBER),
    ],
)
def test_delta(printed: str, start: str, end: str, verdict: Verdict, severity: Severity) -> None:
    found = judge("delta", printed, None, **{"from": terms(start), "to": terms(end)})
    assert (found.verdict, found.severity) == (verdict, severity)
    assert (found.recomputed, found.tolerance) == ("-14", "0.15")
    assert "58.9 - 72.9 = -14" in found.why


def test_a_drop_is_stated_without_its_sign() -> None:
    parts = {"from": terms("73.2"), "to": terms("57.3")}
    assert judge("delta", "15.9", Options(drop=True), **parts).verdict is OK


def test_a_delta_across_documents_is_a_disagreement_of_sources() -> None:
    parts = {"from": terms(figure("73.273324")), "to": terms(figure("36.839997"))}
    found = judge("delta", "-36.5", None, **parts)
    assert (found.verdict, found.severity) == (DISAGREE, Severity.ROUNDING)
    assert judge("delta", "-36.4", None, **parts).verdict is OK


@pytest.mark.parametrize(("printed", "verdict"), [("-5.1", OK), ("-5.3", ROUNDED), ("-5.4", WRONG), ("-7.0", WRONG)])
def test_sum(printed: str, verdict: Verdict) -> None:
    found = judge("sum", printed, parts=terms("-4.9", "-0.2", "0.1", "-0.1"))
    assert found.verdict is verdict


@pytest.mark.parametrize(("printed", "verdict"), [("0.12", OK), ("0.11", ROUNDED), ("0.10", WRONG)])
def test_mean(printed: str, verdict: Verdict) -> None:
    assert judge("mean", printed, values=terms("0.13", "0.11", "0.11")).verdict is verdict


@pytest.mark.parametrize(("printed", "verdict"), [("36.0", OK), ("35", ROUNDED), ("30", WRONG), ("~34", OK)])
def test_ratio(printed: str, verdict: Verdict) -> None:
    found = judge("ratio", printed, numerator=terms("0.180"), denominator=terms("0.005"))
    assert found.verdict is verdict


def test_a_ratio_over_a_printed_zero_is_not_checkable() -> None:
    found = judge("ratio", "250", numerator=terms("0.18"), denominator=terms("0.00"))
    assert found.verdict is Verdict.NOT_CHECKABLE


@pytest.mark.parametrize(("printed", "verdict"), [("36", OK), ("35", ROUNDED), ("40", WRONG), ("35.6", OK)])
def test_percent_change(printed: str, verdict: Verdict) -> None:
    parts = {"from": terms("13.5"), "to": terms("8.7")}
    found = judge("percent_change", printed, Options(drop=True), **parts)
    assert found.verdict is verdict
    assert found.recomputed == "35.5556"


def test_percent_change_from_a_printed_zero_is_not_checkable() -> None:
    parts = {"from": terms("0"), "to": terms("8.7")}
    assert judge("percent_change", "36", None, **parts).verdict is Verdict.NOT_CHECKABLE


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (("0.6", "-0.9"), OK),
        (("0.6", "-1.0"), OK),
        (("0.6", "-1.1"), WRONG),
        (("-2.284",), WRONG),
    ],
)
def test_bound(values: tuple[str, ...], verdict: Verdict) -> None:
    found = judge("bound", text("1", "<="), Options(absolute=True), values=terms(*values))
    assert found.verdict is verdict
    assert (found.severity is Severity.CONCLUSION) == (verdict is WRONG)


def test_a_strict_bound_and_a_lower_bound() -> None:
    assert judge("bound", text("6", "<"), values=terms("6")).verdict is ROUNDED  # such as 5.9
    assert judge("bound", text("6", "<"), values=terms("6.1")).verdict is WRONG
    assert judge("bound", text("6", "<="), values=terms("6")).verdict is OK
    assert judge("bound", "6", Options(relation=">"), values=terms("5.4")).verdict is WRONG


def test_a_bound_that_one_document_keeps_and_another_breaks() -> None:
    mixed = terms(data("0.02"), figure("-10.78"))
    found = judge("bound", text("0.2", "<"), Options(absolute=True), values=mixed)
    assert (found.verdict, found.severity) == (DISAGREE, Severity.CONCLUSION)


@pytest.mark.parametrize(
    ("values", "attained", "verdict"),
    [
        (("0.87", "0.88", "0.90"), False, OK),
        (("0.866", "0.88"), False, ROUNDED),
        (("0.86", "0.88"), False, WRONG),
        (("0.87", "0.90"), True, OK),
        (("0.875", "0.90"), True, ROUNDED),  # such as 0.8746
        (("0.88", "0.90"), True, WRONG),
    ],
)
def test_range(values: tuple[str, ...], attained: bool, verdict: Verdict) -> None:
    found = judge(
        "range",
        options=Options(attained=attained),
        low=terms("0.87"),
        high=terms("0.90"),
        values=terms(*values),
    )
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("printed", "values", "verdict"),
    [
        ("17.9", (figure("17.874256"),), OK),
        ("37.1", (text("37"),), OK),
        ("-0.7", (text("-0.6"),), WRONG),
        ("-0.7", (text("-0.65"),), ROUNDED),
        ("62", (data("62.5"),), TIE),
        ("17.9", (data("18.49555"),), DISAGREE),
        (None, (figure("1.000001"), figure("1.000002")), OK),
        (None, (figure("1.00"), figure("1.01")), WRONG),  # in one document
        (None, (figure("1.00"), data("1.01")), DISAGREE),
    ],
)
def test_equality(printed: str | None, values: tuple[Published, ...], verdict: Verdict) -> None:
    assert judge("equality", printed, values=terms(*values)).verdict is verdict


@pytest.mark.parametrize(
    ("smaller", "larger", "verdict"),
    [
        (("17.9", "8.8"), ("29.1",), OK),
        (("17.9", "29.1"), ("29.1",), ROUNDED),
        (("17.9", "29.2"), ("29.1",), WRONG),
        (("30.0",), ("40.0", "29.1"), WRONG),
    ],
)
def test_order(smaller: tuple[str, ...], larger: tuple[str, ...], verdict: Verdict) -> None:
    assert judge("order", smaller=terms(*smaller), larger=terms(*larger)).verdict is verdict


def test_order_in_size_of_a_sum() -> None:
    bars = (NumberTerm((figure("-10.8"), figure("-15.7"))),)
    found = judge("order", options=Options(absolute=True), smaller=bars, larger=terms("-18.9"))
    # The bars stand in a figure, the other number in the text.
    assert found.verdict is DISAGREE
    assert found.recomputed == "26.5 >= 18.9"


@pytest.mark.parametrize(
    ("series", "direction", "verdict"),
    [
        (("1.0", "2.0", "3.0"), "rising", OK),
        (("1.0", "2.0", "2.0"), "rising", ROUNDED),
        (("1.0", "2.0", "1.9"), "rising", WRONG),
        (("13.5", "8.7", "4.0"), "falling", OK),
        (("4.0", "8.7"), "falling", WRONG),
    ],
)
def test_monotone(series: tuple[str, ...], direction: str, verdict: Verdict) -> None:
    found = judge("monotone", options=Options(direction=direction), series=terms(*series))
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("margin", "verdict"),
    [("8", OK), ("7.1", OK), ("7.05", ROUNDED), ("7", WRONG), ("~7", ROUNDED), (None, Verdict.NOT_CHECKABLE)],
)
def test_sameness(margin: str | None, verdict: Verdict) -> None:
    first, second = terms("-36.6", "-30.9"), terms("-36.5", "-23.8")
    found = judge("sameness", margin, Options(needs="A margin."), first=first, second=second)
    assert found.verdict is verdict
    assert found.recomputed == "7.1"


def test_nonsignificance_never_supports_sameness() -> None:
    assert judge("nonsignificance", "0.80").verdict is Verdict.UNSUPPORTED
    assert judge("nonsignificance", "0.01").verdict is WRONG
    assert judge("nonsignificance", text("0.001", "<")).verdict is WRONG
    strict = Options(alpha=Decimal("0.001"))
    assert judge("nonsignificance", "0.01", strict).verdict is Verdict.UNSUPPORTED


def test_not_checkable_says_what_it_needs() -> None:
    found = judge("not_checkable", text("0.6", "~"), Options(needs="The cosines."))
    assert (found.verdict, found.published, found.why) == (
        Verdict.NOT_CHECKABLE,
        "~0.6",
        "The cosines.",
    )


def test_a_number_that_changed_between_versions_is_a_revision() -> None:
    older = Options(versions=True)
    revised = judge("equality", None, older, values=terms("-0.7", "-0.6"))
    assert (revised.verdict, revised.severity) == (READ, Severity.NONE)
    assert revised.sensitivity == "It holds within a version only: the number was revised."
    assert judge("equality", None, older, values=terms("-0.7", "-0.7")).verdict is OK


def at(position: str, number: Published) -> Published:
    return replace(number, id=f"{number.id}@{position}", position=Decimal(position))


def series(*values: str, positions: str = "0 2 4 6 8 10 11") -> tuple[NumberTerm, ...]:
    """Printed values at layers."""
    return tuple(NumberTerm((at(p, text(v)),)) for p, v in zip(positions.split(), values, strict=False))


def layer(value: str) -> Published:
    return replace(text(value), unit="layer")


@pytest.mark.parametrize(
    ("printed", "pairs", "verdict"),
    [
        (text("250", "~"), (("0.180", "0.00075"),), OK),  # 240, a tenth of 250 away at most
        (text("240"), (("0.180", "0.00075"),), OK),
        (text("245"), (("0.18", "0.00075"),), ROUNDED),  # 0.185 / 0.00075 is 247
        (text("250", "~"), (("0.180", "0.00150"),), WRONG),
        (text("250", "~"), (("0.180", "0.00075"), ("0.180", "0.00150")), WRONG),  # at every place
    ],
)
def test_factor(printed: Published, pairs: tuple[tuple[str, str], ...], verdict: Verdict) -> None:
    larger, smaller = (terms(*numbers) for numbers in zip(*pairs, strict=True))
    assert judge("factor", printed, larger=larger, smaller=smaller).verdict is verdict


def test_a_factor_of_at_least_and_one_that_turns_round() -> None:
    larger, smaller = terms("36.6"), terms("7.0")
    least = Options(relation=">=")
    assert judge("factor", "5", least, larger=larger, smaller=smaller).verdict is OK
    assert judge("factor", "5.25", least, larger=larger, smaller=smaller).verdict is ROUNDED  # 36.65 / 6.95 is 5.27
    assert judge("factor", "5.3", least, larger=larger, smaller=smaller).verdict is WRONG
    assert judge("factor", "7", least, larger=larger, smaller=smaller).verdict is WRONG
    turned = judge("factor", "5", larger=smaller, smaller=larger)
    assert (turned.verdict, turned.severity) == (WRONG, Severity.CONCLUSION)
    zero = judge("factor", "5", larger=larger, smaller=terms("0.0"))
    assert zero.verdict is Verdict.NOT_CHECKABLE


def test_a_stated_rise_that_is_a_fall_changes_the_conclusion() -> None:
    parts = {"from": terms("69.1"), "to": terms("68.3")}
    number = judge("delta", "-1.8", None, **parts)
    conclusion = judge("delta", "0.8", None, **parts)
    assert (number.value, number.changes, number.severity) == (Value.OFF, False, Severity.NUMBER)
    assert (conclusion.value, conclusion.changes, conclusion.severity) == (Value.OFF, True, Severity.CONCLUSION)


@pytest.mark.parametrize(("printed", "verdict"), [("78.2", OK), ("78.1", ROUNDED), ("67.3", DISAGREE)])
def test_baseline(printed: str, verdict: Verdict) -> None:
    # 67.36 + 10.80 and 62.46 + 15.70 are 78.16, known to 0.02.
    scores = terms(figure("67.36", "0.01"), figure("62.46", "0.01"))
    changes = terms(figure("-10.80", "0.01"), figure("-15.70", "0.01"))
    assert judge("baseline", printed, scores=scores, changes=changes).verdict is verdict
    drops = terms(figure("10.80", "0.01"), figure("15.70", "0.01"))
    assert judge("baseline", printed, Options(drop=True), scores=scores, changes=drops).verdict is verdict


@pytest.mark.parametrize(
    ("quantifier", "values", "others", "verdict"),
    [
        ("every", ("0.4", "-0.9"), (), OK),
        ("every", ("0.4", "-1.4"), (), WRONG),
        ("every", ("0.4", "-4.8"), (), WRONG),
        ("none", ("4.8", "-9.6"), (), OK),
        ("none", ("0.4", "-9.6"), (), WRONG),
    ],
)
def test_quantifier(quantifier: str, values: tuple[str, ...], others: tuple[str, ...], verdict: Verdict) -> None:
    options = Options(absolute=True, relation="<=", quantifier=quantifier)
    assert judge("quantifier", "1", options, values=terms(*values), others=terms(*others)).verdict is verdict


@pytest.mark.parametrize(("others", "verdict"), [(("0.3",), OK), (("1.02",), ROUNDED), (("1.4",), WRONG)])
def test_only_some_members_of_a_scope(others: tuple[str, ...], verdict: Verdict) -> None:
    options = Options(absolute=True, relation=">", quantifier="only")
    # Their difference, known to 0.055, may be 0.97.
    others_as_sums = tuple(NumberTerm((text(value),), (text("0.0"),)) for value in others)
    found = judge("quantifier", "1", options, values=terms("-4.8", "-36.6"), others=others_as_sums)
    assert found.verdict is verdict


def test_a_scope_of_which_not_all_is_published_is_not_checkable_unless_it_fails() -> None:
    options = Options(absolute=True, relation="<=", members=Decimal(4), needs="The fourth.")
    three = judge("quantifier", "1", options, values=terms("0.1", "0.2", "0.3"))
    assert three.verdict is Verdict.NOT_CHECKABLE
    assert "3 of 4 members" in three.why and three.why.endswith("Not published: The fourth.")
    assert judge("quantifier", "1", options, values=terms("0.1", "2.0")).verdict is WRONG
    assert judge("quantifier", "1", options, values=terms("0.1", "0.2", "0.3", "0.4")).verdict is OK


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (("0.1", "0.1", "0.1", "0.3", "3.4", "10.7", "3.0"), OK),
        (("0.1", "0.1", "0.1", "0.3", "10.7", "10.7", "3.0"), ROUNDED),
        (("0.1", "0.1", "0.1", "0.3", "10.8", "10.7", "3.0"), WRONG),
        (("0.1", "0.1", "0.1", "0.3", "3.4", "10.7", "13.0"), WRONG),
    ],
)
def test_peak(values: tuple[str, ...], verdict: Verdict) -> None:
    assert judge("peak", layer("10"), series=series(*values)).verdict is verdict


def test_a_peak_where_nothing_was_published_and_a_trough() -> None:
    values = series("0.1", "0.3", "0.2", positions="0 2 4")
    assert judge("peak", layer("3"), series=values).verdict is Verdict.NOT_CHECKABLE
    assert judge("peak", layer("0"), Options(direction="falling"), series=values).verdict is OK
    assert judge("peak", layer("2"), Options(direction="falling"), series=values).verdict is WRONG


@pytest.mark.parametrize(
    ("values", "window", "verdict"),
    [
        # Half of the largest, 33.7, is first reached at layer 11.
        (("0.2", "0.1", "0.1", "0.5", "5.8", "15.7", "67.3"), ("10", "11"), OK),
        (("0.2", "0.1", "0.1", "0.5", "33.7", "40.0", "67.3"), ("10", "11"), ROUNDED),
        (("0.2", "0.1", "0.1", "0.5", "45.8", "15.7", "67.3"), ("10", "11"), WRONG),
        (("24.9", "25.4", "16.0", "7.0", "9.1", "38.3", "19.7"), ("3", "8"), WRONG),
    ],
)
def test_onset(values: tuple[str, ...], window: tuple[str, str], verdict: Verdict) -> None:
    first, last = (NumberTerm((layer(end),)) for end in window)
    half = Options(share=Decimal("0.5"))
    assert judge("onset", options=half, series=series(*values), first=(first,), last=(last,)).verdict is verdict
    words = Options(earliest=Decimal(window[0]), latest=Decimal(window[1]), share=Decimal("0.5"))
    assert judge("onset", options=words, series=series(*values)).verdict is verdict


def test_an_onset_by_a_layer_and_one_that_is_abrupt() -> None:
    steady = series("1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0")
    by = Options(latest=Decimal(6), share=Decimal("0.5"))
    assert judge("onset", options=by, series=steady).verdict is OK
    assert judge("onset", options=replace(by, latest=Decimal(2)), series=steady).verdict is WRONG
    late: dict[str, Any] = {"earliest": Decimal(6), "latest": Decimal(8), "share": Decimal("0.5")}
    assert judge("onset", options=Options(**late), series=steady).verdict is OK
    assert judge("onset", options=Options(**late, abrupt=True), series=steady).verdict is WRONG
    unsaid = judge("onset", options=Options(latest=Decimal(6)), series=steady)
    assert (unsaid.verdict, unsaid.sensitivity) == (
        READ, "It holds where emerging means reaching 5 to 55 % of the largest value."
    )  # fmt: skip
    empty = Options(earliest=Decimal(7), latest=Decimal(7))
    assert judge("onset", options=empty, series=steady).verdict is Verdict.NOT_CHECKABLE


@pytest.mark.parametrize(
    ("values", "n", "verdict"),
    [
        (("67.30", "0.05"), "2000", OK),
        (("71.4",), "7", OK),  # 5 / 7 is 71.43
        (("71.5",), "7", DISAGREE),
        (("62",), "8", TIE),  # 5 of 8 is 62.5
        (("5.18",), "28", DISAGREE),  # Brown and Heathers' example, 5.18 of 28 whole numbers, per 100
        (("73.2",), "10000", Verdict.NOT_CHECKABLE),  # every tenth of a percent is a share of 10,000
    ],
)
def test_denominator(values: tuple[str, ...], n: str, verdict: Verdict) -> None:
    assert judge("denominator", options=Options(n=Decimal(n)), values=terms(*values)).verdict is verdict


def test_a_denominator_printed_beside_its_share_and_the_n_that_would_fit() -> None:
    stated = NumberTerm((replace(text("28"), unit="count"),))
    found = judge("denominator", values=terms("71.5"), n=(stated,))
    assert (found.verdict, found.severity) == (WRONG, Severity.NUMBER)
    # 11, 71, 114 and 208 of 410, as digitised.
    shares = [figure(v, "4.9e-7") for v in ("2.682927", "17.317073", "27.8048785", "50.7317068")]
    found = judge("denominator", options=Options(n=Decimal(10000)), values=terms(*shares))
    assert found.verdict is DISAGREE
    assert "the smallest n that gives them is 410" in found.why
    assert judge("denominator", options=Options(n=Decimal(410)), values=terms(*shares)).verdict is OK
    assert judge("denominator", values=terms("71.5")).verdict is Verdict.NOT_CHECKABLE


@pytest.mark.parametrize(
    ("printed", "draws", "verdict"),
    [
        (text("0.80"), "10000", Verdict.CANNOT_FAIL),  # so is every p with two digits
        (text("0.001", "<"), "10000", OK),  # the smallest is 1 / 10,001
        (text("0.0001", "<"), "9999", TIE),  # it is 0.0001 itself
        (text("0.0001", "<"), "1000", WRONG),
        (text("0.35"), "9", WRONG),  # multiples of 1/10 or 1/9: 0.3, 0.333, 0.4
        (text("0.333"), "9", OK),  # 3 / 9, the observed arrangement left out
    ],
)
def test_attainable_p(printed: Published, draws: str, verdict: Verdict) -> None:
    assert judge("attainable_p", printed, draws=terms(draws)).verdict is verdict


@pytest.mark.parametrize("draws", ["0", "-1"])
def test_no_draws_give_no_p_value(draws: str) -> None:
    assert judge("attainable_p", "0.5", draws=terms(draws)).verdict is Verdict.NOT_CHECKABLE


@pytest.mark.parametrize("values", [("0", "0", "0"), ("-3.0", "-2.0", "-1.0")])
def test_an_onset_of_what_never_comes_up_is_judged_all_the_same(values: tuple[str, ...]) -> None:
    assert judge("onset", options=Options(latest=Decimal(2)), series=series(*values)).why


@pytest.mark.parametrize(
    ("values", "verdict", "times"),
    [
        (("0.1", "0.1"), OK, "1"),
        (("0.1", "0.9"), READ, "9"),
        (("0.1", "1.4"), READ, "14"),
        (("0.1", "13.9"), Verdict.UNSUPPORTED, "139"),
    ],
)
def test_chance(values: tuple[str, ...], verdict: Verdict, times: str) -> None:
    # Chance is printed as 0.1, so that ten times chance is anything from 0.5 to 1.5.
    found = judge("chance", values=terms(*values), chance=terms("0.1"))
    assert found.verdict is verdict
    assert found.sensitivity == f"It holds where 'near' allows {times} times chance or more."
    strict = Options(near=Decimal(10))
    judged = judge("chance", options=strict, values=terms(*values), chance=terms("0.1")).verdict
    assert judged is {"9": OK, "14": ROUNDED}.get(times, verdict)


def test_chance_from_the_number_of_classes_and_none_at_all() -> None:
    ten = Options(classes=Decimal(10), near=Decimal(2))
    assert judge("chance", options=ten, values=terms("19.0")).verdict is OK
    assert judge("chance", options=ten, values=terms("21.0")).verdict is Verdict.UNSUPPORTED
    assert judge("chance", values=terms("21.0")).verdict is Verdict.NOT_CHECKABLE


@pytest.mark.parametrize(
    ("printed", "verdict"),
    [(text("0.001", "<"), OK), (text("0.04"), OK), (text("0.05"), ROUNDED), (text("0.80"), WRONG)],
)
def test_significance(printed: Published, verdict: Verdict) -> None:
    assert judge("significance", printed).verdict is verdict


def test_causes() -> None:
    parts = {"smaller": terms("8.7"), "larger": terms("13.5")}
    needs = Options(needs="A matched pair.")
    assert judge("causal", options=needs, **parts).verdict is OK
    assert judge("causal", smaller=terms("8.7"), larger=terms("8.7")).verdict is ROUNDED
    assert judge("causal", smaller=terms("13.5"), larger=terms("8.7")).verdict is WRONG
    confounded = judge("causal", options=Options(also_differs="patch size", needs="A matched pair."), **parts)
    assert (confounded.verdict, confounded.severity) == (Verdict.UNSUPPORTED, Severity.CONCLUSION)
    assert "also differ in patch size" in confounded.why
    missing = judge("causal", options=needs)
    assert (missing.verdict, missing.why) == (Verdict.NOT_CHECKABLE, "A matched pair.")


def test_a_failing_claim_tells_how_far_off_it_is() -> None:
    found = judge("bound", text("1", "<="), values=terms("0.2", "4.0"))
    assert found.gap == Decimal("0.75")  # 3 of 4
    assert judge("bound", text("1", "<="), values=terms("0.2")).gap == 0


def test_slack_is_the_room_up_to_a_limit() -> None:
    found = judge("bound", text("1.0", "<="), values=terms("0.4", "0.9"))
    # The values are known to 0.05, the limit is exact: from 0.9 to 1.0 there is room for 0.1 + 0.05.
    assert found.slack() == {"t0.4": Decimal("0.65"), "t0.9": Decimal("0.15"), "t1.0": Decimal("-0.15")}


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.states])
def test_a_kind_that_compares_with_a_stated_number_cannot_go_without(kind: str) -> None:
    parts = {role: terms(*["1"] * fewest) for role, (fewest, _) in KINDS[kind].roles.items()}
    with pytest.raises(ValueError, match="needs the number"):
        KINDS[kind].evaluate(Case(None, parts))


def test_every_kind_says_what_it_judges() -> None:
    for name, kind in KINDS.items():
        assert kind.evaluate.__doc__, name


def test_what_holds_has_no_gap_and_what_fails_is_flagged() -> None:
    held = judge("order", smaller=terms("1.0"), larger=terms("2.0"))
    assert held.verdict in HELD and held.gap == 0 and held.severity is Severity.NONE
    failed = judge("order", smaller=terms("2.0"), larger=terms("1.0"))
    assert failed.changes and failed.severity is Severity.CONCLUSION and failed.gap == Decimal("0.5")
