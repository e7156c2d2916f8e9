"""All statistics of what is measured at layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from analysis.outcomes.measures import LayerMeasures
from analysis.rows.schema import R, Row
from analysis.statistics.attention import Attention, divergence_ratio_rows, trend_rows
from analysis.statistics.geometry import compression_rows
from analysis.statistics.layer_measures import layer_measure_rows
from config.analysis import AnalysisSettings


def layer_tables(measures: Sequence[LayerMeasures], settings: AnalysisSettings) -> Mapping[str, Sequence[Row]]:
    """Summarise and compare what is measured at layers.

    Args:
        measures: of every model and data set that has any.
        settings: of the run.

    Returns:
        Name → rows of the tables `layer_measures`, `compression`, `divergence_ratios` and `trends`.
    """
    attentions = [Attention.of(one, settings) for one in measures]
    attended = [attention for attention in attentions if attention is not None]
    return {
        "layer_measures": _each(
            layer_measure_rows(one, attention, settings) for one, attention in zip(measures, attentions, strict=True)
        ),
        "compression": compression_rows(measures, settings),
        "divergence_ratios": _each(divergence_ratio_rows(one, settings) for one in attended),
        "trends": _each(trend_rows(one, settings) for one in attended),
    }


def _each(parts: Iterable[Iterable[R]]) -> list[R]:
    return [row for part in parts for row in part]
