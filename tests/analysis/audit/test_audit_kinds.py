"""Each kind: consistent, consistent only with rounding, wrong, and what it cannot judge."""

from decimal import Decimal

import pytest

from analysis.audit.kinds import KINDS, Case, Finding, Options, Severity, Term, Verdict
from analysis.audit.numbers import parse_digitised, parse_printed, parse_stored
from analysis.audit.published import Published

OK, ROUNDED = Verdict.CONSISTENT, Verdict.ROUNDING
WRONG, DISAGREE = Verdict.CONTRADICTED, Verdict.SOURCES_DISAGREE


def text(value: str, qualifier: str = "") -> Published:
    return Published(f"t{value}", parse_printed(value, qualifier), "%", "article text")


def figure(value: str, precision: str = "1e-6") -> Published:
    return Published(f"f{value}", parse_digitised(value, precision), "%", "figure 1")


def data(value: str) -> Published:
    return Published(f"j{value}", parse_stored(value), "%", "data d")


def terms(*numbers: Published | str) -> tuple[Term, ...]:
    return tuple(Term((text(n) if isinstance(n, str) else n,)) for n in numbers)


def judge(
    kind: str,
    printed: Published | str | None = None,
    options: Options | None = None,
    **parts: tuple[Term, ...],
) -> Finding:
    stated = text(printed) if isinstance(printed, str) else printed
    return KINDS[kind].evaluate(Case(stated, parts, options or Options()))


@pytest.mark.parametrize(
    ("printed", "start", "end", "verdict", "severity"),
    [
        ("-14.0", "72.9", "58.9", OK, Severity.NONE),
        ("-14.1", "72.9", "58.9", ROUNDED, Severity.ROUNDING),
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
        (("0.6", "-1.4"), ROUNDED),
        (("0.6", "-1.6"), WRONG),
        (("-2.284",), WRONG),
    ],
)
def test_bound(values: tuple[str, ...], verdict: Verdict) -> None:
    found = judge("bound", text("1", "<="), Options(absolute=True), values=terms(*values))
    assert found.verdict is verdict
    assert (found.severity is Severity.CONCLUSION) == (verdict is WRONG)


def test_a_strict_bound_and_a_lower_bound() -> None:
    assert judge("bound", text("6", "<"), values=terms("6")).verdict is ROUNDED
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
        (("0.86", "0.88"), False, ROUNDED),
        (("0.85", "0.88"), False, WRONG),
        (("0.87", "0.90"), True, OK),
        (("0.88", "0.90"), True, ROUNDED),
        (("0.86", "0.88"), True, WRONG),
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
        ("-0.7", (text("-0.6"),), ROUNDED),
        ("17.9", (data("18.49555"),), DISAGREE),
        (None, (figure("1.000001"), figure("1.000002")), OK),
        (None, (figure("1.00"), figure("1.01")), DISAGREE),
    ],
)
def test_equality(printed: str | None, values: tuple[Published, ...], verdict: Verdict) -> None:
    assert judge("equality", printed, values=terms(*values)).verdict is verdict


@pytest.mark.parametrize(
    ("smaller", "larger", "verdict"),
    [
        (("17.9", "8.8"), ("29.1",), OK),
        (("17.9", "29.1"), ("29.1",), ROUNDED),
        (("30.0",), ("40.0", "29.1"), WRONG),
    ],
)
def test_order(smaller: tuple[str, ...], larger: tuple[str, ...], verdict: Verdict) -> None:
    assert judge("order", smaller=terms(*smaller), larger=terms(*larger)).verdict is verdict


def test_order_in_size_of_a_sum() -> None:
    bars = (Term((figure("-10.8"), figure("-15.7"))),)
    found = judge("order", options=Options(absolute=True), smaller=bars, larger=terms("-18.9"))
    assert found.verdict is WRONG
    assert found.recomputed == "26.5 >= 18.9"


@pytest.mark.parametrize(
    ("series", "direction", "verdict"),
    [
        (("1.0", "2.0", "3.0"), "rising", OK),
        (("1.0", "2.0", "1.9"), "rising", ROUNDED),
        (("1.0", "2.0", "1.8"), "rising", WRONG),
        (("13.5", "8.7", "4.0"), "falling", OK),
        (("4.0", "8.7"), "falling", WRONG),
    ],
)
def test_monotone(series: tuple[str, ...], direction: str, verdict: Verdict) -> None:
    found = judge("monotone", options=Options(direction=direction), series=terms(*series))
    assert found.verdict is verdict


@pytest.mark.parametrize(
    ("margin", "verdict"),
    [("8", OK), ("7", ROUNDED), ("5", WRONG), (None, Verdict.NOT_CHECKABLE)],
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


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.states])
def test_a_kind_that_compares_with_a_stated_number_cannot_go_without(kind: str) -> None:
    parts = {role: terms(*["1"] * fewest) for role, (fewest, _) in KINDS[kind].roles.items()}
    with pytest.raises(ValueError, match="needs the number"):
        KINDS[kind].evaluate(Case(None, parts))


def test_every_kind_says_what_it_judges() -> None:
    for name, kind in KINDS.items():
        assert kind.evaluate.__doc__, name
