"""Rows of the tests: comparisons of models, equivalence, controls by random patches, and readouts."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.rows.bases import AgainstMargin, Bounded, HeldAgainstMargin, OfTask, Provenance, ScoredUnder, Tested
from analysis.rows.schema import Row, column


@dataclass(frozen=True, kw_only=True)
class Compared(Row):
    """What a row is about: a declared comparison in one task, readout and condition."""

    comparison: str = column("name of the comparison in the config")
    dataset: str = column("the data set")
    task: str = column("the task")
    readout: str = column("matched, frozen or direct")
    condition: str = column("the condition whose deltas are compared")
    within: str = column("the scale at which two families are compared, or the family within which two scales are")


@dataclass(frozen=True, kw_only=True)
class ComparisonRow(Compared, Bounded, Tested, HeldAgainstMargin, Provenance):
    """One declared comparison: the delta of the second model minus the delta of the first."""

    metric: str = column("the metric of the task")
    base: str = column("the first model")
    changed: str = column("the second model")
    n: int = column("number of units, the same for both models")
    base_delta: float = column("change against full in the first model", unit="fraction")
    changed_delta: float = column("change against full in the second model", unit="fraction")
    difference: float = column("changed_delta minus base_delta", unit="fraction")
    p_max_t: float = column("p, adjusted within the comparison by the step-down max-T method")


@dataclass(frozen=True, kw_only=True)
class NullBin(Compared):
    """One bar of the null distribution behind a comparison."""

    low: float = column("lower edge of the bar", unit="fraction")
    high: float = column("upper edge of the bar", unit="fraction")
    draws: int = column("draws of the permutation test in the bar")


@dataclass(frozen=True, kw_only=True)
class EquivalenceTest(ScoredUnder, Bounded, AgainstMargin, Provenance):
    """One delta against its margin, before the p-values of its family are adjusted; an intermediate table."""

    delta: float = column("value minus the value under full, on the same units", unit="fraction")
    low90: float | None = column("lower end of the 90 % interval over units", unit="fraction")
    high90: float | None = column("upper end of the 90 % interval over units", unit="fraction")
    deviation: float | None = column("standard deviation of the jackknife pseudo-values of delta", unit="fraction")
    training: float | None = column("standard deviation over refits of delta; 0 without any", unit="fraction")
    units_each: float | None = column("mean number of units behind a pseudo-value: 1 where none are clustered")
    largest: float | None = column("how far one unit can move its own contribution", unit="fraction")
    rare: bool | None = column("whether few units changed, so that their spread may not show")


@dataclass(frozen=True, kw_only=True)
class EquivalenceRow(ScoredUnder, Bounded, HeldAgainstMargin, Provenance):
    """One delta against its margin; its interval is the one at 1 − 2 alpha."""

    delta: float = column("value minus the value under full, on the same units", unit="fraction")
    p: float = column("p-value of the paired permutation test of delta, two-sided")
    detectable: float | None = column("true change that this test detects with power 0.8", unit="fraction")
    p_max_t: float = column("p, adjusted within its family by the step-down max-T method")


@dataclass(frozen=True, kw_only=True)
class RandomPatchRow(ScoredUnder, Bounded, Tested, Provenance):
    """Registers against as many random patches, replaced alike and drawn repeatedly."""

    by: str = column("the replacement")
    control: str = column("the condition that replaces random patches")
    draws_of_patches: int = column("how often patches were drawn")
    delta: float = column("change against full under the register condition", unit="fraction")
    random_mean: float = column("mean over the draws of the change under random patches", unit="fraction")
    random_spread: float = column("standard deviation over the draws of that change", unit="fraction")
    random_least: float = column("change under the draw that costs least", unit="fraction")
    random_most: float = column("change under the draw that costs most", unit="fraction")
    as_large: int = column("draws whose change is at least as large in size as delta")
    difference: float = column("delta minus random_mean; the interval and the test are of it", unit="fraction")


@dataclass(frozen=True, kw_only=True)
class ReadoutRow(OfTask, Bounded, Tested, Provenance):
    """Matched against frozen under one condition."""

    condition: str = column("what is replaced, by what")
    matched_value: float = column("value of the probe trained under the condition", unit="fraction")
    frozen_value: float = column("value of the probe trained on full", unit="fraction")
    matched_delta: float = column("change against full of the matched probe", unit="fraction")
    frozen_delta: float = column("change against full of the frozen probe", unit="fraction")
    difference: float = column(
        "frozen_delta minus matched_delta: what is lost to a probe trained on full, beyond what is lost altogether",
        unit="fraction",
    )


@dataclass(frozen=True, kw_only=True)
class ProbeVarianceRow(ScoredUnder, Provenance):
    """Contribution of probe training to the standard error of a value or delta, and both intervals of it."""

    quantity: str = column("value or delta")
    refits: int = column("how often the probe was trained again, on bootstrap resamples of the training data")
    estimate: float = column("of the reported probe", unit="fraction")
    units_error: float | None = column("jackknife standard error over test units", unit="fraction")
    training_error: float = column("standard deviation over the refitted probes", unit="fraction")
    freedom: float | None = column("degrees of freedom of both errors together (Satterthwaite)")
    low: float = column("lower end of the interval over units alone", unit="fraction")
    high: float = column("upper end of the interval over units alone", unit="fraction")
    interval: str = column("method of the interval over units alone")
    total_low: float = column("lower end of the interval over units and refits", unit="fraction")
    total_high: float = column("upper end of the interval over units and refits", unit="fraction")
