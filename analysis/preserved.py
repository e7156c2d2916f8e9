"""What is preserved: every delta against the margin below which it would not matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.ablation import AblationRow
from analysis.equivalence import conclusion, equivalence_tests, is_included
from analysis.measured import Cell, Measured, delta
from analysis.sample_size import units_to_decide
from analysis.settings import AnalysisSettings


@dataclass(frozen=True)
class EquivalenceRow:
    """One delta against its margin; the columns of `tests/equivalence.csv`. Fractions.

    `low` and `high` bound the interval at 1 − 2 `alpha`, and `included` says whether it lies within `margin`:
    the interval form of the two one-sided tests whose p is `p_equivalence`. `p` is the test of a difference.
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
    p_equivalence: float
    conclusion: str
    units_to_decide: int | None
    alpha: float
    seed: int


def equivalence_rows(
    measured: Measured, tested: Sequence[AblationRow], settings: AnalysisSettings
) -> list[EquivalenceRow]:
    """Test every delta of a task for equivalence; `tested` are its rows of the ablation table."""
    rows = [row for row in tested if row.delta is not None]
    margin = settings.margin(measured.task).size
    weights = [delta(Cell(row.model, row.readout, row.condition)) for row in rows]
    influences = [measured.influence(weight) for weight in weights]
    key = (settings.seed, "equivalence", measured.dataset, measured.task)
    found = []
    equivalent = equivalence_tests(influences, [margin] * len(rows), draws=settings.draws, key=key)
    for row, weight, influence, p_equivalence in zip(rows, weights, influences, equivalent, strict=True):
        assert row.delta is not None and row.p is not None
        interval = measured.interval(weight, 1 - 2 * settings.alpha)
        verdict = conclusion(row.p, p_equivalence, settings.alpha)
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
                p_equivalence=p_equivalence,
                conclusion=verdict,
                units_to_decide=units_to_decide(row.delta, influence, margin, settings.alpha)
                if verdict == "undecided"
                else None,
                alpha=settings.alpha,
                seed=settings.seed,
            )
        )
    return found
