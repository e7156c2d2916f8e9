"""Paired permutation tests of differences of a metric that is computed from summed counts.

One Boolean draws × units matrix says which units exchange their two conditions in which draw. It is
drawn in blocks and multiplied with the stacked count differences of all contrasts at once, so 64
contrasts cost one matrix product. (The idea of counts first and metric last:
`sacrebleu/significance.py`.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from analysis.metric import ROUNDING, Counts, FloatArray, metric
from config.keys import keyed_generator

# Bound on what one block of draws may occupy, in bytes; a speed and memory choice without
# influence on any result.
BLOCK_BYTES = 32 * 2**20

# Statistics closer than this, relative to the two metrics that are subtracted, are ties. (scipy's
# tolerance is relative to the difference itself, which is finer than the rounding of a small
# difference of two large numbers: 0.71 - 0.70 and 0.61 - 0.60 must tie.) A tie counts against
# rejection, so too wide a tolerance could only raise p.
TIE_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class Contrast:
    """Two conditions on the same units, row by row: the difference is `changed` minus `base`.

    ValueError if the shapes differ or a metric is undefined (nothing to count).
    """

    base: Counts
    changed: Counts

    def __post_init__(self) -> None:
        if self.base.numerator.shape != self.changed.numerator.shape:
            raise ValueError(
                "Contrast: both conditions must have the same units and categories, got shapes "
                f"{self.base.numerator.shape} and {self.changed.numerator.shape}."
            )
        if math.isnan(self.base.value()) or math.isnan(self.changed.value()):
            raise ValueError("Contrast: a condition whose denominators are all 0 has no metric.")

    @property
    def units(self) -> int:
        """Number of units."""
        return self.base.units

    @property
    def differs(self) -> NDArray[np.bool_]:
        """Which units have different counts under the two conditions, (units,)."""
        numerators = self.base.numerator != self.changed.numerator
        denominators = self.base.denominator != self.changed.denominator
        differs: NDArray[np.bool_] = (numerators | denominators).any(axis=1)
        return differs


@dataclass(frozen=True)
class PermutationResult:
    """A two-sided paired permutation test.

    Attributes:
        statistic: metric(changed) − metric(base), a fraction.
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


def paired_permutation_tests(
    contrasts: Sequence[Contrast],
    *,
    draws: int,
    key: Sequence[str | int],
    block_bytes: int = BLOCK_BYTES,
) -> list[PermutationResult]:
    """Test each contrast by exchanging the two conditions within units.

    Null hypothesis: within every unit, independently of the others, the pair of counts (base,
    changed) has the same joint distribution as (changed, base); which condition a unit's counts
    came from carries no information. The statistic is metric(changed) − metric(base), with the
    metric computed from the exchanged and summed counts, so mIoU is tested as it is reported.

    p is two-sided by absolute value. With m random draws, of which b are at least as extreme as the
    observed one (ties included), p = (b + 1) / (m + 1): the observed arrangement is one of the
    possible ones, so p is never 0 and its smallest value is 1 / (m + 1) (Phipson and Smyth,
    "Permutation p-values should never be zero", SAGMB 9, 2010, eq. 2). A draw whose statistic is
    undefined counts as extreme.

    Where 2^d ≤ draws, with d the number of units whose counts differ, all arrangements are
    enumerated and p = b / 2^d, the identity included; its smallest value is 2 / 2^d, since
    exchanging every unit only flips the sign. Enumerating the differing units is enumerating all:
    exchanging the other units changes nothing and repeats every arrangement equally often. d itself
    does not depend on which condition is which, so choosing the method by it keeps p valid.

    Args:
        contrasts: all on the same units in the same order; categories may differ in number.
        draws: random draws m.
        key: seed and names that the draws are keyed by (`keyed_generator`). A contrast's p does not
            depend on the contrasts beside it.
        block_bytes: bound on the memory of one block of draws; without influence on the result.

    Returns:
        One result per contrast, in order.

    Raises:
        ValueError: fewer than one draw, no units, or contrasts with different numbers of units.
    """
    if draws < 1:
        raise ValueError(f"paired_permutation_tests: draws must be at least 1, got {draws}.")
    if not contrasts:
        return []
    units = contrasts[0].units
    if units == 0 or any(contrast.units != units for contrast in contrasts):
        raise ValueError(
            "paired_permutation_tests: contrasts need the same units, at least one; got "
            f"{[contrast.units for contrast in contrasts]}."
        )
    results: dict[int, PermutationResult] = {}
    for index, contrast in enumerate(contrasts):
        differing = int(contrast.differs.sum())
        if 2**differing <= draws:
            results[index] = _enumerated(contrast, differing, block_bytes)
    sampled = [index for index in range(len(contrasts)) if index not in results]
    if sampled:
        stack = _Stack.of([contrasts[index] for index in sampled])
        blocks = random_swaps(units, draws, rows=stack.rows_within(block_bytes), generator=keyed_generator(*key))
        extreme = stack.extreme(blocks)
        for index, observed, b in zip(sampled, stack.observed, extreme, strict=True):
            p = (int(b) + 1) / (draws + 1)
            results[index] = PermutationResult(
                statistic=float(observed),
                p=p,
                draws=draws,
                exact=False,
                smallest_p=1 / (draws + 1),
                monte_carlo_error=math.sqrt(p * (1 - p) / draws),
            )
    return [results[index] for index in range(len(contrasts))]


