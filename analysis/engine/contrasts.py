"""Contrasts: signed sums of differences between two labels that can be swapped within every unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.engine.metric import Counts, FloatArray, Metric, mean_of_ratios

# Statistics closer than this, relative to the metrics that are subtracted, are ties. (scipy's
# tolerance is relative to the difference itself, which is finer than the rounding of a small
# difference of two large numbers: 0.71 - 0.70 and 0.61 - 0.60 must tie.) A tie counts against
# rejection, so too wide a tolerance could only raise p.
TIE_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Term:
    """A weighted difference between two labels: weight × (metric under `changed` − metric under `base`).

    Attributes:
        base: counts under the one label.
        changed: counts under the other, on the same units in the same order.
        weight: factor of the difference.

    Raises:
        ValueError: if the shapes differ, or a metric is undefined because there is nothing to count.

    Examples:
        >>> import numpy as np
        >>> ones = np.ones((3, 1))
        >>> term = Term(Counts(np.array([[1.0], [1.0], [0.0]]), ones), Counts(np.array([[0.0], [1.0], [0.0]]), ones))
        >>> term.shifts.tolist()
        [[-1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    """

    base: Counts
    changed: Counts
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.base.numerator.shape != self.changed.numerator.shape:
            raise ValueError(
                "Term: both labels must have the same units and categories, got shapes "
                f"{self.base.numerator.shape} and {self.changed.numerator.shape}."
            )
        if math.isnan(self.base.value()) or math.isnan(self.changed.value()):
            raise ValueError("Term: a condition whose denominators are all 0 has no metric.")

    @cached_property
    def shifts(self) -> FloatArray:
        """Counts that swapping each unit's labels moves from `changed` to `base`, (units, 2 × categories).

        Numerators of all categories first, then denominators.
        """
        return np.hstack(
            [self.changed.numerator - self.base.numerator, self.changed.denominator - self.base.denominator]
        )


@dataclass(frozen=True, eq=False)
class Contrast:
    """A signed sum of differences between two labels, which every unit can swap.

    For a difference between two conditions, the labels are the conditions (`difference`). For a difference of
    differences, the labels are two models, and a unit swaps everything that it has under the one model with what it
    has under the other (`difference_of_differences`).

    Attributes:
        terms: the differences, all on the same units.
        metric: function of summed counts.

    Raises:
        ValueError: if there is no term, or the terms differ in the number of units.

    Examples:
        Accuracy falls from 3/4 to 1/4, and two units differ:

        >>> import numpy as np
        >>> ones = np.ones((4, 1))
        >>> full = Counts(np.array([[1.0], [1.0], [1.0], [0.0]]), ones)
        >>> zeroed = Counts(np.array([[1.0], [0.0], [0.0], [0.0]]), ones)
        >>> contrast = Contrast.difference(full, zeroed)
        >>> contrast.observed
        -0.5
        >>> contrast.differs.tolist()
        [False, True, True, False]

        The same effect in a second model leaves a difference of differences of 0:

        >>> Contrast.difference_of_differences((full, zeroed), (full, zeroed)).observed
        0.0
    """

    terms: tuple[Term, ...]
    metric: Metric = mean_of_ratios

    def __post_init__(self) -> None:
        if len({term.base.units for term in self.terms}) != 1:
            raise ValueError(
                "Contrast: terms need the same units, and there must be one; got "
                f"{[term.base.units for term in self.terms]} units."
            )

    @classmethod
    def difference(cls, base: Counts, changed: Counts, metric: Metric = mean_of_ratios) -> Contrast:
        """Return the contrast metric(changed) − metric(base)."""
        return cls((Term(base, changed),), metric)

    @classmethod
    def difference_of_differences(
        cls, base: tuple[Counts, Counts], changed: tuple[Counts, Counts], metric: Metric = mean_of_ratios
    ) -> Contrast:
        """Return the contrast of the effect in the model `changed` minus the effect in the model `base`.

        Its null hypothesis is additive: both effects are the same number of points of the metric. Effects that are the
        same share of unequal levels, or the same odds ratio, are different ones here.

        Args:
            base: counts of the one model under the reference and under the condition.
            changed: counts of the other model, likewise.
            metric: function of summed counts.
        """
        return cls((Term(base[1], changed[1]), Term(base[0], changed[0], -1.0)), metric)

    @property
    def units(self) -> int:
        """Number of units."""
        return self.terms[0].base.units

    @cached_property
    def differs(self) -> NDArray[np.bool_]:
        """Whether the counts of each unit differ between the two labels, (units,)."""
        differs: NDArray[np.bool_] = np.any([(term.shifts != 0).any(axis=1) for term in self.terms], axis=0)
        return differs

    @cached_property
    def is_linear(self) -> bool:
        """Whether the statistic is linear in the permuted counts.

        It is where every metric is one ratio whose denominators are the same under both labels. Permuting labels then
        tests the metric itself (`metric_tests`).
        """
        return self.metric is mean_of_ratios and all(
            term.base.categories == 1 and not term.shifts[:, 1].any() for term in self.terms
        )

    @property
    def observed(self) -> float:
        """The observed statistic, a fraction."""
        pairs = zip(self.terms, self._values, strict=True)
        return sum(term.weight * (changed - base) for term, (base, changed) in pairs)

    @property
    def tolerance(self) -> float:
        """Largest distance between statistics that count as ties."""
        pairs = zip(self.terms, self._values, strict=True)
        return TIE_TOLERANCE * sum(abs(term.weight) * (abs(changed) + abs(base)) for term, (base, changed) in pairs)

    @cached_property
    def _values(self) -> tuple[tuple[float, float], ...]:
        """Metric of each term under both labels."""
        return tuple((self._value(term.base), self._value(term.changed)) for term in self.terms)

    def _value(self, counts: Counts) -> float:
        return float(self.metric(counts.numerator.sum(axis=0), counts.denominator.sum(axis=0), 0.0))
