"""Tests of a task's metric, with the test of labels beside them where that is another test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.engine.contrasts import Contrast
from analysis.engine.estimates import Estimate
from analysis.engine.metric_tests import metric_tests
from analysis.engine.p_values import PermutationResult, permutation_results
from analysis.engine.permutation import PermutationDraws, permute


@dataclass(frozen=True)
class MetricTest:
    """The test of a signed sum of metrics.

    Attributes:
        result: of the test of the metric.
        p_exchange: p-value of permuting labels, which tests that nothing changed in any category; None where that is
            the test of the metric.
    """

    result: PermutationResult
    p_exchange: float | None


def tests_of_the_metric(
    contrasts: Sequence[Contrast], estimates: Sequence[Estimate], *, draws: int, key: Sequence[str | int]
) -> tuple[list[MetricTest], PermutationDraws | None]:
    """Test the metric of every contrast, and permute labels too where that tests more.

    Args:
        contrasts: all on the same units in the same order.
        estimates: the same signed sums.
        draws: number of random permutations.
        key: seed and names that the draws are keyed by.

    Returns:
        One test per contrast, and the permutations behind them; none and None without contrasts.
    """
    if not contrasts:
        return [], None
    results, permutations = metric_tests(contrasts, estimates, draws=draws, key=key)
    others = [place for place, contrast in enumerate(contrasts) if not contrast.is_linear]
    labels = [contrasts[place] for place in others]
    exchanged = permutation_results(labels, permute(labels, draws=draws, key=key)) if labels else []
    p_exchange = {place: result.p for place, result in zip(others, exchanged, strict=True)}
    return [MetricTest(result, p_exchange.get(place)) for place, result in enumerate(results)], permutations
