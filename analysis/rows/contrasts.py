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
    standard_deviation: float = column("of the jackknife pseudo-values of delta", unit="fraction")
    units_each: float = column("mean number of units behind a pseudo-value: 1 where none are clustered")


@dataclass(frozen=True, kw_only=True)
class EquivalenceRow(ScoredUnder, Bounded, HeldAgainstMargin, Provenance):
    """One delta against its margin; its interval is the one at 1 − 2 alpha."""

    delta: float = column("value minus the value under full, on the same units", unit="fraction")
    p: float = column("p-value of the paired permutation test of delta, two-sided")
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
    """Contribution of probe training to the standard error of a value or delta; normal intervals."""

    quantity: str = column("value or delta")
    refits: int = column("how often the probe was trained again, on bootstrap resamples of the training data")
    estimate: float = column("of the reported probe", unit="fraction")
    units_error: float = column("bootstrap standard error over test units", unit="fraction")
    training_error: float = column("standard deviation over the refitted probes", unit="fraction")
    low: float = column("lower end of the interval from units_error alone", unit="fraction")
    high: float = column("upper end of the interval from units_error alone", unit="fraction")
    total_low: float = column("lower end of the interval from both errors", unit="fraction")
    total_high: float = column("upper end of the interval from both errors", unit="fraction")
