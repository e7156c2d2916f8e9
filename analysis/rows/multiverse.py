"""Rows of a multiverse: its universes, what each concludes, and which conclusions survive all."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.rows.schema import Row, column


@dataclass(frozen=True, kw_only=True)
class UniverseRow(Row):
    """One universe: a run of its own."""

    universe: str = column("base, or the choices in which it differs from the base and the options that it takes")
    run: str = column("name of its run, whose files are in the folder of this name")
    choices: str = column("choices in which it differs from the base, separated by semicolons")
    options: str = column("the option that it takes in each of them, likewise")
    config: str = column("digest of its config")


@dataclass(frozen=True, kw_only=True)
class Concluded(Row):
    """What a conclusion is about; what does not apply to its kind is empty."""

    kind: str = column("delta, comparison, additivity or compression: the table that it is from")
    dataset: str = column("the data set")
    task: str = column("the task")
    readout: str = column("matched, frozen or direct")
    subject: str = column("the model, or the two that are compared")
    condition: str = column("the condition, or the two that are compared")
    question: str = column("name of the declared comparison")


@dataclass(frozen=True, kw_only=True)
class ConclusionRow(Concluded):
    """One conclusion in one universe."""

    universe: str = column("the universe")
    estimate: float = column("what the conclusion is of: a change, a difference of changes, an excess, a compression")
    low: float | None = column("lower end of its interval, or empty")
    high: float | None = column("upper end of its interval, or empty")
    conclusion: str = column("as the table says it")
    state: str = column("preserved, lower, higher, or open where nothing is concluded; of additivity, its reading")


@dataclass(frozen=True, kw_only=True)
class SurvivalRow(Concluded):
    """One conclusion of the base in all universes."""

    conclusion: str = column("of the base")
    state: str = column("of the base, as in conclusions.csv")
    estimate: float = column("of the base")
    least: float = column("smallest estimate of any universe")
    most: float = column("largest estimate of any universe")
    universes: int = column("universes that measured it")
    same: int = column("universes, the base among them, with the state of the base")
    survival: str = column(
        "all: every universe concludes the same; weakened: some leave it open; reversed: some conclude otherwise; "
        "open: the base concludes nothing"
    )
    opened_by: str = column("universes that leave it open, separated by semicolons")
    reversed_by: str = column("universes that conclude otherwise, likewise")
