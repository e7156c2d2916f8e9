"""Resamples of discrete counts, drawn by pattern: the distribution is that of resampled units."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.engine import patterns
from analysis.engine.intervals import Resampled, bootstrap_metrics
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.patterns import Patterns

UNITS = 3_000


def right(chance: float, seed: int) -> Counts:
    numerator = np.random.default_rng(seed).random((UNITS, 1)) < chance
    return Counts(numerator.astype(float), np.ones((UNITS, 1)))


def hits(seed: int) -> Counts:
    """Hits among one to three points: a ratio whose denominator varies between resamples."""
    generator = np.random.default_rng(seed)
    points = generator.integers(1, 4, (UNITS, 1)).astype(float)
    return Counts(np.floor((points + 1) * generator.random((UNITS, 1))), points)


def test_patterns_are_the_distinct_rows() -> None:
    generator = np.random.default_rng(1)
    table = np.hstack([generator.integers(0, 2, (UNITS, 2)), np.ones((UNITS, 1)), generator.integers(0, 2, (UNITS, 1))])
    found = Patterns.of(table.astype(float))
    assert found is not None
    rows, units = np.unique(table, axis=0, return_counts=True)
    order = np.lexsort(found.rows.T[::-1])
    np.testing.assert_array_equal(found.rows[order], rows)
    np.testing.assert_array_equal(found.units[order], units)


def test_every_resample_has_all_units() -> None:
    found = Patterns.of(right(0.3, 1).numerator)
    assert found is not None
    blocks = list(found.resamples(50, rows=7, generator=np.random.default_rng(1)))
    assert np.vstack(blocks).sum(axis=1).tolist() == [UNITS] * 50


@pytest.mark.parametrize("counts", [[right(0.9, 1), right(0.85, 2)], [hits(3), hits(4)]], ids=["0/1", "points"])
def test_the_distribution_is_that_of_resampled_units(counts: list[Counts], monkeypatch: pytest.MonkeyPatch) -> None:
    def differences() -> FloatArray:
        values = bootstrap_metrics(counts, resamples=5_000, key=(1, "patterns"))
        return np.column_stack([values[:, 1] - values[:, 0], values[:, 0]])

    by_pattern = differences()
    monkeypatch.setattr(patterns, "UNITS_PER_PATTERN", UNITS + 1)
    by_unit = differences()
    assert not np.array_equal(by_pattern, by_unit)
    for left, other in zip(by_pattern.T, by_unit.T, strict=True):
        # The distributions are discrete, so that the true level is below the nominal one.
        assert stats.ks_2samp(left, other).pvalue > 0.001
        assert left.mean() == pytest.approx(other.mean(), abs=5 * other.std() * np.sqrt(2 / 5_000))
        assert left.std() == pytest.approx(other.std(), rel=0.05)


def test_an_interval_depends_on_no_other_condition() -> None:
    both = {"base": right(0.9, 1), "changed": right(0.8, 2)}
    real = Counts(np.random.default_rng(3).normal(size=(UNITS, 1)), np.ones((UNITS, 1)))
    delta = {"changed": 1.0, "base": -1.0}
    alone = Resampled.of(both, resamples=300, key=(1,))
    for others in ({"third": right(0.2, 5)}, {"real": real}, {"real": real, "points": hits(6)}):
        among = Resampled.of({**others, **both}, resamples=300, key=(1,))
        assert among.interval(delta, 0.95) == alone.interval(delta, 0.95)
        assert among.standard_error(delta) == alone.standard_error(delta)
    mixed = {"real": 1.0, "base": -1.0}
    few, many = (
        Resampled.of({"real": real, **part}, resamples=300, key=(1,)) for part in ({"base": both["base"]}, both)
    )
    # A matrix product of more columns may round differently.
    assert few.interval(mixed, 0.95).low == pytest.approx(many.interval(mixed, 0.95).low, rel=1e-12)
