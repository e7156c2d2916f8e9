"""Read outcome files, check them, and lay them out densely for the statistics.

The schema is `analysis.outcomes.schema`. A mistake in a file surfaces here, with the file, the
column, the rows and the remedy in the message, and nowhere later.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.engine.metric import Counts, FloatArray
from analysis.outcomes.csv_files import is_csv, read_csv
from analysis.outcomes.schema import COUNTS, OutcomeError, checked, listed
from config.ranges import Range
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import REFUSED, TASKS

_GROUP = ["dataset", "task", "model", "readout", "features", "layer", "refit"]


@dataclass(frozen=True, eq=False)
class EveryUnit:
    """Units one by one, where outcomes are summed over clusters of them.

    Attributes:
        units: sorted.
        clusters: cluster of each unit.
        conditions: condition → counts (units × categories).
    """

    units: tuple[str, ...]
    clusters: tuple[str, ...]
    conditions: Mapping[str, Counts]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Outcomes of one dataset, task, model, readout and probe (features, layer and refit).

    Attributes:
        features, layer: what the probe reads; layer −1 is the last one.
        refit: 0 for the reported probe, above for probes that were trained again on resampled training data.
        size: number of units.
        units: identities of what is permuted and resampled together, sorted: the units, or their
            clusters; row i of every condition's counts is `units[i]`.
        categories: sorted; column j of every condition's counts is `categories[j]`.
        conditions: condition → counts (units × categories); always holds `full`. A category that
            a unit has no row for has numerator and denominator 0.
        members: digest of which unit is in which cluster; empty where every unit is its own. Outcomes that agree in
            it and in `units` are on the same units.
        sizes: number of units in each cluster; None where every unit is its own.
        each: the units one by one; None where every unit is its own cluster, since `conditions` has them then.
    """

    dataset: str
    task: str
    model: str
    family: str
    scale: str
    readout: str
    features: str
    layer: int
    refit: int
    size: int
    units: tuple[str, ...]
    categories: tuple[str, ...]
    conditions: Mapping[str, Counts]
    members: str = ""
    sizes: FloatArray | None = None
    each: EveryUnit | None = None


def read_outcomes(
    path: Path,
    only: Mapping[str, Collection[object]] | None = None,
    ranges: Mapping[str, Range] | None = None,
) -> list[Outcomes]:
    """Read every dataset × task × model × readout × features × layer × refit of an outcome file, in sorted order.

    The order of rows in the file has no influence on the result.

    Args:
        path: the file.
        only: column → the values that are taken; rows with others are neither read nor checked.
        ranges: task → between which values its scores lie, of tasks that are not the project's own.

    Returns:
        The outcomes; none where the file says why its model has none.

    Raises:
        OutcomeError: an unreadable file, one that breaks the schema (`analysis.outcomes.schema.checked`), no `full`
            condition, a condition without anything to count, or a unit that is missing under one condition.
    """
    frame = read_csv(path) if is_csv(path) else _read_parquet(path)
    for name, taken in (only or {}).items():
        frame = frame[frame[name].isin(list(taken))]
    if frame.empty and not is_csv(path) and REFUSED.encode() in (pq.read_schema(path).metadata or {}):
        return []
    frame = checked(frame, path, ranges)
    return [_dense(group, path) for _, group in frame.groupby(_GROUP, sort=True, observed=True)]


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise OutcomeError(
            f"{path}: cannot be read as parquet ({error}). Delete the file and evaluate again."
        ) from error


def primary(outcomes: Sequence[Outcomes]) -> list[Outcomes]:
    """Select the outcomes that tasks are reported by: the reported probe, its features, the model's last layer.

    Raises:
        OutcomeError: a task that this project does not know has several kinds of features.
    """
    reported = [one for one in outcomes if one.refit == 0 and one.features == _primary_features(one, outcomes)]
    return [
        one for one in reported if one.layer == max(other.layer for other in reported if _same_but_layer(one, other))
    ]


def _primary_features(one: Outcomes, outcomes: Sequence[Outcomes]) -> str:
    if one.task in TASKS:
        return TASKS[one.task].features
    found = sorted({other.features for other in outcomes if other.task == one.task})
    if len(found) > 1:
        raise OutcomeError(
            f"task '{one.task}' of model '{one.model}': column 'features' holds {listed(found)}, and nothing says "
            "which of them the task is reported by. Leave one in the files, or write the others as tasks of their own."
        )
    return one.features


def _same_but_layer(one: Outcomes, other: Outcomes) -> bool:
    return (one.dataset, one.task, one.model, one.readout) == (other.dataset, other.task, other.model, other.readout)


