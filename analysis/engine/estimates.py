"""A signed sum of metrics with what its units say of it: the input of every interval and test of the metric itself."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from analysis.engine.metric import ROUNDING, Counts, FloatArray, jackknife_metrics
from analysis.engine.paired_proportions import PairedChanges

Name = TypeVar("Name", bound=Hashable)

# A unit whose share of everything that is counted differs from 1 by less decides alone.
ALONE = 1e-9


@dataclass(frozen=True, eq=False)
class Estimate:
    """A signed sum of metrics (a delta, a difference of deltas, an excess) and its jackknife pseudo-values.

    Attributes:
        value: the observed signed sum, a fraction.
        pseudo_values: jackknife pseudo-values, one per unit or cluster; NaN where the metric is undefined without it.
        changes: gains and losses where it is a difference of paired 0/1 outcomes; None elsewhere.
        successes: number of units that succeed where it is a single proportion of 0/1 outcomes; None elsewhere.
        largest: how far one unit can move its own contribution: 1 for a delta of fractions, 2 for a difference of
            deltas. Half the sum of the absolute weights (1 for a single value), times `span`.
        units: number of units; more than there are pseudo-values where units are in clusters.
        shares: share of each unit or cluster in all that is counted, adding up to 1; None where all are alike.
        clustered: whether the pseudo-values are of clusters of units.
        differing: number of units (clusters) whose counts differ between the terms; all of a single value.
        categories: number of categories whose ratios the metric is the mean of.
        span: distance between the lowest and the highest value that a unit can have.
        refitted: the same signed sum under probes that were trained again, (refits,), at least two; None where training
            has no part in it, or was done once.

    Examples:
        Two of four units change, in opposite directions:

        >>> import numpy as np
        >>> ones = np.ones((4, 1))
        >>> full = Counts(np.array([[1.0], [1.0], [0.0], [0.0]]), ones)
        >>> zeroed = Counts(np.array([[0.0], [1.0], [1.0], [0.0]]), ones)
        >>> delta = estimate({"full": full, "zero": zeroed}, {"zero": 1.0, "full": -1.0})
        >>> delta.value, delta.changes, delta.differing, delta.largest
        (0.0, PairedChanges(gained=1, lost=1, units=4), 2, 1.0)
    """

    value: float
    pseudo_values: FloatArray
    changes: PairedChanges | None = None
    successes: int | None = None
    largest: float = 1.0
    units: int = 0
    shares: FloatArray | None = None
    clustered: bool = False
    differing: int = 0
    categories: int = 1
    span: float = 1.0
    refitted: FloatArray | None = None

    @cached_property
    def finite(self) -> FloatArray:
        """The pseudo-values that are defined."""
        return self.pseudo_values[np.isfinite(self.pseudo_values)]

    @property
    def is_determined(self) -> bool:
        """Whether two units or more decide the estimate, so that it has a standard error."""
        alone = self.shares is not None and float(self.shares.max()) > 1 - ALONE
        return self.size > 1 and not alone

    @property
    def size(self) -> int:
        """Number of defined pseudo-values: of units, or of clusters."""
        return len(self.finite)


def estimate(
    counts: Mapping[Name, Counts],
    weights: Mapping[Name, float],
    *,
    without: Mapping[Name, FloatArray] | None = None,
    cluster_sizes: FloatArray | None = None,
    refitted: FloatArray | None = None,
    span: float | None = 1.0,
) -> Estimate:
    """Return the estimate of a signed sum of metrics.

    Args:
        counts: counts by name, all on the same units (or clusters) in the same order.
        weights: weight by name; {changed: 1, base: −1} is a delta.
        without: metric without each unit, by name, where it is known already (`jackknife_metrics`).
        cluster_sizes: number of units in each cluster, where the rows of the counts are clusters.
        refitted: the same signed sum under probes that were trained again, (refits,), at least two.
        span: distance between the lowest and the highest value that a unit can have, 1 for fractions; None where there
            is no bound: then that between the lowest and the highest value of these units.

    Examples:
        >>> import numpy as np
        >>> ones = np.ones((3, 1))
        >>> base, changed = Counts(np.array([[0.1], [0.4], [0.7]]), ones), Counts(np.array([[0.1], [0.5], [0.9]]), ones)
        >>> found = estimate({"a": base, "b": changed}, {"b": 1.0, "a": -1.0})
        >>> round(found.value, 3), found.pseudo_values.round(3).tolist(), found.differing
        (0.1, [0.0, 0.1, 0.2], 2)
    """
    without = {name: jackknife_metrics(counts[name]) for name in weights} if without is None else without
    value = sum(weight * counts[name].value() for name, weight in weights.items())
    left_out = sum((weight * without[name] for name, weight in weights.items()), start=np.zeros(1))
    terms = [counts[name] for name in weights]
    rows = terms[0].units
    reach = _observed_span(terms) if span is None else span
    signed = {weight: counts[name] for name, weight in weights.items()}
    changes = successes = None
    if cluster_sizes is None and set(signed) == {1.0, -1.0} and len(weights) == 2:
        changes = PairedChanges.of(signed[-1.0], signed[1.0])
    if cluster_sizes is None and set(signed) == {1.0} and len(weights) == 1 and terms[0].is_binary:
        successes = int(terms[0].numerator.sum())
    return Estimate(
        value=value,
        pseudo_values=_pseudo_values(value, left_out),
        changes=changes,
        successes=successes,
        largest=reach * max(1.0, sum(abs(weight) for weight in weights.values()) / 2),
        units=rows if cluster_sizes is None else int(cluster_sizes.sum()),
        shares=_shares(terms),
        clustered=cluster_sizes is not None,
        differing=_differing(terms),
        categories=int(np.any([one.denominator.sum(axis=0) > 0 for one in terms], axis=0).sum()),
        span=reach,
        refitted=refitted,
    )


def _observed_span(terms: list[Counts]) -> float:
    """Return the distance between the lowest and the highest value of a unit; 1 where all are the same."""
    values = np.concatenate(
        [one.numerator[one.denominator > 0] / one.denominator[one.denominator > 0] for one in terms]
    )
    return float(np.ptp(values)) or 1.0


def _pseudo_values(value: float, without: FloatArray) -> FloatArray:
    if len(without) < 2:
        return np.full(len(without), value)
    centred: FloatArray = value + (len(without) - 1) * (np.nanmean(without) - without)
    return centred


def _shares(terms: list[Counts]) -> FloatArray | None:
    """Return each unit's share of what is counted: the mean over categories of its share in each."""
    totals = np.array([one.denominator for one in terms]).sum(axis=0)
    sums = totals.sum(axis=0)
    shares: FloatArray = (totals[:, sums > 0] / sums[sums > 0]).mean(axis=1)
    return shares if np.ptp(shares) > ROUNDING else None


def _differing(terms: list[Counts]) -> int:
    first = terms[0]
    if len(terms) == 1:
        return first.units
    differs = np.zeros(first.units, dtype=bool)
    for one in terms[1:]:
        differs |= ((one.numerator != first.numerator) | (one.denominator != first.denominator)).any(axis=1)
    return int(differs.sum())
