"""Plan of a study: what its tests will detect with a number of units, from a pilot or from assumptions.

A plan knows how much units vary, and nothing of the difference: that is asked for. From a pilot there are three plans,
at the spread that it shows and at both ends of the 90 % interval of that spread.

Reference: Bonett, "Approximate confidence interval for standard deviation of nonnormal distributions", Computational
Statistics and Data Analysis 50, 2006.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from analysis.engine.estimates import Estimate
from analysis.engine.intervals import wilson_interval
from analysis.engine.paired_power import detectable_by_mcnemar, power_of_mcnemar, power_of_score_equivalence
from analysis.engine.sample_size import detectable_difference, power_of_difference, power_of_equivalence
from analysis.engine.studentised import Studentised, studentised, with_training

# Confidence level of the range of spreads that a pilot leaves open.
PILOT_LEVEL = 0.9


@dataclass(frozen=True)
class PairedPlan:
    """Plan of paired 0/1 outcomes of single units, with exact power.

    Attributes:
        rate_changed: share of units that change, gained or lost, between 0 and 1.

    Examples:
        >>> plan = PairedPlan(0.1)
        >>> round(plan.power_of_difference(0.05, 500, 0.05), 2), round(plan.detectable(500, 0.05, 0.8), 3)
        (0.94, 0.041)
    """

    rate_changed: float

    def power_of_difference(self, difference: float, units: int, alpha: float, adjusted_by: float = 1.0) -> float:
        """Return the power of McNemar's exact test; a difference above the rate changes as many units as it is."""
        rate = max(self.rate_changed, abs(difference))
        return power_of_mcnemar(difference, rate, units, alpha, adjusted_by=adjusted_by)

    def power_of_equivalence(self, units: int, margin: float, alpha: float) -> float:
        """Return the power of the score test of equivalence if as many units are gained as lost."""
        return power_of_score_equivalence(0.0, self.rate_changed, units, margin, alpha)

    def detectable(self, units: int, alpha: float, power: float, adjusted_by: float = 1.0) -> float:
        """Return the minimal detectable effect of McNemar's exact test."""
        return detectable_by_mcnemar(self.rate_changed, units, alpha, power=power, adjusted_by=adjusted_by)


@dataclass(frozen=True)
class SpreadPlan:
    """Plan of scores, ratios and mIoU, by Student's t.

    Attributes:
        deviation: standard deviation of a unit's difference: standard error × √units, clusters and all. At least 0.
        freedom_each: degrees of freedom per unit, plus one: 1 where units are independent and weigh alike, 1 / size for
            clusters of one size.
        largest: how far one unit can move its own contribution.
        refitted: the signed sum under probes that were trained again, whose variance more units do not reduce.
        rare: whether few units change, and by much, so that a difference brings a spread of its own.

    Examples:
        Clusters of ten, whose standard errors are twice those of as many independent units:

        >>> alone, clustered = SpreadPlan(0.3), SpreadPlan(0.6, freedom_each=0.1)
        >>> [round(plan.power_of_difference(0.05, 400, 0.05), 2) for plan in (alone, clustered)]
        [0.91, 0.37]
    """

    deviation: float
    freedom_each: float = 1.0
    largest: float = 1.0
    refitted: tuple[float, ...] = ()
    rare: bool = False

    def at(self, units: int, difference: float = 0.0) -> Studentised:
        """Return the standard error and degrees of freedom to be expected of a number of units."""
        spread = self.deviation
        if self.rare or spread == 0:
            # A mean of rare changes, each of at most `largest`, has at most this variance.
            spread = max(spread, math.sqrt(max(abs(difference) * self.largest - difference**2, 0.0)))
        of = Studentised(0.0, spread / math.sqrt(units), max(self.freedom_each * units - 1, 1.0))
        return with_training(of, np.array(self.refitted)) if self.refitted else of

    def power_of_difference(self, difference: float, units: int, alpha: float, adjusted_by: float = 1.0) -> float:
        """Return the power of the t test. Without any spread it is 0 for no difference, and 1 otherwise."""
        of = self.at(units, difference)
        if of.standard_error == 0:
            return float(difference != 0)
        return power_of_difference(
            difference, of.standard_error * math.sqrt(units), units, alpha, adjusted_by=adjusted_by, freedom=of.freedom
        )

    def power_of_equivalence(self, units: int, margin: float, alpha: float) -> float:
        """Return the power of two one-sided t tests that allow for what is unseen."""
        of = self.at(units)
        # Nothing that varies is within every margin, where so many units can show it.
        deviation = max(of.standard_error * math.sqrt(units), 1e-9 * margin)
        return power_of_equivalence(0.0, deviation, units, margin, alpha, largest=self.largest, freedom=of.freedom)

    def detectable(self, units: int, alpha: float, power: float, adjusted_by: float = 1.0) -> float:
        """Return the minimal detectable effect of the t test."""

        def found(difference: float) -> float:
            of = self.at(units, difference)
            return detectable_difference(of.standard_error, of.freedom, alpha, power=power, adjusted_by=adjusted_by)

        effect = found(0.0)
        if not self.rare and self.deviation > 0:
            return effect
        # The spread grows with the difference: where the two agree.
        low, high = effect, self.largest
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if found(middle) > middle else (low, middle)
        return high


Plan = PairedPlan | SpreadPlan


