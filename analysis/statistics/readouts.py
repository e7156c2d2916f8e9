"""Matched and frozen readouts compared, and the variance that training a probe adds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from scipy.special import ndtri

from analysis.engine.contrasts import Contrast
from analysis.engine.metric import Counts
from analysis.engine.multiplicity import holm_within_families
from analysis.engine.p_values import permutation_results
from analysis.engine.permutation import permute
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import Cell, TaskOutcomes, Weights, delta, signed_sum
from analysis.rows.contrasts import ProbeVarianceRow, ReadoutRow
from analysis.statistics.parts import bounds, of_task, provenance, scored, tested
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
    contrasts = [
        Contrast.difference_of_differences(_counts(measured, matched), _counts(measured, frozen))
        for _, matched, frozen in pairs
    ]
    key = (settings.seed, "readouts", measured.dataset, measured.task)
    tests = permutation_results(contrasts, permute(contrasts, draws=settings.draws, key=key))
    holm = holm_within_families(np.array([test.p for test in tests]), ["all"] * len(tests))
    return [
        ReadoutRow.of(
            of_task(one, measured.metric),
            bounds(measured.interval(signed_sum((1, delta(frozen)), (-1, delta(matched))), settings.level)),
            tested(test, p_holm=float(adjusted)),
            provenance(settings),
            condition=matched.condition,
            matched_value=measured.counts(matched).value(),
            frozen_value=measured.counts(frozen).value(),
            matched_delta=measured.value(delta(matched)),
            frozen_delta=measured.value(delta(frozen)),
            difference=test.statistic,
        )
        for (one, matched, frozen), test, adjusted in zip(pairs, tests, holm, strict=True)
    ]


def _counts(measured: TaskOutcomes, cell: Cell) -> tuple[Counts, Counts]:
    return measured.counts(cell._replace(condition=REFERENCE)), measured.counts(cell)


def probe_variance_rows(
    measured: TaskOutcomes, outcomes: Iterable[Outcomes], settings: AnalysisSettings
) -> Iterator[ProbeVarianceRow]:
    """Compute the variance of value and delta of every cell whose probe was refitted at least twice.

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
    measured: TaskOutcomes,
    one: Outcomes,
    cell: Cell,
    quantity: str,
    weights: Weights,
    refitted: Sequence[float] | np.ndarray,
    settings: AnalysisSettings,
) -> ProbeVarianceRow:
    estimate = measured.value(weights)
    units = measured.resampled.standard_error(weights)
    training = float(np.std(refitted, ddof=1))
    z = float(ndtri((1 + settings.level) / 2))
    total = math.hypot(units, training)
    return ProbeVarianceRow.of(
        scored(one, measured.metric),
        provenance(settings),
        condition=cell.condition,
        quantity=quantity,
        refits=len(refitted),
        estimate=estimate,
        units_error=units,
        training_error=training,
        low=estimate - z * units,
        high=estimate + z * units,
        total_low=estimate - z * total,
        total_high=estimate + z * total,
    )
