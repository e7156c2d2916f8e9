"""Designs of what is measured at layers: medians, divergences and their ratios are skewed, and images are few."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from analysis.engine.intervals import Resampled
from analysis.engine.medians import bootstrap_weights, ratio_of_medians
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.ratios import ratio_of_means_interval
from analysis.error_rates.design import Design
from analysis.error_rates.hard_procedures import coverage
from analysis.error_rates.procedures import ALPHA, LEVEL, RESAMPLES, Key, covers
from analysis.error_rates.simulators import scores

# Two measures of the same images.
Measures = Callable[[np.random.Generator, int], tuple[FloatArray, FloatArray]]

FACTOR = 5.0


def correlated(
    generator: np.random.Generator, n: int, factor: float = 1.0, spread: float = 0.4, correlation: float = 0.9
) -> tuple[FloatArray, FloatArray]:
    """Draw two lognormal measures of the same images.

    Args:
        generator: source of the draws.
        n: number of images.
        factor: true ratio of the medians, and of the means, of the second measure to the first.
        spread: standard deviation of their logarithms.
        correlation: of their logarithms.
    """
    shared, own = generator.normal(size=(2, n))
    after = correlation * shared + math.sqrt(1 - correlation**2) * own
    return np.exp(spread * shared), factor * np.exp(spread * after)


def step(generator: np.random.Generator, n: int, factor: float, spread: float) -> tuple[Counts, Counts]:
    """Draw a measure after two layers; the second is the first times `factor` in the mean."""
    before, after = correlated(generator, n, factor, spread, correlation=0.8)
    return scores(before), scores(after)


def step_mean(factor: float, spread: float) -> float:
    """Return the true mean difference of `step`.

    Examples:
        >>> round(step_mean(2.0, 1.0), 4)
        1.6487
    """
    return (factor - 1) * math.exp(spread**2 / 2)


def compression(measures: Measures, truth: float, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the interval of a ratio of medians of the same images."""
    weights = bootstrap_weights(n, resamples=RESAMPLES // 4, key=(*key, "bootstrap"))
    return [covers(ratio_of_medians(*measures(generator, n), weights, LEVEL).interval, truth)]


def equal_medians(measures: Measures, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the test of a ratio of medians of the same images, which is 1."""
    weights = bootstrap_weights(n, resamples=RESAMPLES // 4, key=(*key, "bootstrap"))
    return [ratio_of_medians(*measures(generator, n), weights, LEVEL).p <= ALPHA]


def ratio_of_means(measures: Measures, truth: float, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the interval of a ratio of means of the same images, and the BCa interval."""
    base, changed = measures(generator, n)
    counts = {"ratio": Counts(changed[:, None], base[:, None])}
    bca = Resampled.of(counts, resamples=RESAMPLES, key=(*key, "bootstrap")).interval({"ratio": 1.0}, LEVEL)
    return [covers(ratio_of_means_interval(base, changed, LEVEL), truth), covers(bca, truth)]


def layer_errors() -> Iterator[Design]:
    """Yield designs of measures whose medians are equal."""
    yield Design("type I error", ("log ratio t",), "ratio of medians, correlation 0.9, no compression", 50,
                 low=0.0, high=0.055, expected=ALPHA, simulate=partial(equal_medians, correlated))  # fmt: skip


def layer_coverages() -> Iterator[Design]:
    """Yield designs of ratios, and of steps between layers."""
    wide = partial(Design, "coverage", low=0.93, high=1.0, expected=LEVEL)
    medians = "conservative: the bootstrap error of a median is too large where two measures go together"
    for n, correlation in ((20, 0.9), (50, 0.5), (50, 0.9), (50, 0.98), (200, 0.9)):
        yield wide(("log ratio t",), f"ratio of medians, correlation {correlation}", n, note=medians,
                   simulate=partial(compression, partial(correlated, factor=0.8, correlation=correlation), 0.8),
                   )  # fmt: skip
    ratio = partial(Design, "coverage", ("log ratio, skewness-corrected t", "BCa, expanded"), expected=LEVEL,
                    compared=("BCa, expanded",))  # fmt: skip
    few = "covers about 91 %: 20 images of so skewed a measure do not show its tail"
    for n, spread, correlation in ((20, 1.0, 0.5), (50, 1.0, 0.5), (200, 1.0, 0.5), (50, 1.5, 0.0), (20, 1.5, 0.9)):
        measures = partial(correlated, factor=FACTOR, spread=spread, correlation=correlation)
        skewed = (n, spread) == (20, 1.5)
        yield ratio(data=f"ratio of mean divergences, lognormal ({spread:g}), correlation {correlation:g}", n=n,
                    low=0.89 if skewed else 0.93, high=0.97, note=few if skewed else "",
                    simulate=partial(ratio_of_means, measures, FACTOR))  # fmt: skip
    for n, factor, spread in ((20, 1.3, 0.5), (20, 1.3, 1.0), (50, 1.3, 1.0), (50, 2.0, 1.0), (200, 2.0, 1.0)):
        yield wide(("skewness-corrected t",), f"step to {factor:g} times the mean, lognormal ({spread:g})", n,
                   note="conservative: the further of the plain and the corrected bound",
                   simulate=partial(coverage, partial(step, factor=factor, spread=spread), step_mean(factor, spread)),
                   )  # fmt: skip
    yield Design("coverage", ("skewness-corrected t",), "step to 2 times the mean, lognormal (1)", 20,
                 low=0.89, high=1.0, expected=LEVEL,
                 note=few,
                 simulate=partial(coverage, partial(step, factor=2.0, spread=1.0), step_mean(2.0, 1.0)))  # fmt: skip
