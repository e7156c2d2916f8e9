"""Designs with a second level of error, training, and of the test of an excess over additivity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from analysis.engine.best_interval import best_interval
from analysis.engine.contrasts import Contrast
from analysis.engine.equivalence import equivalence_p
from analysis.engine.estimates import Estimate, estimate
from analysis.engine.metric import Counts
from analysis.engine.metric_tests import metric_tests, sum_tests
from analysis.error_rates.design import Design
from analysis.error_rates.hard_procedures import delta_of
from analysis.error_rates.hard_simulators import EXCESS, sparse_excess
from analysis.error_rates.procedures import ALPHA, DRAWS, LEVEL, Key, covers
from analysis.error_rates.simulators import Pair, scalar, shifted

# Standard deviation over units of the difference that `scalar` draws.
DEVIATION = 0.7 * 2**0.5


def lost_after_training(
    generator: np.random.Generator, n: int, lost: float = 0.05, deviation: float = 0.02
) -> tuple[Counts, Counts]:
    """Draw 0/1 outcomes of which a share is lost: `lost` in the mean of training runs, and another in each."""
    share = np.clip(lost + generator.normal(0, deviation), 0, 1)
    changed = (generator.random(n) >= share).astype(np.float64)
    ones = np.ones((n, 1))
    return Counts(ones, ones), Counts(changed[:, None], ones)


def trained_again(of: Estimate, deviation: float, refits: int, generator: np.random.Generator) -> Estimate:
    """Return an estimate with refits, whose training moves the value by normal draws of this deviation."""
    return replace(of, refitted=of.value + generator.normal(0, deviation, size=refits))


def _refitted(
    pair: Pair, deviation: float, refits: int, n: int, generator: np.random.Generator, *, moved: bool
) -> tuple[Contrast, Estimate]:
    base, changed = pair(generator, n)
    if moved:
        # The reported run is one of the training runs.
        ones = np.ones((n, 1))
        changed = Counts(changed.numerator + generator.normal(0, deviation) * ones, ones)
    of = delta_of(base, changed)
    return Contrast.difference(base, changed), trained_again(of, deviation, refits, generator)


def covered(pair: Pair, truth: float, deviation: float, refits: int, n: int, generator: np.random.Generator, key: Key,
            *, moved: bool = True) -> list[bool]:  # fmt: skip
    """Judge the interval with both errors, and that over units alone."""
    _, of = _refitted(pair, deviation, refits, n, generator, moved=moved)
    return [covers(best_interval(one, LEVEL), truth) for one in (of, replace(of, refitted=None))]


def rejected(pair: Pair, deviation: float, refits: int, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the test of the metric with both errors, and that over units alone."""
    contrast, of = _refitted(pair, deviation, refits, n, generator, moved=True)
    found = []
    for one in (of, replace(of, refitted=None)):
        (result,), _ = metric_tests([contrast], [one], draws=DRAWS, key=(*key, "draws"))
        found.append(result.p <= ALPHA)
    return found


def called_equivalent(pair: Pair, margin: float, deviation: float, refits: int, n: int,
                      generator: np.random.Generator, key: Key) -> list[bool]:  # fmt: skip
    """Judge the two one-sided tests with both errors, and those over units alone, at the margin."""
    _, of = _refitted(pair, deviation, refits, n, generator, moved=True)
    return [equivalence_p(one, margin) <= ALPHA for one in (of, replace(of, refitted=None))]


def excess_rejected(alone: float, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Judge the test of the excess over additivity of four replacements, which is 0."""
    of = estimate(sparse_excess(generator, n, alone=alone, together=4 * alone), EXCESS)
    (result,) = sum_tests([of], draws=DRAWS, key=(*key, "draws"))
    return [result.p <= ALPHA]


BOTH, ALONE = "units and refits", "units alone (wrong: another training run gives another value)"

# Training varies as much as sampling a hundred units does.
AS_MUCH = DEVIATION / 10
_TWO = partial(Design, procedures=(BOTH, ALONE), compared=(ALONE,))


def training_errors() -> Iterator[Design]:
    """Yield designs of tests of probes that were trained again, and of an excess over additivity, which is 0."""
    for refits in (3, 10):
        yield _TWO("type I error", data=f"scores, {refits} refits that vary as much as units do", n=100, low=0.0,
                   high=0.055, expected=ALPHA, simulate=partial(rejected, scalar, AS_MUCH, refits))  # fmt: skip
    for n in (50, 200):
        yield Design("type I error", ("test of the excess",), "excess over additivity, 0/1, 2 % lost alone", n, 0.0,
                     0.055, ALPHA, simulate=partial(excess_rejected, 0.02))  # fmt: skip


def training_coverages() -> Iterator[Design]:
    """Yield designs of intervals of probes that were trained again."""
    for refits in (3, 5, 10):
        few = "three runs tell little of how much training varies" if refits == 3 else ""
        yield _TWO("coverage", data=f"delta, scores, {refits} refits that vary as much as units do", n=100,
                   low=0.91 if few else 0.93, high=0.97, expected=LEVEL, note=few,
                   simulate=partial(covered, partial(shifted, scalar, 0.3), 0.3, AS_MUCH, refits))  # fmt: skip
    for n in (100, 400):
        yield _TWO("coverage", data="delta, 0/1, 5 % lost, 5 refits of standard deviation 2 points", n=n, low=0.93,
                   high=1.0, expected=LEVEL, note="conservative: a score interval is wider than t",
                   simulate=partial(covered, lost_after_training, -0.05, 0.02, 5, moved=False))  # fmt: skip


def training_sizes_of_equivalence() -> Iterator[Design]:
    """Yield designs of probes that were trained again, whose difference is the margin."""
    for refits in (3, 10):
        yield _TWO("size of equivalence", data=f"scores at the margin, {refits} refits that vary like units",
                   n=100, low=0.0, high=0.055, expected=ALPHA,
                   simulate=partial(called_equivalent, partial(shifted, scalar, 0.5), 0.5, AS_MUCH, refits),
                   )  # fmt: skip
