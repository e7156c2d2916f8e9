"""Matched and frozen readouts compared, and the variance that training a probe adds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from analysis.engine.best_interval import best_interval
from analysis.engine.contrasts import Contrast
from analysis.engine.metric import Counts
from analysis.engine.multiplicity import holm_within_families
from analysis.engine.studentised import studentised
from analysis.engine.training import trained
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import Cell, TaskOutcomes, Weights, delta, signed_sum
from analysis.rows.contrasts import ProbeVarianceRow, ReadoutRow
from analysis.statistics.parts import bounds, of_task, provenance, scored, tested
from analysis.statistics.testing import tests_of_the_metric
from config.analysis import AnalysisSettings
from config.vocabulary.replacements import REFERENCE


def readout_rows(measured: TaskOutcomes, settings: AnalysisSettings) -> list[ReadoutRow]:
    """Compare the readouts of every model and condition that has both.

    The test swaps the labels of the readouts within units: everything that a unit has under one probe for what it
    has under the other.
    """
    pairs = [
        (one, cell, cell._replace(readout="frozen"))
        for one, cell in measured.cells()
        if cell.readout == "matched" and cell.condition != REFERENCE and cell._replace(readout="frozen") in measured
    ]
    if not pairs:
        return []
    changes = [signed_sum((1, delta(frozen)), (-1, delta(matched))) for _, matched, frozen in pairs]
    estimates = [measured.estimate(change) for change in changes]
    tests, _ = tests_of_the_metric(
        [
            Contrast.difference_of_differences(_counts(measured, matched), _counts(measured, frozen))
            for _, matched, frozen in pairs
        ],
        estimates,
        draws=settings.draws,
        key=measured.key(settings.seed, "readouts"),
    )
    holm = holm_within_families(np.array([test.result.p for test in tests]), ["all"] * len(tests))
    return [
        ReadoutRow.of(
            of_task(one, measured.metric),
            bounds(best_interval(of, settings.level)),
            tested(test, of, settings, p_holm=float(adjusted)),
            provenance(settings),
            condition=matched.condition,
            matched_value=measured.counts[matched].value(),
            frozen_value=measured.counts[frozen].value(),
            matched_delta=measured.value(delta(matched)),
            frozen_delta=measured.value(delta(frozen)),
            difference=test.result.statistic,
        )
        for (one, matched, frozen), of, test, adjusted in zip(pairs, estimates, tests, holm, strict=True)
    ]


def _counts(measured: TaskOutcomes, cell: Cell) -> tuple[Counts, Counts]:
    return measured.counts[cell._replace(condition=REFERENCE)], measured.counts[cell]


def probe_variance_rows(measured: TaskOutcomes, settings: AnalysisSettings) -> Iterator[ProbeVarianceRow]:
    """Compute the variance of value and delta of every cell whose probe was refitted at least twice."""
    for one, cell in measured.cells():
        yield from _variance(measured, one, cell, "value", {cell: 1.0}, settings)
        if cell.condition != REFERENCE:
            yield from _variance(measured, one, cell, "delta", delta(cell), settings)


def _variance(
    measured: TaskOutcomes, one: Outcomes, cell: Cell, quantity: str, weights: Weights, settings: AnalysisSettings
) -> Iterator[ProbeVarianceRow]:
    of = measured.estimate(weights)
    if of.refitted is None:
        return
    alone = best_interval(replace(of, refitted=None), settings.level)
    both = best_interval(of, settings.level)
    yield ProbeVarianceRow.of(
        scored(one, measured.metric),
        provenance(settings),
        condition=cell.condition,
        quantity=quantity,
        refits=len(of.refitted),
        estimate=of.value,
        units_error=studentised(of).standard_error if of.is_determined else None,
        training_error=float(of.refitted.std(ddof=1)),
        freedom=trained(of).freedom if of.is_determined else None,
        low=alone.low,
        high=alone.high,
        interval=alone.method,
        total_low=both.low,
        total_high=both.high,
    )
