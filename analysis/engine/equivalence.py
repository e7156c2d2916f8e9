"""Tests of equivalence: two one-sided tests against a margin, and what they conclude with a test of the difference.

A large p of a test of a difference shows nothing. That a difference is smaller than a margin, fixed before the data are
seen, is a hypothesis of its own, with a test, an error rate and a sample size of its own.
"""

from __future__ import annotations

from functools import partial

from analysis.engine.best_interval import best_interval
from analysis.engine.estimates import Estimate
from analysis.engine.paired_proportions import score_equivalence_p
from analysis.engine.studentised import mirrored, studentised
from analysis.engine.training import inclusion_p
from analysis.engine.unseen import bounded_upper_p

UNDECIDED = ("undecided", "not decidable")


def equivalence_p(estimate: Estimate, margin: float) -> float:
    """Return the p-value of two one-sided tests (TOST) of an estimate against a margin, not adjusted.

    Null hypothesis: the true signed sum is at least the margin, on one side or the other.

    p-value: the larger of the two one-sided p: of Tango's score test for paired 0/1 outcomes (`score_equivalence_p`);
    elsewhere of the studentised estimate, corrected for skewness where it is one ratio or a mean, and never below what
    the data could have shown (`bounded_upper_p`). The smallest p is `smallest_equivalence_p`: even n units that did not
    change leave a share of all units unseen. Where probes were trained again, it is not below that of the interval with
    both errors (`inclusion_p`).

    Reference: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", Journal of
    Pharmacokinetics and Biopharmaceutics 15, 1987; Berger and Hsu, "Bioequivalence trials, intersection-union tests and
    equivalence confidence sets", Statistical Science 11, 1996.

    Args:
        estimate: the signed sum, with at least two pseudo-values.
        margin: equivalence margin, above 0.

    Examples:
        Scores that differ by up to 0.1 around 0 are equivalent within 0.05 for 200 units, and not within 0.01:

        >>> import numpy as np
        >>> differences = np.linspace(-0.1, 0.1, 200)
        >>> found = Estimate(0.0, differences, units=200, differing=200)
        >>> equivalence_p(found, 0.05) < 0.001, equivalence_p(found, 0.01) > 0.05
        (True, True)
    """
    if estimate.changes is None and not estimate.is_determined:
        return 1.0
    p = _over_units(estimate, margin)
    if estimate.refitted is None:
        return p
    return max(p, inclusion_p(partial(best_interval, estimate), estimate.value, margin))


def _over_units(estimate: Estimate, margin: float) -> float:
    if estimate.changes is not None:
        changes = estimate.changes
        # No two proportions are further apart.
        if margin >= 1:
            return 0.0
        return float(score_equivalence_p(changes.gained, changes.lost, changes.units, margin))
    of = studentised(estimate, corrected=estimate.categories == 1)
    return max(
        bounded_upper_p(one, -margin, units=estimate.units, largest=estimate.largest) for one in (of, mirrored(of))
    )


def smallest_equivalence_p(estimate: Estimate, margin: float) -> float:
    """Return the smallest p-value that a test of equivalence of as many units can give: that of no change at all.

    Examples:
        >>> import numpy as np
        >>> round(smallest_equivalence_p(Estimate(0.0, np.zeros(50), units=50), 0.01), 3)
        0.605
    """
    return float((1 - min(margin / estimate.largest, 1.0)) ** estimate.units)


def conclusion(p_difference: float, p_equivalence: float, alpha: float, *, smallest: float = 0.0) -> str:
    """Return what the tests of difference and of equivalence conclude together.

    Args:
        p_difference: p-value of the test of a difference.
        p_equivalence: p-value of the test of equivalence.
        alpha: level of either test.
        smallest: smallest p-value that the test of equivalence could give (`smallest_equivalence_p`).

    Returns:
        `equivalent`: within the margin, and no difference shown;
        `different`: a difference, and not shown to be within the margin;
        `negligible`: both, a difference that is smaller than the margin;
        `undecided`: neither;
        `not decidable`: neither, and no data of as many units could have shown equivalence.

    Examples:
        >>> conclusion(0.4, 0.01, alpha=0.05), conclusion(0.4, 0.3, alpha=0.05)
        ('equivalent', 'undecided')
        >>> conclusion(0.4, 0.7, alpha=0.05, smallest=0.6)
        'not decidable'
    """
    different, equivalent = p_difference <= alpha, p_equivalence <= alpha
    if different and equivalent:
        return "negligible"
    if different:
        return "different"
    if equivalent:
        return "equivalent"
    return "undecided" if smallest <= alpha else "not decidable"
