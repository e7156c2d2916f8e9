"""Printed numbers stand for every value that would have been printed so."""

from decimal import Decimal

import pytest

from analysis.audit.numbers import (
    Bounds,
    parse_digitised,
    parse_printed,
    parse_stored,
    shown,
)
from analysis.audit.rounding import Rounded, is_exact_tie, rounded, tie_told
from config.errors import InputError


def ends(interval: Bounds) -> tuple[str, str]:
    return str(interval.low.normalize()), str(interval.high.normalize())


@pytest.mark.parametrize(
    ("text", "low", "high", "decimals"),
    [
        ("78.5", "78.45", "78.55", 1),
        ("78.50", "78.495", "78.505", 2),
        ("-0.8", "-0.85", "-0.75", 1),
        ("\N{MINUS SIGN}78.6", "-78.65", "-78.55", 1),
        ("+2.4", "2.35", "2.45", 1),
        ("0.0", "-0.05", "0.05", 1),
        ("37", "36.5", "37.5", 0),
        ("10,000", "9999.5", "10000.5", 0),
        ("~250", "225", "275", 0),
        ("~0.6", "0.54", "0.66", 1),
        ("~1", "0.5", "1.5", 0),
    ],
)
def test_half_a_unit_of_the_last_digit(text: str, low: str, high: str, decimals: int) -> None:
    quantity = parse_printed(text)
    assert (quantity.bounds.low, quantity.bounds.high) == (Decimal(low), Decimal(high))
    assert quantity.decimals == decimals


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [("<1", "", "<"), ("≤1", "", "<="), ("1", "<=", "<="), ("0.005", "<", "<"), ("1", "~", "~")],
)
def test_qualifiers(text: str, given: str, expected: str) -> None:
    assert parse_printed(text, given).qualifier == expected


@pytest.mark.parametrize("text", ["", "about 5", "5 %", "1e-3", "--1", "."])
def test_what_is_no_printed_number(text: str) -> None:
    with pytest.raises(InputError, match="not a printed number"):
        parse_printed(text)


def test_digitised_precision_absolute_relative_and_missing() -> None:
    assert parse_digitised("0.1772990", "1e-03").bounds.half_width == Decimal("0.001")
    # Written with seven decimals, so never better than half of the seventh.
    assert parse_digitised("0.0002172", "4.4e-09").bounds.half_width == Decimal("5e-8")
    relative = parse_digitised("0.02", "3.8e-07 relative at vertices; 2.3e-02 relative between")
    assert relative.bounds.half_width == Decimal("0.02") * Decimal("3.8e-07")
    with pytest.raises(InputError, match="precision"):
        parse_digitised("1.0", "")


def test_stored_float32_reaches_the_decimal_it_stands_for() -> None:
    stored = parse_stored("0.0009999999")
    assert stored.bounds.low <= Decimal("0.001") <= stored.bounds.high
    assert parse_stored("200").bounds.half_width == 0
    # 0.62 may be 0.620 with its zero lost; a count of 10,000 images is exact.
    assert parse_stored("0.62").bounds.half_width == Decimal("0.0005")
    assert parse_stored("0.7133").bounds.half_width == Decimal("0.00005")
    assert parse_stored("0.6241", counted=True).bounds.half_width < Decimal("1e-6")


def test_percent_keeps_width_and_promises_fewer_decimals() -> None:
    percent = parse_stored("0.673").percent()
    assert percent.value == Decimal("67.3")
    assert percent.bounds.half_width == Decimal("0.05")
    assert parse_printed("0.673").percent().decimals == 1


def test_interval_arithmetic_holds_every_combination() -> None:
    a, b = Bounds(Decimal(1), Decimal(2)), Bounds(Decimal(-3), Decimal(4))
    assert ends(a + b) == ("-2", "6")
    assert ends(a - b) == ("-3", "5")
    assert ends(b.times(Decimal(-2))) == ("-8", "6")
    assert ends(b.magnitude()) == ("0", "4")
    assert ends(Bounds(Decimal(-3), Decimal(-1)).magnitude()) == ("1", "3")
    assert ends(b / a) == ("-3", "4")
    with pytest.raises(ZeroDivisionError):
        a / b
    with pytest.raises(ValueError, match="lower bound"):
        Bounds(Decimal(2), Decimal(1))


