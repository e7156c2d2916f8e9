"""Tables of result files: which column shows what of a row, said once a column."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from reports.inputs import Cells, Inputs
from reports.numbers import MISSING, interval, p_value, points
from reports.table import Body, Column, Markup, Row, Table, Text, escaped

_WHOLE_GROUPS = ({"cls"}, {"registers"})


@dataclass(frozen=True)
class Shown:
    """A column: its title, what it shows of a row, and the classes of its cells."""

    title: str
    cell: Callable[[Cells], Text]
    classes: str = ""


def text(title: str, name: str) -> Shown:
    """A column as it stands."""
    return Shown(title, lambda row: row[name])


def named(title: str, name: str) -> Shown:
    """A column of names of models or conditions."""
    return Shown(title, lambda row: code(row[name]))


def number(title: str, name: str, show: Callable[[str], str], *, muted: bool = False) -> Shown:
    """A column of numbers, printed by `show`."""
    return Shown(title, lambda row: show(row[name]), "number muted" if muted else "number")


def change(title: str, name: str) -> Shown:
    """A column of differences, in percentage points."""
    return number(title, name, points)


def p(title: str, name: str, *, muted: bool = False) -> Shown:
    """A column of p-values."""
    return number(title, name, p_value, muted=muted)


def between(
    title: str = "Interval", low: str = "low", high: str = "high", show: Callable[[str], str] = points
) -> Shown:
    """A column of intervals, printed by `show`; points where nothing else is said."""
    return Shown(title, lambda row: interval(row[low], row[high], show) or MISSING, "number muted")


def body(shown: Sequence[Shown], rows: Iterable[Cells], heading: Text = "") -> Body:
    """Rows that belong together."""
    return Body(tuple(Row(tuple(column.cell(row) for column in shown)) for row in rows), heading)


def tabulate(ident: str, caption: str, shown: Sequence[Shown], bodies: Iterable[Body]) -> Table | None:
    """A table of bodies; None where there are none."""
    whole = tuple(bodies)
    if not whole:
        return None
    return Table(ident, caption, tuple(Column(column.title, column.classes) for column in shown), whole)


def grouped(rows: Iterable[Cells], *names: str) -> Iterable[list[Cells]]:
    """Neighbouring rows that agree in some columns."""
    for _, group in groupby(rows, key=lambda row: tuple(row[name] for name in names)):
        yield list(group)


def by_model(rows: Iterable[Cells], inputs: Inputs) -> list[Cells]:
    """Models and conditions as the config lists them; draws, which it does not, in the order of the table."""
    models, conditions = list(inputs.models), list(inputs.settings["conditions"])
    return sorted(
        rows,
        key=lambda row: (
            models.index(row["model"]),
            conditions.index(row["condition"]) if row["condition"] in conditions else len(conditions),
        ),
    )


def whole_group_conditions(settings: Mapping[str, object]) -> list[str]:
    """Conditions that replace CLS or all registers."""
    conditions = settings["conditions"]
    assert isinstance(conditions, Mapping)
    return [name for name, stated in conditions.items() if set((stated or {}).get("tokens", ())) in _WHOLE_GROUPS]


def heading(name: str, aside: str = "") -> Markup:
    """The heading of a body, and what else is to be said of its rows."""
    return Markup(f"<b>{escaped(name)}</b>" + (f" <small>{escaped(aside)}</small>" if aside else ""))


def code(name: str) -> Markup:
    """A name of a model or condition."""
    return Markup(f"<code>{escaped(name)}</code>")


def pair(first: str, second: str, sign: str = ", ") -> Markup:
    """Two names of models or conditions, and what stands between them."""
    return Markup(f"{code(first).html}{sign}{code(second).html}")


def badge(key: str, sign: str, words: str, title: str = "") -> Markup:
    """A coloured label; its sign needs no colour."""
    hint = f' title="{escaped(title)}"' if title else ""
    return Markup(
        f'<span class="badge {key}"{hint}><span class="sign" aria-hidden="true">{sign}</span> {escaped(words)}</span>'
    )