def _enumerated(contrast: Contrast, differing: int, block_bytes: int) -> PermutationResult:
    stack = _Stack.of([contrast], only=contrast.differs)
    blocks = all_swaps(differing, rows=stack.rows_within(block_bytes))
    arrangements = 2**differing
    return PermutationResult(
        statistic=float(stack.observed[0]),
        p=int(stack.extreme(blocks)[0]) / arrangements,
        draws=arrangements,
        exact=True,
        smallest_p=min(1.0, 2 / arrangements),
        monte_carlo_error=0.0,
    )


def random_swaps(units: int, draws: int, *, rows: int, generator: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """The draws × units matrix of fair coin flips, in blocks of at most `rows` draws of 0 and 1.

    Every draw consumes whole 64-bit words of the raw stream, so the matrix is the same whatever
    `rows` is, on every platform.
    """
    words = -(-units // 64)
    for start in range(0, draws, rows):
        count = min(rows, draws - start)
        raw = np.asarray(generator.bit_generator.random_raw(count * words), dtype="<u8")
        yield np.unpackbits(raw.view(np.uint8).reshape(count, 8 * words), axis=1, count=units)


def all_swaps(units: int, *, rows: int) -> Iterator[NDArray[np.uint8]]:
    """All 2^units arrangements, the identity first, in blocks of at most `rows`."""
    bits = np.arange(units)
    for start in range(0, 2**units, rows):
        numbers = np.arange(start, min(start + rows, 2**units))
        yield ((numbers[:, None] >> bits) & 1).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Summed counts of one contrast, and where its moving columns stand in the stack.

    Columns are the numerators of all categories, then the denominators: (2 × categories,). Columns
    that no exchange can move (accuracy's denominators) are kept out of the matrix product.
    """

    base: FloatArray
    changed: FloatArray
    moving: NDArray[np.bool_]
    at: slice

    def difference(self, moved: FloatArray) -> FloatArray:
        """The statistic of each arrangement, given how much its exchange moves: (rows, moving)."""
        shift = np.zeros((len(moved), len(self.base)))
        shift[:, self.moving] = moved
        half = len(self.base) // 2
        negligible = ROUNDING * (self.base[half:] + self.changed[half:])
        base, changed = self.base + shift, self.changed - shift
        return metric(changed[:, :half], changed[:, half:], negligible) - metric(
            base[:, :half], base[:, half:], negligible
        )


@dataclass(frozen=True, eq=False)
class _Stack:
    """The count differences of several contrasts side by side: units × columns."""

    differences: FloatArray
    sums: tuple[_Sums, ...]
    observed: FloatArray
    tolerance: FloatArray

    @classmethod
    def of(cls, contrasts: Sequence[Contrast], only: NDArray[np.bool_] | None = None) -> _Stack:
        """Stack contrasts; `only` marks the units that are exchanged, all by default."""
        columns, sums, observed, tolerance = [], [], [], []
        width = 0
        for contrast in contrasts:
            base = np.hstack([contrast.base.numerator, contrast.base.denominator])
            changed = np.hstack([contrast.changed.numerator, contrast.changed.denominator])
            difference = changed - base if only is None else (changed - base)[only]
            moving: NDArray[np.bool_] = (difference != 0).any(axis=0)
            columns.append(difference[:, moving])
            at = slice(width, width + int(moving.sum()))
            width = at.stop
            sums.append(_Sums(base.sum(axis=0), changed.sum(axis=0), moving, at))
            before, after = contrast.base.value(), contrast.changed.value()
            observed.append(after - before)
            tolerance.append(TIE_TOLERANCE * (abs(before) + abs(after)))
        return cls(np.hstack(columns), tuple(sums), np.array(observed), np.array(tolerance))

    def rows_within(self, block_bytes: int) -> int:
        """Draws per block: their swaps, products and temporary sums stay within `block_bytes`."""
        units, columns = self.differences.shape
        widest = max(len(one.base) for one in self.sums)
        return max(1, int(block_bytes // (8 * (units + columns + 6 * widest + len(self.sums)))))

    def statistics(self, swaps: NDArray[np.uint8]) -> FloatArray:
        """Statistic of each arrangement and contrast: rows × contrasts."""
        moved = swaps.astype(np.float64) @ self.differences
        return np.stack([one.difference(moved[:, one.at]) for one in self.sums], axis=1)

    def extreme(self, blocks: Iterable[NDArray[np.uint8]]) -> NDArray[np.int64]:
        """How many arrangements are at least as extreme as the observed one, per contrast."""
        threshold = np.abs(self.observed) - self.tolerance
        count = np.zeros(len(self.sums), dtype=np.int64)
        for swaps in blocks:
            # "Not below" rather than "at least": an undefined statistic (NaN) then counts too.
            count += (~(np.abs(self.statistics(swaps)) < threshold)).sum(axis=0)
        return count


def exact_mcnemar_p(contrast: Contrast) -> float | None:
    """Exact two-sided McNemar p of a 0/1 outcome; None where outcomes are not 0/1.

    Null hypothesis: among the units that succeed under exactly one of the two conditions, either
    condition is equally likely to be that one. p is the two-sided binomial probability at 1/2
    (McNemar, Psychometrika 12, 1947, in its exact form; `scipy.stats.binomtest`); 1 where no unit
    changes. It is what full enumeration of the permutation test converges to.
    """
    if not (contrast.base.is_binary and contrast.changed.is_binary):
        return None
    gained = int(np.sum(contrast.changed.numerator > contrast.base.numerator))
    lost = int(np.sum(contrast.changed.numerator < contrast.base.numerator))
    if gained + lost == 0:
        return 1.0
    return float(binomtest(gained, gained + lost, 0.5).pvalue)
