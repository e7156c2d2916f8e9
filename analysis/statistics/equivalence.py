"""What is preserved: every delta against the margin below which it would not matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.engine.equivalence import conclusion, equivalence_tests, is_included
from analysis.engine.permutation import monte_carlo_error
from analysis.engine.sample_size import units_to_decide
from analysis.outcomes.groups import Cell, Measured, delta
from analysis.statistics.ablation import AblationRow
from config.settings import AnalysisSettings


@dataclass(frozen=True)
class EquivalenceRow:
    """One delta against its margin; the columns of `tests/equivalence.csv`. Fractions.

    `low` and `high` bound the interval at 1 − 2 `alpha`, and `included` says whether it lies within `margin`:
    the interval form of the two one-sided tests whose p is `p_equivalence`. `p` is the test of a difference, and
    `p_max_t` the same, adjusted within its family; `conclusion` rests on `p_max_t` and `p_equivalence`.
    `units_to_decide` is the sample with which one of the two tests would, as strictly adjusted as here.
    """

    dataset: str
    task: str
    metric: str
    model: str
    family: str
    scale: str
    readout: str
    condition: str
    n: int
    delta: float
    low: float
    high: float
    included: bool
    margin: float
    p: float
    p_max_t: float
    p_equivalence: float
    p_equivalence_smallest: float
    p_equivalence_mc_error: float
    conclusion: str
    units_to_decide: int | None
    alpha: float
    seed: int


def equivalence_rows(
    measured: Measured, tested: Sequence[AblationRow], settings: AnalysisSettings
) -> list[EquivalenceRow]:
    """Test every delta of a task for equivalence.

    Args:
        measured: one dataset and task.
        tested: rows of the ablation table with their adjusted p; those of other tasks are left out.
        settings: of the run.
    """
    rows = [
        row
        for row in tested
        if (row.dataset, row.task) == (measured.dataset, measured.task)
        and Cell(row.model, row.readout, row.condition) in measured
        and row.delta is not None
    ]
    margin = settings.margin(measured.task).size
    weights = [delta(Cell(row.model, row.readout, row.condition)) for row in rows]
    influences = [measured.influence(weight) for weight in weights]
    key = (settings.seed, "equivalence", measured.dataset, measured.task)
    found = []
    equivalent = equivalence_tests(influences, [margin] * len(rows), draws=settings.draws, key=key)
    for row, weight, influence, p_equivalence in zip(rows, weights, influences, equivalent, strict=True):
        assert row.delta is not None and row.p is not None and row.p_max_t is not None
        interval = measured.interval(weight, 1 - 2 * settings.alpha)
        verdict = conclusion(row.p_max_t, p_equivalence, settings.alpha)
        found.append(
            EquivalenceRow(
                dataset=row.dataset,
                task=row.task,
                metric=row.metric,
                model=row.model,
                family=row.family,
                scale=row.scale,
                readout=row.readout,
                condition=row.condition,
                n=row.n,
                delta=row.delta,
                low=interval.low,
                high=interval.high,
                included=is_included(interval, margin),
                margin=margin,
                p=row.p,
                p_max_t=row.p_max_t,
                p_equivalence=p_equivalence,
                p_equivalence_smallest=1 / (settings.draws + 1),
                p_equivalence_mc_error=monte_carlo_error(p_equivalence, settings.draws),
                conclusion=verdict,
                units_to_decide=units_to_decide(
                    row.delta,
                    influence,
                    margin,
                    settings.alpha,
                    adjusted_by=row.p_max_t / row.p,
                    units_each=measured.units_each,
                )
                if verdict == "undecided"
                else None,
                alpha=settings.alpha,
                seed=settings.seed,
            )
        )
    return found
