"""The whole analysis as a function: outcomes and measures in, tables out."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from tqdm import tqdm

from analysis.engine.permutation import PermutationDraws
from analysis.outcomes.files import Outcomes, primary
from analysis.outcomes.groups import TaskOutcomes, on_the_same_units
from analysis.outcomes.measures import LayerMeasures
from analysis.rows.ablation import AblationRow
from analysis.rows.contrasts import (
    ComparisonRow,
    EquivalenceRow,
    NullBin,
    ProbeVarianceRow,
    RandomPatchRow,
    ReadoutRow,
)
from analysis.rows.frames import frame_of
from analysis.rows.layers import CompressionRow, CurveRow, DivergenceRatioRow, LayerMeasureRow, TrendRow
from analysis.rows.registers import AdditivityRow, CumulativeRow
from analysis.rows.schema import R
from analysis.statistics.ablation import ablation_rows
from analysis.statistics.additivity import additivity_rows, cumulative_rows
from analysis.statistics.attention import Attention, divergence_ratio_rows, trend_rows
from analysis.statistics.comparisons import comparison_rows
from analysis.statistics.equivalence import equivalence_rows
from analysis.statistics.geometry import compression_rows
from analysis.statistics.layer_curves import curve_rows
from analysis.statistics.layer_measures import layer_measure_rows
from analysis.statistics.random_patches import random_patch_rows
from analysis.statistics.readouts import probe_variance_rows, readout_rows
from analysis.statistics.tables import in_display_order, replacement_table, with_adjusted_p
from config.settings import AnalysisSettings


@dataclass(frozen=True)
class Study:
    """What came of a run: the rows of the ablation table, and every table that a reader cites.

    Attributes:
        ablation: in display order.
        tables: name → table, of `tables/<name>.csv`.
        tests: name → table, of `tests/<name>.csv`.
    """

    ablation: Sequence[AblationRow]
    tables: Mapping[str, pd.DataFrame]
    tests: Mapping[str, pd.DataFrame]


def study(outcomes: Sequence[Outcomes], measures: Sequence[LayerMeasures], settings: AnalysisSettings) -> Study:
    """Analyse a run. A part whose conditions or measures the run lacks has an empty table.

    Args:
        outcomes: of every task and model, refits and other features among them.
        measures: of every model and dataset that has any.
        settings: what is reported, and how it is tested.

    Warns:
        UserWarning: models of one task are on different units.
    """
    ordered = _in_display_order(primary(outcomes), settings)
    together = on_the_same_units(ordered)
    _tell_of_different_units(together)
    groups = []
    ablation: list[AblationRow] = []
    permutations: list[PermutationDraws] = []
    equivalence: list[EquivalenceRow] = []
    random_patches: list[RandomPatchRow] = []
    readouts: list[ReadoutRow] = []
    additivity: list[AdditivityRow] = []
    cumulative: list[CumulativeRow] = []
    variance: list[ProbeVarianceRow] = []
    with tqdm(together, desc="tests and intervals", unit="group") as progress:
        for group in progress:
            progress.set_postfix_str(f"{group[0].dataset} {group[0].task}")
            measured = TaskOutcomes.of(group, seed=settings.seed, resamples=settings.resamples)
            groups.append(measured)
            rows, permuted = ablation_rows(
                measured, seed=settings.seed, draws=settings.draws, resamples=settings.resamples, level=settings.level
            )
            ablation += rows
            permutations += [permuted] if permuted else []
            random_patches += random_patch_rows(measured, settings)
            readouts += readout_rows(measured, settings)
            additivity += additivity_rows(measured, settings)
            cumulative += cumulative_rows(measured, settings)
            variance += probe_variance_rows(measured, outcomes, settings)
    comparisons, nulls = comparison_rows(groups, settings)
    rows = in_display_order(with_adjusted_p(ablation, permutations, settings.families), settings)
    for measured in groups:
        equivalence += equivalence_rows(measured, rows, settings)
    attentions = [Attention.of(one, settings) for one in measures]
    attended = [attention for attention in attentions if attention is not None]
    return Study(
        ablation=rows,
        tables={
            "ablation": frame_of(AblationRow, rows),
            "replacement": replacement_table(rows, settings),
            "additivity": frame_of(AdditivityRow, additivity),
            "cumulative": frame_of(CumulativeRow, cumulative),
            "compression": frame_of(CompressionRow, compression_rows(measures, settings)),
            "divergence_ratios": frame_of(
                DivergenceRatioRow, _each(divergence_ratio_rows(one, settings) for one in attended)
            ),
            "probe_variance": frame_of(ProbeVarianceRow, variance),
            "layer_measures": frame_of(
                LayerMeasureRow,
                _each(
                    layer_measure_rows(one, attention, settings)
                    for one, attention in zip(measures, attentions, strict=True)
                ),
            ),
            "layer_curves": frame_of(CurveRow, curve_rows(outcomes, settings)),
        },
        tests={
            "comparisons": frame_of(ComparisonRow, comparisons),
            "nulls": frame_of(NullBin, nulls),
            "equivalence": frame_of(EquivalenceRow, equivalence),
            "random_patches": frame_of(RandomPatchRow, random_patches),
            "readouts": frame_of(ReadoutRow, readouts),
            "trends": frame_of(TrendRow, _each(trend_rows(one, settings) for one in attended)),
        },
    )


def _each(parts: Iterable[Iterable[R]]) -> list[R]:
    return [row for part in parts for row in part]


def _tell_of_different_units(groups: Sequence[Sequence[Outcomes]]) -> None:
    """Warn where models of one task are on different units: paired tests need pairs, so nothing compares them."""
    for one, other in itertools.combinations((group[0] for group in groups), 2):
        if (one.dataset, one.task) == (other.dataset, other.task):
            warnings.warn(
                f"dataset '{one.dataset}', task '{one.task}': models '{one.model}' and '{other.model}' are not on the "
                f"same units ({one.size} and {other.size} of them), so they are not compared. Evaluate both on the "
                "same.",
                stacklevel=3,
            )


def _in_display_order(outcomes: Sequence[Outcomes], settings: AnalysisSettings) -> list[Outcomes]:
    """Datasets, tasks and models as the settings list them; so do rows and groups come."""
    return sorted(
        outcomes,
        key=lambda one: (
            list(settings.datasets).index(one.dataset),
            settings.datasets[one.dataset].index(one.task),
            settings.models.index(one.model),
            one.readout,
        ),
    )
