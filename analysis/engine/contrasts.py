"""Contrasts."""

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
    """`weight` × (metric under `changed` − metric under `base`), on the same units, row by row.

    ValueError if the shapes differ or a metric is undefined (nothing to count).
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
        """What exchanging each unit moves from `changed` to `base`: units × (2 × categories).

        Numerators of all categories first, then denominators.
        """
        return np.hstack(
            [self.changed.numerator - self.base.numerator, self.changed.denominator - self.base.denominator]
        )


@dataclass(frozen=True, eq=False)
class Contrast:
    """A signed sum of differences between two labels that every unit can exchange.

    Two conditions are two labels (`difference`). For a difference of differences the labels are two models, and a
    unit exchanges everything that it has under one model for what it has under the other
    (`difference_of_differences`).

    ValueError if there is no term or their units differ in number.
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
        """metric(changed) − metric(base)."""
        return cls((Term(base, changed),), metric)

    @classmethod
    def difference_of_differences(
        cls, base: tuple[Counts, Counts], changed: tuple[Counts, Counts], metric: Metric = mean_of_ratios
    ) -> Contrast:
        """The effect in the model `changed` minus the effect in the model `base`.

        Each model is given as its counts (under the reference, under the condition).
        """
        return cls((Term(base[1], changed[1]), Term(base[0], changed[0], -1.0)), metric)

    @property
    def units(self) -> int:
        """Number of units."""
        return self.terms[0].base.units

    @cached_property
    def differs(self) -> NDArray[np.bool_]:
        """Which units have different counts under the two labels, (units,)."""
        differs: NDArray[np.bool_] = np.any([(term.shifts != 0).any(axis=1) for term in self.terms], axis=0)
        return differs

    @property
    def observed(self) -> float:
        """The statistic as the labels stand."""
        return sum(term.weight * (self._value(term.changed) - self._value(term.base)) for term in self.terms)

    @property
    def tolerance(self) -> float:
        """Statistics that differ by no more than this are ties."""
        return TIE_TOLERANCE * sum(
            abs(term.weight) * (abs(self._value(term.changed)) + abs(self._value(term.base))) for term in self.terms
        )

    def _value(self, counts: Counts) -> float:
        return float(self.metric(counts.numerator.sum(axis=0), counts.denominator.sum(axis=0), 0.0))
