"""The metric against numbers worked out by hand and a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.engine.metric import Counts, mean_of_ratios


def test_accuracy_is_the_share_of_right_answers() -> None:
    counts = Counts(np.array([[1.0], [0.0], [1.0], [1.0]]), np.ones((4, 1)))
    assert counts.value() == 0.75
    assert counts.is_binary


def test_points_weigh_alike_not_pairs() -> None:
    # 1 of 2 and 9 of 10: 10 of 12 points, not the mean 0.7 of the two pairs.
    counts = Counts(np.array([[1.0], [9.0]]), np.array([[2.0], [10.0]]))
    assert counts.value() == pytest.approx(10 / 12, abs=1e-15)
    assert not counts.is_binary


def test_classes_that_never_occur_are_left_out_of_the_mean() -> None:
    numerator = np.array([[2.0, 0.0, 1.0], [2.0, 0.0, 0.0]])
    denominator = np.array([[4.0, 0.0, 2.0], [4.0, 0.0, 0.0]])
    assert Counts(numerator, denominator).value() == (0.5 + 0.5) / 2


def test_class_that_is_never_hit_counts_as_zero() -> None:
    assert mean_of_ratios(np.array([3.0, 0.0]), np.array([4.0, 5.0])) == 0.375


def test_nothing_to_count_has_no_metric() -> None:
    assert math.isnan(Counts(np.zeros((2, 2)), np.zeros((2, 2))).value())


def test_leading_axes_are_independent() -> None:
    generator = np.random.default_rng(3)
    denominator = generator.integers(0, 3, size=(4, 5, 6)).astype(float)
    numerator = np.floor(denominator * generator.random((4, 5, 6)))
    together = mean_of_ratios(numerator, denominator)
    for i in range(4):
        for j in range(5):
            ratios = [n / d for n, d in zip(numerator[i, j], denominator[i, j], strict=True) if d > 0]
            assert together[i, j] == pytest.approx(sum(ratios) / len(ratios), abs=1e-15)


def test_rounding_residue_is_no_category() -> None:
    # 0.1 + 0.2 - 0.3 is 5.6e-17 and must not become a category with a ratio of its own.
    residue = np.array([1.0, 0.1 + 0.2 - 0.3])
    assert mean_of_ratios(np.array([0.5, 0.1 + 0.2 - 0.3]), residue, 1e-13) == 0.5


def test_counts_are_read_only_copies() -> None:
    numerator = np.ones((2, 1))
    counts = Counts(numerator, np.ones((2, 1)))
    numerator[0] = 0
    assert counts.value() == 1
    with pytest.raises(ValueError, match="read-only"):
        counts.numerator[0] = 0


def test_counts_refuse_other_shapes() -> None:
    with pytest.raises(ValueError, match="units × categories"):
        Counts(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="units × categories"):
        Counts(np.ones((3, 1)), np.ones((3, 2)))