@pytest.mark.parametrize(("first", "second"), [("84.7", "84.8"), ("-0.7", "-0.6"), ("0.511", "0.512"), ("5", "6")])
def test_two_numbers_of_equal_precision_that_differ_by_a_digit_have_no_value_in_common(first: str, second: str) -> None:
    one, other = parse_printed(first).bounds, parse_printed(second).bounds
    assert not one.overlaps(other) and not other.overlaps(one)
    assert one.may_be_below(other) and not other.may_be_at_most(one)


def test_numbers_of_unequal_precision_may_have_values_in_common() -> None:
    assert parse_printed("84.7").bounds.overlaps(parse_printed("84.75").bounds)  # such as 84.748
    assert not parse_printed("84.7").bounds.overlaps(parse_printed("84.76").bounds)


@pytest.mark.parametrize("unit", ["layer", "layers", "count", "images", "registers", "conditions"])
def test_counts_are_exact_unless_they_are_marked_as_approximate(unit: str) -> None:
    assert ends(parse_printed("12", unit=unit).bounds) == ("12", "12")
    assert ends(parse_printed("~12", unit=unit).bounds) == ("10.8", "13.2")
    assert ends(parse_printed("12.5", unit=unit).bounds) == ("12.45", "12.55")  # a mean of counts
    assert ends(parse_printed("12", unit="pp").bounds) == ("11.5", "12.5")


@pytest.mark.parametrize("limit", ["<1", "\u22640.2", ">1", ">=14"])
def test_a_stated_limit_is_exact(limit: str) -> None:
    assert parse_printed(limit).bounds.is_exact
    assert not parse_printed(limit.strip("<>=\u2264"), "~").bounds.is_exact


def test_exact_numbers_are_equal_or_not() -> None:
    twelve, thirteen = parse_printed("12", unit="layers").bounds, parse_printed("13", unit="layers").bounds
    assert twelve.overlaps(twelve) and not twelve.overlaps(thirteen)
    assert twelve.may_be_at_most(twelve) and not twelve.may_be_below(twelve)
    assert not twelve.overlaps(parse_printed("11.5").bounds)  # 11.45 to 11.55


def test_a_tie_is_neither_rounded_to_a_number_nor_away_from_it() -> None:
    tie = Decimal("-99.75")
    assert rounded(tie, parse_printed("-99.8")) is Rounded.TIE
    assert rounded(tie, parse_printed("-99.7")) is Rounded.TIE
    assert rounded(tie, parse_printed("-99.6")) is Rounded.AWAY
    assert rounded(Decimal("-0.048"), parse_printed("0.0")) is Rounded.TO_IT
    assert rounded(Decimal(1), parse_stored("1")) is Rounded.AWAY  # not printed
    assert is_exact_tie(tie, Decimal("1e-6"), parse_printed("-99.7"))
    assert not is_exact_tie(tie, Decimal("0.005"), parse_printed("-99.7"))


def test_a_tie_is_told_under_both_conventions() -> None:
    assert tie_told(Decimal("-99.75"), parse_printed("-99.7")).endswith("half up gives -99.8, half to even -99.8.")
    assert tie_told(Decimal("-99.65"), parse_printed("-99.7")).endswith("half up gives -99.7, half to even -99.6.")


@pytest.mark.parametrize(
    ("text", "low", "high"), [("31.9", "31.9", "32"), ("-0.6", "-0.7", "-0.6"), ("0.0", "-0.1", "0.1")]
)
def test_digits_may_have_been_cut_off(text: str, low: str, high: str) -> None:
    assert ends(parse_printed(text).cut_off().bounds) == (low, high)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("-14.0", "-14"),
        ("35.55555555", "35.5556"),
        ("1E+4", "10000"),
        ("0.00", "0"),
        ("5E-8", "0.00000005"),
    ],
)
def test_shown(value: str, text: str) -> None:
    assert shown(Decimal(value)) == text
