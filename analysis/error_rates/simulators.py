"""Draw counts of units under two labels whose difference is known by construction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.engine.metric import Counts, FloatArray

# The counts under two labels, from a generator and a number of units.
Pair = Callable[[np.random.Generator, int], tuple[Counts, Counts]]


def scores(values: FloatArray) -> Counts:
    """One score a unit, so that the metric is their mean."""
    return Counts(values[:, None], np.ones((len(values), 1)))


# Two labels that say nothing: each simulator gives the counts under both, exchangeable within units.


def scalar(generator: np.random.Generator, n: int, *, skewed: bool = False) -> tuple[Counts, Counts]:
    """A score a unit, alike within units."""
    difficulty, noise = generator.normal(size=n), generator.normal(size=(2, n))
    values = difficulty + 0.7 * noise
    base, changed = (scores(np.exp(one) if skewed else one) for one in values)
    return base, changed


def binary(generator: np.random.Generator, n: int, gained: float = 0.2, lost: float = 0.2) -> tuple[Counts, Counts]:
    """A success or failure a unit; a share of units changes from one to the other."""
    uniform = generator.random(n)
    base = (uniform < lost) | (uniform > 0.5 + gained / 2)
    changed = ((uniform >= lost) & (uniform < lost + gained)) | (uniform > 0.5 + gained / 2)
    return scores(base.astype(float)), scores(changed.astype(float))


def points(generator: np.random.Generator, n: int, shift: float = 0.0) -> tuple[Counts, Counts]:
    """Hits out of 3 to 30 points a unit; the true shares are 0.5 and 0.5 + shift."""
    total = generator.integers(3, 31, size=n).astype(float)
    rate = 0.5 + 0.4 * (generator.beta(2, 2, size=n) - 0.5)
    hits = [generator.binomial(total.astype(int), rate + change).astype(float) for change in (0.0, shift)]
    return Counts(hits[0][:, None], total[:, None]), Counts(hits[1][:, None], total[:, None])


def masks(generator: np.random.Generator, n: int, shift: float = 0.0) -> tuple[Counts, Counts]:
    """Intersections and unions of five classes, two of them rare; every true IoU is higher by `shift` at last."""
    present = generator.random((n, 5)) < np.array([1.0, 0.9, 0.6, 0.3, 0.3])
    size = generator.integers(50, 400, size=(n, 5)) * present
    quality = np.array([0.8, 0.7, 0.6, 0.5, 0.4])
    skill = 0.2 * (generator.beta(2, 2, size=(n, 1)) - 0.5)
    sides = []
    for change in (0.0, shift):
        union = np.rint(size * generator.uniform(1.0, 1.4, size=(n, 5)))
        sides.append(Counts(generator.binomial(union.astype(int), quality + skill + change).astype(float), union))
    return sides[0], sides[1]


def shifted(pair: Pair, shift: float, generator: np.random.Generator, n: int) -> tuple[Counts, Counts]:
    """Scores whose true difference is `shift`."""
    base, changed = pair(generator, n)
    return base, Counts(changed.numerator + shift * changed.denominator, changed.denominator)
