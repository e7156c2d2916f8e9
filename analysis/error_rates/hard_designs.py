"""Designs on which procedures fail that hold elsewhere: sparse, skewed, opposite, few, unequal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from analysis.error_rates.design import Design
from analysis.error_rates.hard_procedures import (
    coverage,
    detected,
    equivalence,
    excess_coverage,
    interaction,
    metric_alone,
    metric_and_labels,
    simultaneous,
)
from analysis.error_rates.hard_simulators import (
    Models,
    heavy_loss,
    heavy_losses,
    one_class,
    opposite_classes,
    rare_classes,
    rare_failures,
    sparse_excess,
    unequal_clusters,
    unequal_levels,
    unequal_masks,
    unequal_points,
)
from analysis.error_rates.procedures import ALPHA, FAMILY, LEVEL
from analysis.error_rates.simulators import Pair, binary

# Shown beside the test of the metric: it tests another null hypothesis, that nothing changed in any class.
LABELS = "permutation of labels (tests that no class changed)"

OF_METRIC = ("test of the metric", LABELS)

LOSSES = partial(binary, gained=0.0, lost=0.01)

# A few outcomes, or clusters, have few intervals: theirs may be wider than the level asks, and not narrower.
WIDE = "conservative: may be wider than the level asks"


def tests_of_the_metric() -> Iterator[Design]:
    """Yield designs in which the metric is the same under both labels, and what it is made of is not."""
    error = partial(Design, "type I error", low=0.0, high=0.055, expected=ALPHA, compared=(LABELS,))
    pairs: list[tuple[str, int, Pair]] = [
        ("classes that move in opposite directions (mIoU)", 60, opposite_classes),
        ("classes that move in opposite directions, by as many pixels (mIoU)", 60,
         partial(opposite_classes, in_pixels=True)),
        ("classes that move in opposite directions, by as many pixels (mIoU)", 300,
         partial(opposite_classes, in_pixels=True)),
        ("21 classes, some in two images (mIoU)", 60, rare_classes),
    ]  # fmt: skip
    for data, n, pair in pairs:
        yield error(OF_METRIC, data=data, n=n, simulate=partial(metric_and_labels, pair))
    yield error(OF_METRIC[:1], "150 classes, some in two images (mIoU)", 200,
                simulate=partial(metric_alone, partial(rare_classes, classes=150)))  # fmt: skip
    yield error(OF_METRIC[:1], "clusters of 40 to 2,000 points (PCK)", 18,
                simulate=partial(metric_alone, unequal_clusters))  # fmt: skip
    models: list[tuple[str, int, Models]] = [
        ("difference of differences at unequal levels, 0/1", 400, unequal_levels),
        ("difference of differences at unequal levels, hits of points (PCK)", 200, unequal_points),
        ("difference of differences, one model by as many pixels (mIoU)", 60, unequal_masks),
    ]
    for data, n, pair_of in models:
        yield error(OF_METRIC, data=data, n=n, simulate=partial(interaction, pair_of))


def powers() -> Iterator[Design]:
    """Yield designs with a true difference that a test should find."""
    power = partial(Design, "power", low=0.75, high=1.0, expected=0.8)
    yield power(OF_METRIC, "opposite classes, true difference of one point (mIoU)", 60, expected=0.95,
                compared=(LABELS,),
                simulate=partial(metric_and_labels, partial(opposite_classes, effect=0.1, shift=0.01)))  # fmt: skip
    yield power(("permutation test",), "scores at the minimal detectable effect", 50, high=0.85, simulate=detected)


def hard_coverages() -> Iterator[Design]:
    """Yield designs with a known true value that intervals of other methods miss."""
    wide = partial(Design, "coverage", low=0.93, high=1.0, expected=LEVEL, note=WIDE)
    for lost, sizes in ((0.005, (100, 300, 1_000)), (0.01, (20, 100, 300)), (0.05, (20, 50, 200))):
        for n in sizes:
            yield wide(("score interval",), f"delta, 0/1, {lost:.1%} lost", n,
                       simulate=partial(coverage, partial(binary, gained=0.0, lost=lost), -lost))  # fmt: skip
    for classes, n in ((21, 60), (21, 200), (150, 200)):
        pair = partial(rare_classes, classes=classes, shift=-0.03)
        yield wide(("jackknife t",), f"delta, {classes} classes, some in two images (mIoU)", n,
                   simulate=partial(coverage, pair, -0.03))  # fmt: skip
    for n in (100, 500, 2_000):
        yield wide(("skewness-corrected t",), "delta, scores, 2 % fail", n,
                   simulate=partial(coverage, rare_failures, -0.01))  # fmt: skip
    for n in (5, 18, 40):
        pair = partial(unequal_clusters, shift=0.03)
        yield wide(("cluster t",), "delta, clusters of 40 to 2,000 points (PCK)", n,
                   simulate=partial(coverage, pair, 0.03, clusters=True))  # fmt: skip
    for n, alone, together in ((50, 0.02, 0.12), (200, 0.005, 0.03), (200, 0.02, 0.12)):
        yield wide(("sparse, skewness-corrected t",), f"excess over additivity, 0/1, {alone:.1%} lost alone", n,
                   simulate=partial(excess_coverage, 4 * alone - together,
                                    partial(sparse_excess, alone=alone, together=together)))  # fmt: skip
    for images, of in ((5, 200), (20, 200), (100, 200)):
        yield wide(("best interval",), f"delta, one class that is in {images} images (IoU)", of,
                   simulate=partial(coverage, partial(one_class, images=images, shift=-0.03), -0.03))  # fmt: skip
    for n in (30, 100):
        yield wide(("max-T intervals",), f"{FAMILY} correlated deltas of scores, all at once", n,
                   simulate=simultaneous)  # fmt: skip


def hard_sizes_of_equivalence() -> Iterator[Design]:
    """Yield designs whose difference is exactly the margin, and whose units hardly show it."""
    size = partial(Design, "size of equivalence", ("two one-sided tests",), low=0.0, high=0.055, expected=ALPHA)
    margins: list[tuple[str, tuple[int, ...], Pair, float]] = [
        ("0/1, losses only, margin 0.01", (20, 100, 300, 500, 1_000), LOSSES, 0.01),
        ("scores, 2 % fail, margin 0.01", (100, 500, 2_000), rare_failures, 0.01),
        ("scores, lognormal losses, margin 0.01", (50, 200, 1_000), heavy_losses, heavy_loss()),
        ("21 classes, some in two images (mIoU)", (60, 200), partial(rare_classes, shift=-0.03), 0.03),
    ]
    for data, sizes, pair, margin in margins:
        for n in sizes:
            yield size(data=data, n=n, simulate=partial(equivalence, pair, margin))
    for n in (5, 18):
        pair = partial(unequal_clusters, shift=0.03)
        yield size(data="clusters of 40 to 2,000 points (PCK)", n=n,
                   simulate=partial(equivalence, pair, 0.03, clusters=True))  # fmt: skip
