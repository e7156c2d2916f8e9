"""Draw the data on which statistics are hard: sparse or skewed changes, rare classes, few and unequal clusters."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from analysis.engine.metric import Counts
from analysis.error_rates.simulators import scores

# The counts of two models, each under the reference and under a condition.
Models = Callable[[np.random.Generator, int], tuple[tuple[Counts, Counts], tuple[Counts, Counts]]]

# A true difference of a hundredth, which most margins are.
HUNDREDTH = 0.01


def rare_failures(generator: np.random.Generator, n: int, share: float = 0.02) -> tuple[Counts, Counts]:
    """Draw scores of 1 that a `share` of the units loses in part; the true difference is −`share` / 2."""
    lost = (generator.random(n) < share) * generator.random(n)
    return scores(np.ones(n)), scores(1 - lost)


def heavy_losses(generator: np.random.Generator, n: int, spread: float = 1.5) -> tuple[Counts, Counts]:
    """Draw scores of 1 with lognormal losses of at most 1; the true difference is −`heavy_loss(spread)`."""
    lost = np.minimum(HUNDREDTH / math.exp(spread**2 / 2) * generator.lognormal(0.0, spread, size=n), 1.0)
    return scores(np.ones(n)), scores(1 - lost)


def heavy_loss(spread: float = 1.5) -> float:
    """Return the mean of the losses of `heavy_losses`, which is a hundredth but for those above 1.

    Examples:
        >>> round(heavy_loss(1.5), 5)
        0.00997
    """
    # E min(c X, 1), with ln X normal around 0.
    at = (math.log(1 / HUNDREDTH) + spread**2 / 2) / spread
    return float(HUNDREDTH * ndtr(at - spread) + 1 - ndtr(at))


def unequal_clusters(
    generator: np.random.Generator, n: int, shift: float = 0.0, between: float = 0.03
) -> tuple[Counts, Counts]:
    """Draw hits of points summed over `n` clusters whose sizes range over a factor of 50.

    Args:
        generator: source of the draws.
        n: number of clusters.
        shift: true difference; the effect of each cluster is drawn around it.
        between: standard deviation of the clusters' effects.
    """
    total = np.rint(np.geomspace(40, 2_000, n))
    rate = generator.uniform(0.4, 0.6, size=n)
    effect = np.clip(shift + between * generator.normal(size=n), -0.35, 0.35)
    hits = [generator.binomial(total.astype(int), rate + change).astype(float) for change in (0.0, effect)]
    return Counts(hits[0][:, None], total[:, None]), Counts(hits[1][:, None], total[:, None])


def rare_classes(
    generator: np.random.Generator, n: int, classes: int = 21, shift: float = 0.0, rarest: float = 2.0
) -> tuple[Counts, Counts]:
    """Draw segmentation as data sets have it: lognormal areas, and classes that are in few images.

    Args:
        generator: source of the draws.
        n: number of images.
        classes: number of classes. The commonest is in nine of ten images.
        shift: true difference of the IoU of every class, and so of mIoU.
        rarest: mean number of images that the rarest class is in.
    """
    present = generator.random((n, classes)) < np.geomspace(0.9, rarest / n, classes)
    area = generator.lognormal(6.0, 1.2, size=(n, classes)) * present
    quality = generator.uniform(0.35, 0.75, size=(n, classes))
    sides = []
    for change in (0.0, shift):
        union = area * generator.uniform(1.0, 1.4, size=area.shape)
        sides.append(Counts(union * (quality + change + generator.uniform(-0.1, 0.1, size=area.shape)), union))
    return sides[0], sides[1]


# Mean union of a class in `opposite_classes`, where it occurs.
_MEAN_UNION = 1.2 * (200 + math.exp(6 + 1.2**2 / 2))


def opposite_classes(
    generator: np.random.Generator, n: int, effect: float = 0.05, shift: float = 0.0, *, in_pixels: bool = False
) -> tuple[Counts, Counts]:
    """Draw segmentation of six classes, three of which gain what the other three lose.

    Args:
        generator: source of the draws.
        n: number of images.
        effect: gain in the true IoU of three classes, and loss in that of the others.
        shift: true difference of mIoU.
        in_pixels: whether a class gains or loses as many pixels in every image (as at its border, or to another class),
            and not a share of its area.
    """
    present = generator.random((n, 6)) < 0.9
    union = 1.2 * (200 + generator.lognormal(6.0, 1.2, size=(n, 6))) * present
    quality = generator.uniform(0.4, 0.7, size=(n, 6))
    iou = [quality + generator.uniform(-0.02, 0.02, size=(n, 6)) for _ in range(2)]
    signs = np.where(np.arange(6) % 2 == 0, 1.0, -1.0)
    moved = effect * signs * (_MEAN_UNION * present if in_pixels else union)
    return Counts(union * iou[0], union), Counts(union * (iou[1] + shift) + moved, union)


def one_class(generator: np.random.Generator, n: int, images: int = 5, shift: float = 0.0) -> tuple[Counts, Counts]:
    """Draw intersections and unions of one class that is in so many of `n` images; its true IoU changes by `shift`."""
    area = np.where(np.arange(n) < images, generator.lognormal(6.0, 1.2, size=n), 0.0)[:, None]
    quality = generator.uniform(0.35, 0.75, size=(n, 1))
    sides = []
    for change in (0.0, shift):
        union = area * generator.uniform(1.0, 1.4, size=area.shape)
        sides.append(Counts(union * (quality + change + generator.uniform(-0.1, 0.1, size=area.shape)), union))
    return sides[0], sides[1]


def sparse_excess(
    generator: np.random.Generator, n: int, alone: float = 0.02, together: float = 0.12
) -> dict[str, Counts]:
    """Draw units that are correct under `full`, and wrong for a few under each of four replacements and under all.

    The collective difference minus the sum of the single ones is 4 × `alone` − `together`.
    """
    wrong = {name: generator.random(n) < alone for name in ("r1", "r2", "r3", "r4")}
    # Whoever is wrong under one replacement is wrong under all.
    any_wrong = np.any(list(wrong.values()), axis=0)
    more = (together - (1 - (1 - alone) ** 4)) / (1 - alone) ** 4
    wrong["all"] = any_wrong | (generator.random(n) < more)
    right = {name: scores(1 - one.astype(np.float64)) for name, one in wrong.items()}
    return {"full": scores(np.ones(n)), **right}


EXCESS = {"all": 1.0, "full": 3.0, "r1": -1.0, "r2": -1.0, "r3": -1.0, "r4": -1.0}


def unequal_levels(generator: np.random.Generator, n: int) -> tuple[tuple[Counts, Counts], tuple[Counts, Counts]]:
    """Draw 0/1 outcomes of two models at levels of 0.95 and 0.5, which both lose 0.04."""
    hard = generator.random(n)
    models = []
    for level in (0.95, 0.5):
        # The models agree on which units are hard in half of them.
        own = np.where(generator.random(n) < 0.5, hard, generator.random(n))
        lost, gained = generator.random((2, n))
        base = own < level
        changed = np.where(base, lost > 0.08 / level, gained < 0.04 / (1 - level))
        models.append((scores(base.astype(float)), scores(changed.astype(float))))
    return models[0], models[1]


def unequal_points(generator: np.random.Generator, n: int) -> tuple[tuple[Counts, Counts], tuple[Counts, Counts]]:
    """Draw hits of the same 3 to 30 points per unit by two models, at shares of 0.9 and 0.4, which both lose 0.05."""
    total = generator.integers(3, 31, size=n)
    spread = 0.1 * (generator.beta(2, 2, size=n) - 0.5)
    models = []
    for level in (0.9, 0.4):
        hits = [generator.binomial(total, level + spread - lost).astype(float) for lost in (0.0, 0.05)]
        base, changed = (Counts(one[:, None], total[:, None].astype(float)) for one in hits)
        models.append((base, changed))
    return models[0], models[1]


def unequal_masks(generator: np.random.Generator, n: int) -> tuple[tuple[Counts, Counts], tuple[Counts, Counts]]:
    """Draw six classes of two models that both lose 0.03 of mIoU, the one in all classes and the other in three."""
    alike = opposite_classes(generator, n, effect=0.0, shift=-0.03)
    return alike, opposite_classes(generator, n, effect=0.03, shift=-0.03, in_pixels=True)
