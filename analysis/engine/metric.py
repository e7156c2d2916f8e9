"""The metric that every task is reported in: a mean over categories of ratios of summed counts.

Counts first, metric last: whatever is resampled or permuted, the counts are summed and the metric is computed from the
sums. Accuracy and Recall@1 (one category, denominator 1), hits over points (one category) and mIoU (one category per
class) are all this one function.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# A metric of summed counts: numerators and denominators, (…, categories) each, and the size up to which a
# denominator counts as 0; gives (…), NaN where it is undefined.
Metric = Callable[[FloatArray, FloatArray, FloatArray | float], FloatArray]

# Relative size below which a difference of two sums of counts is rounding. Whole-number counts are
# exact in float64 up to 2^53, so for them this decides nothing; a denominator of one pixel stands
# out of it up to 10^13 pixels.
ROUNDING = 1e-13


@dataclass(frozen=True, eq=False)
class Counts:
    """Additive counts of a set of units under one condition.

    Both arrays are copied and made read-only.

    Attributes:
        numerator: float64, (units, categories).
        denominator: float64, (units, categories); 0 where a unit has nothing to count.

    Raises:
        ValueError: if the arrays are not two-dimensional and of one shape.

    Examples:
        Two image pairs, of which 1 of 2 and 9 of 10 points are hit. Points have equal weight, pairs do not:

        >>> import numpy as np
        >>> counts = Counts(np.array([[1.0], [9.0]]), np.array([[2.0], [10.0]]))
        >>> counts.units, counts.categories
        (2, 1)
        >>> round(counts.value(), 4)
        0.8333
    """

    numerator: FloatArray
    denominator: FloatArray

    def __post_init__(self) -> None:
        for name in ("numerator", "denominator"):
            array = np.array(getattr(self, name), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        if self.numerator.ndim != 2 or self.numerator.shape != self.denominator.shape:
            raise ValueError(
                "Counts: numerator and denominator must both be units × categories, got shapes "
                f"{self.numerator.shape} and {self.denominator.shape}."
            )

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.numerator)

    @property
    def categories(self) -> int:
        """Number of categories."""
        return int(self.numerator.shape[1])

    @property
    def is_binary(self) -> bool:
        """Whether every unit is a success or a failure: 0 or 1 out of 1, one category."""
        return (
            self.categories == 1
            and bool(np.all(self.denominator == 1))
            and bool(np.all((self.numerator == 0) | (self.numerator == 1)))
        )

    def summed_over(self, groups: NDArray[np.intp]) -> Counts:
        """Return the counts of groups of units, one row per group.

        Units that are permuted or resampled together, such as pairs that share an image, are one row.

        Args:
            groups: index of each unit's group, from 0, (units,).

        Examples:
            >>> import numpy as np
            >>> counts = Counts(np.array([[1.0], [9.0], [0.0]]), np.array([[2.0], [10.0], [4.0]]))
            >>> counts.summed_over(np.array([0, 0, 1])).numerator.tolist()
            [[10.0], [0.0]]
        """
        sums = np.zeros((2, int(groups.max()) + 1, self.categories))
        for plane, counts in zip(sums, (self.numerator, self.denominator), strict=True):
            np.add.at(plane, groups, counts)
        return Counts(*sums)

    def value(self) -> float:
        """Return the metric of all units together, a fraction; NaN if there is nothing to count."""
        return float(mean_of_ratios(self.numerator.sum(axis=0), self.denominator.sum(axis=0)))


def mean_of_ratios(numerator: FloatArray, denominator: FloatArray, negligible: FloatArray | float = 0.0) -> FloatArray:
    """Return the mean of numerator / denominator over the categories that occur.

    For segmentation this is the mean IoU over the classes that occur in the ground truth or the prediction, from areas
    summed over images (as in `dinov3/eval/segmentation/metrics.py`). Defined in docs/design.md, Outcomes.

    Args:
        numerator: summed numerators, (…, categories).
        denominator: summed denominators, (…, categories).
        negligible: denominators that are not above this count as 0, (…, categories) or a scalar. Sums that were
            reached by subtraction need it: a category that has left the set of units must drop out of the mean, and
            not leave the ratio of two rounding errors behind.

    Returns:
        float64, (…): fractions; NaN where no category has a positive denominator.

    Examples:
        The third class occurs nowhere and is left out:

        >>> import numpy as np
        >>> float(mean_of_ratios(np.array([3.0, 1.0, 0.0]), np.array([4.0, 4.0, 0.0])))
        0.5
    """
    occurs = denominator > negligible
    ratio = np.divide(numerator, denominator, out=np.zeros_like(denominator), where=occurs)
    categories = occurs.sum(axis=-1)
    mean = np.full(categories.shape, np.nan)
    np.divide(ratio.sum(axis=-1), categories, out=mean, where=categories > 0)
    return mean
