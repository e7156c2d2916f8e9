"""Parts of rows: what a result, an interval and the settings say of every row that rests on them."""

from __future__ import annotations

from analysis.engine.equivalence import UNDECIDED, conclusion, equivalence_p, smallest_equivalence_p
from analysis.engine.estimates import Estimate
from analysis.engine.intervals import Interval
from analysis.engine.sample_size import Uncertainty, minimal_detectable_effect, units_to_decide_range
from analysis.engine.training import trained
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import TaskOutcomes, Weights
from analysis.outcomes.measures import LayerMeasures
from analysis.rows.bases import (
    AgainstMargin,
    AtLayer,
    Bounded,
    HeldAgainstMargin,
    OfModel,
    OfTask,
    Provenance,
    Scored,
    Tested,
)
from analysis.statistics.testing import MetricTest
from config.analysis import AnalysisSettings


def of_model(one: LayerMeasures) -> OfModel:
    """Return which model and data set measures are of."""
    return OfModel(dataset=one.dataset, model=one.model, family=one.family, scale=one.scale)


def at_layer(one: LayerMeasures, condition: str, layer: int) -> AtLayer:
    """Return which model, condition and layer a measure is of."""
    return AtLayer.of(of_model(one), condition=condition, layer=layer)


def of_task(one: Outcomes, metric: str) -> OfTask:
    """Return which task, model and data set outcomes are of."""
    return OfTask(
        dataset=one.dataset,
        model=one.model,
        family=one.family,
        scale=one.scale,
        task=one.task,
        metric=metric,
        n=one.size,
    )


def scored(one: Outcomes, metric: str) -> Scored:
    """Return which readout of a task's model outcomes are of."""
    return Scored.of(of_task(one, metric), readout=one.readout)


def bounds(interval: Interval) -> Bounded:
    """Return the columns of an interval."""
    return Bounded(low=interval.low, high=interval.high, interval=interval.method)


def tested(test: MetricTest, of: Estimate, settings: AnalysisSettings, p_holm: float | None = None) -> Tested:
    """Return the columns of a test; `p_holm` is `p` until the other tests of the family are known."""
    return Tested(
        p=test.result.p,
        p_exchange=test.p_exchange,
        p_smallest=test.result.smallest_p,
        p_mc_error=test.result.monte_carlo_error,
        p_holm=test.result.p if p_holm is None else p_holm,
        draws=test.result.draws,
        detectable=detectable(of, settings),
    )


def detectable(of: Estimate, settings: AnalysisSettings) -> float | None:
    """Return the minimal detectable effect of the test of an estimate.

    None where fewer than two units decide it, and where scores do not vary: nothing says by how much they would.
    """
    if not of.is_determined or (of.changes is None and trained(of).standard_error == 0):
        return None
    return minimal_detectable_effect(of, settings.alpha)


def provenance(settings: AnalysisSettings, level: float | None = None) -> Provenance:
    """Return how intervals were computed, at the level of the settings where no other is given."""
    return Provenance(level=settings.level if level is None else level, seed=settings.seed)


def against_margin(measured: TaskOutcomes, change: Weights, settings: AnalysisSettings) -> AgainstMargin:
    """Return the columns of a test of equivalence of a change.

    Args:
        measured: outcomes of the task.
        change: signed sum of values.
        settings: of the run; they hold the margin of the task.
    """
    margin, of = settings.margin(measured.task), measured.estimate(change)
    return AgainstMargin(
        margin=margin.size,
        margin_reason=margin.reason,
        p_equivalence=equivalence_p(of, margin.size),
        p_equivalence_smallest=smallest_equivalence_p(of, margin.size),
        alpha=settings.alpha,
    )


def concluded(test: AgainstMargin, of: Uncertainty | None, *, p: float, p_max_t: float) -> HeldAgainstMargin:
    """Return what a test of equivalence and a test of the difference conclude together.

    Args:
        test: of equivalence.
        of: how uncertain the difference is; None where fewer than two units decide it.
        p: of the test of the difference.
        p_max_t: the same, adjusted within its family.
    """
    found = conclusion(p_max_t, test.p_equivalence, test.alpha, smallest=test.p_equivalence_smallest)
    needed = None
    if of is not None and found in UNDECIDED:
        needed = units_to_decide_range(of, test.margin, test.alpha, adjusted_by=p_max_t / p)
    return HeldAgainstMargin.of(
        test,
        conclusion=found,
        units_low=needed.low if needed else None,
        units_high=needed.high if needed else None,
    )
