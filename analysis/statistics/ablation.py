"""Value, delta, intervals and tests of every condition: the rows of the ablation table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.engine.best_interval import warnings_of
from analysis.engine.contrasts import Contrast
from analysis.engine.intervals import Interval
from analysis.engine.p_values import exact_mcnemar_p
from analysis.engine.permutation import PermutationDraws
from analysis.engine.simultaneous import simultaneous_intervals
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import Cell, TaskOutcomes, delta
from analysis.rows.ablation import AblationRow
from analysis.statistics.parts import detectable, provenance, scored
from analysis.statistics.testing import tests_of_the_metric
from config.analysis import AnalysisSettings
from config.vocabulary.replacements import REFERENCE


def ablation_rows(
    measured: TaskOutcomes, settings: AnalysisSettings, *, groups: int = 1
) -> tuple[list[AblationRow], PermutationDraws | None]:
    """Compute the ablation rows of a task, and the permutations behind their tests.

    Draws are keyed by (seed, purpose, dataset, task, units), so a row does not depend on which other models, readouts
    and conditions were evaluated; what is adjusted for its family does.

    Args:
        measured: one dataset and task.
        settings: of the run.
        groups: over how many sets of units the models of the task are spread.

    Returns:
        Rows, and one column of permutations for every row that has a delta, in their order; None without any.
    """
    changed = [(one, cell) for one, cell in measured.cells() if cell.condition != REFERENCE]
    contrasts = {
        cell: Contrast.difference(
            base=measured.counts[cell._replace(condition=REFERENCE)], changed=measured.counts[cell]
        )
        for _, cell in changed
    }
    estimates = {cell: measured.estimate(delta(cell)) for cell in contrasts}
    tests, permutations = tests_of_the_metric(
        list(contrasts.values()),
        list(estimates.values()),
        draws=settings.draws,
        key=measured.key(settings.seed, "permutation"),
    )
    tested = dict(zip(contrasts, tests, strict=True))
    families = _family_intervals(measured, changed, settings, groups)
    rows = []
    for one, cell in measured.cells():
        value = measured.interval({cell: 1.0}, settings.level)
        test, of = tested.get(cell), estimates.get(cell)
        change = measured.interval(delta(cell), settings.level) if of else None
        rows.append(
            AblationRow.of(
                scored(one, measured.metric),
                provenance(settings),
                condition=cell.condition,
                clusters=len(one.units),
                value=measured.counts[cell].value(),
                value_low=value.low,
                value_high=value.high,
                value_interval=value.method,
                delta=test.result.statistic if test else None,
                delta_low=change.low if change else None,
                delta_high=change.high if change else None,
                delta_interval=change.method if change else None,
                delta_family_low=families[cell].low if test else None,
                delta_family_high=families[cell].high if test else None,
                p=test.result.p if test else None,
                p_exchange=test.p_exchange if test else None,
                p_exact=exact_mcnemar_p(contrasts[cell]) if test else None,
                p_smallest=test.result.smallest_p if test else None,
                p_mc_error=test.result.monte_carlo_error if test else None,
                draws=test.result.draws if test else None,
                detectable=detectable(of, settings) if of else None,
                warning="; ".join(warnings_of(of or measured.estimate({cell: 1.0}))),
            )
        )
    return rows, permutations


def _family_intervals(
    measured: TaskOutcomes, changed: Sequence[tuple[Outcomes, Cell]], settings: AnalysisSettings, groups: int
) -> Mapping[Cell, Interval]:
    """Return the simultaneous intervals of deltas, each within its family.

    A family that spans tasks, data sets or sets of units is bounded in each of them at a level that leaves every one an
    equal part of the error (Bonferroni): their units are others, and their dependence is not known.
    """
    members: dict[tuple[str, ...], list[Cell]] = {}
    for one, cell in changed:
        of = {"condition": cell.condition}
        name = tuple(str(of.get(column) or getattr(one, column)) for column in settings.families)
        members.setdefault(name, []).append(cell)
    level = 1 - (1 - settings.level) / (groups * _parts_of_a_family(measured, settings))
    found: dict[Cell, Interval] = {}
    for name, cells in members.items():
        intervals = simultaneous_intervals(
            [measured.estimate(delta(cell)) for cell in cells],
            level,
            draws=settings.draws,
            key=(*measured.key(settings.seed, "simultaneous"), *name),
        )
        found.update(zip(cells, intervals, strict=True))
    return found


def _parts_of_a_family(measured: TaskOutcomes, settings: AnalysisSettings) -> int:
    """Return over how many data sets and tasks the family of a task's deltas is spread."""
    return sum(
        (dataset == measured.dataset or "dataset" not in settings.families)
        and (task == measured.task or "task" not in settings.families)
        for dataset, tasks in settings.datasets.items()
        for task in tasks
    )
