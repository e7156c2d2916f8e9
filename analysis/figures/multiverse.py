"""The specification curve: every estimate of a conclusion, universe by universe, over the choices that made it.

Reference: Simonsohn, Simmons and Nelson (2020), Specification curve analysis, Nature Human Behaviour 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures.style import COLOURS, house_style, placeholder, save
from analysis.rows.multiverse import Concluded, ConclusionRow, UniverseRow
from config.multiverse import BASE
from config.vocabulary.tasks import task_of

_LOOKS = {"lower": (COLOURS[1], "v"), "higher": (COLOURS[0], "^"), "preserved": (COLOURS[2], "o")}
_OTHERWISE = ("#8a929b", "X")
_WORDS = {"lower": "lower", "higher": "higher", "preserved": "within the margin"}
# Panels of one figure: as many as a page shows without scrolling twice.
MOST = 10


def headlines(rows: Sequence[ConclusionRow]) -> list[Concluded]:
    """Return what the figure shows: the declared comparisons, or changes where a config declares none, at most `MOST`.

    Of many, those come first whose estimates vary most between universes.
    """
    kinds = [kind for kind in ("comparison", "delta") if any(row.kind == kind for row in rows)]
    estimates: dict[Concluded, list[float]] = {}
    for row in rows:
        if kinds and row.kind == kinds[0]:
            estimates.setdefault(row.part(Concluded), []).append(row.estimate)
    kept = sorted(estimates, key=lambda about: np.ptp(estimates[about]), reverse=True)[:MOST]
    return [about for about in estimates if about in kept]


def specification_curve(
    rows: Sequence[ConclusionRow], universes: Sequence[UniverseRow], titles: Mapping[str, str], path: Path
) -> None:
    """Draw the estimates of every headline with their intervals, one column per universe, over its options.

    Args:
        rows: of every universe.
        universes: in the order of the config; the columns are in the order of the estimates of the first panel.
        titles: choice → as the report prints it.
        path: the SVG to write.
    """
    shown = headlines(rows)
    if not shown or len(universes) < 2:
        with house_style():
            placeholder("No conclusion was reached in more than one universe", path)
        return
    found = {about: {row.universe: row for row in rows if row.part(Concluded) == about} for about in shown}
    first = found[shown[0]]
    order = sorted(universes, key=lambda one: first[one.universe].estimate if one.universe in first else np.inf)
    columns = [one.universe for one in order]
    options = _options(universes)
    heights = [1.0] * len(shown) + [0.2 * len(options) + 0.2]
    with house_style():
        figure, panels = plt.subplots(
            nrows=len(shown) + 1,
            figsize=(max(7.2, 3.0 + 0.28 * len(columns)), 1.0 + 1.3 * len(shown) + 0.22 * len(options)),
            height_ratios=heights,
            sharex=True,
            layout="constrained",
        )
        for panel, about in zip(panels, shown, strict=False):
            _estimates(panel, about, found[about], columns)
        _matrix(panels[-1], options, order, titles)
        figure.supylabel("estimate, in the unit of each title", fontsize=9)
        states = dict.fromkeys(row.state for about in shown for row in found[about].values())
        figure.legend(
            handles=[_key(state) for state in states] + [Line2D([], [], color="#b8bec5", linewidth=7, label=BASE)],
            loc="outside lower center",
            ncols=len(states) + 1,
            frameon=False,
        )
        save(figure, path)


def _estimates(panel: Axes, about: Concluded, found: Mapping[str, ConclusionRow], columns: Sequence[str]) -> None:
    task = task_of(about.task) if about.task else None
    factor = task.factor if task else 100
    panel.axhline(0, color="#666666", linewidth=0.8, zorder=0)
    panel.axvspan(columns.index(BASE) - 0.4, columns.index(BASE) + 0.4, color="#e3e6ea", zorder=-1)
    for place, universe in enumerate(columns):
        if (row := found.get(universe)) is None:
            continue
        colour, marker = _LOOKS.get(row.state, _OTHERWISE)
        if row.low is not None and row.high is not None:
            panel.plot([place, place], [factor * row.low, factor * row.high], color=colour, linewidth=1.5)
        panel.plot(place, factor * row.estimate, color=colour, marker=marker, markersize=5)
    unit = "%" if task is None else "pp" if task.percent else task.unit_of_changes
    question = about.question.replace("_", " ").replace("cls", "CLS")
    where = ", ".join(filter(None, (about.dataset, about.task, about.subject, about.condition)))
    panel.set_title("\n".join(filter(None, (question, f"{where}, {unit}"))), loc="left", fontsize=8)
    panel.tick_params(axis="x", length=0)
    panel.tick_params(axis="y", labelsize=8)
    panel.margins(y=0.15)


def _matrix(
    panel: Axes,
    options: Sequence[tuple[str, str]],
    order: Sequence[UniverseRow],
    titles: Mapping[str, str],
) -> None:
    """Mark which option every universe takes: one line per option, the choices grouped by shading."""
    choices = list(dict.fromkeys(choice for choice, _ in options))
    for line, (choice, option) in enumerate(options):
        if choices.index(choice) % 2:
            panel.axhspan(line - 0.5, line + 0.5, color="#f1f3f5", zorder=-1)
        taken = [dict(zip(one.choices.split(";"), one.options.split(";"), strict=True)).get(choice) for one in order]
        places = [place for place, each in enumerate(taken) if each == option]
        panel.plot(places, [line] * len(places), "o", color="#2b2f33", markersize=4.5)
    labels = [f"{titles.get(choice, choice)}: {option.replace('_', ' ')}" for choice, option in options]
    panel.set_yticks(range(len(options)), labels, fontsize=8)
    panel.set_ylim(len(options) - 0.5, -0.5)
    panel.set_xlim(-0.6, len(order) - 0.4)
    panel.set_xticks([])
    panel.tick_params(axis="y", length=0)


def _options(universes: Sequence[UniverseRow]) -> list[tuple[str, str]]:
    pairs = (zip(one.choices.split(";"), one.options.split(";"), strict=True) for one in universes if one.choices)
    return list(dict.fromkeys(pair for each in pairs for pair in each))


def _key(state: str) -> Line2D:
    colour, marker = _LOOKS.get(state, _OTHERWISE)
    label = _WORDS.get(state, "nothing concluded" if state == "open" else state)
    return Line2D([], [], color=colour, marker=marker, markersize=5, label=label)
