"""What the universes of a multiverse conclude, and which conclusions survive all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from analysis.rows.contrasts import ComparisonRow, EquivalenceRow
from analysis.rows.layers import CompressionRow
from analysis.rows.multiverse import Concluded, ConclusionRow, SurvivalRow
from analysis.rows.registers import AdditivityRow
from analysis.rows.registry import path_of
from analysis.rows.schema import read_rows
from config.layout import Run
from config.multiverse import BASE
from config.vocabulary.tasks import FROZEN

# The tables that conclude something, which a universe is run up to.
CONCLUDING = ("equivalence", "comparisons", "additivity", "compression")
PRESERVED, LOWER, HIGHER, OPEN = "preserved", "lower", "higher", "open"
ALL, WEAKENED, REVERSED = "all", "weakened", "reversed"
_PRESERVED = ("equivalent", "negligible")
_NOT_SHOWN = "neither shown"


def conclusions_of(run: Run, universe: str, alpha: float) -> list[ConclusionRow]:
    """Return what a run concludes, without frozen readouts.

    Args:
        run: with the tables `CONCLUDING`.
        universe: its name.
        alpha: error rate below which a compression is concluded from its adjusted p.

    Raises:
        TableError: a table is missing or cannot be read.
    """
    return [
        *(_delta(row, universe) for row in read_rows(EquivalenceRow, path_of("equivalence", run)) if _reported(row)),
        *(
            _comparison(row, universe)
            for row in read_rows(ComparisonRow, path_of("comparisons", run))
            if _reported(row)
        ),
        *(_additivity(row, universe) for row in read_rows(AdditivityRow, path_of("additivity", run)) if _reported(row)),
        *_compressions(read_rows(CompressionRow, path_of("compression", run)), universe, alpha),
    ]


def _reported(row: EquivalenceRow | ComparisonRow | AdditivityRow) -> bool:
    return row.readout != FROZEN


def _delta(row: EquivalenceRow, universe: str) -> ConclusionRow:
    about = _about("delta", row.dataset, row.task, row.readout, row.model, row.condition)
    found = universe, row.delta, row.low, row.high, row.conclusion
    return _concluded(about, *found, state_of(row.conclusion, row.delta))


def _comparison(row: ComparisonRow, universe: str) -> ConclusionRow:
    between = f"{row.base}, {row.changed}"
    about = _about("comparison", row.dataset, row.task, row.readout, between, row.condition, row.comparison)
    found = universe, row.difference, row.low, row.high, row.conclusion
    return _concluded(about, *found, state_of(row.conclusion, row.difference))


def _additivity(row: AdditivityRow, universe: str) -> ConclusionRow:
    about = _about("additivity", row.dataset, row.task, row.readout, row.model, row.condition)
    found = universe, row.excess, row.excess_family_low, row.excess_family_high, row.reading
    return _concluded(about, *found, OPEN if row.reading == _NOT_SHOWN else row.reading)


def _compressions(rows: Sequence[CompressionRow], universe: str, alpha: float) -> Iterator[ConclusionRow]:
    """Yield the compressions between models after the last layer, the only one that the report prints."""
    between = [row for row in rows if row.base != row.model]
    last = max((row.layer for row in between), default=0)
    for row in between:
        if row.layer == last:
            conclusion = "different" if row.p_holm is not None and row.p_holm < alpha else "undecided"
            about = _about("compression", row.dataset, "", "", f"{row.base}, {row.model}", row.condition)
            found = universe, row.compression, row.low, row.high, conclusion
            yield _concluded(about, *found, state_of(conclusion, row.compression))


def _about(
    kind: str, dataset: str, task: str, readout: str, subject: str, condition: str, question: str = ""
) -> Concluded:
    return Concluded(
        kind=kind,
        dataset=dataset,
        task=task,
        readout=readout,
        subject=subject,
        condition=condition,
        question=question,
    )


def _concluded(
    about: Concluded, universe: str, estimate: float, low: float, high: float, conclusion: str, state: str
) -> ConclusionRow:
    return ConclusionRow.of(
        about, universe=universe, estimate=estimate, low=low, high=high, conclusion=conclusion, state=state
    )


def state_of(conclusion: str, estimate: float) -> str:
    """Return what a conclusion amounts to: a difference has a side, and one within the margin is as good as none.

    Examples:
        >>> state_of("negligible", -0.002), state_of("different", -0.3), state_of("not decidable", 0.1)
        ('preserved', 'lower', 'open')
    """
    if conclusion in _PRESERVED:
        return PRESERVED
    if conclusion != "different":
        return OPEN
    return LOWER if estimate < 0 else HIGHER


def survivals(rows: Iterable[ConclusionRow]) -> list[SurvivalRow]:
    """Return which conclusions of the base hold in all universes, in the order of the base.

    A universe that did not measure something, since it lacks the condition or the data, is not counted.

    Args:
        rows: of every universe.
    """
    by_subject: dict[Concluded, dict[str, ConclusionRow]] = {}
    for row in rows:
        by_subject.setdefault(row.part(Concluded), {})[row.universe] = row
    return [_survival(about, found) for about, found in by_subject.items() if BASE in found]


def _survival(about: Concluded, found: Mapping[str, ConclusionRow]) -> SurvivalRow:
    base = found[BASE]
    others = {name: row for name, row in found.items() if row.state != base.state}
    opened = [name for name, row in others.items() if row.state == OPEN]
    turned = [name for name in others if name not in opened]
    decided = REVERSED if turned else WEAKENED if opened else ALL
    estimates = [row.estimate for row in found.values()]
    return SurvivalRow.of(
        about,
        conclusion=base.conclusion,
        state=base.state,
        estimate=base.estimate,
        least=min(estimates),
        most=max(estimates),
        universes=len(found),
        same=len(found) - len(others),
        survival=OPEN if base.state == OPEN else decided,
        opened_by=";".join(opened),
        reversed_by=";".join(turned),
    )
