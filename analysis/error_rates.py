"""How often the statistics are wrong where the truth is known: error rates and coverage, by simulation.

    python -m analysis.error_rates --out results/error_rates/error_rates.csv

Every simulated set is drawn from a distribution whose null hypothesis holds, or whose true value is known, by
construction. Sets and draws are keyed by (seed, design, set): no seed is chosen, and every rate is reported as it
comes out. `analysis/error_rates.csv` is the committed result, signed with a digest of the code that it measures.
"""

from __future__ import annotations

import argparse
import csv
import gc
import io
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass, fields
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import binom

from analysis.engine.equivalence import equivalence_tests, is_included
from analysis.engine.intervals import Interval, Resampled, bca_interval, wilson_interval
from analysis.engine.medians import bootstrap_medians, bootstrap_weights, jackknife_medians
from analysis.engine.metric import Counts, FloatArray
from analysis.engine.multiplicity import holm_within_families, max_t_within_families
from analysis.engine.permutation import Contrast, exact_mcnemar_p, exchange, paired_permutation_tests
from config.code_digest import code_digest
from config.errors import report_errors
from config.files import write_whole
from config.keys import keyed_generator

# What the rates are of: their digest is that of this function, and of all that it reaches.
SIMULATION = "analysis.error_rates:measure"

SETS = 10_000
DRAWS = 999
RESAMPLES = 1_999
SEED = 0
ALPHA = 0.05
LEVEL = 0.95
FAMILY = 10
# Shown beside what the analysis does, to say why it does it.
WRONG = "the same, units exchanged (wrong)"
PLAIN = "the same, not expanded"

# A set is drawn with its own generator and judged by its own draws.
Key = tuple[int, str, int]
Simulate = Callable[[int, np.random.Generator, Key], Sequence[bool]]


@dataclass(frozen=True)
class Design:
    """A way to draw sets, and what is counted in each.

    Attributes:
        quantity: what the rate is: type I error, family-wise error, coverage, size of equivalence.
        procedures: what is judged, one verdict of `simulate` each.
        data: how a set is drawn, in words.
        n: units, or clusters, in a set.
        low, high: limits that the rate has to keep; `low` is 0 where fewer errors are no fault.
        expected: the rate that is promised; the attainable one where p-values take few values.
        compared: procedures that are shown beside the judged ones, to say what these are for.
    """

    quantity: str
    procedures: tuple[str, ...]
    data: str
    n: int
    low: float
    high: float
    expected: float
    simulate: Simulate
    compared: tuple[str, ...] = ()


@dataclass(frozen=True)
class ErrorRate:
    """One measured rate; the columns of `error_rates.csv`, which has the digest of the code as its last.

    `within` says whether it keeps the limits; it is empty for what is shown for comparison.
    """

    quantity: str
    procedure: str
    data: str
    n: int
    sets: int
    expected: float
    rate: float
    standard_error: float
    low: float
    high: float
    within: str
    seed: int


def scores(values: FloatArray) -> Counts:
    """One score a unit, so that the metric is their mean."""
    return Counts(values[:, None], np.ones((len(values), 1)))


def rejects(contrast: Contrast, key: Key) -> bool:
    """Whether the permutation test rejects at `ALPHA`."""
    (result,) = paired_permutation_tests([contrast], draws=DRAWS, key=(*key, "draws"))
    return result.p <= ALPHA


# Two labels that say nothing: each simulator gives the counts under both, exchangeable within units.


def scalar(generator: np.random.Generator, n: int, *, skewed: bool = False) -> tuple[Counts, Counts]:
    """A score a unit, alike within units."""
    difficulty, noise = generator.normal(size=n), generator.normal(size=(2, n))
    values = difficulty + 0.7 * noise
    base, changed = (scores(np.exp(one) if skewed else one) for one in values)
    return base, changed


def binary(generator: np.random.Generator, n: int, gained: float = 0.2, lost: float = 0.2) -> tuple[Counts, Counts]:
    """A success or failure a unit; a share of units changes from one to the other."""
    uniform = generator.random(n)
    base = (uniform < lost) | (uniform > 0.5 + gained / 2)
    changed = ((uniform >= lost) & (uniform < lost + gained)) | (uniform > 0.5 + gained / 2)
    return scores(base.astype(float)), scores(changed.astype(float))


