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

import numpy as np

from analysis.engine.contrasts import Contrast
from analysis.engine.estimates import Estimate
from analysis.engine.metric import Counts


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
    ones = np.ones((contrast.units, 1))
    # Without the unit there is no metric: it says nothing for either sign.
    values = np.nan_to_num(estimate.pseudo_values)[:, None]
    return Contrast.difference(Counts(0 * ones, ones), Counts(values, ones))


def metric_contrasts(contrasts: Sequence[Contrast], estimates: Sequence[Estimate]) -> list[Contrast]:
    """Return `metric_contrast` of each pair; joint draws of them give max-T for the metric.

    Examples:
        >>> from analysis.engine.estimates import estimate
        >>> ones = np.ones((3, 1))
        >>> base, changed = Counts(0 * ones, ones), Counts(ones, ones)
        >>> contrasts = [Contrast.difference(base, changed)]
        >>> metric_contrasts(contrasts, [estimate({"b": base, "c": changed}, {"c": 1.0, "b": -1.0})]) == contrasts
        True
    """
    return [metric_contrast(one, other) for one, other in zip(contrasts, estimates, strict=True)]
