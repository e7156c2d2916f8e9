"""One interval for every estimate, chosen by what the data are: the method whose simulated coverage holds there."""

from __future__ import annotations

import math

from analysis.engine.estimates import Estimate
from analysis.engine.intervals import Interval, wilson_interval
from analysis.engine.studentised import studentised, studentised_bounds
from analysis.engine.training import widened
from analysis.engine.unseen import bounded_bounds

# With fewer units that differ, and most of all the same, what was not seen is more than what was.
SPARSE = 20

# Below this number of clusters, cluster-robust inference rests on few numbers, however many units they hold.
FEW_CLUSTERS = 20


def interval_method(estimate: Estimate) -> str:
    """Return the method that `best_interval` takes over units.

    - `score` (Tango) for a difference of paired 0/1 outcomes;
    - `wilson` for a single proportion of 0/1 outcomes;
    - `cluster t` where units are in clusters: jackknife over clusters, with effective degrees of freedom (clusters − 1
      where they are of one size);
    - `sparse` where fewer than `SPARSE` units differ and most do not, or all differ alike: `skewness-corrected t`, and
      what so many units would not have shown;
    - `jackknife t` for a mean over several categories (mIoU), whose pseudo-values overstate what rare classes vary by;
    - `skewness-corrected t` for scores and ratios of sums;
    - `none` where fewer than two units, or clusters, decide the estimate.

    Examples:
        >>> import numpy as np
        >>> interval_method(Estimate(0.0, np.array([-0.1, 0.1]), units=2, differing=2))
        'skewness-corrected t'
    """
    if estimate.changes is not None:
        return "score"
    if estimate.successes is not None:
        return "wilson"
    if not estimate.is_determined:
        return "none"
    if estimate.clustered and estimate.differing:
        return "cluster t"
    few = estimate.differing < SPARSE
    if few and (2 * estimate.differing < estimate.units or studentised(estimate).standard_error == 0):
        return "sparse"
    return "jackknife t" if estimate.categories > 1 else "skewness-corrected t"


def best_interval(estimate: Estimate, level: float) -> Interval:
    """Return the confidence interval of a value, or of a signed sum of metrics, by the method that holds its coverage.

    The interval is about other units from the same source. It always has a width: no change among these units does not
    exclude one among others.

    Where probes were trained again, it is about another training run too (`widened`), and its method ends in `and
    refits`.

    Reference: those of `paired_proportions`, `studentised`, `unseen` and `training`.

    Args:
        estimate: the signed sum.
        level: confidence level, between 0 and 1.

    Returns:
        The interval, with the method of `interval_method`.

    Examples:
        Three of 100 units are lost and none gained:

        >>> import numpy as np
        >>> from analysis.engine.estimates import estimate
        >>> from analysis.engine.metric import Counts
        >>> ones = np.ones((100, 1))
        >>> changed = Counts((np.arange(100) >= 3)[:, None].astype(float), ones)
        >>> delta = estimate({"full": Counts(ones, ones), "zero": changed}, {"zero": 1.0, "full": -1.0})
        >>> found = best_interval(delta, 0.95)
        >>> found.method, round(found.low, 3), round(found.high, 3)
        ('score', -0.085, 0.008)
    """
    found = _over_units(estimate, level)
    if estimate.refitted is None or found.method == "none":
        return found
    return widened(found, estimate, level)


def _over_units(estimate: Estimate, level: float) -> Interval:
    method = interval_method(estimate)
    if method == "none":
        return Interval(math.nan, math.nan, method)
    if estimate.changes is not None:
        return Interval(*estimate.changes.interval(level), method)
    if estimate.successes is not None:
        return wilson_interval(estimate.successes, estimate.units, level)
    of = studentised(estimate, corrected=method != "jackknife t")
    if method == "sparse":
        return Interval(*bounded_bounds(of, level, units=estimate.units, largest=seen_at_most(estimate)), method)
    return Interval(*studentised_bounds(of, level), method)


def seen_at_most(estimate: Estimate) -> float:
    """Return the largest contribution that a unit made, and at least that of one unit going from end to end.

    Examples:
        >>> import numpy as np
        >>> seen_at_most(Estimate(0.0, np.array([-2.0, 0.0, 2.0]), units=3))
        2.0
    """
    return max(estimate.span, float(abs(estimate.finite).max(initial=0.0)))


def warnings_of(estimate: Estimate) -> tuple[str, ...]:
    """Return what a reader of the interval should be told: nothing, or that there are few clusters.

    Examples:
        >>> import numpy as np
        >>> warnings_of(Estimate(0.0, np.zeros(18), units=900, clustered=True))
        ('18 clusters, fewer than 20: intervals and tests rest on 17.0 degrees of freedom',)
    """
    if not estimate.clustered or not estimate.is_determined or estimate.size >= FEW_CLUSTERS:
        return ()
    freedom = studentised(estimate).freedom
    return (
        f"{estimate.size} clusters, fewer than {FEW_CLUSTERS}: "
        f"intervals and tests rest on {freedom:.1f} degrees of freedom",
    )
