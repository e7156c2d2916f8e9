"""Figures of what happens inside, layer by layer: a panel per model, the layers across."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import colour_and_marker, house_style, placeholder, save
from analysis.rows.chance import Chance
from analysis.rows.layers import SMALLEST_DIVERGENCE
from config.analysis import AnalysisSettings
from config.conditions import register_conditions
from config.vocabulary.measures import DIVERGENCE, EFFECTIVE_RANK, HIGH_NORM_SHARE, PATCH_NORM
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tokens import FEATURES, is_register

PANELS_ACROSS = 4
NOTHING = "This run holds no such measurement."
SMALLEST_NORM = 1e-6  # drawn on a logarithmic axis; zeroed patches have none


@dataclass(frozen=True)
class Lines:
    """What the lines of a figure are.

    Attributes:
        by: the column whose values are lines.
        labels: value → label, in the order of the legend.
        y: label of the vertical axis.
        low, high: columns of the band.
        middle: column of the line.
        dotted: column of a second line, dotted; none where empty.
        panels: the column whose values are panels.
        scale: what values are multiplied by.
        floor: where above 0, the axis is logarithmic, and smaller values are drawn there.
    """

    by: str
    labels: Mapping[str, str]
    y: str
    middle: str = "median"
    low: str = "quartile_1"
    high: str = "quartile_3"
    dotted: str = ""
    panels: str = "model"
    scale: float = 1.0
    floor: float = 0.0


# Rows of a figure, what its lines are, and where its vertical axis begins.
Part = tuple[pd.DataFrame, Lines, float | None]


def layer_figures(
    measures: pd.DataFrame, curves: pd.DataFrame, chance: Chance | None, settings: AnalysisSettings, folder: Path
) -> None:
    """Draw `config.layout.LAYER_FIGURES` for one data set."""
    labels = register_conditions(settings.conditions)
    changed = {name: label for name, label in labels.items() if name != REFERENCE}
    divergence_figure(measures, changed, folder / "divergence.svg")
    measure_figure(measures, "patch_cosine", "patch cosine with full", changed, folder / "patch_cosine.svg")
    rank_figure(measures, labels, folder / "effective_rank.svg")
    norm_figure(measures, labels, folder / "patch_norms.svg")
    mass_figure(measures, folder / "attention_to_registers.svg")
    curve_figure(curves, "classification", "accuracy, %", chance, folder / "token_curves.svg")


def measure_figure(measures: pd.DataFrame, measure: str, y: str, labels: Mapping[str, str], path: Path) -> None:
    """Draw a measure along the layers under the replacements of registers: medians, bands from quartile to quartile.

    Args:
        measures: the table of layer measures, rows of one data set.
        measure: which one.
        y: what the vertical axis says.
        labels: condition → label of its line; a distance to ``full`` has no line for ``full``.
        path: the SVG to write.
    """
    _panels(_under(measures, measure, labels), Lines("condition", labels, y), path)


def divergence_figure(measures: pd.DataFrame, labels: Mapping[str, str], path: Path) -> None:
    """Draw how far each replacement of registers moves attention: medians with quartiles, and dotted means.

    Args:
        measures: the table of layer measures, rows of one data set.
        labels: condition → label of its line.
        path: the SVG to write.
    """
    lines = Lines("condition", labels, "JS divergence from full, nats", dotted="mean", floor=SMALLEST_DIVERGENCE)
    _panels(_under(measures, DIVERGENCE, labels), lines, path)


def rank_figure(measures: pd.DataFrame, labels: Mapping[str, str], path: Path) -> None:
    """Draw effective ranks: above, families under ``full``, a panel per scale; below, conditions, a panel per model.

    Args:
        measures: the table of layer measures, rows of one data set.
        labels: condition → label of its line.
        path: the SVG to write.
    """
    y = "effective rank of patches"
    ranks = _under(measures, EFFECTIVE_RANK, labels)
    full = ranks[ranks["condition"] == REFERENCE]
    families = {name: name for name in dict.fromkeys(full["family"])}
    _stacked([(full, Lines("family", families, y, panels="scale"), 0), (ranks, Lines("condition", labels, y), 0)], path)


def norm_figure(measures: pd.DataFrame, labels: Mapping[str, str], path: Path) -> None:
    """Draw the norms of patches along the layers, a panel per model: their size, and how many of them are outliers.

    Above, the mean norm of an image's patches on a logarithmic axis; below, the share of its patches whose norm exceeds
    three times their median (Darcet et al. 2024, arXiv 2309.16588, call them high-norm tokens), with its mean dotted:
    where fewer than half of the images have any, the median is 0.

    Args:
        measures: the table of layer measures, rows of one data set.
        labels: condition → label of its line.
        path: the SVG to write.
    """
    norms, shares = (_under(measures, measure, labels) for measure in (PATCH_NORM, HIGH_NORM_SHARE))
    parts: list[Part] = [
        (norms, Lines("condition", labels, "patch norm", floor=SMALLEST_NORM), None),
        (shares, Lines("condition", labels, "patches of high norm, %", dotted="mean", scale=100), 0),
    ]
    _stacked(parts, path)


def _stacked(wanted: Sequence[Part], path: Path) -> None:
    """Draw figures below each other, without those that have no rows."""
    parts = [part for part in wanted if not part[0].empty]
    with house_style():
        if not parts:
            placeholder(NOTHING, path)
            return
        sizes = [_size(table, lines) for table, lines, _ in parts]
        figure = plt.figure(
            figsize=(max(width for width, _ in sizes), sum(height for _, height in sizes)), layout="constrained"
        )
        areas = figure.subfigures(len(parts), 1, height_ratios=[height for _, height in sizes], squeeze=False)
        for area, (table, lines, bottom) in zip(areas[:, 0], parts, strict=True):
            _draw(area, table, lines, bottom)
        save(figure, path)


def mass_figure(measures: pd.DataFrame, path: Path) -> None:
    """Draw the attention that CLS, registers and patches give to the registers along the layers, under ``full``."""
    labels = {f"mass_{group}_to_registers": f"from {group}" for group in ("cls", "registers", "patches")}
    chosen = measures[(measures["condition"] == REFERENCE) & measures["measure"].isin(labels)]
    _panels(chosen, Lines("measure", labels, "attention to registers, %", scale=100), path, bottom=0)


def curve_figure(curves: pd.DataFrame, task: str, y: str, chance: Chance | None, path: Path) -> None:
    """Draw what can be read from each token along the layers, under ``full``, with intervals.

    Args:
        curves: the layer curves' rows of one data set.
        task: which one.
        y: what the vertical axis says.
        chance: drawn as a band where there is one.
        path: the SVG to write.
    """
    chosen = curves[(curves["condition"] == REFERENCE) & (curves["task"] == task)]
    registers = sorted(filter(is_register, set(chosen["features"])), key=lambda name: int(name[1:]))
    order = ("cls", *registers, *(name for name in FEATURES if name != "cls"), "patches")
    labels = {name: FEATURES.get(name, name) for name in order}
    lines = Lines("features", labels, y, "value", "value_low", "value_high", scale=100)
    _panels(chosen, lines, path, bottom=0, chance=chance)


def _under(measures: pd.DataFrame, measure: str, conditions: Iterable[str]) -> pd.DataFrame:
    return measures[(measures["measure"] == measure) & measures["condition"].isin(list(conditions))]


def _panels(
    table: pd.DataFrame, lines: Lines, path: Path, bottom: float | None = None, chance: Chance | None = None
) -> None:
    with house_style():
        if table.empty:
            placeholder(NOTHING, path)
            return
        figure = plt.figure(figsize=_size(table, lines), layout="constrained")
        _draw(figure, table, lines, bottom, chance)
        save(figure, path)


def _across(table: pd.DataFrame, lines: Lines) -> int:
    """How many panels stand side by side: a row per scale, where families come at several scales."""
    panels = table[lines.panels].nunique()
    return min(PANELS_ACROSS, table["family"].nunique() if panels > PANELS_ACROSS else panels)


def _size(table: pd.DataFrame, lines: Lines) -> tuple[float, float]:
    across = _across(table, lines)
    return 1.4 + 2.2 * across, 1.0 + 2.1 * -(-table[lines.panels].nunique() // across)


def _draw(
    figure: Figure | SubFigure,
    table: pd.DataFrame,
    lines: Lines,
    bottom: float | None = None,
    chance: Chance | None = None,
) -> None:
    panels = list(dict.fromkeys(table[lines.panels]))
    across = _across(table, lines)
    grid = figure.subplots(-(-len(panels) // across), across, sharex=True, sharey=True, squeeze=False)
    shown = [name for name in lines.labels if (table[lines.by] == name).any()]
    for axes, name in zip(grid.flat, panels, strict=False):
        _panel(axes, table[table[lines.panels] == name], lines, shown)
        axes.set_title(name if lines.panels == "model" else f"{lines.panels} {name}")
        if chance is not None:
            axes.axhspan(100 * chance.low, 100 * chance.high, color="#999999", alpha=0.6, lw=1, zorder=0)
    if bottom is not None:
        grid.flat[0].set_ylim(bottom=bottom)  # shared by all, once everything is drawn
    if lines.floor:
        grid.flat[0].set_yscale("log")
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("layer")
    for row in grid:
        row[0].set_ylabel(lines.y)
    handles, labels = _legend(grid.flat[: len(panels)])
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False)


def _panel(axes: Axes, rows: pd.DataFrame, lines: Lines, shown: Sequence[str]) -> None:
    for place, name in enumerate(shown):
        line = rows[rows[lines.by] == name].sort_values("layer")
        if line.empty:
            continue
        colour, marker = colour_and_marker(place)
        middle, low, high = (
            (lines.scale * line[column]).clip(lower=lines.floor or None)
            for column in (lines.middle, lines.low, lines.high)
        )
        axes.plot(line["layer"], middle, color=colour, marker=marker, ms=3.5, lw=1.4, label=lines.labels[name])
        axes.fill_between(line["layer"], low, high, color=colour, alpha=0.15, lw=0)
        if lines.dotted:
            mean = (lines.scale * line[lines.dotted]).clip(lower=lines.floor or None)
            axes.plot(line["layer"], mean, color=colour, lw=1.1, ls=":")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _legend(panels: Iterable[Axes]) -> tuple[list[Artist], list[str]]:
    entries: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    return list(entries.values()), list(entries)
