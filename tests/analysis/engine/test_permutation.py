"""The permutation engine against brute force, scipy, statsmodels and its own null hypothesis."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from analysis.engine.contrasts import Contrast
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.p_values import PermutationResult, exact_mcnemar_p, paired_permutation_tests
from analysis.engine.swaps import all_swaps, random_swaps
from config.keys import keyed_generator


def scores(values: FloatArray) -> Counts:
    """One score per unit, so that the metric is their mean."""
    column = np.asarray(values, dtype=float)[:, None]
    return Counts(column, np.ones_like(column))


def p_of(base: Counts, changed: Counts, *, draws: int, seed: int = 0) -> PermutationResult:
    return paired_permutation_tests([Contrast.difference(base, changed)], draws=draws, key=(seed, "test"))[0]


def mean_iou(numerator: list[list[float]], denominator: list[list[float]]) -> float:
    """Mean IoU in a plain loop over images and classes."""
    ratios = []
    for category in range(len(numerator[0])):
        intersection = union = 0.0
        for image in range(len(numerator)):
            intersection += numerator[image][category]
            union += denominator[image][category]
        if union > 0:
            ratios.append(intersection / union)
    return sum(ratios) / len(ratios)


@pytest.mark.parametrize("units", [1, 2, 5, 9, 12])
def test_small_samples_are_enumerated_exactly(units: int) -> None:
    generator = np.random.default_rng(units)
    base, changed = generator.normal(size=units), generator.normal(0.7, size=units)
    difference = changed - base
    extreme = 0
    for signs in itertools.product([1, -1], repeat=units):
        mean = sum(s * d for s, d in zip(signs, difference, strict=True)) / units
        extreme += abs(mean) >= abs(difference.mean()) - 1e-12
    result = p_of(scores(base), scores(changed), draws=10_000)
    assert result.exact
    assert result.p == extreme / 2**units
    assert result.draws == 2**units
    assert result.smallest_p == 2 / 2**units
    assert result.monte_carlo_error == 0


@pytest.mark.parametrize("units", [4, 8, 12])
def test_exact_p_equals_scipy(units: int) -> None:
    generator = np.random.default_rng(100 + units)
    base, changed = generator.random((2, units))
    expected = stats.permutation_test(
        (changed, base),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    result = p_of(scores(base), scores(changed), draws=10_000)
    assert result.statistic == pytest.approx(expected.statistic, abs=1e-12)
    assert result.p == pytest.approx(expected.pvalue, abs=1e-12)


@pytest.mark.parametrize(("units", "shift"), [(40, 0.2), (40, 0.5), (150, 0.1), (150, 0.0)])
def test_sampled_p_agrees_with_scipy_within_monte_carlo_error(units: int, shift: float) -> None:
    generator = np.random.default_rng([units, int(10 * shift)])
    base = generator.normal(size=units)
    changed = base + generator.normal(shift, size=units)
    expected = stats.permutation_test(
        (changed, base),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=10_000,
        rng=np.random.default_rng(5),
    ).pvalue
    result = p_of(scores(base), scores(changed), draws=10_000)
    # scipy doubles the smaller tail, which doubles the error of its p.
    error = math.hypot(result.monte_carlo_error, 2 * result.monte_carlo_error)
    assert result.p == pytest.approx(expected, abs=4 * error + 1e-4)
    assert not result.exact
    assert result.draws == 10_000
    assert result.smallest_p == 1 / 10_001


def test_p_is_uniform_under_the_null() -> None:
    found = []
    for seed in range(500):
        base, changed = np.random.default_rng(seed).normal(size=(2, 30))
        found.append(p_of(scores(base), scores(changed), draws=999, seed=seed).p)
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_mean_iou_is_permuted_as_it_is_reported() -> None:
    generator = np.random.default_rng(11)
    union = generator.integers(1, 40, size=(2, 6, 4)).astype(float)
    # A class that occurs in two images, another only under one condition of one image: swaps then
    # change which classes the mean runs over.
    union[:, :4, 2] = 0
    union[:, :, 3] = 0
    union[1, 5, 3] = 9
    intersection = np.floor(union * generator.random((2, 6, 4)))
    base, changed = (Counts(intersection[i], union[i]) for i in (0, 1))

    def difference(order: tuple[int, ...]) -> float:
        sides = []
        for condition in (0, 1):
            numerator = [list(intersection[condition ^ order[i], i]) for i in range(6)]
            denominator = [list(union[condition ^ order[i], i]) for i in range(6)]
            sides.append(mean_iou(numerator, denominator))
        return sides[1] - sides[0]

    observed = difference((0,) * 6)
    nulls = [difference(order) for order in itertools.product([0, 1], repeat=6)]
    expected = sum(abs(null) >= abs(observed) - 1e-12 for null in nulls) / 2**6
    result = p_of(base, changed, draws=64)
    assert result.exact
    assert result.statistic == pytest.approx(observed, abs=1e-12)
    assert result.p == expected
    # The same data with fewer draws than arrangements go through the random path.
    sampled = [p_of(base, changed, draws=63, seed=seed) for seed in range(300)]
    assert not any(one.exact for one in sampled)
    mean = np.mean([(one.p * 64 - 1) / 63 for one in sampled])
    error = math.sqrt(expected * (1 - expected) / (63 * 300))
    assert mean == pytest.approx(expected, abs=4 * error)


def test_unequal_weights_are_permuted_with_their_points() -> None:
    generator = np.random.default_rng(12)
    points = generator.integers(1, 30, size=8).astype(float)
    hits = np.floor(points * generator.random((2, 8)))
    nulls = []
    for order in itertools.product([0, 1], repeat=8):
        total = [0.0, 0.0]
        for unit, swapped in enumerate(order):
            total[0] += hits[swapped, unit]
            total[1] += hits[1 - swapped, unit]
        nulls.append((total[1] - total[0]) / points.sum())
    expected = sum(abs(null) >= abs(nulls[0]) - 1e-12 for null in nulls) / 2**8
    base, changed = (Counts(hits[i][:, None], points[:, None]) for i in (0, 1))
    assert p_of(base, changed, draws=10_000).p == expected


def test_units_that_do_not_differ_change_nothing() -> None:
    generator = np.random.default_rng(13)
    base, changed = generator.random((2, 7))
    same = generator.random(300)
    alone = p_of(scores(base), scores(changed), draws=1000)
    among = p_of(
        scores(np.append(base, same)), scores(np.append(changed, same)), draws=1000
    )  # 2^307 arrangements, but only 2^7 that differ
    assert among.exact
    assert among.p == alone.p


def test_identical_conditions_give_one() -> None:
    same = scores(np.random.default_rng(14).random(50))
    result = p_of(same, same, draws=100)
    assert result.statistic == 0
    assert result.p == 1
    assert result.smallest_p == 1


def test_p_is_never_zero() -> None:
    result = p_of(scores(np.zeros(400)), scores(np.ones(400)), draws=500)
    assert result.p == result.smallest_p == 1 / 501


def test_equal_differences_tie_in_spite_of_rounding() -> None:
    # 0/1 outcomes: the statistic takes few values, each reached by many sums of quotients.
    base = np.array([0.0] * 30 + [1.0] * 23)
    changed = np.array([1.0] * 18 + [0.0] * 12 + [1.0] * 20 + [0.0] * 3)
    gained, lost = 18, 3
    exact = float(stats.binomtest(gained, gained + lost).pvalue)
    result = p_of(scores(base), scores(changed), draws=40_000)
    assert result.p == pytest.approx(exact, abs=5 * math.sqrt(exact / 40_000) + 1e-4)


binary = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40)


@given(pairs=binary)
@settings(max_examples=60, deadline=None)
def test_exact_p_of_binary_outcomes_is_mcnemar(pairs: list[tuple[bool, bool]]) -> None:
    base, changed = np.array(pairs, dtype=float).T
    contrast = Contrast.difference(scores(base), scores(changed))
    table = np.zeros((2, 2))
    for before, after in pairs:
        table[int(before), int(after)] += 1
    expected = min(1.0, mcnemar(table, exact=True).pvalue) if table[0, 1] + table[1, 0] else 1.0
    p = exact_mcnemar_p(contrast)
    assert p == pytest.approx(expected, abs=1e-12)
    result = paired_permutation_tests([contrast], draws=2**12, key=(1,))[0]
    if result.exact:
        assert result.p == pytest.approx(expected, abs=1e-12)


def test_mcnemar_is_the_binomial_test_to_the_bit() -> None:
    for gained, lost in [*itertools.product(range(25), repeat=2), (130, 171), (2_400, 2_600), (0, 900)]:
        changed = np.r_[np.ones(gained), np.zeros(lost), np.ones(3)]
        base = np.r_[np.zeros(gained), np.ones(lost), np.ones(3)]
        p = exact_mcnemar_p(Contrast.difference(scores(base), scores(changed)))
        assert p == (stats.binomtest(gained, gained + lost, 0.5).pvalue if gained + lost else 1)


def test_mcnemar_is_for_binary_outcomes_only() -> None:
    half = scores(np.array([0.5, 1.0]))
    whole = scores(np.array([0.0, 1.0]))
    assert exact_mcnemar_p(Contrast.difference(half, whole)) is None
    assert exact_mcnemar_p(Contrast.difference(whole, whole)) == 1


@given(seed=st.integers(0, 10_000), units=st.integers(2, 60), categories=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_relabelling_flips_the_sign_and_keeps_p(seed: int, units: int, categories: int) -> None:
    generator = np.random.default_rng(seed)
    denominator = generator.integers(1, 9, size=(2, units, categories)).astype(float)
    numerator = np.floor(denominator * generator.random((2, units, categories)))
    one, other = (Counts(numerator[i], denominator[i]) for i in (0, 1))
    forward = p_of(one, other, draws=200)
    backward = p_of(other, one, draws=200)
    assert backward.statistic == -forward.statistic
    assert backward.p == forward.p


def test_a_contrast_does_not_feel_the_ones_beside_it() -> None:
    generator = np.random.default_rng(15)
    contrasts = [Contrast.difference(scores(a), scores(b)) for a, b in generator.integers(0, 2, (6, 2, 90))]
    together = paired_permutation_tests(contrasts, draws=500, key=(3, "x"))
    alone = [paired_permutation_tests([one], draws=500, key=(3, "x"))[0] for one in contrasts]
    assert together == alone


@pytest.mark.parametrize("block_bytes", [1, 50_000, 10**9])
def test_block_size_decides_nothing(block_bytes: int) -> None:
    generator = np.random.default_rng(16)
    contrasts = [Contrast.difference(scores(a), scores(b)) for a, b in generator.integers(0, 2, (3, 2, 70))]
    contrasts.append(Contrast.difference(scores(np.zeros(70)), scores((np.arange(70) < 6).astype(float))))
    expected = paired_permutation_tests(contrasts, draws=300, key=(4,))
    assert expected[-1].exact
    found = paired_permutation_tests(contrasts, draws=300, key=(4,), block_bytes=block_bytes)
    assert found == expected


def test_swaps_are_fair_and_independent() -> None:
    swaps = np.vstack(list(random_swaps(70, 4000, rows=333, generator=keyed_generator(1, "a"))))
    assert swaps.shape == (4000, 70)
    assert set(np.unique(swaps)) == {0, 1}
    ones = swaps.sum(axis=0)
    assert stats.chisquare(np.stack([ones, 4000 - ones]), axis=0).pvalue.min() > 1e-4
    correlation = np.asarray(np.corrcoef(swaps.T))[np.triu_indices(70, 1)]
    assert np.abs(correlation).max() < 5 / math.sqrt(4000)


def test_all_swaps_are_all_and_start_with_the_identity() -> None:
    swaps = np.vstack(list(all_swaps(4, rows=3)))
    assert sorted(map(tuple, swaps.tolist())) == sorted(itertools.product([0, 1], repeat=4))
    assert not swaps[0].any()


def test_keys_decide_the_stream() -> None:
    def first(*key: str | int) -> int:
        return int(keyed_generator(*key).bit_generator.random_raw())

    assert first(7, "scenes", "retrieval") == first(7, "scenes", "retrieval")
    keys: list[tuple[str | int, ...]] = [(7,), ("7",), (8,), ("a", "bc"), ("ab", "c"), ("abc",)]
    assert len({first(*key) for key in keys}) == len(keys)


def test_refusals() -> None:
    one, two = scores(np.array([0.0, 1.0])), scores(np.array([1.0]))
    with pytest.raises(ValueError, match="same units and categories"):
        Contrast.difference(one, two)
    with pytest.raises(ValueError, match="has no metric"):
        Contrast.difference(one, Counts(np.zeros((2, 1)), np.zeros((2, 1))))
    with pytest.raises(ValueError, match="draws must be at least 1"):
        paired_permutation_tests([Contrast.difference(one, one)], draws=0, key=(1,))
    with pytest.raises(ValueError, match="the same units"):
        paired_permutation_tests([Contrast.difference(one, one), Contrast.difference(two, two)], draws=9, key=(1,))
    assert paired_permutation_tests([], draws=9, key=(1,)) == []
