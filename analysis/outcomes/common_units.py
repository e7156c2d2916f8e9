"""Models of a task on partly different units, compared on those that they share."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence

from analysis.outcomes.files import Outcomes, each_unit, primary, restricted
from analysis.outcomes.groups import TaskOutcomes, in_display_order, on_the_same_units
from config.analysis import AnalysisSettings, Comparison
from config.vocabulary.replacements import REFERENCE

# Outcomes of two models that a comparison compares, of one readout.
_Pair = tuple[Outcomes, Outcomes]


def compared_outcomes(outcomes: Iterable[Outcomes], settings: AnalysisSettings) -> list[TaskOutcomes]:
    """Return what declared comparisons are made of: groups of outcomes on the same units, in display order.

    Models that a comparison pairs and that are on different units have a group of their own, with both on their common
    units. Values and changes of a model by itself stay on all of its units (`analysis.outcomes.groups.task_outcomes`).

    Args:
        outcomes: of every model, refits and other features among them.
        settings: of the run; they hold the comparisons.

    Warns:
        UserWarning: models are compared on a part of their units, or not at all, with how many units they share.
    """
    every = list(outcomes)
    ordered = in_display_order(primary(every), settings)
    groups = []
    for (_, task), of_task in itertools.groupby(ordered, key=lambda one: (one.dataset, one.task)):
        here = list(of_task)
        span = settings.span(task)
        groups += [TaskOutcomes.of(group, every, span=span) for group in on_the_same_units(here)]
        for pairs in _on_different_units(here, settings.comparisons):
            groups += [TaskOutcomes.of(*group, span=span) for group in _on_common_units(pairs, every)]
    return groups


def _on_different_units(outcomes: Sequence[Outcomes], comparisons: Sequence[Comparison]) -> Iterator[list[_Pair]]:
    """Yield for every two models of a task that are compared and on different units their outcomes, by readout."""
    found: dict[frozenset[str], dict[str, _Pair]] = {}
    for comparison in comparisons:
        if comparison.tasks and outcomes[0].task not in comparison.tasks:
            continue
        other = "scale" if comparison.along == "family" else "family"
        for one, two in itertools.product(outcomes, repeat=2):
            if (
                (getattr(one, comparison.along), getattr(two, comparison.along)) == comparison.pair
                and (one.readout, getattr(one, other)) == (two.readout, getattr(two, other))
                and (one.units, one.members) != (two.units, two.members)
                and any(name in one.conditions and name in two.conditions for name in comparison.conditions)
            ):
                found.setdefault(frozenset((one.model, two.model)), {}).setdefault(one.readout, (one, two))
    for by_readout in found.values():
        yield list(by_readout.values())


def _on_common_units(
    pairs: Sequence[_Pair], every: Sequence[Outcomes]
) -> Iterator[tuple[list[Outcomes], list[Outcomes]]]:
    """Yield the outcomes of two models on their common units, and their refits on the same."""
    kept: list[Outcomes] = []
    common: dict[str, tuple[str, str]] = {}
    said: list[str] = []
    for one, two in pairs:
        common = common_units(one, two)
        reason = why_not_compared(one, two, common)
        kept += [] if reason else [restricted(of, clusters_of(common)) for of in (one, two)]
        said.append(
            f"dataset '{one.dataset}', task '{one.task}': models '{one.model}' and '{two.model}' are not on the same "
            f"units; {len(common)} of {one.size} and {two.size} units are common, "
            + (f"{reason}, so they are not compared. Evaluate both on the same." if reason else "and compared.")
        )
    for text in dict.fromkeys(said):
        warnings.warn(text, stacklevel=4)
    for group in on_the_same_units(kept):
        clusters = clusters_of(common_units(group[0], group[0]))
        models = {one.model for one in group}
        yield (
            group,
            [
                restricted(one, clusters)
                for one in every
                if one.refit > 0
                and (one.dataset, one.task) == (group[0].dataset, group[0].task)
                and one.model in models
                and clusters.keys() <= set(each_unit(one).units)
            ],
        )


def common_units(one: Outcomes, two: Outcomes) -> dict[str, tuple[str, str]]:
    """Return the units that both have, sorted, each with its cluster in either."""
    first, second = ({**dict(zip(of.units, of.clusters, strict=True))} for of in map(each_unit, (one, two)))
    return {unit: (first[unit], second[unit]) for unit in sorted(first.keys() & second.keys())}


def clusters_of(common: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """Return common units with their cluster in the first."""
    return {unit: first for unit, (first, _) in common.items()}


def why_not_compared(one: Outcomes, two: Outcomes, common: Mapping[str, tuple[str, str]]) -> str:
    """Return why models cannot be compared on their common units; empty where they can."""
    firsts, seconds, both = (
        set(clusters_of(common).values()),
        {second for _, second in common.values()},
        set(common.values()),
    )
    if len(firsts) < 2:
        return "which are too few"
    if not len(firsts) == len(seconds) == len(both):
        return "but their clusters are not the same ones"
    counted = (restricted(of, clusters_of(common)).conditions[REFERENCE] for of in (one, two))
    if not all(counts.denominator.any() for counts in counted):
        return f"but these have nothing to count under {REFERENCE}"
    return ""
