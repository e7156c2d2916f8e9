"""Draw counts of units under two labels whose difference is known by construction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.engine.metric import Counts, FloatArray

# The counts under two labels, from a generator and a number of units.
Pair = Callable[[np.random.Generator, int], tuple[Counts, Counts]]


def scores(values: FloatArray) -> Counts:
    """Return counts of one score per unit, so that the metric is their mean."""
    return Counts(values[:, None], np.ones((len(values), 1)))


# Unless shifted, the labels carry no information: the counts under both are exchangeable within units.


def scalar(generator: np.random.Generator, n: int, *, skewed: bool = False) -> tuple[Counts, Counts]:
    """Draw one score per unit and label, which share the unit's difficulty."""
    difficulty, noise = generator.normal(size=n), generator.normal(size=(2, n))
    values = difficulty + 0.7 * noise
    base, changed = (scores(np.exp(one) if skewed else one) for one in values)
    return base, changed


def heavy_tails(generator: np.random.Generator, n: int) -> tuple[Counts, Counts]:
    """Draw scores whose differences have Student's t distribution with 3 degrees of freedom."""
    return scores(np.zeros(n)), scores(generator.standard_t(3, size=n))


def binary(generator: np.random.Generator, n: int, gained: float = 0.2, lost: float = 0.2) -> tuple[Counts, Counts]:
    """Draw a success or a failure per unit and label; shares of the units are gained and lost by the change."""
    uniform = generator.random(n)
    base = (uniform < lost) | (uniform > 0.5 + gained / 2)
    changed = ((uniform >= lost) & (uniform < lost + gained)) | (uniform > 0.5 + gained / 2)
    return scores(base.astype(float)), scores(changed.astype(float))


def points(generator: np.random.Generator, n: int, shift: float = 0.0) -> tuple[Counts, Counts]:
    """Draw hits out of 3 to 30 points per unit; the true shares are 0.5 and 0.5 + `shift`."""
    total = generator.integers(3, 31, size=n).astype(float)
    rate = 0.5 + 0.4 * (generator.beta(2, 2, size=n) - 0.5)
    hits = [generator.binomial(total.astype(int), rate + change).astype(float) for change in (0.0, shift)]
    return Counts(hits[0][:, None], total[:, None]), Counts(hits[1][:, None], total[:, None])


def masks(generator: np.random.Generator, n: int, shift: float = 0.0) -> tuple[Counts, Counts]:
    """Draw intersections and unions of five classes, two of them rare; `shift` is added to every true IoU."""
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
    """Draw counts of a pair without a true difference, and add `shift` to the second metric."""
    base, changed = pair(generator, n)
    return base, Counts(changed.numerator + shift * changed.denominator, changed.denominator)
