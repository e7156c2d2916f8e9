"""Equivalence: every delta tested against the margin below which a change is negligible."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.engine.sample_size import Uncertainty, uncertainty
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
    return [_tested(measured, row, settings) for row in tested if row.delta is not None]


def _tested(measured: TaskOutcomes, row: AblationRow, settings: AnalysisSettings) -> EquivalenceTest:
    change = delta(Cell(row.model, row.readout, row.condition))
    level = 1 - 2 * settings.alpha
    of = uncertainty(measured.estimate(change))
    return EquivalenceTest.of(
        row.part(ScoredUnder),
        bounds(measured.interval(change, level)),
        against_margin(measured, change, settings),
        provenance(settings, level),
        delta=row.delta,
        low90=of.low if of else None,
        high90=of.high if of else None,
        deviation=of.deviation if of else None,
        training=of.training if of else None,
        units_each=of.each if of else None,
        largest=of.largest if of else None,
        rare=of.rare if of else None,
    )


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
                concluded(test.part(AgainstMargin), _uncertainty(test), p=row.p, p_max_t=row.p_max_t),
                test.part(Provenance),
                delta=test.delta,
                p=row.p,
                detectable=row.detectable,
                p_max_t=row.p_max_t,
            )
        )
    return found


def _uncertainty(test: EquivalenceTest) -> Uncertainty | None:
    """Return what `_tested` wrote down."""
    if test.low90 is None or test.high90 is None or test.deviation is None:
        return None
    return Uncertainty(
        low=test.low90,
        high=test.high90,
        deviation=test.deviation,
        training=test.training or 0.0,
        each=test.units_each or 1.0,
        largest=test.largest or 1.0,
        rare=bool(test.rare),
    )
