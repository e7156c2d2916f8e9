"""Declared comparisons: is a condition's effect the same in two families, or at two scales?

The article's three tests are of this kind. Each is a difference of two deltas on the same units, tested for a
difference and for equivalence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.engine.equivalence import conclusion, equivalence_tests, is_included
from analysis.engine.metric import FloatArray
from analysis.engine.multiplicity import holm_within_families, max_t_within_families
from analysis.engine.permutation import Contrast, Exchanges, exchange, monte_carlo_error, permutation_results
from analysis.engine.sample_size import units_to_decide
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import Cell, Measured, delta, signed_sum
from analysis.outcomes.schema import REFERENCE
from config.settings import AnalysisSettings, Comparison

BINS = 40


@dataclass(frozen=True)
class ComparisonRow:
    """One declared comparison in one task, readout and condition; the columns of `tests/comparisons.csv`.

    `difference` is the delta of `changed` minus the delta of `base`, fractions. `within` is the scale at which two
    families are compared, or the family within which two scales are. `low` and `high` bound the interval at `level`,
    `included` says whether the interval at 1 − 2 `alpha` lies within `margin`. `conclusion` rests on `p_max_t` and
    `p_equivalence`; `units_to_decide` is the sample with which one of the two tests would decide, as strictly
    adjusted as here.
    """

    comparison: str
    dataset: str
    task: str
    metric: str
    readout: str
    condition: str
    within: str
    base: str
    changed: str
    n: int
    base_delta: float
    changed_delta: float
    difference: float
    low: float
    high: float
    interval: str
    p: float
    p_smallest: float
    p_mc_error: float
    p_holm: float
    p_max_t: float
    draws: int
    margin: float
    p_equivalence: float
    p_equivalence_smallest: float
    p_equivalence_mc_error: float
    included: bool
    conclusion: str
    units_to_decide: int | None
    alpha: float
    level: float
    seed: int


@dataclass(frozen=True)
class NullBin:
    """One bar of the null distribution behind a comparison; the columns of `tests/nulls.csv`."""

    comparison: str
    dataset: str
    task: str
    readout: str
    condition: str
    within: str
    low: float
    high: float
    draws: int


@dataclass(frozen=True)
class _Pair:
    comparison: Comparison
    within: str
    base: Outcomes
    changed: Outcomes
    condition: str

    def cells(self) -> tuple[Cell, Cell]:
        """The condition in `base` and in `changed`."""
        return (
            Cell(self.base.model, self.base.readout, self.condition),
            Cell(self.changed.model, self.changed.readout, self.condition),
        )


def comparison_rows(
    groups: Sequence[Measured], settings: AnalysisSettings
) -> tuple[list[ComparisonRow], list[NullBin]]:
    """Every declared comparison that the models, tasks and conditions of a run allow, and its null distribution.

    p-values are adjusted within each comparison, and conclusions rest on the adjusted ones. A comparison of models that
    are not on the same units has no row.
    """
    rows: list[ComparisonRow] = []
    bins: list[NullBin] = []
    for comparison in settings.comparisons:
        found: list[ComparisonRow] = []
        places: list[Measured] = []
        exchanges: list[Exchanges] = []
        for measured in groups:
            pairs = list(_pairs(comparison, measured))
            if pairs:
                of_group, exchanged = _rows(pairs, measured, settings)
                found += of_group
                places += [measured] * len(of_group)
                exchanges.append(exchanged)
                bins += _null_bins(of_group, exchanged)
        names = [comparison.name] * len(found)
        holm = holm_within_families(np.array([row.p for row in found]), names)
        max_t = max_t_within_families(exchanges, names)
        rows += [
            _concluded(replace(row, p_holm=float(adjusted), p_max_t=float(joint)), measured)
            for row, measured, adjusted, joint in zip(found, places, holm, max_t, strict=True)
        ]
    return rows, bins


def _concluded(row: ComparisonRow, measured: Measured) -> ComparisonRow:
    verdict = conclusion(row.p_max_t, row.p_equivalence, row.alpha)
    if verdict != "undecided":
        return replace(row, conclusion=verdict)
    base, changed = (Cell(model, row.readout, row.condition) for model in (row.base, row.changed))
    needed = units_to_decide(
        row.difference,
        measured.influence(signed_sum((1, delta(changed)), (-1, delta(base)))),
        row.margin,
        row.alpha,
        adjusted_by=row.p_max_t / row.p,
        units_each=measured.units_each,
    )
    return replace(row, conclusion=verdict, units_to_decide=needed)


def _pairs(comparison: Comparison, measured: Measured) -> Iterator[_Pair]:
    if comparison.tasks and measured.task not in comparison.tasks:
        return
    other = "scale" if comparison.along == "family" else "family"
    by_place: dict[tuple[str, str, str], Outcomes] = {}
    for one in measured.outcomes:
        by_place.setdefault((getattr(one, comparison.along), getattr(one, other), one.readout), one)
    for condition in comparison.conditions:
        for (name, within, readout), base in by_place.items():
            changed = by_place.get((comparison.pair[1], within, readout))
            if name != comparison.pair[0] or changed is None:
                continue
            if condition in base.conditions and condition in changed.conditions:
                yield _Pair(comparison, within, base, changed, condition)


def _rows(
    pairs: Sequence[_Pair], measured: Measured, settings: AnalysisSettings
) -> tuple[list[ComparisonRow], Exchanges]:
    contrasts = [_contrast(pair, measured) for pair in pairs]
    key = (settings.seed, "comparison", measured.dataset, measured.task)
    exchanges = exchange(contrasts, draws=settings.draws, key=key)
    results = permutation_results(contrasts, exchanges)
    margin = settings.margin(measured.task).size
    weights = [signed_sum((1, delta(changed)), (-1, delta(base))) for base, changed in map(_Pair.cells, pairs)]
    influences = [measured.influence(weight) for weight in weights]
    equivalent = equivalence_tests(
        influences, [margin] * len(pairs), draws=settings.draws, key=(*key[:1], "equivalence", *key[1:])
    )
    rows = []
    for pair, test, weight, p_equivalence in zip(pairs, results, weights, equivalent, strict=True):
        base, changed = pair.cells()
        interval = measured.interval(weight, settings.level)
        rows.append(
            ComparisonRow(
                comparison=pair.comparison.name,
                dataset=measured.dataset,
                task=measured.task,
                metric=measured.metric,
                readout=pair.base.readout,
                condition=pair.condition,
                within=pair.within,
                base=pair.base.model,
                changed=pair.changed.model,
                n=measured.size,
                base_delta=measured.value(delta(base)),
                changed_delta=measured.value(delta(changed)),
                difference=test.statistic,
                low=interval.low,
                high=interval.high,
                interval=interval.method,
                p=test.p,
                p_smallest=test.smallest_p,
                p_mc_error=test.monte_carlo_error,
                p_holm=test.p,
                p_max_t=test.p,
                draws=test.draws,
                margin=margin,
                p_equivalence=p_equivalence,
                p_equivalence_smallest=1 / (settings.draws + 1),
                p_equivalence_mc_error=monte_carlo_error(p_equivalence, settings.draws),
                included=is_included(measured.interval(weight, 1 - 2 * settings.alpha), margin),
                conclusion="",
                units_to_decide=None,
                alpha=settings.alpha,
                level=settings.level,
                seed=settings.seed,
            )
        )
    return rows, exchanges


def _contrast(pair: _Pair, measured: Measured) -> Contrast:
    (base_full, base), (changed_full, changed) = (
        (measured.counts(cell._replace(condition=REFERENCE)), measured.counts(cell)) for cell in pair.cells()
    )
    return Contrast.difference_of_differences((base_full, base), (changed_full, changed))


def _null_bins(rows: Sequence[ComparisonRow], exchanges: Exchanges) -> Iterator[NullBin]:
    for column, row in enumerate(rows):
        null = exchanges.null[:, column]
        null = null[np.isfinite(null)]
        edges = _edges(null)
        draws, _ = np.histogram(null, bins=edges)
        places = (row.comparison, row.dataset, row.task, row.readout, row.condition, row.within)
        for count, low, high in zip(draws, edges[:-1], edges[1:], strict=True):
            yield NullBin(*places, low=float(low), high=float(high), draws=int(count))


def _edges(null: FloatArray) -> FloatArray:
    """Edges of at most about `BINS` bars over the null; every bar holds as many of the values that 0/1 outcomes allow.

    Their differences are multiples of one step: bars that ignored it would show a comb.
    """
    values = np.unique(np.round(null, 10))
    reach = max(float(np.abs(values).max(initial=0.0)), 1e-9)
    step = float(np.diff(values).min()) if len(values) > 1 else 2 * reach
    steps = round((values[-1] - values[0]) / step) + 1 if len(values) else 1
    if steps > 20 * BINS:
        return np.linspace(-reach, reach, BINS + 1)
    together = math.ceil(steps / BINS)
    bars = math.ceil(steps / together)
    edges: FloatArray = values[0] - step / 2 + step * together * np.arange(bars + 1)
    return edges
