"""Value, delta, intervals and tests of every condition: the rows of the ablation table."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.engine.permutation import Contrast, Exchanges, exact_mcnemar_p, exchange, permutation_results
from analysis.outcomes.groups import Measured, delta
from analysis.outcomes.schema import REFERENCE


@dataclass(frozen=True)
class AblationRow:
    """One condition of one dataset, task, model and readout; the columns of `tables/ablation.csv`.

    Values and deltas are fractions. `n` counts units, and `clusters` what is exchanged and resampled: the same where no
    units are clustered. `delta` is the value minus the value under `full`, on the same
    units; everything that belongs to it is None for `full` itself. `p_exact` is None where outcomes
    are not 0/1. `draws` counts random draws, or all arrangements where they were enumerated (then
    `p_mc_error` is 0). `p_holm` and `p_max_t` are filled in when all rows of a family are known.
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
    value: float
    value_low: float
    value_high: float
    delta: float | None
    delta_low: float | None
    delta_high: float | None
    p: float | None
    p_exact: float | None
    p_smallest: float | None
    p_mc_error: float | None
    p_holm: float | None
    p_max_t: float | None
    draws: int | None
    resamples: int
    level: float
    seed: int
    value_interval: str
    delta_interval: str | None
    clusters: int


def ablation_rows(
    measured: Measured, *, seed: int, draws: int, resamples: int, level: float
) -> tuple[list[AblationRow], Exchanges | None]:
    """The rows of what a task measured, and the exchanges behind their tests.

    Draws are keyed by (seed, purpose, dataset, task), so a row does not depend on
    which other models, readouts and conditions were evaluated.

    Args:
        measured: one dataset and task.
        seed: of the run.
        draws: permutation draws (`exchange`).
        resamples: bootstrap resamples, for the record.
        level: coverage of the intervals, between 0 and 1.

    Returns:
        Rows, and one column of exchanges for every row that has a delta, in their order; None without any.
    """
    contrasts = {
        cell: Contrast.difference(
            base=measured.counts(cell._replace(condition=REFERENCE)), changed=measured.counts(cell)
        )
        for _, cell in measured.cells()
        if cell.condition != REFERENCE
    }
    exchanges = None
    results = {}
    if contrasts:
        tested = list(contrasts.values())
        exchanges = exchange(tested, draws=draws, key=(seed, "permutation", measured.dataset, measured.task))
        results = dict(zip(contrasts, permutation_results(tested, exchanges), strict=True))
    rows = []
    for one, cell in measured.cells():
        value = measured.interval({cell: 1.0}, level)
        test = results.get(cell)
        change = measured.interval(delta(cell), level) if test else None
        rows.append(
            AblationRow(
                dataset=measured.dataset,
                task=measured.task,
                metric=measured.metric,
                model=one.model,
                family=one.family,
                scale=one.scale,
                readout=one.readout,
                condition=cell.condition,
                n=one.size,
                clusters=len(one.units),
                value=measured.counts(cell).value(),
                value_low=value.low,
                value_high=value.high,
                delta=test.statistic if test else None,
                delta_low=change.low if change else None,
                delta_high=change.high if change else None,
                p=test.p if test else None,
                p_exact=exact_mcnemar_p(contrasts[cell]) if test else None,
                p_smallest=test.smallest_p if test else None,
                p_mc_error=test.monte_carlo_error if test else None,
                p_holm=None,
                p_max_t=None,
                draws=test.draws if test else None,
                resamples=resamples,
                level=level,
                seed=seed,
                value_interval=value.method,
                delta_interval=change.method if change else None,
            )
        )
    return rows, exchanges
