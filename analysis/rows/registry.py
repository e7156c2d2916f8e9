"""Every table of a run: name → what a row is. Rules, the report and its downloads derive from it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from analysis.rows.ablation import AblationRow, Check, ReplacementRow
from analysis.rows.audit import ClaimRow, PointRow, ReproducedRow, SectionRow, SourceRow
from analysis.rows.contrasts import (
    ComparisonRow,
    EquivalenceRow,
    NullBin,
    ProbeVarianceRow,
    RandomPatchRow,
    ReadoutRow,
)
from analysis.rows.layers import CompressionRow, CurveRow, DivergenceRatioRow, LayerMeasureRow, TrendRow
from analysis.rows.registers import AdditivityRow, CumulativeRow
from analysis.rows.schema import Row

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
