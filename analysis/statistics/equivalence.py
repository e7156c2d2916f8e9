"""Equivalence: every delta tested against the margin below which a change is negligible."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.engine.equivalence import equivalence_tests
from analysis.engine.sample_size import standard_deviation
from analysis.outcomes.groups import Cell, TaskOutcomes, delta
from analysis.rows.ablation import AblationRow
from analysis.rows.bases import AgainstMargin, Bounded, Provenance, ScoredUnder
from analysis.rows.contrasts import EquivalenceRow, EquivalenceTest
from analysis.statistics.parts import against_margin, bounds, concluded, provenance
from config.analysis import AnalysisSettings


def equivalence_tested(
    measured: TaskOutcomes, tested: Sequence[AblationRow], settings: AnalysisSettings
) -> list[EquivalenceTest]:
    """Test every delta of a task for equivalence.

    Args:
        measured: one data set and task.
        tested: its rows of the ablation table; those without a delta are left out.
        settings: of the run.
    """
    rows = [row for row in tested if row.delta is not None]
    changes = [delta(Cell(row.model, row.readout, row.condition)) for row in rows]
    pseudo_values = [measured.pseudo_values(change) for change in changes]
    equivalent = equivalence_tests(
        pseudo_values,
        [settings.margin(measured.task).size] * len(rows),
        draws=settings.draws,
        key=(settings.seed, "equivalence", measured.dataset, measured.task),
    )
    level = 1 - 2 * settings.alpha
    return [
        EquivalenceTest.of(
            row.part(ScoredUnder),
            bounds(measured.interval(change, level)),
            against_margin(measured, change, settings, p_equivalence),
            provenance(settings, level),
            delta=row.delta,
            standard_deviation=standard_deviation(values),
            units_each=measured.units_each,
        )
        for row, change, values, p_equivalence in zip(rows, changes, pseudo_values, equivalent, strict=True)
    ]


def equivalence_rows(tests: Sequence[EquivalenceTest], ablation: Sequence[AblationRow]) -> list[EquivalenceRow]:
    """Conclude from every test of equivalence and the adjusted test of the same difference.

    Args:
        tests: of equivalence, of every delta of `ablation`.
        ablation: rows of the ablation table with their adjusted p-values; the rows come in their order.
    """
    of_delta = {test.part(ScoredUnder): test for test in tests}
    found = []
    for row in ablation:
        if row.delta is None:
            continue
        assert row.p is not None and row.p_max_t is not None
        test = of_delta[row.part(ScoredUnder)]
        found.append(
            EquivalenceRow.of(
                test.part(ScoredUnder),
                test.part(Bounded),
                concluded(
                    test.part(AgainstMargin),
                    difference=test.delta,
                    standard_deviation=test.standard_deviation,
                    units_each=test.units_each,
                    p=row.p,
                    p_max_t=row.p_max_t,
                ),
                test.part(Provenance),
                delta=test.delta,
                p=row.p,
                p_max_t=row.p_max_t,
            )
        )
    return found
