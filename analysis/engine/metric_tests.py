"""Tests of the metric itself: is a signed sum of metrics 0, whatever its parts do?

Permuting labels tests a sharp null hypothesis: within no unit does it matter which label its counts come from. Where
the statistic is linear in the permuted counts (accuracy, scores, PCK, and differences of their deltas) this is also a
test of the metric: the permuted statistic is a sum of differences with random signs. mIoU is not linear. There, classes
that move in opposite directions leave the metric where it is, but not the permuted one, which is then spread too widely
(the test rejects nothing) or too narrowly (it rejects in half of all data sets).

Here the signs of the metric's jackknife pseudo-values are permuted instead. The two tests answer two questions, and a
table shows both: did the metric change, and did anything change in any class?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.engine.contrasts import Contrast
from analysis.engine.estimates import Estimate
from analysis.engine.metric import Counts
from analysis.engine.p_values import PermutationResult, permutation_results
from analysis.engine.permutation import PermutationDraws, permute
from analysis.engine.studentised import mirrored, upper_p
from analysis.engine.training import trained


def metric_contrast(contrast: Contrast, estimate: Estimate) -> Contrast:
    """Return the contrast whose permutation tests the metric of another contrast.

    Null hypothesis: the true signed sum of metrics is 0 (weak: units may differ under the labels in whatever way leaves
    it 0). For a difference of differences it is additive: the change in the metric, in points and not in per cent of
    its level, is the same in both models.

    p-value: that of `paired_permutation_tests` for the mean of the pseudo-values against 0, whose labels are their
    signs. Dividing the mean by its standard error in every draw gives the same p, since permuted signs leave the sum of
    squares as it is: the test is studentised, and holds its level for many units without symmetry. For few units it is
    exact where the pseudo-values are symmetric around 0. Smallest p: 2 / 2^n where enumerated, else 1 / (m + 1).

    Reference: Janssen, "Studentized permutation tests for non-i.i.d. hypotheses and the generalized Behrens-Fisher
    problem", Statistics and Probability Letters 36, 1997; Canay, Romano and Shaikh, "Randomization tests under an
    approximate symmetry assumption", Econometrica 85, 2017, for clusters.

    Args:
        contrast: a difference, or a difference of differences.
        estimate: the same signed sum, with its pseudo-values.

    Returns:
        The contrast itself where it is linear: it is a test of the metric already, with exact ties.

    Raises:
        ValueError: if the two are not of the same units, or not the same signed sum.

    Examples:
        One class gains in every image what the other loses. The metric is the same, and every class is not:

        >>> from analysis.engine.estimates import estimate
        >>> from analysis.engine.p_values import paired_permutation_tests
        >>> generator = np.random.default_rng(1)
        >>> union = 100 + 900 * generator.random((40, 2)) ** 4
        >>> base = Counts(0.5 * union, union)
        >>> changed = Counts(0.5 * union + np.array([30.0, -30.0]) + generator.normal(0, 5, (40, 2)), union)
        >>> contrast = Contrast.difference(base, changed)
        >>> of_metric = metric_contrast(contrast, estimate({"b": base, "c": changed}, {"c": 1.0, "b": -1.0}))
        >>> exchange, metric = paired_permutation_tests([contrast, of_metric], draws=999, key=(1, "example"))
        >>> abs(exchange.statistic - metric.statistic) < 1e-12, exchange.p < 0.01, metric.p > 0.05
        (True, True, True)
    """
    if contrast.is_linear:
        return contrast
    if contrast.units != len(estimate.pseudo_values):
        raise ValueError(
            f"metric_contrast: {contrast.units} units in the contrast, {len(estimate.pseudo_values)} pseudo-values."
        )
    if abs(contrast.observed - estimate.value) > 1e-9 * max(1.0, abs(estimate.value)):
        raise ValueError(f"metric_contrast: the contrast is {contrast.observed}, the estimate {estimate.value}.")
    return signs_of(estimate)


def signs_of(estimate: Estimate) -> Contrast:
    """Return the contrast of the mean of an estimate's pseudo-values with 0, whose labels are their signs.

    Examples:
        >>> signs_of(Estimate(1.0, np.array([0.0, 1.0, 2.0]))).observed
        1.0
    """
    ones = np.ones((len(estimate.pseudo_values), 1))
    # Without the unit there is no metric: it says nothing for either sign.
    values = np.nan_to_num(estimate.pseudo_values)[:, None]
    return Contrast.difference(Counts(0 * ones, ones), Counts(values, ones))


def jackknife_p(estimate: Estimate) -> float:
    """Return the two-sided p-value of an estimate by its jackknife t statistic.

    Null hypothesis: the true signed sum of metrics is 0.

    p-value: two-sided, by Student's t with the standard error and degrees of freedom of `trained`. 1 where the estimate
    is 0, and 0 where it is not and has no standard error. There is no smallest p.

    Examples:
        >>> values = np.array([0.0, 1.0, 2.0, 3.0])
        >>> round(jackknife_p(Estimate(1.5, values)), 4)
        0.1027
    """
    if not estimate.is_determined:
        return 1.0
    of = trained(estimate)
    return min(1.0, 2 * float(upper_p(of if of.value > 0 else mirrored(of), np.zeros(()))))


def metric_tests(
    contrasts: Sequence[Contrast], estimates: Sequence[Estimate], *, draws: int, key: Sequence[str | int]
) -> tuple[list[PermutationResult], PermutationDraws]:
    """Test the metric of each contrast, and return the draws, which max-T needs for the family.

    Null hypothesis and reference: those of `metric_contrast`.

    p-value: that of `metric_contrast`. Where that permutes pseudo-values it is not below that of the jackknife t
    statistic (`jackknife_p`): areas of images are skewed, and with 60 images permuted signs alone reject in 6 % where
    5 % are asked for. Nor is it where probes were trained again, whose variance no permutation of units holds. Hand
    the p-values to `max_t_within_families`, which keeps them.

    Args:
        contrasts: all on the same units in the same order; at least one.
        estimates: the same signed sums, with their pseudo-values.
        draws: number of random permutations.
        key: seed and names that the draws are keyed by (`permute`).

    Returns:
        One result per contrast, and the permutations behind them.

    Examples:
        >>> from analysis.engine.estimates import estimate
        >>> ones = np.ones((20, 1))
        >>> base, changed = Counts(0 * ones, ones), Counts(ones, ones)
        >>> delta = estimate({"b": base, "c": changed}, {"c": 1.0, "b": -1.0})
        >>> contrasts = [Contrast.difference(base, changed)]
        >>> (result,), drawn = metric_tests(contrasts, [delta], draws=999, key=(1, "example"))
        >>> result.p, drawn.draws
        (0.001, 999)
    """
    of_metric = [metric_contrast(one, other) for one, other in zip(contrasts, estimates, strict=True)]
    permutations = permute(of_metric, draws=draws, key=key)
    results = [
        result
        if contrast.is_linear and estimate.refitted is None
        else replace(result, p=max(result.p, jackknife_p(estimate)))
        for contrast, estimate, result in zip(
            contrasts, estimates, permutation_results(of_metric, permutations), strict=True
        )
    ]
    return results, permutations


def sum_tests(estimates: Sequence[Estimate], *, draws: int, key: Sequence[str | int]) -> list[PermutationResult]:
    """Test signed sums that no two labels of a unit make up, such as an excess over a sum of single changes.

    Null hypothesis and reference: those of `metric_contrast`.

    p-value: that of permuted signs of the pseudo-values, and not below that of the jackknife t statistic
    (`jackknife_p`).

    Args:
        estimates: all on the same units in the same order.
        draws: number of random permutations.
        key: seed and names that the draws are keyed by (`permute`).

    Examples:
        >>> (result,) = sum_tests([Estimate(0.5, np.tile([0.0, 1.0], 20))], draws=999, key=(1, "example"))
        >>> round(result.p, 3)
        0.001
    """
    contrasts = [signs_of(one) for one in estimates]
    if not contrasts:
        return []
    results = permutation_results(contrasts, permute(contrasts, draws=draws, key=key))
    return [replace(result, p=max(result.p, jackknife_p(of))) for of, result in zip(estimates, results, strict=True)]
