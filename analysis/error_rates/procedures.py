"""Judge one simulated data set: does a test reject, does an interval cover the truth?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import binom

from analysis.engine.best_interval import best_interval
from analysis.engine.contrasts import Contrast
from analysis.engine.estimates import estimate
from analysis.engine.intervals import Interval, Resampled, bca_interval, wilson_interval
from analysis.engine.medians import bootstrap_medians, bootstrap_weights, jackknife_medians, median_interval
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.multiplicity import holm_within_families, max_t_within_families
from analysis.engine.p_values import exact_mcnemar_p, paired_permutation_tests
from analysis.engine.permutation import permute
from analysis.error_rates.simulators import Pair, binary, scores

DRAWS = 999
RESAMPLES = 1_999
ALPHA = 0.05
LEVEL = 0.95
FAMILY = 10

# A data set is drawn with its own generator and judged by its own draws.
Key = tuple[int, str, int]


def rejects(contrast: Contrast, key: Key) -> bool:
    """Return whether the permutation test rejects at `ALPHA`."""
    (result,) = paired_permutation_tests([contrast], draws=DRAWS, key=(*key, "draws"))
    return result.p <= ALPHA


def one_test(pair: Pair, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the permutation test where the labels carry no information."""
    return [rejects(Contrast.difference(*pair(generator, n)), key)]


def binary_tests(n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the permutation test and the exact binomial test of 0/1 outcomes."""
    contrast = Contrast.difference(*binary(generator, n))
    p = exact_mcnemar_p(contrast)
    assert p is not None
    return [rejects(contrast, key), p <= ALPHA]


def attainable_size(n: int, share: float) -> float:
    """Return the size that the exact binomial test can attain at `ALPHA`.

    Few units that change leave few p-values, and the largest that is not above `ALPHA` may lie well below it.

    Args:
        n: number of units.
        share: probability with which each unit changes.

    Examples:
        With 10 units of which 40 % change, the test hardly ever has enough changes to reject:

        >>> round(attainable_size(10, 0.4), 3)
        0.004
    """
    changed = np.arange(n + 1)
    # The most gains, or losses, that are still few enough: 2 P(gains ≤ k) ≤ ALPHA.
    critical = binom.ppf(ALPHA / 2, changed, 0.5)
    critical = np.where(2 * binom.cdf(critical, changed, 0.5) <= ALPHA, critical, critical - 1)
    return float(np.sum(binom.pmf(changed, n, share) * 2 * binom.cdf(critical, changed, 0.5)))


def difference_of_differences(pair: Pair, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the test of a difference of differences where two models have the same effect."""
    return [rejects(Contrast.difference_of_differences(pair(generator, n), pair(generator, n)), key)]


def clustered(pair: Pair, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the test of clusters of 1 to 5 units, with labels permuted by cluster and, wrongly, by unit.

    The units of a cluster share which label is the better one: their differences keep or change their signs together.
    """
    sizes = generator.integers(1, 6, size=n)
    clusters = np.repeat(np.arange(n), sizes)
    one, other = pair(generator, len(clusters))
    lower, upper = one.numerator.sum(axis=1), other.numerator.sum(axis=1)
    flip = (lower > upper) ^ (generator.random(n) < 0.5)[clusters]
    sides = [
        Counts(
            np.where(flip[:, None], first.numerator, second.numerator),
            np.where(flip[:, None], first.denominator, second.denominator),
        )
        for first, second in ((one, other), (other, one))
    ]
    whole = Contrast.difference(sides[0].summed_over(clusters), sides[1].summed_over(clusters))
    return [rejects(whole, key), rejects(Contrast.difference(sides[0], sides[1]), key)]


def family(true_effects: int, n: int, generator: np.random.Generator, key: Key, *, of_0_1: bool = False) -> list[bool]:
    """Judge max-T and Holm: is any contrast without an effect rejected? Contrasts share half of their noise."""
    shared = generator.normal(size=(n, 1))
    differences = shared + generator.normal(size=(n, FAMILY))
    differences[:, :true_effects] += 0.8
    # About a third of the outcomes change, to success or to failure.
    sides = [(0 * column, column) if not of_0_1 else (1.0 * (column < -1.4), 1.0 * (column > 1.4))
             for column in differences.T]  # fmt: skip
    contrasts = [Contrast.difference(scores(base), scores(changed)) for base, changed in sides]
    permutations = permute(contrasts, draws=DRAWS, key=(*key, "draws"))
    names = ["family"] * FAMILY
    p = permutations.two_sided()
    joint = max_t_within_families([permutations], names, p)[true_effects:]
    stepwise = holm_within_families(p, names)[true_effects:]
    return [bool(joint.min() <= ALPHA), bool(stepwise.min() <= ALPHA)]


def covers(interval: Interval, truth: float) -> bool:
    """Return whether an interval holds the true value."""
    return interval.low <= truth <= interval.high


def value_coverage(draw: Callable[[np.random.Generator, int], FloatArray], truth: float, n: int,
                   generator: np.random.Generator, key: Key) -> list[bool]:  # fmt: skip
    """Judge the interval of a mean, and the BCa interval."""
    resampled = Resampled.of({"x": scores(draw(generator, n))}, resamples=RESAMPLES, key=(*key, "bootstrap"))
    best = best_interval(estimate(resampled.counts, {"x": 1.0}), LEVEL)
    return [covers(best, truth), covers(resampled.interval({"x": 1.0}, LEVEL), truth)]


def delta_coverage(pair: Pair, truth: float, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the interval of a difference on the same units, and the BCa interval."""
    base, changed = pair(generator, n)
    resampled = Resampled.of({"base": base, "changed": changed}, resamples=RESAMPLES, key=(*key, "bootstrap"))
    weights = {"changed": 1.0, "base": -1.0}
    best = best_interval(estimate(resampled.counts, weights), LEVEL)
    return [covers(best, truth), covers(resampled.interval(weights, LEVEL), truth)]


def median_coverage(n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the interval of a median from order statistics, and the BCa interval."""
    values = generator.lognormal(0.0, 0.5, size=n)
    weights = bootstrap_weights(n, resamples=RESAMPLES, key=(*key, "bootstrap"))
    replicates, without = bootstrap_medians(values, weights), jackknife_medians(values)
    bca = bca_interval(float(np.median(values)), replicates, without, LEVEL)
    return [covers(median_interval(values, LEVEL), 1.0), covers(bca, 1.0)]


def wilson_coverage(n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge Wilson's interval of a proportion of 0.7."""
    return [covers(wilson_interval(int(generator.binomial(n, 0.7)), n, LEVEL), 0.7)]
