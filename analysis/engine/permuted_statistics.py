"""Statistics of many contrasts under swapped labels, by one matrix product per block of draws.

The count differences of all contrasts are stacked side by side and multiplied with the Boolean draws × units matrix
that says which units swap their labels, so 64 contrasts cost one matrix product; small whole counts are summed by
counting bits where that is faster. The metric is then computed from the
permuted and summed counts: accuracy, PCK and mIoU are tested as they are reported. (The idea of counts first and metric
last: `sacrebleu/significance.py`.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.engine.contrasts import Contrast, Term
from analysis.engine.metric import ROUNDING, FloatArray, Metric
from analysis.engine.packed_counts import BitPlanes, pays
from analysis.engine.swaps import Swaps, packed_swaps, random_swaps

# Whole numbers up to this are exact in float32, sums of them included.
LARGEST_WHOLE_FLOAT32 = 2**24


@dataclass(frozen=True, eq=False)
class _Linear:
    """A contrast whose statistic is linear in the swaps: statistic = observed + slope × moved counts.

    This holds where every metric is one ratio whose denominators are the same under both labels. Swapping every unit
    turns the sign, so the statistic is slope × Σ (swapped − ½) column, and its mean square over all arrangements is
    slope² Σ column² / 4.

    Attributes:
        column: counts that swapping each unit moves, (units, 1).
        slope: factor from moved counts to the statistic.
    """

    column: FloatArray
    slope: float

    @classmethod
    def of(cls, contrast: Contrast) -> _Linear | None:
        """Return the linear form of a contrast; None where there is none."""
        if not contrast.is_linear:
            return None
        totals = [float(term.base.denominator.sum()) for term in contrast.terms]
        # Alike denominators are divided by at the end, so that whole counts stay whole.
        alike = len(set(totals)) == 1
        column = sum(
            term.weight * term.shifts[:, :1] / (1.0 if alike else total)
            for term, total in zip(contrast.terms, totals, strict=True)
        )
        return cls(np.asarray(column, dtype=np.float64), -2 / totals[0] if alike else -2.0)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Summed counts of one contrast's terms, of which the metric is computed again in every draw.

    Columns that no swap can move (the denominators of a class under two probes) stay out of the product.

    Attributes:
        terms: those of the contrast.
        metric: function of summed counts.
        moving: whether swaps move each column, (columns of all terms,).
    """

    terms: tuple[Term, ...]
    metric: Metric
    moving: NDArray[np.bool_]

    @classmethod
    def of(cls, contrast: Contrast) -> _Sums:
        """Return the sums of a contrast."""
        moving: NDArray[np.bool_] = np.concatenate([(term.shifts != 0).any(axis=0) for term in contrast.terms])
        return cls(contrast.terms, contrast.metric, moving)

    @property
    def columns(self) -> FloatArray:
        """Counts that swapping each unit moves, (units, moving columns)."""
        return np.hstack([term.shifts for term in self.terms])[:, self.moving]

    def statistics(self, moved: FloatArray) -> FloatArray:
        """Return the statistic of each arrangement, (draws,), given the counts that it moves, (draws, moving)."""
        shift = np.zeros((len(moved), len(self.moving)))
        shift[:, self.moving] = moved
        statistic = np.zeros(len(moved))
        start = 0
        for term in self.terms:
            categories = term.base.categories
            middle, end = start + categories, start + 2 * categories
            numerators, denominators = shift[:, start:middle], shift[:, middle:end]
            negligible = ROUNDING * (term.base.denominator.sum(axis=0) + term.changed.denominator.sum(axis=0))
            for counts, sign in ((term.base, 1), (term.changed, -1)):
                statistic -= (
                    sign
                    * term.weight
                    * self.metric(
                        counts.numerator.sum(axis=0) + sign * numerators,
                        counts.denominator.sum(axis=0) + sign * denominators,
                        negligible,
                    )
                )
            start = end
        return statistic


