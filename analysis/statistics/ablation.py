"""Value, delta, intervals and tests of every condition: the rows of the ablation table."""

from __future__ import annotations

from analysis.engine.contrasts import Contrast
from analysis.engine.p_values import exact_mcnemar_p, permutation_results
from analysis.engine.permutation import PermutationDraws, permute
from analysis.outcomes.groups import TaskOutcomes, delta
from analysis.rows.ablation import AblationRow
from analysis.rows.bases import Provenance
from analysis.statistics.parts import scored
from config.vocabulary.replacements import REFERENCE


def ablation_rows(
    measured: TaskOutcomes, *, seed: int, draws: int, resamples: int, level: float
) -> tuple[list[AblationRow], PermutationDraws | None]:
    """Compute the ablation rows of a task, and the permutations behind their tests.

    Draws are keyed by (seed, purpose, dataset, task), so a row does not depend on
    which other models, readouts and conditions were evaluated.

    Args:
        measured: one dataset and task.
        seed: of the run.
        draws: permutation draws.
        resamples: bootstrap resamples, for the record.
        level: coverage of the intervals, between 0 and 1.

    Returns:
        Rows, and one column of permutations for every row that has a delta, in their order; None without any.
    """
    contrasts = {
        cell: Contrast.difference(
            base=measured.counts(cell._replace(condition=REFERENCE)), changed=measured.counts(cell)
        )
        for _, cell in measured.cells()
        if cell.condition != REFERENCE
    }
    permutations = None
    results = {}
    if contrasts:
        tested = list(contrasts.values())
        permutations = permute(tested, draws=draws, key=(seed, "permutation", measured.dataset, measured.task))
        results = dict(zip(contrasts, permutation_results(tested, permutations), strict=True))
    rows = []
    for one, cell in measured.cells():
        value = measured.interval({cell: 1.0}, level)
        test = results.get(cell)
        change = measured.interval(delta(cell), level) if test else None
        rows.append(
            AblationRow.of(
                scored(one, measured.metric),
                Provenance(resamples=resamples, level=level, seed=seed),
                condition=cell.condition,
                clusters=len(one.units),
                value=measured.counts(cell).value(),
                value_low=value.low,
                value_high=value.high,
                value_interval=value.method,
                delta=test.statistic if test else None,
                delta_low=change.low if change else None,
                delta_high=change.high if change else None,
                delta_interval=change.method if change else None,
                p=test.p if test else None,
                p_exact=exact_mcnemar_p(contrasts[cell]) if test else None,
                p_smallest=test.smallest_p if test else None,
                p_mc_error=test.monte_carlo_error if test else None,
                draws=test.draws if test else None,
            )
        )
    return rows, permutations