def points(generator: np.random.Generator, n: int, shift: float = 0.0) -> tuple[Counts, Counts]:
    """Hits out of 3 to 30 points a unit; the true shares are 0.5 and 0.5 + shift."""
    total = generator.integers(3, 31, size=n).astype(float)
    rate = 0.5 + 0.4 * (generator.beta(2, 2, size=n) - 0.5)
    hits = [generator.binomial(total.astype(int), rate + change).astype(float) for change in (0.0, shift)]
    return Counts(hits[0][:, None], total[:, None]), Counts(hits[1][:, None], total[:, None])


def masks(generator: np.random.Generator, n: int, shift: float = 0.0) -> tuple[Counts, Counts]:
    """Intersections and unions of five classes, two of them rare; every true IoU is higher by `shift` at last."""
    present = generator.random((n, 5)) < np.array([1.0, 0.9, 0.6, 0.3, 0.3])
    size = generator.integers(50, 400, size=(n, 5)) * present
    quality = np.array([0.8, 0.7, 0.6, 0.5, 0.4])
    skill = 0.2 * (generator.beta(2, 2, size=(n, 1)) - 0.5)
    sides = []
    for change in (0.0, shift):
        union = np.rint(size * generator.uniform(1.0, 1.4, size=(n, 5)))
        sides.append(Counts(generator.binomial(union.astype(int), quality + skill + change).astype(float), union))
    return sides[0], sides[1]


Pair = Callable[[np.random.Generator, int], tuple[Counts, Counts]]