@dataclass(frozen=True, eq=False)
class Stack:
    """Count differences of several contrasts on the same units, side by side.

    Attributes:
        columns: counts that swapping each unit moves, (units, columns); linear contrasts first.
        linear: indices of the contrasts that are linear in the swaps.
        slopes: their slopes, (linear contrasts,).
        summed: index and sums of each other contrast.
        observed: observed statistics, (contrasts,).
        tolerance: largest distance of ties, (contrasts,).

    Examples:
        Three scores per label. Swapping the first unit alone turns the mean difference of 1 into 1/3:

        >>> import numpy as np
        >>> from analysis.engine.metric import Counts
        >>> base, changed = (Counts(np.array(x)[:, None], np.ones((3, 1))) for x in ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0]))
        >>> stack = Stack.of([Contrast.difference(base, changed)])
        >>> stack.statistics([np.array([[0, 0, 0], [1, 0, 0]], dtype=np.uint8)], draws=2).round(4).tolist()
        [[1.0], [0.3333]]
    """

    columns: FloatArray
    linear: tuple[int, ...]
    slopes: FloatArray
    summed: tuple[tuple[int, _Sums], ...]
    observed: FloatArray
    tolerance: FloatArray

    @classmethod
    def of(cls, contrasts: Sequence[Contrast], only: NDArray[np.bool_] | None = None) -> Stack:
        """Stack contrasts; `only` marks the units that may swap, all by default."""
        straight = {index: _Linear.of(contrast) for index, contrast in enumerate(contrasts)}
        linear = {index: one for index, one in straight.items() if one is not None}
        summed = [(index, _Sums.of(contrasts[index])) for index, one in straight.items() if one is None]
        columns = np.hstack([*(one.column for one in linear.values()), *(one.columns for _, one in summed)])
        return cls(
            columns=columns if only is None else columns[only],
            linear=tuple(linear),
            slopes=np.array([one.slope for one in linear.values()]),
            summed=tuple(summed),
            observed=np.array([contrast.observed for contrast in contrasts]),
            tolerance=np.array([contrast.tolerance for contrast in contrasts]),
        )

    def scale(self, null: FloatArray) -> FloatArray:
        """Return the root mean square of each statistic under permutation, (contrasts,).

        Exact for linear contrasts; over the draws in `null`, (draws, contrasts), and the observed one for others.
        """
        scale: FloatArray = np.empty(len(self.observed))
        for index, _ in self.summed:
            # Contiguous, so that the order of the sum, and with it rounding, does not depend on other contrasts.
            statistic = null[:, index].copy()
            squares = np.nansum(statistic**2) + self.observed[index] ** 2
            scale[index] = np.sqrt(squares / (np.isfinite(statistic).sum() + 1))
        straight = self.columns[:, : len(self.linear)]
        scale[list(self.linear)] = np.abs(self.slopes) / 2 * np.sqrt((straight**2).sum(axis=0))
        return scale

    def rows_within(self, block_bytes: int) -> int:
        """Return the draws per block, so that swaps, products and temporary sums stay within `block_bytes`."""
        units, columns = self.columns.shape
        widest = max((len(one.moving) for _, one in self.summed), default=0)
        return max(1, int(block_bytes // (9 * (units + columns) + 48 * widest)))

    def statistics(self, blocks: Iterable[Swaps], draws: int) -> FloatArray:
        """Return the statistic of every contrast in every arrangement, (draws, contrasts)."""
        return self._of_moved(_products(self.columns, blocks), draws)

    def random_statistics(self, draws: int, *, generator: np.random.Generator, block_bytes: int) -> FloatArray:
        """Return the statistic of every contrast in random arrangements, (draws, contrasts).

        Many small whole counts are summed by counting bits (`packed_counts`), others by a matrix product. The
        statistics are the same, bit for bit.

        Args:
            draws: number of arrangements.
            generator: source of the arrangements.
            block_bytes: bound on the memory of one block of draws; without influence on the result.
        """
        units, rows = len(self.columns), self.rows_within(block_bytes)
        if pays(self.columns, draws):
            planes = BitPlanes.of(self.columns)
            packed = packed_swaps(units, draws, rows=rows, generator=generator)
            return self._of_moved((planes.moved(block) for block in packed), draws)
        return self.statistics(random_swaps(units, draws, rows=rows, generator=generator), draws)

    def _of_moved(self, blocks: Iterable[FloatArray], draws: int) -> FloatArray:
        """Return the statistics, given the counts that each arrangement moves, (draws of a block, columns)."""
        statistics = np.empty((draws, len(self.observed)))
        straight = len(self.linear)
        # A slice is filled twice as fast as a list of places.
        places = slice(straight) if self.linear == tuple(range(straight)) else list(self.linear)
        observed = self.observed[places]
        start = 0
        for moved in blocks:
            block = statistics[start : start + len(moved)]
            block[:, places] = observed + self.slopes * moved[:, :straight]
            at = straight
            for index, sums in self.summed:
                width = int(sums.moving.sum())
                block[:, index] = sums.statistics(moved[:, at : at + width])
                at += width
            start += len(moved)
        return statistics


def _products(columns: FloatArray, blocks: Iterable[Swaps]) -> Iterator[FloatArray]:
    """Yield the counts that each arrangement moves, (draws of a block, columns)."""
    # A sum of whole numbers is exact in float32, and twice as fast as in float64.
    whole = np.all(columns == np.rint(columns))
    small = np.abs(columns).sum(axis=0).max(initial=0) <= LARGEST_WHOLE_FLOAT32
    columns = columns.astype(np.float32 if whole and small else np.float64)
    unpacked = np.empty((0, len(columns)), dtype=columns.dtype)
    for swaps in blocks:
        # The first block is the largest; a buffer that stays costs no page faults.
        if len(unpacked) < len(swaps):
            unpacked = np.empty(swaps.shape, dtype=columns.dtype)
        floats = unpacked[: len(swaps)]
        np.copyto(floats, swaps)
        yield (floats @ columns).astype(np.float64, copy=False)
