"""Paired permutation tests of contrasts of any metric that is computed from summed counts.

One Boolean draws × units matrix says which units exchange their two labels in which draw. It is drawn in
blocks and multiplied with the stacked count differences of all contrasts at once, so 64 contrasts cost one
matrix product, and the metric is computed from the exchanged and summed counts: accuracy, PCK and mIoU are
tested as they are reported. (The idea of counts first and metric last: `sacrebleu/significance.py`.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from analysis.engine.metric import ROUNDING, Counts, FloatArray, Metric, mean_of_ratios
from analysis.engine.swaps import Swaps, all_swaps, random_swaps
from config.keys import keyed_generator

# Bound on what one block of draws may occupy, in bytes; a speed and memory choice without
# influence on any result.
BLOCK_BYTES = 16 * 2**20

# Statistics closer than this, relative to the metrics that are subtracted, are ties. (scipy's
# tolerance is relative to the difference itself, which is finer than the rounding of a small
# difference of two large numbers: 0.71 - 0.70 and 0.61 - 0.60 must tie.) A tie counts against
# rejection, so too wide a tolerance could only raise p.
TIE_TOLERANCE = 1e-12

# Whole numbers up to this are exact in float32, sums of them included.
LARGEST_WHOLE_FLOAT32 = 2**24


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


@dataclass(frozen=True, eq=False)
class Exchanges:
    """The statistics of several contrasts as observed and under random exchanges of the labels.

    Attributes:
        observed: (contrasts,).
        null: draws × contrasts. Row k of every contrast is the same exchange of units, so maxima over contrasts
            are those of one joint draw. NaN where the metric is undefined.
        tolerance: (contrasts,); statistics not further apart are ties.
        scale: (contrasts,): root mean square of the statistic over all exchanges, exact where the metric is a ratio
            whose denominators no exchange moves, so that contrasts that are alike have the same; elsewhere over the
            draws and the observed one.
    """

    observed: FloatArray
    null: FloatArray
    tolerance: FloatArray
    scale: FloatArray

    @property
    def draws(self) -> int:
        """Number of random exchanges."""
        return len(self.null)

    def two_sided(self) -> FloatArray:
        """P of |statistic|, (contrasts,). An undefined statistic counts as extreme."""
        return self._p(~(np.abs(self.null) < np.abs(self.observed) - self.tolerance))

    def upper(self) -> FloatArray:
        """P of a statistic this large or larger, (contrasts,)."""
        return self._p(~(self.null < self.observed - self.tolerance))

    def lower(self) -> FloatArray:
        """P of a statistic this small or smaller, (contrasts,)."""
        return self._p(~(self.null > self.observed + self.tolerance))

    def _p(self, extreme: NDArray[np.bool_]) -> FloatArray:
        p: FloatArray = (extreme.sum(axis=0) + 1) / (self.draws + 1)
        return p


@dataclass(frozen=True)
class PermutationResult:
    """A two-sided paired permutation test.

    Attributes:
        statistic: the contrast as observed, a fraction.
        p: the p-value; never 0.
        draws: random draws, or the number of arrangements where all were enumerated.
        exact: whether all arrangements were enumerated.
        smallest_p: no outcome of this test could have given a smaller p.
        monte_carlo_error: standard error of p over repetitions with other draws; 0 where exact.
    """

    statistic: float
    p: float
    draws: int
    exact: bool
    smallest_p: float
    monte_carlo_error: float


def monte_carlo_error(p: float, draws: int) -> float:
    """Standard error of a p-value over repetitions of its random draws."""
    return math.sqrt(p * (1 - p) / draws)


def exchange(
    contrasts: Sequence[Contrast],
    *,
    draws: int,
    key: Sequence[str | int],
    block_bytes: int = BLOCK_BYTES,
) -> Exchanges:
    """Every contrast under `draws` random exchanges of its two labels, the same units in all contrasts.

    Args:
        contrasts: all on the same units in the same order; categories may differ in number.
        draws: random draws.
        key: seed and names that the draws are keyed by (`keyed_generator`). What is computed for a contrast does
            not depend on the contrasts beside it.
        block_bytes: bound on the memory of one block of draws; without influence on the result.

    Raises:
        ValueError: fewer than one draw, no contrast, no units, or contrasts with different numbers of units.
    """
    if draws < 1:
        raise ValueError(f"exchange: draws must be at least 1, got {draws}.")
    units = contrasts[0].units if contrasts else 0
    if units == 0 or any(contrast.units != units for contrast in contrasts):
        raise ValueError(
            "exchange: contrasts need the same units, at least one; got "
            f"{[contrast.units for contrast in contrasts]} units."
        )
    stack = _Stack.of(contrasts)
    blocks = random_swaps(units, draws, rows=stack.rows_within(block_bytes), generator=keyed_generator(*key))
    null = stack.statistics(blocks, draws)
    return Exchanges(stack.observed, null, stack.tolerance, stack.scale(null))


def paired_permutation_tests(
    contrasts: Sequence[Contrast],
    *,
    draws: int,
    key: Sequence[str | int],
    block_bytes: int = BLOCK_BYTES,
) -> list[PermutationResult]:
    """Test each contrast by exchanging the two labels within units; see `permutation_results`.

    Args and errors are those of `exchange`; an empty family has no results.
    """
    if not contrasts:
        return []
    exchanges = exchange(contrasts, draws=draws, key=key, block_bytes=block_bytes)
    return permutation_results(contrasts, exchanges, block_bytes=block_bytes)


def permutation_results(
    contrasts: Sequence[Contrast], exchanges: Exchanges, *, block_bytes: int = BLOCK_BYTES
) -> list[PermutationResult]:
    """The two-sided test of each contrast.

    Null hypothesis: within every unit, independently of the others, what the unit has under the two
    labels has the same joint distribution with the labels exchanged; which label a unit's counts
    came from carries no information.

    p is two-sided by absolute value. With m random draws, of which b are at least as extreme as the
    observed one (ties included), p = (b + 1) / (m + 1): the observed arrangement is one of the
    possible ones, so p is never 0 and its smallest value is 1 / (m + 1) (Phipson and Smyth,
    "Permutation p-values should never be zero", SAGMB 9, 2010, eq. 2). A draw whose statistic is
    undefined counts as extreme.

    Where 2^d ≤ draws, with d the number of units whose counts differ, all arrangements are
    enumerated and p = b / 2^d, the identity included; its smallest value is 2 / 2^d, since
    exchanging every unit only flips the sign. Enumerating the differing units is enumerating all:
    exchanging the other units changes nothing and repeats every arrangement equally often. d itself
    does not depend on which label is which, so choosing the method by it keeps p valid.
    """
    draws = exchanges.draws
    results = []
    for contrast, observed, p in zip(contrasts, exchanges.observed, exchanges.two_sided(), strict=True):
        differing = int(contrast.differs.sum())
        if 2**differing <= draws:
            results.append(_enumerated(contrast, differing, block_bytes))
            continue
        results.append(
            PermutationResult(
                statistic=float(observed),
                p=float(p),
                draws=draws,
                exact=False,
                smallest_p=1 / (draws + 1),
                monte_carlo_error=monte_carlo_error(float(p), draws),
            )
        )
    return results


def _enumerated(contrast: Contrast, differing: int, block_bytes: int) -> PermutationResult:
    stack = _Stack.of([contrast], only=contrast.differs)
    arrangements = 2**differing
    every = stack.statistics(all_swaps(differing, rows=stack.rows_within(block_bytes)), arrangements)
    # "Not below" rather than "at least": an undefined statistic (NaN) then counts too.
    extreme = ~(np.abs(every) < np.abs(stack.observed) - stack.tolerance)
    return PermutationResult(
        statistic=float(stack.observed[0]),
        p=int(extreme.sum()) / arrangements,
        draws=arrangements,
        exact=True,
        smallest_p=min(1.0, 2 / arrangements),
        monte_carlo_error=0.0,
    )


@dataclass(frozen=True, eq=False)
class _Linear:
    """A contrast that exchanges move in proportion: statistic = observed + slope × moved.

    So it is where every metric is one ratio whose denominators are the same under both labels. Exchanging every unit
    turns the sign, so the statistic is slope × Σ (exchanged − ½) column, and its mean square over all exchanges
    slope² Σ column² / 4.
    """

    column: FloatArray
    slope: float

    @classmethod
    def of(cls, contrast: Contrast) -> _Linear | None:
        """The one column of a contrast, (units, 1); None where it is not linear."""
        if contrast.metric is not mean_of_ratios:
            return None
        if any(term.base.categories > 1 or term.shifts[:, 1].any() for term in contrast.terms):
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
    """Summed counts of one contrast's terms; exchanges move them, and the metric is computed anew.

    Columns that no exchange can move (a class's denominators under two probes) stay out of the product.
    """

    terms: tuple[Term, ...]
    metric: Metric
    moving: NDArray[np.bool_]

    @classmethod
    def of(cls, contrast: Contrast) -> _Sums:
        moving: NDArray[np.bool_] = np.concatenate([(term.shifts != 0).any(axis=0) for term in contrast.terms])
        return cls(contrast.terms, contrast.metric, moving)

    @property
    def columns(self) -> FloatArray:
        """Units × moving."""
        return np.hstack([term.shifts for term in self.terms])[:, self.moving]

    def statistics(self, moved: FloatArray) -> FloatArray:
        """The statistic of each arrangement, given what its exchange moves: (rows, moving) → (rows,)."""
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
class _Stack:
    """What exchanges move, for several contrasts side by side: units × columns, linear contrasts first."""

    columns: FloatArray
    linear: tuple[int, ...]
    slopes: FloatArray
    summed: tuple[tuple[int, _Sums], ...]
    observed: FloatArray
    tolerance: FloatArray

    @classmethod
    def of(cls, contrasts: Sequence[Contrast], only: NDArray[np.bool_] | None = None) -> _Stack:
        """Stack contrasts; `only` marks the units that are exchanged, all by default."""
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
        """Root mean square of each statistic over all exchanges, or over the observed one and those of `null`."""
        squares = np.nansum(null**2, axis=0) + self.observed**2
        scale: FloatArray = np.sqrt(squares / (np.isfinite(null).sum(axis=0) + 1))
        straight = self.columns[:, : len(self.linear)]
        scale[list(self.linear)] = np.abs(self.slopes) / 2 * np.sqrt((straight**2).sum(axis=0))
        return scale

    def rows_within(self, block_bytes: int) -> int:
        """Draws per block: their swaps, products and temporary sums stay within `block_bytes`."""
        units, columns = self.columns.shape
        widest = max((len(one.moving) for _, one in self.summed), default=0)
        return max(1, int(block_bytes // (9 * (units + columns) + 48 * widest)))

    def statistics(self, blocks: Iterable[Swaps], draws: int) -> FloatArray:
        """The statistic of each of `draws` arrangements and contrast: draws × contrasts."""
        # A sum of whole numbers is exact in float32, and twice as fast as in float64.
        whole = np.all(self.columns == np.rint(self.columns))
        small = np.abs(self.columns).sum(axis=0).max(initial=0) <= LARGEST_WHOLE_FLOAT32
        columns = self.columns.astype(np.float32 if whole and small else np.float64)
        statistics = np.empty((draws, len(self.observed)))
        unpacked = np.empty((0, len(columns)), dtype=columns.dtype)
        start = 0
        for swaps in blocks:
            # The first block is the largest; a buffer that stays costs no page faults.
            if len(unpacked) < len(swaps):
                unpacked = np.empty(swaps.shape, dtype=columns.dtype)
            floats = unpacked[: len(swaps)]
            np.copyto(floats, swaps)
            rows = slice(start, start + len(swaps))
            self._fill(statistics[rows], (floats @ columns).astype(np.float64, copy=False))
            start = rows.stop
        return statistics

    def _fill(self, statistics: FloatArray, moved: FloatArray) -> None:
        straight = list(self.linear)
        statistics[:, straight] = self.observed[straight] + self.slopes * moved[:, : len(straight)]
        at = len(straight)
        for index, sums in self.summed:
            width = int(sums.moving.sum())
            statistics[:, index] = sums.statistics(moved[:, at : at + width])
            at += width


def exact_mcnemar_p(contrast: Contrast) -> float | None:
    """Exact two-sided McNemar p of a difference of 0/1 outcomes; None where it is something else.

    Null hypothesis: among the units that succeed under exactly one of the two labels, either
    label is equally likely to be that one. p is the two-sided binomial probability at 1/2
    (McNemar, Psychometrika 12, 1947, in its exact form; `scipy.stats.binomtest`); 1 where no unit
    changes. It is what full enumeration of the permutation test converges to.
    """
    if len(contrast.terms) > 1:
        return None
    (term,) = contrast.terms
    if not (term.base.is_binary and term.changed.is_binary):
        return None
    gained = int(np.sum(term.changed.numerator > term.base.numerator))
    lost = int(np.sum(term.changed.numerator < term.base.numerator))
    if gained + lost == 0:
        return 1.0
    return float(binomtest(gained, gained + lost, 0.5).pvalue)
