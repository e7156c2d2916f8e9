"""Every table of a run: name → what a row is. Rules, the report and its downloads derive from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from analysis.rows.ablation import AblationRow, Check, ReplacementRow
from analysis.rows.audit import ClaimRow, PointRow, ReproducedRow, SectionRow, SourceRow
from analysis.rows.classes import ClassDeltaRow
from analysis.rows.contrasts import (
    ComparisonRow,
    EquivalenceRow,
    EquivalenceTest,
    NullBin,
    ProbeVarianceRow,
    RandomPatchRow,
    ReadoutRow,
)
from analysis.rows.layers import CompressionRow, CurveRow, DivergenceRatioRow, LayerMeasureRow, TrendRow
from analysis.rows.multiverse import ConclusionRow, SurvivalRow, UniverseRow
from analysis.rows.registers import AdditivityRow, CumulativeRow
from analysis.rows.schema import Row
from config.layout import Run

# In tables/<name>.csv
TABLES: Mapping[str, type[Row]] = MappingProxyType(
    {
        "ablation": AblationRow,
        "replacement": ReplacementRow,
        "known_answers": Check,
        "additivity": AdditivityRow,
        "cumulative": CumulativeRow,
        "compression": CompressionRow,
        "divergence_ratios": DivergenceRatioRow,
        "probe_variance": ProbeVarianceRow,
        "layer_measures": LayerMeasureRow,
        "layer_curves": CurveRow,
    }
)
# In tests/<name>.csv
TESTS: Mapping[str, type[Row]] = MappingProxyType(
    {
        "comparisons": ComparisonRow,
        "nulls": NullBin,
        "equivalence": EquivalenceRow,
        "class_deltas": ClassDeltaRow,
        "random_patches": RandomPatchRow,
        "readouts": ReadoutRow,
        "trends": TrendRow,
    }
)
# In audit/<name>.csv
AUDIT: Mapping[str, type[Row]] = MappingProxyType(
    {
        "claims": ClaimRow,
        "summary": SectionRow,
        "points": PointRow,
        "sources": SourceRow,
        "reproduced": ReproducedRow,
    }
)
# In multiverse/<name>.csv, of a run that describes one and whose universes were run.
MULTIVERSE: Mapping[str, type[Row]] = MappingProxyType(
    {"universes": UniverseRow, "conclusions": ConclusionRow, "survival": SurvivalRow}
)
DECLARED: Mapping[str, type[Row]] = MappingProxyType({**TABLES, **TESTS})
# The tables that figures are drawn from.
DRAWN = ("ablation", "known_answers", "layer_measures", "layer_curves", "comparisons", "nulls", "cumulative")
# What is made of measures.
LAYER_TABLES = ("layer_measures", "compression", "divergence_ratios", "trends")
# In statistics/<dataset>/<task>/<name>.csv, with every digit: what comes of one data set and task before p-values are
# adjusted, which may take those of others.
PARTS: Mapping[str, type[Row]] = MappingProxyType(
    {
        "ablation": AblationRow,
        "equivalence": EquivalenceTest,
        "class_deltas": ClassDeltaRow,
        "random_patches": RandomPatchRow,
        "readouts": ReadoutRow,
        "additivity": AdditivityRow,
        "cumulative": CumulativeRow,
        "probe_variance": ProbeVarianceRow,
        "layer_curves": CurveRow,
    }
)


def path_of(name: str, run: Run) -> Path:
    """Return where a run keeps a table."""
    return run.table(name) if name in TABLES else run.test(name)
