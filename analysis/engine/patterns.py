"""Units that are alike in all their counts, and bootstrap resamples of them: multinomial numbers in place of units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.engine.metric import FloatArray

# A binomial number takes as long to draw as this many units.
UNITS_PER_PATTERN = 32


@dataclass(frozen=True, eq=False)
class Patterns:
    """The distinct rows of a table of counts, and how many units have each.

    A resample of n units out of n holds a multinomial number of units of each pattern, and nothing else of it enters a
    sum of counts.

    Attributes:
        rows: distinct rows, (patterns, columns).
        units: number of units that have each, (patterns,).

    Examples:
        >>> import numpy as np
        >>> rows = np.repeat([[0.0, 1.0], [1.0, 1.0]], [40, 60], axis=0)
        >>> patterns = Patterns.of(rows)
        >>> patterns.rows.tolist(), patterns.units.tolist()
        ([[0.0, 1.0], [1.0, 1.0]], [40, 60])
        >>> generator = np.random.Generator(np.random.Philox(key=0))
        >>> [weights.shape for weights in patterns.resamples(5, rows=3, generator=generator)]
        [(3, 2), (2, 2)]
        >>> Patterns.of(np.arange(100.0)[:, None]) is None
        True
    """

    rows: FloatArray
    units: NDArray[np.int64]

    @classmethod
    def of(cls, table: FloatArray) -> Patterns | None:
        """Return the patterns of a table, (units, columns); None where they are too many for drawing them to pay."""
        most = len(table) // UNITS_PER_PATTERN
        code = np.zeros(len(table), dtype=np.int64)
        for column in table.T:
            if (column == column[0]).all():
                continue
            values, place = np.unique(column, return_inverse=True)
            if len(values) > most:
                return None
            found, code = np.unique(code * len(values) + place, return_inverse=True)
            if len(found) > most:
                return None
        if most == 0:
            return None
        _, first, units = np.unique(code, return_index=True, return_counts=True)
        return cls(table[first], units.astype(np.int64))

    def resamples(self, resamples: int, *, rows: int, generator: np.random.Generator) -> Iterator[NDArray[np.int64]]:
        """Yield how many units of each pattern are in each resample, (resamples of a block, patterns).

        Args:
            resamples: number of resamples.
            rows: largest number of resamples per block; without influence on the numbers.
            generator: source of the numbers.
        """
        total = int(self.units.sum())
        for start in range(0, resamples, rows):
            yield generator.multinomial(total, self.units / total, size=min(rows, resamples - start))
