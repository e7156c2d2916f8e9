"""Judge one simulated data set by the procedures that hold where data are hard, and by those that do not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from analysis.engine.best_interval import best_interval
from analysis.engine.contrasts import Contrast
from analysis.engine.equivalence import equivalence_p
from analysis.engine.estimates import Estimate, estimate
from analysis.engine.metric import Counts
from analysis.engine.metric_tests import metric_tests
from analysis.engine.p_values import paired_permutation_tests
from analysis.engine.sample_size import detectable_difference
from analysis.engine.simultaneous import simultaneous_intervals
from analysis.error_rates.hard_simulators import EXCESS, Models
from analysis.error_rates.procedures import ALPHA, DRAWS, FAMILY, LEVEL, Key, covers, rejects
from analysis.error_rates.simulators import Pair, scores

DELTA = {"changed": 1.0, "base": -1.0}

# Points of one unit, of which clusters hold many.
POINTS = 16


def delta_of(base: Counts, changed: Counts, *, clusters: bool = False) -> Estimate:
    """Return the estimate of a difference; of clusters, whose points are those of units of `POINTS` each."""
    sizes = base.denominator.sum(axis=1) / POINTS if clusters else None
    return estimate({"base": base, "changed": changed}, DELTA, cluster_sizes=sizes)


def equivalence(pair: Pair, margin: float, n: int, generator: np.random.Generator, key: Key, *,
                clusters: bool = False) -> list[bool]:  # fmt: skip
    """Judge the two one-sided tests: is a difference that is exactly the margin called equivalent?"""
    return [equivalence_p(delta_of(*pair(generator, n), clusters=clusters), margin) <= ALPHA]


def coverage(pair: Pair, truth: float, n: int, generator: np.random.Generator, key: Key, *,
             clusters: bool = False) -> list[bool]:  # fmt: skip
    """Judge the interval of a difference."""
    return [covers(best_interval(delta_of(*pair(generator, n), clusters=clusters), LEVEL), truth)]


def excess_coverage(truth: float, draw: Callable[[np.random.Generator, int], Mapping[str, Counts]], n: int,
                    generator: np.random.Generator, key: Key) -> list[bool]:  # fmt: skip
    """Judge the interval of the excess over additivity of four replacements."""
    return [covers(best_interval(estimate(draw(generator, n), EXCESS), LEVEL), truth)]


def metric_and_labels(pair: Pair, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the test of the metric and the permutation test of labels, where the metric does not change."""
    base, changed = pair(generator, n)
    contrast = Contrast.difference(base, changed)
    return [_metric_rejects(contrast, delta_of(base, changed), key), rejects(contrast, key)]


def metric_alone(pair: Pair, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the test of the metric, where the metric does not change."""
    base, changed = pair(generator, n)
    return [_metric_rejects(Contrast.difference(base, changed), delta_of(base, changed), key)]


def _metric_rejects(contrast: Contrast, of: Estimate, key: Key) -> bool:
    (result,), _ = metric_tests([contrast], [of], draws=DRAWS, key=(*key, "draws"))
    return result.p <= ALPHA


def interaction(models: Models, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the test of the metric and the permutation test of models, where both models lose as much."""
    one, other = models(generator, n)
    contrast = Contrast.difference_of_differences(one, other)
    counts = {"one full": one[0], "one": one[1], "other full": other[0], "other": other[1]}
    found = estimate(counts, {"other": 1.0, "other full": -1.0, "one": -1.0, "one full": 1.0})
    return [_metric_rejects(contrast, found, key), rejects(contrast, key)]


def simultaneous(n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the simultaneous intervals of a family of correlated differences: do all of them hold 0?"""
    columns = generator.normal(size=(n, 1)) + generator.normal(size=(n, FAMILY))
    family = [delta_of(scores(0 * column), scores(column)) for column in columns.T]
    found = simultaneous_intervals(family, LEVEL, draws=DRAWS, key=(*key, "draws"))
    return [all(covers(one, 0.0) for one in found)]


def detected(n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the permutation test where the true difference is the minimal detectable effect."""
    effect = detectable_difference(1 / np.sqrt(n), n - 1, ALPHA)
    values = generator.normal(effect, 1.0, size=n)
    (result,) = paired_permutation_tests(
        [Contrast.difference(scores(0 * values), scores(values))], draws=DRAWS, key=(*key, "draws")
    )
    return [result.p <= ALPHA]
