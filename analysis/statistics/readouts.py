"""Is the information gone, or can the reader no longer read it? And how much does training a probe add?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from analysis.engine.metric import Counts
from analysis.engine.multiplicity import holm_within_families
from analysis.engine.permutation import Contrast, exchange, permutation_results
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import Cell, Measured, Weights, delta, signed_sum
from analysis.outcomes.schema import REFERENCE
from config.settings import AnalysisSettings


@dataclass(frozen=True)
class ReadoutRow:
    """Matched against frozen under one condition; the columns of `tests/readouts.csv`. Fractions.

    `difference` is the frozen delta minus the matched one: what is lost to a reader that was trained on `full`, beyond
    what is lost altogether. `p_holm` adjusts within dataset and task.
    """

    dataset: str
    task: str
    metric: str
    model: str
    family: str
    scale: str
    condition: str
    n: int
    matched_value: float
    frozen_value: float
    matched_delta: float
    frozen_delta: float
    difference: float
    low: float
    high: float
    p: float
    p_smallest: float
    p_mc_error: float
    p_holm: float
    draws: int
    level: float
    seed: int


def readout_rows(measured: Measured, settings: AnalysisSettings) -> list[ReadoutRow]:
    """Every model and condition with both readouts.

    The test exchanges the labels of the readouts within units: everything that a unit has under one probe for what it
    has under the other.
    """
    pairs = [
        (one, cell, cell._replace(readout="frozen"))
        for one, cell in measured.cells()
        if cell.readout == "matched" and cell.condition != REFERENCE and cell._replace(readout="frozen") in measured
    ]
    if not pairs:
        return []
    contrasts = [
        Contrast.difference_of_differences(_counts(measured, matched), _counts(measured, frozen))
        for _, matched, frozen in pairs
    ]
    key = (settings.seed, "readouts", measured.dataset, measured.task)
    tests = permutation_results(contrasts, exchange(contrasts, draws=settings.draws, key=key))
    rows = []
    for (one, matched, frozen), test in zip(pairs, tests, strict=True):
        interval = measured.interval(signed_sum((1, delta(frozen)), (-1, delta(matched))), settings.level)
        rows.append(
            ReadoutRow(
                dataset=one.dataset,
                task=one.task,
                metric=measured.metric,
                model=one.model,
                family=one.family,
                scale=one.scale,
                condition=matched.condition,
                n=one.size,
                matched_value=measured.counts(matched).value(),
                frozen_value=measured.counts(frozen).value(),
                matched_delta=measured.value(delta(matched)),
                frozen_delta=measured.value(delta(frozen)),
                difference=test.statistic,
                low=interval.low,
                high=interval.high,
                p=test.p,
                p_smallest=test.smallest_p,
                p_mc_error=test.monte_carlo_error,
                p_holm=test.p,
                draws=test.draws,
                level=settings.level,
                seed=settings.seed,
            )
        )
    adjusted = holm_within_families(np.array([row.p for row in rows]), ["all"] * len(rows))
    return [replace(row, p_holm=float(p)) for row, p in zip(rows, adjusted, strict=True)]


def _counts(measured: Measured, cell: Cell) -> tuple[Counts, Counts]:
    return measured.counts(cell._replace(condition=REFERENCE)), measured.counts(cell)


@dataclass(frozen=True)
class ProbeVarianceRow:
    """What training adds to a number; the columns of `tables/probe_variance.csv`. Fractions.

    `units_error` is the bootstrap standard error over test units, `training_error` the standard deviation over
    probes refitted on bootstrap resamples of the training data. `low` and `high` bound the normal interval of the
    former alone, `total_low` and `total_high` that of both.
    """

    dataset: str
    task: str
    metric: str
    model: str
    family: str
    scale: str
    readout: str
    condition: str
    quantity: str
    n: int
    refits: int
    estimate: float
    units_error: float
    training_error: float
    low: float
    high: float
    total_low: float
    total_high: float
    level: float
    seed: int


def probe_variance_rows(
    measured: Measured, outcomes: Iterable[Outcomes], settings: AnalysisSettings
) -> Iterator[ProbeVarianceRow]:
    """Value and delta of every cell whose probe was refitted at least twice.

    Args:
        measured: the reported probes.
        outcomes: of the run, refits among them.
        settings: of the run.
    """
    refits: dict[tuple[str, str, str, int], list[Outcomes]] = {}
    for one in outcomes:
        if one.refit > 0 and (one.dataset, one.task) == (measured.dataset, measured.task):
            refits.setdefault((one.model, one.readout, one.features, one.layer), []).append(one)
    for one, cell in measured.cells():
        again = [
            found
            for found in refits.get((one.model, one.readout, one.features, one.layer), [])
            if cell.condition in found.conditions
        ]
        if len(again) < 2:
            continue
        values = np.array([found.conditions[cell.condition].value() for found in again])
        yield _variance(measured, one, cell, "value", {cell: 1.0}, values, settings)
        if cell.condition != REFERENCE:
            full = np.array([found.conditions[REFERENCE].value() for found in again])
            yield _variance(measured, one, cell, "delta", delta(cell), values - full, settings)


def _variance(
    measured: Measured,
    one: Outcomes,
    cell: Cell,
    quantity: str,
    weights: Weights,
    refitted: Sequence[float] | np.ndarray,
    settings: AnalysisSettings,
) -> ProbeVarianceRow:
    estimate = measured.value(weights)
    units = measured.resampled.spread(weights)
    training = float(np.std(refitted, ddof=1))
    z = float(norm.ppf((1 + settings.level) / 2))
    total = math.hypot(units, training)
    return ProbeVarianceRow(
        dataset=one.dataset,
        task=one.task,
        metric=measured.metric,
        model=one.model,
        family=one.family,
        scale=one.scale,
        readout=one.readout,
        condition=cell.condition,
        quantity=quantity,
        n=one.size,
        refits=len(refitted),
        estimate=estimate,
        units_error=units,
        training_error=training,
        low=estimate - z * units,
        high=estimate + z * units,
        total_low=estimate - z * total,
        total_high=estimate + z * total,
        level=settings.level,
        seed=settings.seed,
    )