def one_test(pair: Pair, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """The test of two labels that say nothing."""
    return [rejects(Contrast.difference(*pair(generator, n)), key)]


def binary_tests(n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """The permutation test and the exact binomial test of 0/1 outcomes."""
    contrast = Contrast.difference(*binary(generator, n))
    p = exact_mcnemar_p(contrast)
    assert p is not None
    return [rejects(contrast, key), p <= ALPHA]


def attainable_size(n: int, share: float) -> float:
    """How often the exact binomial test rejects at `ALPHA` where each of `n` units changes with a probability.

    Few units that change leave few p-values, and the largest that is not above `ALPHA` may lie well below it.
    """
    changed = np.arange(n + 1)
    # The most gains, or losses, that are still few enough: 2 P(gains ≤ k) ≤ ALPHA.
    critical = binom.ppf(ALPHA / 2, changed, 0.5)
    critical = np.where(2 * binom.cdf(critical, changed, 0.5) <= ALPHA, critical, critical - 1)
    return float(np.sum(binom.pmf(changed, n, share) * 2 * binom.cdf(critical, changed, 0.5)))


def difference_of_differences(pair: Pair, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """The test of two models with the same effect."""
    return [rejects(Contrast.difference_of_differences(pair(generator, n), pair(generator, n)), key)]


def clustered(pair: Pair, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Clusters of 1 to 5 units that differ alike, exchanged whole; and, wrongly, unit by unit.

    A cluster's units share which label is the better one: their differences are all kept or all exchanged.
    """
    sizes = generator.integers(1, 6, size=n)
    clusters = np.repeat(np.arange(n), sizes)
    one, other = pair(generator, len(clusters))
    lower, upper = one.numerator.sum(axis=1), other.numerator.sum(axis=1)
    flip = (lower > upper) ^ (generator.random(n) < 0.5)[clusters]
    sides = [
        Counts(
            np.where(flip[:, None], first.numerator, second.numerator),
            np.where(flip[:, None], first.denominator, second.denominator),
        )
        for first, second in ((one, other), (other, one))
    ]
    whole = Contrast.difference(sides[0].summed_over(clusters), sides[1].summed_over(clusters))
    return [rejects(whole, key), rejects(Contrast.difference(sides[0], sides[1]), key)]


def family(true_effects: int, n: int, generator: np.random.Generator, key: Key, *, of_0_1: bool = False) -> list[bool]:
    """Whether any contrast without effect is rejected, by max-T and by Holm; contrasts share half their noise."""
    shared = generator.normal(size=(n, 1))
    differences = shared + generator.normal(size=(n, FAMILY))
    differences[:, :true_effects] += 0.8
    # About a third of the outcomes change, to success or to failure.
    sides = [(0 * column, column) if not of_0_1 else (1.0 * (column < -1.4), 1.0 * (column > 1.4))
             for column in differences.T]  # fmt: skip
    contrasts = [Contrast.difference(scores(base), scores(changed)) for base, changed in sides]
    exchanges = exchange(contrasts, draws=DRAWS, key=(*key, "draws"))
    names = ["family"] * FAMILY
    joint = max_t_within_families([exchanges], names)[true_effects:]
    stepwise = holm_within_families(exchanges.two_sided(), names)[true_effects:]
    return [bool(joint.min() <= ALPHA), bool(stepwise.min() <= ALPHA)]


def covers(interval: Interval, truth: float) -> bool:
    """Whether an interval holds the true value."""
    return interval.low <= truth <= interval.high


def value_coverage(draw: Callable[[np.random.Generator, int], FloatArray], truth: float, n: int,
                   generator: np.random.Generator, key: Key) -> list[bool]:  # fmt: skip
    """BCa of a mean, expanded and plain."""
    resampled = Resampled.of({"x": scores(draw(generator, n))}, resamples=RESAMPLES, key=(*key, "bootstrap"))
    return [covers(of({"x": 1.0}, LEVEL), truth) for of in (resampled.interval, resampled.plain_interval)]


def delta_coverage(pair: Pair, truth: float, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """BCa of a difference on the same units, expanded and plain."""
    base, changed = pair(generator, n)
    resampled = Resampled.of({"base": base, "changed": changed}, resamples=RESAMPLES, key=(*key, "bootstrap"))
    weights = {"changed": 1.0, "base": -1.0}
    return [covers(of(weights, LEVEL), truth) for of in (resampled.interval, resampled.plain_interval)]


def median_coverage(n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """BCa of a median."""
    values = generator.lognormal(0.0, 0.5, size=n)
    weights = bootstrap_weights(n, resamples=RESAMPLES, key=(*key, "bootstrap"))
    replicates, without = bootstrap_medians(values, weights), jackknife_medians(values)
    return [covers(bca_interval(float(np.median(values)), replicates, without, LEVEL), 1.0)]


def wilson_coverage(n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Wilson's interval of a proportion of 0.7."""
    return [covers(wilson_interval(int(generator.binomial(n, 0.7)), n, LEVEL), 0.7)]


def equivalence_size(pair: Pair, margin: float, n: int, generator: np.random.Generator, key: Key) -> list[bool]:
    """Whether a difference that is exactly the margin is called equivalent, by the tests and by the interval."""
    base, changed = pair(generator, n)
    resampled = Resampled.of({"base": base, "changed": changed}, resamples=RESAMPLES, key=(*key, "bootstrap"))
    weights = {"changed": 1.0, "base": -1.0}
    (p,) = equivalence_tests([resampled.influence(weights)], [margin], draws=DRAWS, key=(*key, "draws"))
    return [p <= ALPHA, is_included(resampled.interval(weights, 1 - 2 * ALPHA), margin)]


def shifted(pair: Pair, shift: float, generator: np.random.Generator, n: int) -> tuple[Counts, Counts]:
    """Scores whose true difference is `shift`."""
    base, changed = pair(generator, n)
    return base, Counts(changed.numerator + shift * changed.denominator, changed.denominator)


def designs() -> Iterator[Design]:
    """Every design, in the order of the report."""
    test, clusters = "permutation test", "clusters of 1 to 5 units: "
    simulators: list[tuple[str, int, Pair]] = [
        ("scores, normal", 50, scalar),
        ("scores, lognormal", 50, partial(scalar, skewed=True)),
        ("hits of 3 to 30 points (PCK)", 100, points),
        ("five classes (mIoU)", 60, masks),
    ]
    error = partial(Design, "type I error", low=0.04, high=0.06, expected=ALPHA)
    for data, n, pair in simulators:
        yield error((test,), data, n, simulate=partial(one_test, pair))
    for n in (100, 1_000, 5_000):
        yield error((test, "exact binomial test"), "0/1, 40 % of units change", n, simulate=binary_tests,
                    expected=attainable_size(n, 0.4))  # fmt: skip
    for data, n, pair in [*simulators[:1], ("0/1", 1_000, binary), simulators[3]]:
        yield error(("permutation test, difference of differences",), data, n,
                    simulate=partial(difference_of_differences, pair))  # fmt: skip
    for data, n, pair in [simulators[0], ("0/1", 400, binary), simulators[2], simulators[3]]:
        yield error(("permutation test, clusters exchanged", WRONG), clusters + data, n, compared=(WRONG,),
                    simulate=partial(clustered, pair))  # fmt: skip
    joint = partial(Design, "family-wise error", ("max-T", "Holm"), low=0.0, high=0.06, expected=ALPHA)
    for data, n, of_0_1 in (("scores", 50, False), ("0/1", 100, True)):
        for true_effects in (0, FAMILY // 2):
            yield joint(data=f"{FAMILY} correlated contrasts of {data}, {true_effects} true", n=n,
                        simulate=partial(family, true_effects, of_0_1=of_0_1))  # fmt: skip
    coverage = partial(Design, "coverage", low=0.93, high=0.97, expected=LEVEL)
    means: list[tuple[str, Callable[[np.random.Generator, int], FloatArray], float]] = [
        ("mean, normal", lambda g, n: g.normal(size=n), 0.0),
        ("mean, exponential", lambda g, n: g.exponential(size=n), 1.0),
    ]
    for data, draw, truth in means:
        for n in (50, 200):
            yield coverage(("BCa, expanded", PLAIN), data, n, compared=(PLAIN,),
                           simulate=partial(value_coverage, draw, truth))  # fmt: skip
    deltas: list[tuple[str, int, Pair, float]] = [
        ("delta, scores", 50, partial(shifted, scalar, 0.3), 0.3),
        ("delta, 0/1", 100, partial(binary, gained=0.1, lost=0.2), -0.1),
        ("delta, hits of points (PCK)", 100, partial(points, shift=0.05), 0.05),
        ("delta, five classes (mIoU)", 60, partial(masks, shift=0.05), 0.05),
    ]
    for data, n, pair, truth in deltas:
        yield coverage(("BCa, expanded", PLAIN), data, n, compared=(PLAIN,),
                       simulate=partial(delta_coverage, pair, truth))  # fmt: skip
    yield coverage(("BCa",), "median, lognormal", 51, simulate=median_coverage)
    yield coverage(("Wilson",), "proportion of 0.7", 50, simulate=wilson_coverage)
    size = partial(Design, "size of equivalence", ("two one-sided tests", "interval inclusion"), low=0.0, high=0.055,
                   expected=ALPHA)  # fmt: skip
    margins: list[tuple[str, int, Pair, float]] = [
        ("scores at the margin", 50, partial(shifted, scalar, 0.5), 0.5),
        ("scores at the margin", 200, partial(shifted, scalar, 0.5), 0.5),
        ("0/1 at the margin", 400, partial(binary, gained=0.15, lost=0.05), 0.1),
        ("hits of points (PCK) at the margin", 400, partial(points, shift=0.03), 0.03),
        ("five classes (mIoU) at the margin", 60, partial(masks, shift=0.05), 0.05),
        ("five classes (mIoU) at the margin", 200, partial(masks, shift=0.05), 0.05),
    ]
    for data, n, pair, margin in margins:
        yield size(data=data, n=n, simulate=partial(equivalence_size, pair, margin))


def measure(place: int, sets: int) -> list[ErrorRate]:
    """Simulate the design at a place of `designs`."""
    # statsmodels collects garbage at every call, and need not look through every module for it.
    gc.freeze()
    design = list(designs())[place]
    verdicts = []
    for number in range(sets):
        key = (SEED, f"{design.quantity}: {', '.join(design.procedures)}: {design.data}: {design.n}", number)
        verdicts.append(design.simulate(design.n, keyed_generator(*key, "data"), key))
    rates = np.mean(verdicts, axis=0)
    return [
        ErrorRate(
            quantity=design.quantity,
            procedure=procedure,
            data=design.data,
            n=design.n,
            sets=sets,
            expected=design.expected,
            rate=float(rate),
            standard_error=math.sqrt(rate * (1 - rate) / sets),
            low=design.low,
            high=design.high,
            within="" if procedure in design.compared else "true" if design.low <= rate <= design.high else "false",
            seed=SEED,
        )
        for procedure, rate in zip(design.procedures, rates, strict=True)
    ]


def write(rates: Sequence[ErrorRate], path: Path) -> None:
    """Write the rates as CSV, signed with the digest of the code that they are of."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*(field.name for field in fields(ErrorRate)), "code"])
    code = code_digest(SIMULATION)
    for rate in rates:
        writer.writerow([*(f"{value:.6g}" if isinstance(value, float) else value for value in astuple(rate)), code])
    write_whole(path, text.getvalue().encode("utf-8"))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line; see `--help`."""
    parser = argparse.ArgumentParser(prog="python -m analysis.error_rates", description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="CSV to write")
    parser.add_argument("--sets", type=int, default=SETS, help="simulated sets a design (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: %(default)s)")
    given = parser.parse_args(arguments)
    places = range(len(list(designs())))
    with ProcessPoolExecutor(max_workers=given.workers) as pool:
        rates = []
        for found in pool.map(partial(measure, sets=given.sets), places):
            for rate in found:
                print(f"{rate.quantity}, {rate.procedure}, {rate.data}, n {rate.n}: {rate.rate:.4f}", flush=True)
            rates += found
    write(rates, given.out)


if __name__ == "__main__":
    report_errors(main)
