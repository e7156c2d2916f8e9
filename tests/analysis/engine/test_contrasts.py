"""Contrasts beyond two conditions: differences of differences, clusters, other metrics, families."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.engine.contrasts import Contrast, Term
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.multiplicity import holm_within_families, max_t_within_families
from analysis.engine.p_values import exact_mcnemar_p, paired_permutation_tests
from analysis.engine.permutation import PermutationDraws, permute


def scores(values: FloatArray) -> Counts:
    column = np.asarray(values, dtype=float)[:, None]
    return Counts(column, np.ones_like(column))


def masks(generator: np.random.Generator, units: int) -> Counts:
    union = generator.integers(1, 30, size=(units, 3)).astype(float)
    return Counts(np.floor(union * generator.random((units, 3))), union)


def miou(counts: list[tuple[FloatArray, FloatArray]]) -> float:
    """Mean IoU in a plain loop over images and classes."""
    total = 0.0
    for category in range(3):
        total += sum(n[category] for n, _ in counts) / sum(d[category] for _, d in counts)
    return total / 3


def test_models_swap_both_of_their_conditions() -> None:
    generator = np.random.default_rng(1)
    units = 7
    sides = [(masks(generator, units), masks(generator, units)) for _ in range(2)]

    def statistic(order: tuple[int, ...]) -> float:
        effects = []
        for model in (0, 1):
            full, changed = (
                [
                    (sides[model ^ order[i]][k].numerator[i], sides[model ^ order[i]][k].denominator[i])
                    for i in range(units)
                ]
                for k in (0, 1)
            )
            effects.append(miou(changed) - miou(full))
        return effects[1] - effects[0]

    observed = statistic((0,) * units)
    nulls = [statistic(order) for order in itertools.product([0, 1], repeat=units)]
    expected = sum(abs(null) >= abs(observed) - 1e-12 for null in nulls) / 2**units
    (found,) = paired_permutation_tests([Contrast.difference_of_differences(*sides)], draws=200, key=(1, "models"))
    assert found.exact
    assert found.statistic == pytest.approx(observed, abs=1e-12)
    assert found.p == expected


def test_a_difference_of_differences_of_scores_is_a_sign_test_of_the_differences() -> None:
    full_a, changed_a, full_b, changed_b = np.random.default_rng(2).normal(size=(4, 11))
    effects = (changed_b - full_b) - (changed_a - full_a)
    expected = stats.permutation_test(
        (effects, np.zeros(11)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    contrast = Contrast.difference_of_differences(
        (scores(full_a), scores(changed_a)), (scores(full_b), scores(changed_b))
    )
    (found,) = paired_permutation_tests([contrast], draws=3000, key=(1, "signs"))
    assert found.p == pytest.approx(expected, abs=1e-12)
    assert exact_mcnemar_p(contrast) is None


def test_the_labels_of_a_cluster_are_swapped_together() -> None:
    generator = np.random.default_rng(3)
    clusters = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 5])
    base, changed = generator.random((2, 12))
    sums = [np.bincount(clusters, changed - base) @ signs / 12 for signs in itertools.product([1, -1], repeat=6)]
    expected = np.mean(np.abs(sums) >= abs((changed - base).mean()) - 1e-12)
    contrast = Contrast.difference(*(scores(side).summed_over(clusters) for side in (base, changed)))
    (found,) = paired_permutation_tests([contrast], draws=100, key=(1, "clusters"))
    assert found.statistic == pytest.approx((changed - base).mean(), abs=1e-12)
    assert found.p == expected
    assert exact_mcnemar_p(contrast) is None


def test_any_function_of_summed_counts_is_tested() -> None:
    # The geometric mean of two precisions, which no mean of ratios is.
    def geometric(numerator: FloatArray, denominator: FloatArray, negligible: FloatArray | float) -> FloatArray:
        mean: FloatArray = np.sqrt(np.prod(numerator / denominator, axis=-1))
        return mean

    generator = np.random.default_rng(4)
    hits = generator.integers(1, 10, size=(2, 8, 2)).astype(float)
    points = np.full((8, 2), 10.0)
    nulls = []
    for order in itertools.product([0, 1], repeat=8):
        first = sum(hits[order[i], i] for i in range(8)) / 80
        second = sum(hits[1 - order[i], i] for i in range(8)) / 80
        nulls.append(np.sqrt(second.prod()) - np.sqrt(first.prod()))
    expected = np.mean(np.abs(nulls) >= abs(nulls[0]) - 1e-12)
    contrast = Contrast.difference(Counts(hits[0], points), Counts(hits[1], points), metric=geometric)
    (found,) = paired_permutation_tests([contrast], draws=300, key=(1, "geometric"))
    assert found.statistic == pytest.approx(nulls[0], abs=1e-12)
    assert found.p == expected


@given(seed=st.integers(0, 10_000), units=st.integers(2, 80))
@settings(max_examples=40, deadline=None)
def test_relabelled_models_flip_the_sign_and_keep_p(seed: int, units: int) -> None:
    generator = np.random.default_rng(seed)
    one, other = ((masks(generator, units), masks(generator, units)) for _ in range(2))
    (forward,) = paired_permutation_tests([Contrast.difference_of_differences(one, other)], draws=99, key=(seed,))
    (backward,) = paired_permutation_tests([Contrast.difference_of_differences(other, one)], draws=99, key=(seed,))
    assert backward.statistic == pytest.approx(-forward.statistic, abs=1e-12)
    assert backward.p == forward.p


def test_whole_counts_and_fractions_of_them_have_the_same_p() -> None:
    # The former are multiplied in float32, the latter in float64.
    generator = np.random.default_rng(5)
    base, changed = generator.integers(0, 30, size=(2, 3000, 1)).astype(float)
    points = np.full((3000, 1), 30.0)
    whole = Contrast.difference(Counts(base, points), Counts(changed, points))
    tenths = Contrast.difference(Counts(base / 10, points / 10), Counts(changed / 10, points / 10))
    first, second = (paired_permutation_tests([one], draws=5000, key=(1, "whole"))[0] for one in (whole, tenths))
    assert first.p == second.p


def test_terms_on_other_units_are_refused() -> None:
    with pytest.raises(ValueError, match="terms need the same units"):
        Contrast((Term(scores(np.ones(3)), scores(np.ones(3))), Term(scores(np.ones(2)), scores(np.ones(2)))))
    with pytest.raises(ValueError, match="there must be one"):
        Contrast(())


def one_sided(differences: FloatArray, draws: int = 20_000) -> PermutationDraws:
    contrast = Contrast.difference(scores(np.zeros(len(differences))), scores(differences))
    return permute([contrast], draws=draws, key=(1, "one-sided"))


def test_one_sided_p_are_scipys() -> None:
    differences = np.random.default_rng(6).normal(0.2, 1, size=50)
    found = one_sided(differences)
    for alternative, p in (("greater", found.upper()[0]), ("less", found.lower()[0])):
        expected = stats.permutation_test(
            (differences, np.zeros(50)),
            lambda x, y, axis: np.mean(x - y, axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=20_000,
            alternative=alternative,
            rng=3,
        ).pvalue
        assert p == pytest.approx(expected, abs=4 * np.sqrt(2 * expected * (1 - expected) / 20_000) + 1e-4)


def family(effects: list[float], correlation: float, seed: int = 7) -> PermutationDraws:
    generator = np.random.default_rng(seed)
    shared = generator.normal(size=(80, 1))
    noise = generator.normal(size=(80, len(effects)))
    values = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * noise + np.array(effects)
    contrasts = [Contrast.difference(scores(np.zeros(80)), scores(column)) for column in values.T]
    return permute(contrasts, draws=4000, key=(seed, "family"))


def test_scale_is_the_root_mean_square_over_all_arrangements() -> None:
    generator = np.random.default_rng(9)
    total = generator.integers(1, 5, size=(8, 1)).astype(float)
    counts = [Counts(np.floor(total * generator.random((8, 1))), total) for _ in range(4)]
    values = generator.normal(size=(2, 8))
    contrasts = [
        Contrast.difference(counts[0], counts[1]),
        Contrast.difference_of_differences((counts[0], counts[1]), (counts[2], counts[3])),
        Contrast.difference(scores(values[0]), scores(values[1])),
    ]
    found = permute(contrasts, draws=50, key=(1, "scale"))
    for contrast, scale in zip(contrasts, found.scale, strict=True):
        squares = []
        for signs in itertools.product((False, True), repeat=8):
            swapped = np.array(signs)[:, None]
            statistic = 0.0
            for term in contrast.terms:
                base, changed = (
                    np.where(swapped, one.numerator, other.numerator).sum()
                    for one, other in ((term.changed, term.base), (term.base, term.changed))
                )
                statistic += term.weight * (changed - base) / term.base.denominator.sum()
            squares.append(statistic**2)
        assert scale == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-12)


def test_scale_of_a_mean_iou_is_that_of_its_draws() -> None:
    generator = np.random.default_rng(10)
    union = generator.integers(1, 9, size=(2, 30, 3)).astype(float)
    base, changed = (Counts(np.floor(one * generator.random((30, 3))), one) for one in union)
    found = permute([Contrast.difference(base, changed)], draws=700, key=(1, "scale"))
    assert found.scale[0] == pytest.approx(np.sqrt((np.sum(found.null**2) + found.observed[0] ** 2) / 701), rel=1e-12)


def test_contrasts_that_are_alike_are_adjusted_alike() -> None:
    # Seven of 133 units fail under each of 19 conditions, never the same ones.
    base = np.ones(133)
    contrasts = []
    for first in range(0, 133, 7):
        changed = base.copy()
        changed[first : first + 7] = 0
        contrasts.append(Contrast.difference(scores(base), scores(changed)))
    found = permute(contrasts, draws=9999, key=(1, "alike"))
    adjusted = max_t_within_families([found], ["f"] * 19)
    assert len(set(adjusted)) == 1
    # Any of 19 independent contrasts is as extreme as all units that differ allow, on one side or the other.
    expected = 1 - (1 - 2 / 2**7) ** 19
    assert adjusted[0] == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 9999))


def test_max_t_step_down_in_a_plain_loop() -> None:
    found = family([0.5, 0.0, 0.25, 0.1], correlation=0.5)
    t, null = np.abs(found.observed) / found.scale, np.abs(found.null) / found.scale
    order = np.argsort(-t)
    expected = np.empty(4)
    running = 0.0
    for place, index in enumerate(order):
        largest = null[:, order[place:]].max(axis=1)
        running = max(running, (np.sum(largest >= t[index] - 1e-12) + 1) / 4001)
        expected[index] = running
    np.testing.assert_allclose(max_t_within_families([found], ["f"] * 4), expected, atol=1e-12)


def test_max_t_lies_between_the_single_p_and_holm_where_tests_move_together() -> None:
    found = family([0.4, 0.3, 0.35, 0.3, 0.4, 0.3], correlation=0.9)
    single = found.two_sided()
    joint = max_t_within_families([found], ["f"] * 6)
    stepwise = holm_within_families(single, ["f"] * 6)
    assert (joint >= single - 1e-12).all()
    # The smallest p is the one that both multiply most.
    assert joint.min() < stepwise.min()


def test_max_t_families_do_not_pay_for_each_other() -> None:
    one, other = family([0.3, 0.1], 0.2), family([0.2], 0.2, seed=8)
    apart = max_t_within_families([one, other], ["a", "a", "b"])
    np.testing.assert_array_equal(apart[:2], max_t_within_families([one], ["a", "a"]))
    np.testing.assert_array_equal(apart[2:], max_t_within_families([other], ["b"]))
    together = max_t_within_families([one, other], ["a", "a", "a"])
    assert (together >= apart).all()


def test_identical_conditions_have_an_adjusted_p_of_one() -> None:
    same = Contrast.difference(scores(np.ones(30)), scores(np.ones(30)))
    found = permute([same], draws=99, key=(1, "same"))
    assert max_t_within_families([found], ["f"]).tolist() == [1.0]


def test_max_t_refusals() -> None:
    with pytest.raises(ValueError, match="different draws"):
        max_t_within_families([one_sided(np.ones(40), 99), one_sided(np.ones(40), 98)], ["f", "f"])
    with pytest.raises(ValueError, match="1 contrasts, 2 families"):
        max_t_within_families([one_sided(np.ones(40), 99)], ["f", "f"])
    assert max_t_within_families([], []).tolist() == []
