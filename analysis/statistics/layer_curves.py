"""Layer curves: the metric of a probe on each token after each layer, with intervals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from analysis.engine.best_interval import best_interval
from analysis.engine.estimates import estimate
from analysis.outcomes.files import Outcomes
from analysis.rows.layers import CurveRow
from analysis.statistics.parts import of_task, provenance
from config.analysis import AnalysisSettings
from config.vocabulary.tasks import task_of


def curve_rows(outcomes: Iterable[Outcomes], settings: AnalysisSettings) -> Iterator[CurveRow]:
    """Compute the values along the layers of every condition that was recorded after several layers.

    Matched readout where a probe is trained. Intervals are over units or their clusters, as in the ablation table.

    Args:
        outcomes: of every task and model, further features and layers among them.
        settings: of the run.
    """
    groups: dict[tuple[str, str, str], list[Outcomes]] = {}
    for one in outcomes:
        if one.refit == 0 and one.readout != "frozen" and len(one.categories) == 1:
            groups.setdefault((one.dataset, one.task, one.model), []).append(one)
    for group in groups.values():
        layers = Counter(condition for layer in _by_layer(group) for condition in layer)
        for condition in (name for name in group[0].conditions if layers[name] > 1):
            yield from _curve([one for one in group if condition in one.conditions], condition, settings)


def _by_layer(group: Sequence[Outcomes]) -> list[set[str]]:
    """Return the conditions recorded after each layer."""
    found: dict[int, set[str]] = {}
    for one in group:
        found.setdefault(one.layer, set()).update(one.conditions)
    return list(found.values())


def _curve(group: Sequence[Outcomes], condition: str, settings: AnalysisSettings) -> Iterator[CurveRow]:
    ordered = sorted(group, key=lambda one: (one.features, one.layer))
    for one in ordered:
        of = estimate({condition: one.conditions[condition]}, {condition: 1.0}, cluster_sizes=one.sizes)
        interval = best_interval(of, settings.level)
        yield CurveRow.of(
            of_task(one, task_of(one.task).metric),
            provenance(settings),
            condition=condition,
            features=one.features,
            layer=one.layer,
            value=of.value,
            value_low=interval.low,
            value_high=interval.high,
            value_interval=interval.method,
        )
