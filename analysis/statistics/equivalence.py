"""What is preserved: every delta against the margin below which it would not matter."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.engine.equivalence import equivalence_tests
from analysis.outcomes.groups import Cell, TaskOutcomes, delta
from analysis.rows.ablation import AblationRow
from analysis.rows.bases import ScoredUnder
from analysis.rows.contrasts import EquivalenceRow
from analysis.statistics.parts import bounds, held_against_margin, provenance
from config.settings import AnalysisSettings


def equivalence_rows(
    measured: TaskOutcomes, tested: Sequence[AblationRow], settings: AnalysisSettings
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
    weights = [delta(Cell(row.model, row.readout, row.condition)) for row in rows]
    equivalent = equivalence_tests(
        [measured.pseudo_values(change) for change in weights],
        [settings.margin(measured.task).size] * len(rows),
        draws=settings.draws,
        key=(settings.seed, "equivalence", measured.dataset, measured.task),
    )
    level = 1 - 2 * settings.alpha
    found = []
    for row, change, p_equivalence in zip(rows, weights, equivalent, strict=True):
        assert row.delta is not None and row.p is not None and row.p_max_t is not None
        found.append(
            EquivalenceRow.of(
                row.part(ScoredUnder),
                bounds(measured.interval(change, level)),
                held_against_margin(
                    measured,
                    change,
                    settings,
                    difference=row.delta,
                    p=row.p,
                    p_max_t=row.p_max_t,
                    p_equivalence=p_equivalence,
                ),
                provenance(settings, level),
                delta=row.delta,
                p=row.p,
                p_max_t=row.p_max_t,
            )
        )
    return found