class Plans(NamedTuple):
    """Plans at the spread that a pilot shows, and at the lowest and the highest that it leaves open.

    Examples:
        >>> Plans(PairedPlan(0.1), PairedPlan(0.06), PairedPlan(0.16)).highest
        PairedPlan(rate_changed=0.16)
    """

    shown: Plan
    lowest: Plan
    highest: Plan


@dataclass(frozen=True)
class Spread:
    """How much units vary, with its 90 % interval: the share that changes of 0/1 outcomes, else a deviation.

    Examples:
        >>> Spread(0.1, 0.08, 0.12, is_rate=True).is_rate
        True
    """

    value: float
    low: float
    high: float
    is_rate: bool


def pilot_spread(estimate: Estimate) -> Spread | None:
    """Return how much the units of a pilot vary, and how well that is known; None where one of them decides alone.

    Of paired 0/1 outcomes it is the share of units that change, with Wilson's interval. Elsewhere it is the standard
    error times √units, which holds the design effect of clusters; its interval is Bonett's, for pseudo-values of any
    distribution, and reaches as far as a share of units that change and were not among these allows.

    Examples:
        >>> from analysis.engine.paired_proportions import PairedChanges
        >>> found = pilot_spread(Estimate(-0.03, np.zeros(100), changes=PairedChanges(1, 4, 100), units=100))
        >>> found.value, round(found.low, 3), round(found.high, 3)
        (0.05, 0.025, 0.099)
    """
    if estimate.changes is not None and estimate.refitted is None:
        changes = estimate.changes
        changed = changes.gained + changes.lost
        interval = wilson_interval(changed, changes.units, PILOT_LEVEL)
        return Spread(changed / changes.units, interval.low, interval.high, is_rate=True)
    if not estimate.is_determined:
        return None
    deviation = studentised(estimate, corrected=False).standard_error * math.sqrt(estimate.units)
    # Where few units change or none, what the pilot did not show is more than what it did.
    share = 1 - ((1 - PILOT_LEVEL) / 2) ** (1 / estimate.units)
    unseen = estimate.largest * math.sqrt(share * (1 - share)) if _is_rare(estimate) else 0.0
    if deviation == 0:
        return Spread(0.0, 0.0, unseen, is_rate=False)
    values, n = estimate.finite - estimate.finite.mean(), estimate.size
    kurtosis = n * float((values**4).sum()) / float((values**2).sum()) ** 2
    z = float(ndtri((1 + PILOT_LEVEL) / 2))
    of_log = z * math.sqrt(max(kurtosis - (n - 3) / n, 1 / n) / (n - 1)) / 2
    high = max(deviation * math.exp(of_log), unseen)
    return Spread(deviation, deviation * math.exp(-of_log), high, is_rate=False)


def _is_rare(estimate: Estimate) -> bool:
    return 2 * estimate.differing < estimate.size


def plans_from(estimate: Estimate, spread: Spread) -> Plans:
    """Return the plans of a study whose units vary as those of a pilot.

    Args:
        estimate: of the pilot.
        spread: of the same (`pilot_spread`).

    Examples:
        >>> pilot = Estimate(0.1, np.tile([-0.2, 0.4], 50), units=100, differing=100)
        >>> plans = plans_from(pilot, pilot_spread(pilot))
        >>> [round(plan.power_of_difference(0.05, 400, 0.05), 2) for plan in plans]
        [0.91, 0.92, 0.9]
    """
    if spread.is_rate:
        return Plans(*(PairedPlan(rate) for rate in (spread.value, spread.low, spread.high)))
    freedom = studentised(estimate, corrected=False).freedom
    rare = _is_rare(estimate)
    refitted = () if estimate.refitted is None else tuple(map(float, estimate.refitted))
    return Plans(
        *(
            SpreadPlan(deviation, (freedom + 1) / estimate.units, estimate.largest, refitted, rare)
            for deviation in (spread.value, spread.low, spread.high)
        )
    )


def assumed_plan(
    *, rate_changed: float | None = None, deviation: float | None = None, cluster_size: float = 1.0, icc: float = 0.0
) -> Plan:
    """Return the plan of a study without a pilot; one of rate and deviation is needed.

    Clusters multiply the variance by the design effect 1 + (size − 1) ICC, and leave one degree of freedom each.

    Reference: Donner and Klar, "Design and analysis of cluster randomization trials in health research", 2000.

    Args:
        rate_changed: share of units that change, for paired 0/1 outcomes.
        deviation: standard deviation of the units' differences.
        cluster_size: units per cluster; 1 for independent units.
        icc: intraclass correlation of the units' differences.

    Raises:
        ValueError: if both or none of rate and deviation are given.

    Examples:
        >>> assumed_plan(rate_changed=0.1)
        PairedPlan(rate_changed=0.1)
        >>> round(assumed_plan(deviation=0.3, cluster_size=10, icc=0.05).deviation, 3)
        0.361
    """
    if (rate_changed is None) == (deviation is None):
        raise ValueError("assumed_plan: needs either a rate of changes or a deviation.")
    if rate_changed is not None and cluster_size == 1:
        return PairedPlan(rate_changed)
    alone = math.sqrt(rate_changed) if rate_changed is not None else float(deviation or 0.0)
    effect = 1 + (cluster_size - 1) * icc
    return SpreadPlan(alone * math.sqrt(effect), freedom_each=1 / cluster_size)
