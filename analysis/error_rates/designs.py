"""Every design, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from analysis.engine.metric import FloatArray
from analysis.error_rates.design import Design
from analysis.error_rates.hard_designs import (
    hard_coverages,
    hard_sizes_of_equivalence,
    powers,
    tests_of_the_metric,
)
from analysis.error_rates.hard_procedures import equivalence
from analysis.error_rates.layer_designs import layer_coverages, layer_errors
from analysis.error_rates.procedures import (
    ALPHA,
    FAMILY,
    LEVEL,
    attainable_size,
    binary_tests,
    clustered,
    delta_coverage,
    difference_of_differences,
    family,
    median_coverage,
    one_test,
    value_coverage,
    wilson_coverage,
)
from analysis.error_rates.simulators import Pair, binary, heavy_tails, masks, points, scalar, shifted
from analysis.error_rates.training_designs import (
    training_coverages,
    training_errors,
    training_sizes_of_equivalence,
)

# Shown for comparison, to say why the analysis does otherwise.
WRONG = "the same, units permuted (wrong)"
BOOTSTRAP = "BCa, expanded"


def designs() -> Iterator[Design]:
    """Yield every design, in the order of the report."""
    yield from type_i_errors()
    yield from tests_of_the_metric()
    yield from layer_errors()
    yield from training_errors()
    yield from family_wise_errors()
    yield from powers()
    yield from coverages()
    yield from hard_coverages()
    yield from layer_coverages()
    yield from training_coverages()
    yield from sizes_of_equivalence()
    yield from hard_sizes_of_equivalence()
    yield from training_sizes_of_equivalence()


def type_i_errors() -> Iterator[Design]:
    """Yield designs in which a null hypothesis holds, and one test of it is counted at a time."""
    test, clusters = "permutation test", "clusters of 1 to 5 units: "
    simulators: list[tuple[str, int, Pair]] = [
        ("scores, normal", 50, scalar),
        ("scores, lognormal", 50, partial(scalar, skewed=True)),
        ("scores, heavy tails (t, 3 degrees of freedom)", 50, heavy_tails),
        ("hits of 3 to 30 points (PCK)", 100, points),
        ("five classes (mIoU)", 60, masks),
    ]
    error = partial(Design, "type I error", low=0.04, high=0.06, expected=ALPHA)
    for data, n, pair in simulators:
        yield error((test,), data, n, simulate=partial(one_test, pair))
    for n in (100, 1_000, 5_000):
        yield error((test, "exact binomial test"), "0/1, 40 % of units change", n, simulate=binary_tests,
                    expected=attainable_size(n, 0.4))  # fmt: skip
    for data, n, pair in [*simulators[:1], ("0/1", 1_000, binary), simulators[4]]:
        yield error(("permutation test, difference of differences",), data, n,
                    simulate=partial(difference_of_differences, pair))  # fmt: skip
    for data, n, pair in [simulators[0], ("0/1", 400, binary), simulators[3], simulators[4]]:
        yield error(("permutation test, clusters permuted", WRONG), clusters + data, n, compared=(WRONG,),
                    simulate=partial(clustered, pair))  # fmt: skip


def family_wise_errors() -> Iterator[Design]:
    """Yield designs of families of tests, in which any false rejection is counted."""
    joint = partial(Design, "family-wise error", ("max-T", "Holm"), low=0.0, high=0.06, expected=ALPHA)
    for data, n, of_0_1 in (("scores", 50, False), ("0/1", 100, True)):
        for true_effects in (0, FAMILY // 2):
            yield joint(data=f"{FAMILY} correlated contrasts of {data}, {true_effects} true", n=n,
                        simulate=partial(family, true_effects, of_0_1=of_0_1))  # fmt: skip


def coverages() -> Iterator[Design]:
    """Yield designs in which a true value is known, and the intervals that hold it are counted."""
    coverage = partial(Design, "coverage", low=0.93, high=0.97, expected=LEVEL)
    means: list[tuple[str, Callable[[np.random.Generator, int], FloatArray], float]] = [
        ("mean, normal", lambda g, n: g.normal(size=n), 0.0),
        ("mean, exponential", lambda g, n: g.exponential(size=n), 1.0),
    ]
    for data, draw, truth in means:
        for n in (50, 200):
            yield coverage(("best interval", BOOTSTRAP), data, n, compared=(BOOTSTRAP,),
                           simulate=partial(value_coverage, draw, truth))  # fmt: skip
    deltas: list[tuple[str, int, Pair, float]] = [
        ("delta, scores", 50, partial(shifted, scalar, 0.3), 0.3),
        ("delta, scores, heavy tails (t, 3 degrees of freedom)", 20, heavy_tails, 0.0),
        ("delta, scores, heavy tails (t, 3 degrees of freedom)", 50, heavy_tails, 0.0),
        ("delta, 0/1", 100, partial(binary, gained=0.1, lost=0.2), -0.1),
        ("delta, hits of points (PCK)", 100, partial(points, shift=0.05), 0.05),
        ("delta, five classes (mIoU)", 60, partial(masks, shift=0.05), 0.05),
    ]
    for data, n, pair, truth in deltas:
        yield coverage(("best interval", BOOTSTRAP), data, n, compared=(BOOTSTRAP,),
                       simulate=partial(delta_coverage, pair, truth))  # fmt: skip
    for n in (10, 20, 21, 50, 100):
        yield coverage(("order statistics", "BCa"), "median, lognormal", n, compared=("BCa",), simulate=median_coverage)
    yield coverage(("Wilson",), "proportion of 0.7", 50, simulate=wilson_coverage)


def sizes_of_equivalence() -> Iterator[Design]:
    """Yield designs in which a difference is exactly the margin, and calling it equivalent is an error."""
    size = partial(Design, "size of equivalence", ("two one-sided tests",), low=0.0, high=0.055, expected=ALPHA)
    margins: list[tuple[str, int, Pair, float]] = [
        ("scores at the margin", 50, partial(shifted, scalar, 0.5), 0.5),
        ("scores at the margin", 200, partial(shifted, scalar, 0.5), 0.5),
        ("scores at the margin, heavy tails (t, 3 degrees of freedom)", 50, partial(shifted, heavy_tails, 1.0), 1.0),
        ("0/1 at the margin", 400, partial(binary, gained=0.15, lost=0.05), 0.1),
        ("hits of points (PCK) at the margin", 400, partial(points, shift=0.03), 0.03),
        ("five classes (mIoU) at the margin", 60, partial(masks, shift=0.05), 0.05),
        ("five classes (mIoU) at the margin", 200, partial(masks, shift=0.05), 0.05),
    ]
    for data, n, pair, margin in margins:
        yield size(data=data, n=n, simulate=partial(equivalence, pair, margin))
