"""Figures of the statistics: null distributions, cumulative curves, effective ranks and divergences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.style import COLOURS, placeholder, save
from config.vocabulary.tasks import FROZEN, Task, task_of

NULL, OBSERVED = "#9aa3ad", "#8a3b1f"


# Task → its record: `config.analysis.Analysis.task` knows what the settings state of it, too.
Tasks = Callable[[str], Task]


def null_figure(comparisons: pd.DataFrame, nulls: pd.DataFrame, path: Path, tasks: Tasks = task_of) -> None:
    """Each comparison as observed, with its interval, over its distribution under permuted labels.

    Args:
        comparisons, nulls: the tables of `analysis.statistics.comparisons`; frozen readouts are left out.
        path: the SVG to write.
        tasks: unit of a task's values.
    """
    shown = comparisons[comparisons["readout"] != FROZEN]
    if shown.empty:
        placeholder("No declared comparison has its models in this run", path)
        return
    # Tasks in percentage points share the axis of their comparison; every other one has a panel of its own.
    apart = ["" if tasks(task).percent else task for task in shown["task"]]
    shown = shown.assign(apart=apart)
    names = list(dict.fromkeys(zip(shown["comparison"], apart, strict=True)))
    of_panel = {name: (shown["comparison"] == name[0]) & (shown["apart"] == name[1]) for name in names}
    heights = [int(chosen.sum()) for chosen in of_panel.values()]
    figure, panels = plt.subplots(
        nrows=len(names),
        figsize=(7.2, 1.1 + 0.75 * len(names) + 0.29 * sum(heights)),
        height_ratios=[height + 1.2 for height in heights],
        squeeze=False,
        layout="constrained",
    )
    places = ["task", "readout", "condition", "within"]
    for panel, name in zip(panels[:, 0], names, strict=True):
        comparison, task = name
        rows = shown[of_panel[name]].reset_index(drop=True)
        bins = nulls[nulls["comparison"] == comparison]
        for line, row in rows.iterrows():
            here = bins[(bins[places] == row[places]).all(axis=1)]
            _ridge(panel, here, row, float(len(rows) - 1 - int(str(line))), tasks(row["task"]).factor)
        labels = [f"{row['task']}, {row['within']}" for _, row in rows.iterrows()]
        if len(set(rows["condition"])) > 1:
            labels = [f"{label}, {by}" for label, by in zip(labels, rows["condition"], strict=True)]
        panel.set_yticks(range(len(rows) - 1, -1, -1), labels, fontsize=8.5)
        panel.set_ylim(-0.35, len(rows) - 0.1)
        panel.axvline(0, color="#666666", linewidth=0.8, zorder=0)
        panel.set_title(comparison.replace("_", " ").replace("cls", "CLS"), loc="left")
        panel.tick_params(axis="y", length=0)
        if task:
            panel.set_xlabel(f"difference of changes, {tasks(task).unit_of_changes}")
    in_points = [panel for panel, (_, task) in zip(panels[:, 0], names, strict=True) if not task]
    if in_points:
        in_points[-1].set_xlabel("difference of changes, percentage points")
    figure.legend(
        handles=[
            Patch(color=NULL, label="permuted labels"),
            Line2D([], [], color=OBSERVED, marker="o", markersize=5, label="observed, with interval"),
        ],
        loc="outside lower center",
        ncols=2,
        frameon=False,
    )
    save(figure, path)


def _ridge(panel: Axes, bins: pd.DataFrame, row: pd.Series, height: float, factor: int) -> None:
    edges = factor * np.append(bins["low"].to_numpy(), bins["high"].to_numpy()[-1:])
    draws = bins["draws"].to_numpy(dtype=np.float64)
    panel.stairs(height + 0.78 * draws / draws.max(), edges, baseline=height, fill=True, color=NULL, linewidth=0)
    middle = height + 0.28
    panel.plot([factor * row["low"], factor * row["high"]], [middle, middle], color=OBSERVED, linewidth=2)
    panel.plot([factor * row["difference"]], [middle], marker="o", markersize=5, color=OBSERVED)


def cumulative_figure(cumulative: pd.DataFrame, path: Path, tasks: Tasks = task_of) -> None:
    """Change by number of registers replaced, against the sum of single changes: models down, tasks across.

    Args:
        cumulative: the table of `analysis.statistics.additivity`; frozen readouts are left out.
        path: the SVG to write.
        tasks: unit and direction of a task's values.
    """
    shown = cumulative[cumulative["readout"] != FROZEN]
    if shown.empty:
        placeholder("No single and cumulative register conditions in this run", path)
        return
    models, names, kinds = (list(dict.fromkeys(shown[name])) for name in ("model", "task", "by"))
    in_points = [task for task in names if tasks(task).percent]
    figure, panels = plt.subplots(
        nrows=len(models),
        ncols=len(names),
        figsize=(0.6 + 1.9 * len(names), 0.9 + 1.35 * len(models)),
        sharex=True,
        sharey="row" if in_points == names else False,
        squeeze=False,
        layout="constrained",
    )
    for down, model in enumerate(models):
        for across, task in enumerate(names):
            panel = panels[down, across]
            if task in in_points and in_points != names:
                # Tasks in percentage points share the axis of their row; the others are on their own.
                panel.sharey(panels[down, names.index(in_points[0])])
            panel.axhline(0, color="#bbbbbb", linewidth=0.8, zorder=0)
            for index, by in enumerate(kinds):
                rows = shown[(shown["model"] == model) & (shown["task"] == task) & (shown["by"] == by)]
                _curve(panel, rows, COLOURS[index % len(COLOURS)], tasks(task).factor)
            panel.set_title(_title(tasks(task)) if down == 0 else "", fontsize=10)
            panel.tick_params(labelsize=8)
        panels[down, 0].set_ylabel(model, fontsize=9)
    for panel in panels[-1]:
        panel.set_xlabel("registers replaced", fontsize=9)
    unit = "percentage points" if in_points == names else "percentage points or as a title says"
    figure.supylabel(f"change against full, {unit}", fontsize=10)
    figure.legend(
        handles=[
            *(
                Line2D([], [], color=COLOURS[i % len(COLOURS)], marker="o", markersize=4, label=by)
                for i, by in enumerate(kinds)
            ),
            Line2D([], [], color="#444444", linestyle=":", label="sum of single changes"),
        ],
        loc="outside lower center",
        ncols=len(kinds) + 1,
        frameon=False,
    )
    save(figure, path)


def _title(task: Task) -> str:
    """Return the title of a task's column; what is not in percent, or better where lower, says so."""
    words = [] if task.percent else [task.unit_of_changes]
    words += [] if task.higher_is_better else ["lower is better"]
    return "\n".join([task.name, *words])


def _curve(panel: Axes, rows: pd.DataFrame, colour: str, factor: int) -> None:
    if rows.empty:
        return
    steps = np.append(0, rows["step"].to_numpy())
    delta, predicted, low, high = (
        factor * np.append(0.0, rows[name].to_numpy()) for name in ("delta", "predicted", "delta_low", "delta_high")
    )
    panel.fill_between(steps, low, high, color=colour, alpha=0.18, linewidth=0)
    panel.plot(steps, delta, color=colour, marker="o", markersize=3.5, linewidth=1.5)
    panel.plot(steps, predicted, color=colour, linestyle=":", linewidth=1.5)
    panel.set_xticks(steps)
