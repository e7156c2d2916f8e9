"""Columns that several tables share: what a row is about, its interval, its test, and how it was computed."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.rows.schema import Row, column


@dataclass(frozen=True, kw_only=True)
class OfModel(Row):
    """What a row is about: a model on a data set."""

    dataset: str = column("the data set")
    model: str = column("the model")
    family: str = column("family of the model")
    scale: str = column("scale of the model")


@dataclass(frozen=True, kw_only=True)
class OfTask(OfModel):
    """What a row is about: a task of a model."""

    task: str = column("the task")
    metric: str = column("the metric of the task")
    n: int = column("number of units: images or image pairs")


@dataclass(frozen=True, kw_only=True)
class Scored(OfTask):
    """What a row is about: a task of a model, read in one way."""

    readout: str = column(
        "matched: the probe is trained under the same condition; frozen: on full; direct: no probe is trained"
    )


@dataclass(frozen=True, kw_only=True)
class ScoredUnder(Scored):
    """What a row is about: a task of a model under a condition."""

    condition: str = column("what is replaced, by what")


@dataclass(frozen=True, kw_only=True)
class AtLayer(OfModel):
    """What a row is about: a model under a condition after one layer."""

    condition: str = column("what is replaced, by what")
    layer: int = column("after which layer, counted from 0")


@dataclass(frozen=True, kw_only=True)
class Bounded(Row):
    """An interval; the table's own columns say of what."""

    low: float = column("lower end of the interval", unit="as the estimate")
    high: float = column("upper end of the interval", unit="as the estimate")
    interval: str = column("method of the interval (docs/design.md, Statistics), or none")


@dataclass(frozen=True, kw_only=True)
class Tested(Row):
    """A paired test of a difference of metrics."""

    p: float = column("p-value of the paired permutation test of the metric, two-sided")
    p_exchange: float | None = column(
        "p-value of permuting labels where that tests more than the metric: that nothing changed in any class"
    )
    p_smallest: float = column("smallest p-value that the test can give")
    p_mc_error: float = column("Monte-Carlo standard error of p; 0 where all arrangements were enumerated")
    p_holm: float = column("p, adjusted within its family by Holm's method")
    draws: int = column("random draws of the test, or all arrangements where they were enumerated")
    detectable: float | None = column(
        "true difference that the test, not adjusted, detects with power 0.8 (minimal detectable effect); empty where "
        "no score varies",
        unit="fraction",
    )


@dataclass(frozen=True, kw_only=True)
class AgainstMargin(Row):
    """A test of equivalence."""

    margin: float = column("change below which nothing would matter", unit="fraction")
    margin_reason: str = column("why this margin, as the settings say")
    p_equivalence: float = column("the larger p-value of the two one-sided tests against the margin")
    p_equivalence_smallest: float = column("smallest value that p_equivalence can take with as many units")
    alpha: float = column("error rate of each test")


@dataclass(frozen=True, kw_only=True)
class HeldAgainstMargin(AgainstMargin):
    """A test of equivalence, and what it and the test of a difference conclude together."""

    conclusion: str = column(
        "equivalent, negligible, different, undecided, or not decidable with so few units: from p_max_t, p_equivalence "
        "and p_equivalence_smallest"
    )
    units_low: int | None = column(
        "fewest units with which one of the two tests would decide, over the true differences that the data leave "
        "open, as strictly adjusted as here; where nothing is decided"
    )
    units_high: int | None = column("most units with which one of them would decide, likewise")


@dataclass(frozen=True, kw_only=True)
class Provenance(Row):
    """How the intervals of a row were computed."""

    level: float = column("coverage of the intervals", unit="fraction")
    seed: int = column("seed of the run; with names, the key of every draw")
