"""Control for the number of tokens: registers compared with as many random patches, drawn repeatedly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.engine.best_interval import best_interval
from analysis.engine.contrasts import Contrast, Term
from analysis.engine.multiplicity import holm_within_families
from analysis.outcomes.files import Outcomes
from analysis.outcomes.groups import Cell, TaskOutcomes, Weights, delta, signed_sum
from analysis.rows.contrasts import RandomPatchRow
from analysis.statistics.parts import bounds, provenance, scored, tested
from analysis.statistics.testing import tests_of_the_metric
from config.analysis import AnalysisSettings

RANDOM_PATCHES = ("random_patches",)
REGISTERS = ("registers",)


@dataclass(frozen=True)
class _Control:
    outcomes: Outcomes
    by: str
    registers: Cell
    patches: tuple[Cell, ...]
    name: str


def random_patch_rows(measured: TaskOutcomes, settings: AnalysisSettings) -> list[RandomPatchRow]:
    """Compare every register condition with draws of random patches under the same replacement.

    The test swaps, within units, what a unit has under the register condition for what it has under every draw of
    patches; its statistic is the mean over draws of the difference of the metric.
    """
    controls = [control for one in measured.outcomes for control in _controls(one, settings)]
    if not controls:
        return []
    contrasts = [
        Contrast(
            tuple(
                Term(measured.counts[patches], measured.counts[control.registers], 1 / len(control.patches))
                for patches in control.patches
            )
        )
        for control in controls
    ]
    estimates = [measured.estimate(_difference(control)) for control in controls]
    tests, _ = tests_of_the_metric(
        contrasts, estimates, draws=settings.draws, key=measured.key(settings.seed, "random patches")
    )
    holm = holm_within_families(np.array([test.result.p for test in tests]), ["all"] * len(tests))
    rows = []
    for control, of, test, adjusted in zip(controls, estimates, tests, holm.tolist(), strict=True):
        registers = measured.value(delta(control.registers))
        draws = np.array([measured.value(delta(patches)) for patches in control.patches])
        rows.append(
            RandomPatchRow.of(
                scored(control.outcomes, measured.metric),
                bounds(best_interval(of, settings.level)),
                tested(test, of, settings, p_holm=adjusted),
                provenance(settings),
                by=control.by,
                condition=control.registers.condition,
                control=control.name,
                draws_of_patches=len(draws),
                delta=registers,
                random_mean=float(draws.mean()),
                random_spread=float(draws.std(ddof=1)) if len(draws) > 1 else 0.0,
                random_least=settings.task(measured.task).least_costly(draws.tolist()),
                random_most=settings.task(measured.task).most_costly(draws.tolist()),
                as_large=int(np.sum(np.abs(draws) >= abs(registers))),
                difference=test.result.statistic,
            )
        )
    return rows


def _difference(control: _Control) -> Weights:
    share = 1 / len(control.patches)
    return signed_sum((1, {control.registers: 1.0}), *((-share, {cell: 1.0}) for cell in control.patches))


def _controls(one: Outcomes, settings: AnalysisSettings) -> Iterator[_Control]:
    draws: dict[tuple[str, str], list[Cell]] = {}
    for condition in settings.conditions.values():
        if condition.tokens == RANDOM_PATCHES and condition.by and condition.name in one.conditions:
            name = condition.of or condition.name
            draws.setdefault((condition.by, name), []).append(Cell(one.model, one.readout, condition.name))
    for (by, name), patches in draws.items():
        for condition in settings.conditions.values():
            if condition.tokens == REGISTERS and condition.by == by and condition.name in one.conditions:
                yield _Control(one, by, Cell(one.model, one.readout, condition.name), tuple(patches), name)
