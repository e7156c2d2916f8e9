"""Rows of the audit's tables. Its numbers are text: their digits are those that were published."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.rows.schema import Row, column


@dataclass(frozen=True, kw_only=True)
class ClaimRow(Row):
    """One claim, with the arithmetic of one reading and both ends of its verdict."""

    id: str = column("identifier of the claim")
    place: str = column("section of the article")
    kind: str = column("kind of the claim")
    claim: str = column("what the article states")
    published: str = column("the value as published")
    recomputed: str = column("the value recomputed from published numbers")
    tolerance: str = column("what rounding allows between the two")
    verdict: str = column("what the comparison gives")
    why: str = column("the arithmetic, in sentences")
    numbers: str = column("identifiers of the published numbers it rests on, separated by semicolons")
    severity: str = column("none, rounding, number or conclusion")
    value: str = column("off where a number is wrong")
    conclusion: str = column("changes where the conclusion is wrong")
    gap: str = column("distance of the decisive number from what the claim needs, from 0 to 1")
    rank: str = column("place among the findings of severity number or above, most severe first")
    foremost: str = column("place among the findings that a summary shows first")
    reading: str = column("the reading whose arithmetic is shown")
    strictest: str = column("the least favourable verdict of all readings")
    as_worded: str = column("the verdict of the sentence as worded")
    favourable: str = column("the most favourable verdict of all readings")
    holds_if: str = column("readings under which it holds, where it does not as worded")
    sensitivity: str = column("for which meanings of a vague word it holds")
    power: str = column("smallest move of a printed number that changes its verdict, in units of the last digit")
    weakest: str = column("identifier of that number")
    origin: str = column("article, or audit where the audit checks by itself")
    defect: str = column("what is wrong, the same in every place of one defect")


@dataclass(frozen=True, kw_only=True)
class MutationRow(Row):
    """One change of one printed number, and whether the audit notices."""

    number: str = column("identifier of the number")
    printed: str = column("the number as printed")
    change: str = column("one digit, two digits or sign")
    to: str = column("the number as it would have been printed")
    pinned: str = column("yes where something as precise holds the number from both sides")
    noticed: str = column("yes where a verdict gets worse")
    accused: str = column("yes where something fails that did not")
    by: str = column("claims and comparisons that notice, separated by semicolons")
    why_not: str = column("why it was not noticed")


@dataclass(frozen=True, kw_only=True)
class PowerRow(Row):
    """Changes of printed numbers that a kind of claim, or the whole audit, notices."""

    kind: str = column("kind of the claim, or the whole audit")
    change: str = column("one digit, two digits or sign")
    tried: int = column("changes tried on what held before")
    noticed: int = column("changes after which a verdict gets worse")
    accused: int = column("changes after which something fails that did not")
    pinned: int = column("changes tried where the other side is as precise as the number")
    pinned_noticed: int = column("of these, changes noticed")
    pinned_accused: int = column("of these, changes after which something fails")


@dataclass(frozen=True, kw_only=True)
class SectionRow(Row):
    """One section of the article."""

    place: str = column("section of the article")
    claims: int = column("number of claims")
    none: int = column("claims of severity none")
    rounding: int = column("claims of severity rounding")
    number: int = column("claims of severity number")
    conclusion: int = column("claims of severity conclusion")
    failing: int = column("claims that do not hold")


@dataclass(frozen=True, kw_only=True)
class PointRow(Row):
    """One value that a finding of severity number or above rests on."""

    claim: str = column("identifier of the claim")
    kind: str = column("kind of the claim")
    role: str = column("role of the value in it")
    number: str = column("identifiers of the published numbers, separated by semicolons")
    label: str = column("what the value is of")
    axis: str = column("what position is measured along")
    position: str = column("place along the axis")
    value: str = column("the value")
    low: str = column("smallest value that rounding or digitising allows")
    high: str = column("largest value that rounding or digitising allows")
    source: str = column("document that it comes from")
    unit: str = column("unit of the value")


@dataclass(frozen=True, kw_only=True)
class SourceRow(Row):
    """Two published values for one quantity."""

    quantity: str = column("the quantity, in words")
    task: str = column("its task")
    metric: str = column("its metric")
    model: str = column("its model")
    scale: str = column("its scale")
    condition: str = column("its condition")
    token: str = column("its token")
    layer: str = column("its layer")
    first: str = column("identifiers of the first value")
    first_value: str = column("the first value")
    first_source: str = column("document that it comes from")
    second: str = column("identifiers of the second value")
    second_value: str = column("the second value")
    second_source: str = column("document that it comes from")
    unit: str = column("unit of both values")
    apart: str = column("their absolute difference")
    rounding: str = column("difference that rounding allows")
    spread: str = column("difference that repeats explain, where any were published")
    agreement: str = column("how well they agree")
    superseded: str = column("yes where one of them is from a superseded document")


@dataclass(frozen=True, kw_only=True)
class ReproducedRow(Row):
    """A claim, or one of its published numbers, beside what the run measured."""

    claim: str = column("identifier of the claim")
    reproduced: str = column("reproduced, not reproduced or not measured")
    measured: str = column("how many of the claim's quantities the run measured; empty in the row of a number")
    quantities: str = column("how many quantities the claim names; empty in the row of a number")
    number: str = column("identifier of the published number; empty in the row of a claim")
    published: str = column("the published value, percent")
    value: str = column("the measured value, percent")
    low: str = column("lower end of its interval, percent")
    high: str = column("upper end of its interval, percent")
    power: str = column("smallest move of a printed number that changes its verdict, in units of the last digit")
    weakest: str = column("identifier of that number")
    origin: str = column("model and data set it was measured on")
