"""Parts of rows: what a result, an interval and the settings say of every row that rests on them."""

from __future__ import annotations

from analysis.engine.equivalence import conclusion, is_included
from analysis.engine.intervals import Interval
from analysis.engine.p_values import PermutationResult, monte_carlo_error
from analysis.engine.sample_size import units_to_decide
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


def tested(result: PermutationResult, p_holm: float | None = None) -> Tested:
    """Return the columns of a test; `p_holm` is `p` until the other tests of the family are known."""
    return Tested(
        p=result.p,
        p_smallest=result.smallest_p,
        p_mc_error=result.monte_carlo_error,
        p_holm=result.p if p_holm is None else p_holm,
        draws=result.draws,
    )


def provenance(settings: AnalysisSettings, level: float | None = None) -> Provenance:
    """Return how intervals were computed, at the level of the settings where no other is given."""
    return Provenance(
        resamples=settings.resamples, level=settings.level if level is None else level, seed=settings.seed
    )


def against_margin(
    measured: TaskOutcomes, change: Weights, settings: AnalysisSettings, p_equivalence: float
) -> AgainstMargin:
    """Return the columns of a test of equivalence of a change.

    Args:
        measured: outcomes of the task.
        change: signed sum of values.
        settings: of the run; they hold the margin of the task.
        p_equivalence: of the two one-sided tests.
    """
    margin = settings.margin(measured.task).size
    return AgainstMargin(
        margin=margin,
        p_equivalence=p_equivalence,
        p_equivalence_smallest=1 / (settings.draws + 1),
        p_equivalence_mc_error=monte_carlo_error(p_equivalence, settings.draws),
        included=is_included(measured.interval(change, 1 - 2 * settings.alpha), margin),
        alpha=settings.alpha,
    )


def concluded(
    test: AgainstMargin,
    *,
    difference: float,
    standard_deviation: float,
    units_each: float,
    p: float,
    p_max_t: float,
) -> HeldAgainstMargin:
    """Return what a test of equivalence and a test of the difference conclude together.

    Args:
        test: of equivalence.
        difference: as tested.
        standard_deviation: of its jackknife pseudo-values.
        units_each: mean number of units behind one of them.
        p: of the test of the difference.
        p_max_t: the same, adjusted within its family.
    """
    conclusion_of_both = conclusion(p_max_t, test.p_equivalence, test.alpha)
    needed = None
    if conclusion_of_both == "undecided":
        needed = units_to_decide(
            difference, standard_deviation, test.margin, test.alpha, adjusted_by=p_max_t / p, units_each=units_each
        )
    return HeldAgainstMargin.of(test, conclusion=conclusion_of_both, units_to_decide=needed)
