"""Declared comparisons: is a condition's effect the same in two families, or at two scales?

The article's three tests are of this kind. Each is a difference of two deltas on the same units, tested for a
difference and for equivalence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.engine.contrasts import Contrast
from analysis.engine.metric import FloatArray
from analysis.engine.multiplicity import holm_within_families, max_t_within_families
from analysis.engine.permutation import PermutationDraws
from analysis.engine.sample_size import uncertainty
from analysis.outcomes.groups import TaskOutcomes, delta
from analysis.rows.contrasts import ComparisonRow, NullBin
from analysis.statistics.pairs import Pair, compared_pairs
from analysis.statistics.parts import against_margin, bounds, concluded, provenance, tested
from analysis.statistics.testing import MetricTest, tests_of_the_metric
from config.analysis import AnalysisSettings
from config.vocabulary.replacements import REFERENCE

BINS = 40


@dataclass(frozen=True)
class _Tested:
    pair: Pair
    measured: TaskOutcomes
    test: MetricTest


def comparison_rows(
    groups: Sequence[TaskOutcomes], settings: AnalysisSettings
) -> tuple[list[ComparisonRow], list[NullBin]]:
    """Compute every declared comparison that the run's models, tasks and conditions allow, and its null distribution.

    p-values are adjusted within each comparison, and conclusions rest on the adjusted ones. Models are compared on
    their common units (`analysis.outcomes.common_units.compared_outcomes`).
    """
    rows: list[ComparisonRow] = []
    bins: list[NullBin] = []
    for comparison in settings.comparisons:
        found: list[_Tested] = []
        permutations: list[PermutationDraws] = []
        for measured in groups:
            pairs = list(compared_pairs(comparison, measured))
            of_group, permuted = _tests(pairs, measured, settings)
            if permuted:
                found += of_group
                permutations.append(permuted)
                bins += _null_bins(pairs, permuted)
        names = [comparison.name] * len(found)
        p = np.array([one.test.result.p for one in found])
        holm = holm_within_families(p, names)
        max_t = max_t_within_families(permutations, names, p)
        rows += [
            _row(one, float(adjusted), float(joint), settings)
            for one, adjusted, joint in zip(found, holm, max_t, strict=True)
        ]
    return rows, bins


def _tests(
    pairs: Sequence[Pair], measured: TaskOutcomes, settings: AnalysisSettings
) -> tuple[list[_Tested], PermutationDraws | None]:
    tests, permutations = tests_of_the_metric(
        [_contrast(pair, measured) for pair in pairs],
        [measured.estimate(pair.weights()) for pair in pairs],
        draws=settings.draws,
        key=measured.key(settings.seed, "comparison"),
    )
    return [_Tested(pair, measured, test) for pair, test in zip(pairs, tests, strict=True)], permutations


def _row(one: _Tested, p_holm: float, p_max_t: float, settings: AnalysisSettings) -> ComparisonRow:
    pair, measured, result = one.pair, one.measured, one.test.result
    base, changed = pair.cells()
    of = measured.estimate(pair.weights())
    return ComparisonRow.of(
        pair.compared(),
        bounds(measured.interval(pair.weights(), settings.level)),
        tested(one.test, of, settings, p_holm),
        concluded(against_margin(measured, pair.weights(), settings), uncertainty(of), p=result.p, p_max_t=p_max_t),
        provenance(settings),
        metric=measured.metric,
        base=base.model,
        changed=changed.model,
        n=measured.size,
        base_delta=measured.value(delta(base)),
        changed_delta=measured.value(delta(changed)),
        difference=result.statistic,
        p_max_t=p_max_t,
    )


def _contrast(pair: Pair, measured: TaskOutcomes) -> Contrast:
    (base_full, base), (changed_full, changed) = (
        (measured.counts[cell._replace(condition=REFERENCE)], measured.counts[cell]) for cell in pair.cells()
    )
    return Contrast.difference_of_differences((base_full, base), (changed_full, changed))


def _null_bins(pairs: Sequence[Pair], permutations: PermutationDraws) -> Iterator[NullBin]:
    for column, pair in enumerate(pairs):
        null = permutations.null[:, column]
        null = null[np.isfinite(null)]
        edges = _edges(null)
        draws, _ = np.histogram(null, bins=edges)
        for count, low, high in zip(draws, edges[:-1], edges[1:], strict=True):
            yield NullBin.of(pair.compared(), low=float(low), high=float(high), draws=int(count))


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