def _dense(group: pd.DataFrame, path: Path) -> Outcomes:
    first = group.iloc[0]
    where = (
        f"dataset '{first['dataset']}', task '{first['task']}', model '{first['model']}', readout '{first['readout']}'"
    )
    condition_codes, conditions = pd.factorize(group["condition"].astype(object), sort=True)
    if REFERENCE not in conditions:
        raise OutcomeError(
            f"{path}: column 'condition': no '{REFERENCE}' for {where}; found "
            f"{listed(conditions)}. Every delta is taken against '{REFERENCE}': evaluate it too."
        )
    # Sorted identities, and not the order of rows, decide which unit is which row.
    unit_codes, units = pd.factorize(group["unit"].astype(object), sort=True)
    category_codes, categories = pd.factorize(group["category"].astype(object), sort=True)
    clusters = group.set_index(unit_codes)["cluster"].groupby(level=0).first().astype(object)
    every: dict[str, Counts] = {}
    for code, condition in enumerate(conditions):
        here = condition_codes == code
        present = np.zeros(len(units), dtype=bool)
        present[unit_codes[here]] = True
        if not present.all():
            absent = [str(unit) for unit in units[~present]]
            other = group.loc[group["unit"] == absent[0], "condition"].iloc[0]
            raise OutcomeError(
                f"{path}: column 'unit': {len(absent)} of {len(units)} units are missing under "
                f"condition '{condition}' ({listed(absent)}) of {where}; '{absent[0]}' is present "
                f"under '{other}'. Evaluate every condition on the same units."
            )
        dense = np.zeros((2, len(units), len(categories)))
        for plane, name in zip(dense, COUNTS, strict=True):
            plane[unit_codes[here], category_codes[here]] = group.loc[here, name]
        if not dense[1].any():
            raise OutcomeError(
                f"{path}: column 'denominator': 0 in every row of condition '{condition}' of "
                f"{where}. There is nothing to count: check the ground truth of the dataset."
            )
        every[condition] = Counts(numerator=dense[0], denominator=dense[1])
    names = {name: str(first[name]) for name in ("dataset", "task", "model", "family", "scale", "readout", "features")}
    each = EveryUnit(tuple(units), tuple(clusters), MappingProxyType(every))
    one = Outcomes(
        **names,
        layer=int(first["layer"]),
        refit=int(first["refit"]),
        size=len(units),
        units=each.units,
        categories=tuple(categories),
        conditions=each.conditions,
        members="",
        sizes=None,
        each=None,
    )
    return _in_rows(one, each)


def _in_rows(one: Outcomes, each: EveryUnit) -> Outcomes:
    """Return outcomes with one row for each of the units, or for each of their clusters."""
    codes, names = pd.factorize(np.array(each.clusters, dtype=object), sort=True)
    if len(names) == len(each.units):
        return replace(one, units=each.units, conditions=each.conditions, members="", sizes=None, each=None)
    return replace(
        one,
        units=tuple(names),
        conditions=MappingProxyType({name: counts.summed_over(codes) for name, counts in each.conditions.items()}),
        members=_digest(each.units, each.clusters),
        sizes=np.bincount(codes).astype(np.float64),
        each=each,
    )


def each_unit(one: Outcomes) -> EveryUnit:
    """Return the units of outcomes one by one, whether or not they are in clusters."""
    return one.each or EveryUnit(one.units, one.units, one.conditions)


def restricted(one: Outcomes, clusters: Mapping[str, str]) -> Outcomes:
    """Return outcomes on some of their units.

    Args:
        one: outcomes.
        clusters: unit → its cluster, of the units to keep, which must be among those of `one`.
    """
    whole = each_unit(one)
    kept = sorted(clusters)
    place = {unit: row for row, unit in enumerate(whole.units)}
    rows = np.array([place[unit] for unit in kept])
    counts = {name: Counts(of.numerator[rows], of.denominator[rows]) for name, of in whole.conditions.items()}
    each = EveryUnit(tuple(kept), tuple(clusters[unit] for unit in kept), MappingProxyType(counts))
    return _in_rows(replace(one, size=len(kept)), each)


def _digest(units: Iterable[str], clusters: Iterable[str]) -> str:
    return digest_of(itertools.chain.from_iterable(zip(units, clusters, strict=True)))


def digest_of(names: Iterable[str], more: str = "") -> str:
    """Return a short digest of names in their order, and of one further text."""
    found = hashlib.blake2b(more.encode(), digest_size=8)
    for name in names:
        found.update(name.encode() + b"\0")
    return found.hexdigest()
