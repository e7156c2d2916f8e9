"""Figures of what happens inside, layer by layer: a panel per model, the layers across."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import colour_and_marker, house_style, placeholder, save
from analysis.statistics.known_answers import Chance
from config.settings import AnalysisSettings, register_conditions
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tokens import FEATURES, is_register

PANELS_ACROSS = 4


@dataclass(frozen=True)
class Lines:
    """What the lines of a figure are.

    Attributes:
        by: the column whose values are lines.
        labels: value → label, in the order of the legend.
        y: label of the vertical axis.
        low, high: columns of the band.
        middle: column of the line.
        scale: what values are multiplied by.
    """

    by: str
    labels: Mapping[str, str]
    y: str
    middle: str = "median"
    low: str = "q25"
    high: str = "q75"
    scale: float = 1.0


def layer_figures(
    measures: pd.DataFrame, curves: pd.DataFrame, chance: Chance | None, settings: AnalysisSettings, folder: Path
) -> None:
    """Draw `config.layout.LAYER_FIGURES` for one data set."""
    labels = register_conditions(settings.conditions)
    changed = {name: label for name, label in labels.items() if name != REFERENCE}
    measure_figure(measures, "js", "JS divergence to full, nats", changed, folder / "attention_divergence.svg")
    measure_figure(measures, "patch_cosine", "patch cosine to full", changed, folder / "patch_cosine.svg")
    measure_figure(measures, "effective_rank", "effective rank of patches", labels, folder / "rank_by_condition.svg")
    mass_figure(measures, folder / "attention_to_registers.svg")
    curve_figure(curves, "classification", "accuracy, %", chance, folder / "token_curves.svg")


def measure_figure(measures: pd.DataFrame, measure: str, y: str, labels: Mapping[str, str], path: Path) -> None:
    """Draw a measure along the layers under the replacements of registers: medians, bands from quartile to quartile.

    Args:
        measures: the measures table's rows of one data set.
        measure: which one.
        y: what the vertical axis says.
        labels: condition → label of its line; a distance to ``full`` has no line for ``full``.
        path: the SVG to write.
    """
    chosen = measures[(measures["measure"] == measure) & measures["condition"].isin(labels)]
    _panels(chosen, Lines("condition", labels, y), path)


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
    lines = Lines("features", labels, y, "value", "value_low", "value_high", 100)
    _panels(chosen, lines, path, bottom=0, chance=chance)


def _panels(
    table: pd.DataFrame, lines: Lines, path: Path, bottom: float | None = None, chance: Chance | None = None
) -> None:
    with house_style():
        models = list(dict.fromkeys(table["model"]))
        if not models:
            placeholder("This run holds no such measurement.", path)
            return
        # A row a scale, where families come at several scales.
        across = min(PANELS_ACROSS, table["family"].nunique() if len(models) > PANELS_ACROSS else len(models))
        down = -(-len(models) // across)
        figure, grid = plt.subplots(
            down,
            across,
            figsize=(1.4 + 2.2 * across, 1.0 + 2.1 * down),
            sharex=True,
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        shown = [name for name in lines.labels if (table[lines.by] == name).any()]
        for axes, model in zip(grid.flat, models, strict=False):
            _panel(axes, table[table["model"] == model], lines, shown)
            axes.set_title(model)
            if chance is not None:
                axes.axhspan(100 * chance.low, 100 * chance.high, color="#999999", alpha=0.6, lw=1, zorder=0)
        if bottom is not None:
            grid.flat[0].set_ylim(bottom=bottom)  # shared by all, once everything is drawn
        for axes in grid.flat[len(models) :]:
            axes.set_visible(False)
        for axes in grid[-1]:
            axes.set_xlabel("layer")
        for row in grid:
            row[0].set_ylabel(lines.y)
        handles, labels = _legend(grid.flat[: len(models)])
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)), frameon=False)
        save(figure, path)


def _panel(axes: Axes, rows: pd.DataFrame, lines: Lines, shown: Sequence[str]) -> None:
    for place, name in enumerate(shown):
        line = rows[rows[lines.by] == name].sort_values("layer")
        if line.empty:
            continue
        colour, marker = colour_and_marker(place)
        middle, low, high = (lines.scale * line[column] for column in (lines.middle, lines.low, lines.high))
        axes.plot(line["layer"], middle, color=colour, marker=marker, ms=3.5, lw=1.4, label=lines.labels[name])
        axes.fill_between(line["layer"], low, high, color=colour, alpha=0.15, lw=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _legend(panels: Iterable[Axes]) -> tuple[list[Artist], list[str]]:
    entries: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    return list(entries.values()), list(entries)
