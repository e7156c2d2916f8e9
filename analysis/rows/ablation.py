"""Rows of the ablation table, of the replacement table, and of the checks of known-answer models."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.rows.bases import Provenance, ScoredUnder
from analysis.rows.schema import Row, column


@dataclass(frozen=True, kw_only=True)
class AblationRow(ScoredUnder, Provenance):
    """One condition of one dataset, task, model and readout.

    Everything that belongs to the delta is None for `full` itself. `p_holm` and `p_max_t` are filled in when all rows
    of a family are known.
    """

    clusters: int = column("what is permuted together: the units, or their clusters")
    value: float = column("the metric", unit="fraction")
    value_low: float = column("lower end of the interval of value", unit="fraction")
    value_high: float = column("upper end of the interval of value", unit="fraction")
    value_interval: str = column("method of the interval of value")
    delta: float | None = column("value minus the value under full, on the same units", unit="fraction")
    delta_low: float | None = column("lower end of the interval of delta", unit="fraction")
    delta_high: float | None = column("upper end of the interval of delta", unit="fraction")
    delta_interval: str | None = column("method of the interval of delta")
    delta_family_low: float | None = column(
        "lower end of the interval of delta that holds with those of its whole family at once", unit="fraction"
    )
    delta_family_high: float | None = column("upper end of it", unit="fraction")
    p: float | None = column("p-value of the paired permutation test of delta, two-sided: that the metric is the same")
    p_exchange: float | None = column(
        "p-value of permuting labels where that tests more than the metric: that nothing changed in any class"
    )
    p_exact: float | None = column("p-value of McNemar's exact test, where outcomes are 0 or 1")
    p_smallest: float | None = column("smallest p-value that the permutation test can give")
    p_mc_error: float | None = column("Monte-Carlo standard error of p; 0 where all arrangements were enumerated")
    p_holm: float | None = column("p, adjusted within its family by Holm's method", default=None)
    p_max_t: float | None = column("p, adjusted within its family by the step-down max-T method", default=None)
    draws: int | None = column("random draws of the test, or all arrangements where they were enumerated")
    detectable: float | None = column(
        "true change that the test, not adjusted, detects with power 0.8 (minimal detectable effect); empty where no "
        "score varies",
        unit="fraction",
    )
    warning: str = column("what a reader of the interval should know, such as how few clusters it rests on; or empty")


@dataclass(frozen=True, kw_only=True)
class ReplacementRow(Row):
    """One replacement of register content on one data set.

    The table has one more column `<task>/<model>` for each task and model with registers: the value in percent, as
    printed.
    """

    dataset: str = column("the data set")
    condition: str = column("what register content is replaced by")


@dataclass(frozen=True, kw_only=True)
class Check(Row):
    """One check against a known answer.

    `observed` is None, and `passed` false, where nothing was measured.
    """

    dataset: str = column("the data set")
    model: str = column("the known-answer model")
    family: str = column("family of the model")
    check: str = column("what its construction fixes")
    condition: str = column("under which condition")
    quantity: str = column("what is observed")
    expected: str = column("what the construction lets expect")
    observed: float | None = column("what the run measured")
    low: float | None = column("lower end of the interval of observed, where it has one")
    high: float | None = column("upper end of the interval of observed, where it has one")
    passed: bool = column("whether observed is as expected")
