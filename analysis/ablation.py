"""Value, delta, intervals and tests of every condition: the rows of the ablation table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from analysis.intervals import bootstrap_metrics, difference_interval, value_interval
from analysis.outcomes import REFERENCE, Outcomes
from analysis.permutation import Contrast, exact_mcnemar_p, paired_permutation_tests

METRICS = {
    "classification": "accuracy",
    "retrieval": "Recall@1",
    "correspondence": "hits/points",
    "cycle_consistency": "cycles/points",
    "pck_per_image": "PCK, mean over images",
    "segmentation": "mIoU",
}


@dataclass(frozen=True)
class AblationRow:
    """One condition of one dataset, task, model and readout; the columns of `tables/ablation.csv`.

    Values and deltas are fractions. `delta` is the value minus the value under `full`, on the same
    units; everything that belongs to it is None for `full` itself. `p_exact` is None where outcomes
    are not 0/1. `draws` counts random draws, or all arrangements where they were enumerated (then
    `p_mc_error` is 0). `p_holm` is filled in when all rows of a family are known.
    """

    dataset: str
    task: str
    metric: str
    model: str
    family: str
    scale: str
    readout: str
    condition: str
    n: int
    value: float
    value_low: float
    value_high: float
    delta: float | None
    delta_low: float | None
    delta_high: float | None
    p: float | None
    p_exact: float | None
    p_smallest: float | None
    p_mc_error: float | None
    p_holm: float | None
    draws: int | None
    resamples: int
    level: float
    seed: int
    value_interval: str
    delta_interval: str | None


def on_the_same_units(outcomes: Iterable[Outcomes]) -> list[list[Outcomes]]:
    """Outcomes grouped by dataset, task and units: each group shares its draws and resamples."""
    groups: dict[tuple[str, str, tuple[str, ...]], list[Outcomes]] = {}
    for one in outcomes:
        groups.setdefault((one.dataset, one.task, one.units), []).append(one)
    return list(groups.values())


def ablation_rows(
    outcomes: Sequence[Outcomes], *, seed: int, draws: int, resamples: int, level: float
) -> Iterator[AblationRow]:
    """The rows of outcomes that are on the same units (`on_the_same_units`).

    Draws and resamples are keyed by (seed, purpose, dataset, task), so a row does not depend on
    which other models, readouts and conditions were evaluated.

    Args:
        outcomes: one dataset and task, the same units, any models and readouts.
        seed: of the run.
        draws: permutation draws (`paired_permutation_tests`).
        resamples: bootstrap resamples (`bootstrap_metrics`).
        level: coverage of the intervals, between 0 and 1.
    """
    cells = [(one, name) for one in outcomes for name in one.conditions]
    position = {(id(one), name): column for column, (one, name) in enumerate(cells)}
    dataset, task = outcomes[0].dataset, outcomes[0].task
    replicates = bootstrap_metrics(
        [one.conditions[name] for one, name in cells],
        resamples=resamples,
        key=(seed, "bootstrap", dataset, task),
    )
    contrasts = {
        column: Contrast(base=one.conditions[REFERENCE], changed=one.conditions[name])
        for column, (one, name) in enumerate(cells)
        if name != REFERENCE
    }
    tests = dict(
        zip(
            contrasts,
            paired_permutation_tests(list(contrasts.values()), draws=draws, key=(seed, "permutation", dataset, task)),
            strict=True,
        )
    )
    for column, (one, name) in enumerate(cells):
        counts = one.conditions[name]
        value = value_interval(counts, replicates[:, column], level)
        test = tests.get(column)
        delta = None
        if test is not None:
            delta = difference_interval(
                one.conditions[REFERENCE],
                counts,
                replicates[:, position[id(one), REFERENCE]],
                replicates[:, column],
                level,
            )
        yield AblationRow(
            dataset=dataset,
            task=task,
            metric=METRICS.get(task, "ratio of counts"),
            model=one.model,
            family=one.family,
            scale=one.scale,
            readout=one.readout,
            condition=name,
            n=len(one.units),
            value=counts.value(),
            value_low=value.low,
            value_high=value.high,
            delta=test.statistic if test else None,
            delta_low=delta.low if delta else None,
            delta_high=delta.high if delta else None,
            p=test.p if test else None,
            p_exact=exact_mcnemar_p(contrasts[column]) if test else None,
            p_smallest=test.smallest_p if test else None,
            p_mc_error=test.monte_carlo_error if test else None,
            p_holm=None,
            draws=test.draws if test else None,
            resamples=resamples,
            level=level,
            seed=seed,
            value_interval=value.method,
            delta_interval=delta.method if delta else None,
        )
