"""Studentised estimates: distance from a hypothesis in jackknife standard errors, corrected for skewness.

The pseudo-values of a mean are the units' own differences, and of a ratio or of mIoU they are its linear part, so one
procedure serves all of them: a t statistic of the pseudo-values, with n − 1 degrees of freedom. Where they are skewed,
one tail of t is too light and the other too heavy by an error of order 1/√n; Hall's transformation takes that error
away without any resampling. It takes the skewness of the units for that of all units. Where tails are heavy rather than
skewed, a single unit makes that skewness, and the corrected interval covers less than the t interval: so a bound is the
further of the two, and a p-value the larger.

Reference: Tukey, "Bias and confidence in not-quite large samples" (abstract), Annals of Mathematical Statistics 29,
1958; Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 11; Hall, "On the removal of skewness by
transformation", Journal of the Royal Statistical Society B 54, 1992; for clusters Bell and McCaffrey, "Bias reduction
in standard errors for linear regression with multi-stage samples", Survey Methodology 28, 2002, and Imbens and Kolesár,
"Robust standard errors in small samples: some practical advice", Review of Economics and Statistics 98, 2016.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from analysis.engine.estimates import Estimate
from analysis.engine.metric import FloatArray

# Standard errors smaller than this, relative to what a unit can change, are rounding, and so is such a skewness.
ROUNDING = 1e-12


@dataclass(frozen=True)
class Studentised:
    """What a t statistic of an estimate needs.

    Attributes:
        value: the estimate.
        standard_error: its jackknife standard error; 0 where the pseudo-values do not vary.
        freedom: degrees of freedom: units − 1, and fewer where some units or clusters count for more.
        skewness: of the estimate's distribution, that of the pseudo-values divided by √n; 0 where none is corrected.

    Examples:
        >>> import numpy as np
        >>> found = studentised(Estimate(value=2.0, pseudo_values=np.array([1.0, 2.0, 3.0])))
        >>> round(found.standard_error, 4), found.freedom, found.skewness
        (0.5774, 2.0, 0.0)
    """

    value: float
    standard_error: float
    freedom: float
    skewness: float = 0.0


def studentised(estimate: Estimate, *, corrected: bool = True) -> Studentised:
    """Return the jackknife standard error, degrees of freedom and skewness of an estimate.

    Args:
        estimate: with at least two pseudo-values.
        corrected: whether skewness is corrected for. It never is for clusters, whose skewness too few would tell.

    Examples:
        >>> found = studentised(Estimate(value=1.0, pseudo_values=np.array([0.0, 0.0, 0.0, 4.0])))
        >>> found.standard_error, found.freedom, round(found.skewness, 3)
        (1.0, 3.0, 0.577)
    """
    values = estimate.finite
    n = len(values)
    deviations = values - values.mean()
    squares = float((deviations**2).sum())
    error = math.sqrt(squares / (n * (n - 1)))
    freedom = float(n - 1) if estimate.shares is None else effective_freedom(estimate.shares)
    if error <= ROUNDING * max(estimate.largest, abs(estimate.value)):
        return Studentised(estimate.value, 0.0, freedom)
    if estimate.clustered or not corrected:
        return Studentised(estimate.value, error, freedom)
    skewness = float((deviations**3).mean()) / (squares / n) ** 1.5 / math.sqrt(n)
    return Studentised(estimate.value, error, freedom, skewness)


def effective_freedom(shares: FloatArray) -> float:
    """Return the degrees of freedom of the jackknife variance of a mean over units or clusters of unequal weight.

    It is that of a χ² variable with the mean and variance of the variance estimate where the effects of all of them
    have one variance (Satterthwaite): G − 1 for G clusters of one size, and less the more a few of them decide.

    Args:
        shares: weight of each cluster in the mean, (clusters,), adding up to 1, none of them 1.

    Examples:
        Ten clusters alike have 9 degrees of freedom; ten of which one holds half of all points hardly have one:

        >>> round(effective_freedom(np.full(10, 0.1)), 2)
        9.0
        >>> round(effective_freedom(np.r_[0.5, np.full(9, 0.5 / 9)]), 2)
        1.2
    """
    # The variance is Σ c (e − mean)², up to a factor: a quadratic form Σ c a aᵀ in the effects e, whose vectors a have
    # the products 1 + s − 2 w with themselves and s − w − w′ with each other, s being Σ w².
    factors = (shares / (1 - shares)) ** 2
    squares = float((shares**2).sum())
    own, left = 1 + squares - 2 * shares, squares - shares
    moments = [float((factors * one).sum()) for one in (np.ones_like(shares), shares, shares**2, left, left**2)]
    all_pairs = moments[4] * moments[0] - 2 * moments[3] * moments[1] + moments[0] * moments[2]
    square = all_pairs + float((factors**2 * (own**2 - (left - shares) ** 2)).sum())
    return float((factors * own).sum()) ** 2 / square


def corrected_statistic(statistic: FloatArray, skewness: float) -> FloatArray:
    """Return Hall's transformation of a studentised statistic, which takes its skewness away.

    g(T) = T + a T² / 3 + a² T³ / 27 + a / 6, with a the skewness of the pseudo-values divided by √n. It rises in T
    everywhere, so it has an inverse (`uncorrected_statistic`).

    Examples:
        >>> import numpy as np
        >>> corrected_statistic(np.array([-2.0, 2.0]), skewness=0.3).round(3).tolist()
        [-1.577, 2.477]
    """
    a = skewness
    corrected: FloatArray = statistic + a * statistic**2 / 3 + a**2 * statistic**3 / 27 + a / 6
    return corrected


def uncorrected_statistic(corrected: float, skewness: float) -> float:
    """Return the statistic whose Hall transformation is `corrected`.

    Examples:
        >>> import numpy as np
        >>> round(uncorrected_statistic(float(corrected_statistic(np.array(-2.0), 0.3)), 0.3), 6)
        -2.0
        >>> uncorrected_statistic(2.0, 1e-17)
        2.0
    """
    if abs(skewness) < ROUNDING:
        return corrected
    # (1 + a T / 3)³ = 1 + a (g − a / 6), without the difference of two numbers near 1 where a is small.
    cubed = skewness * (corrected - skewness / 6)
    beyond = math.expm1(math.log1p(cubed) / 3) if cubed > -0.5 else float(np.cbrt(1 + cubed)) - 1
    return 3 * beyond / skewness


def upper_p(of: Studentised, hypothesis: FloatArray) -> FloatArray:
    """Return the one-sided p-value of an estimate this large or larger if the truth is at most `hypothesis`.

    Args:
        of: the estimate.
        hypothesis: largest values of the null hypotheses, (…).

    Returns:
        float64, (…): the larger p of the t statistic and of the corrected one. Without a standard error, 0 or 1,
        whichever side of the hypothesis the estimate is on.

    Examples:
        >>> import numpy as np
        >>> upper_p(Studentised(0.02, 0.01, 99.0), np.array([0.0, 0.02])).round(4).tolist()
        [0.0241, 0.5]
    """
    distance = of.value - np.asarray(hypothesis, dtype=np.float64)
    if of.standard_error == 0:
        return np.where(distance > 0, 0.0, 1.0)
    statistic = distance / of.standard_error
    p: FloatArray = stdtr(of.freedom, -np.minimum(statistic, corrected_statistic(statistic, of.skewness)))
    return p


def studentised_bounds(of: Studentised, level: float) -> tuple[float, float]:
    """Return the confidence interval of an estimate: all values that `upper_p` does not reject on either side.

    Args:
        of: the estimate.
        level: confidence level, between 0 and 1.

    Examples:
        Without skewness it is the t interval; where high values are rare it reaches further up:

        >>> [round(bound, 4) for bound in studentised_bounds(Studentised(0.0, 0.01, 99.0), 0.95)]
        [-0.0198, 0.0198]
        >>> [round(bound, 4) for bound in studentised_bounds(Studentised(0.0, 0.01, 99.0, skewness=0.3), 0.95)]
        [-0.0198, 0.027]
    """
    critical = float(stdtrit(of.freedom, (1 + level) / 2))
    highest = max(critical, uncorrected_statistic(critical, of.skewness))
    lowest = min(-critical, uncorrected_statistic(-critical, of.skewness))
    return of.value - of.standard_error * highest, of.value - of.standard_error * lowest


def with_training(of: Studentised, refitted: FloatArray) -> Studentised:
    """Return an estimate whose standard error holds what training adds: units and refits as two levels.

    The variances add up, since the reported value is of one training run. Degrees of freedom are Satterthwaite's, so
    few refits widen an interval by their t and not by the normal distribution's.

    Reference: Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics Bulletin 2,
    1946.

    Args:
        of: the estimate, with the standard error over units.
        refitted: the same signed sum under probes that were trained again, (refits,), at least two.

    Raises:
        ValueError: if there are fewer than two refits.

    Examples:
        Three refits that vary as much as the units do leave 8 degrees of freedom:

        >>> found = with_training(Studentised(0.05, 0.01, 399.0), np.array([0.04, 0.05, 0.06]))
        >>> round(found.standard_error, 4), round(found.freedom, 1)
        (0.0141, 8.0)
    """
    if len(refitted) < 2:
        raise ValueError(f"with_training: needs two refits or more, got {len(refitted)}.")
    units, training = of.standard_error**2, float(refitted.var(ddof=1))
    total = units + training
    if total == 0:
        return of
    freedom = total**2 / (units**2 / of.freedom + training**2 / (len(refitted) - 1))
    # The skewness is of the part of the units.
    return Studentised(of.value, math.sqrt(total), freedom, of.skewness * (units / total) ** 1.5)


def mirrored(of: Studentised) -> Studentised:
    """Return the same estimate with its sign turned.

    Examples:
        >>> mirrored(Studentised(0.02, 0.01, 99.0, skewness=0.1))
        Studentised(value=-0.02, standard_error=0.01, freedom=99.0, skewness=-0.1)
    """
    return Studentised(-of.value, of.standard_error, of.freedom, -of.skewness)
