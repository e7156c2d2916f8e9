"""Figures of what conditions cost, and of the checks with a known answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray

from analysis.figures.style import colour_and_marker, house_style, placeholder, save
from analysis.rows.chance import CHECKED_AGAINST_CHANCE, Chance
from config.analysis import AnalysisSettings
from config.conditions import register_conditions
from config.vocabulary.known_answers import KNOWN_ANSWERS
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import FROZEN, Task

# Deltas within this many percentage points never get the full colour: noise must look pale. For a task whose values are
# printed as they are, within this many hundredths of its value under full.
PALEST_RANGE = 5.0

# Losses red, gains blue, nothing pale: five colours of seaborn's `vlag`, the ends first and last.
LOSS_TO_GAIN = LinearSegmentedColormap.from_list(
    "loss_to_gain", ["#a9373b", "#d39895", "#faf5f4", "#9baeca", "#2369bd"]
)


def delta_heatmap(ablation: pd.DataFrame, settings: AnalysisSettings, path: Path) -> None:
    """Draw what each condition takes away: deltas to `full`, in percentage points or in the task's own unit.

    One panel per task, models as rows, conditions as columns, in display order; matched readout
    where a probe is trained; draws of random patches as their mean. One colour scale, centred on 0, for all
    panels in percentage points, and one for each other panel; losses are red whether values fall or rise.
    Combinations that the run does not have are hatched.

    Args:
        ablation: the ablation table's rows of one dataset.
        settings: for the display order, and for ranges and directions of tasks.
        path: the SVG to write.
    """
    shown = ablation[(ablation["readout"] != FROZEN) & (ablation["condition"] != REFERENCE)]
    named = shown.assign(condition=shown["condition"].replace(dict(settings.drawn_from)))
    shown = named.groupby(["task", "metric", "model", "condition"], as_index=False, sort=False)[["delta"]].mean()
    with house_style():
        if shown.empty:
            placeholder("No condition other than full in this run", path)
            return
        tasks = [task for task in settings.tasks if (shown["task"] == task).any()]
        models = [name for name in settings.models if (shown["model"] == name).any()]
        entries = dict.fromkeys(settings.drawn_from.get(name, name) for name in settings.conditions)
        conditions = [name for name in entries if (shown["condition"] == name).any()]
        in_points = [task for task in tasks if settings.task(task).percent]
        points = 100 * shown.loc[shown["task"].isin(in_points), "delta"]
        common = max(PALEST_RANGE, float(points.abs().max())) if in_points else 0.0
        figure, panels = plt.subplots(
            nrows=len(tasks),
            figsize=(
                max(4.6, 1.6 + 0.72 * len(conditions)),
                1.1 + len(tasks) * (0.55 + 0.34 * len(models)),
            ),
            sharex=True,
            squeeze=False,
            layout="constrained",
        )
        for panel, task in zip(panels[:, 0], tasks, strict=True):
            of_task, record = shown[shown["task"] == task], settings.task(task)
            deltas = (
                of_task.assign(printed=record.factor * of_task["delta"])
                .pivot(index="model", columns="condition", values="printed")
                .reindex(index=models, columns=conditions)
            )
            limit = common if record.percent else _limit(ablation[ablation["task"] == task])
            # What lies under a missing cell is the hatched background.
            panel.set_facecolor("#f4f4f4")
            panel.add_patch(
                Rectangle(
                    (0, 0), 1, 1, transform=panel.transAxes, hatch="////", fill=False,
                    edgecolor="#c4c4c4", linewidth=0, zorder=0,
                )
            )  # fmt: skip
            _cells(panel, deltas.to_numpy(dtype=float), record, limit)
            panel.set_title(_title(record, str(of_task["metric"].iloc[0])))
            panel.tick_params(axis="both", length=0)
            panel.set_yticks(np.arange(len(models)) + 0.5, models)
        panels[-1, 0].set_xticks(np.arange(len(conditions)) + 0.5, [name.replace("_", "\n") for name in conditions])
        _colour_bar(figure, list(panels[:, 0]), [settings.task(task) for task in tasks])
        save(figure, path)


def _cells(panel: Axes, deltas: NDArray[np.float64], record: Task, limit: float) -> None:
    """Draw a coloured, labelled cell per model and condition, (models, conditions); none where there is no delta."""
    panel.spines[:].set_visible(False)
    shown = np.ma.masked_invalid(record.gain * deltas)
    panel.pcolormesh(shown, cmap=LOSS_TO_GAIN, vmin=-limit, vmax=limit, linewidth=1, edgecolors="white")
    # The first model on top.
    panel.set_ylim(len(deltas), 0)
    for (down, across), delta in np.ndenumerate(deltas):
        if not math.isnan(delta):
            label = _signed(delta) if record.percent else _significant(delta)
            # White letters on the deep colours only.
            colour = "white" if abs(float(label)) > 0.7 * limit else "#1a1a1a"
            panel.text(across + 0.5, down + 0.5, label, ha="center", va="center", color=colour, size=9)


def _colour_bar(figure: Figure, panels: Sequence[Axes], tasks: Sequence[Task]) -> None:
    """Add the colour bar of the panels in percentage points, or one of loss and gain where there are none."""
    in_points = [task for task in tasks if task.percent]
    first = panels[tasks.index(in_points[0]) if in_points else 0].collections[0]
    bar = figure.colorbar(first, ax=panels, location="bottom", shrink=0.8, aspect=40)
    unit = "change against full, percentage points" if in_points else "change against full, as a panel says"
    falling = [task for task in in_points if not task.higher_is_better]
    others = "\nother panels: a colour scale of their own, losses in red" if 0 < len(in_points) < len(tasks) else ""
    if not in_points or falling:
        low, high = bar.ax.get_xlim()
        bar.set_ticks([low, 0, high], labels=["loss", "0", "gain"])
    bar.set_label(f"{unit}{others}\nhatched: not in this run")
    bar.outline.set_visible(False)


def _limit(rows: pd.DataFrame) -> float:
    """Return the change that gets the full colour, of a task whose values are printed as they are."""
    full = rows.loc[rows["condition"] == REFERENCE, "value"].abs().max()
    return max(float(rows["delta"].abs().max()), PALEST_RANGE / 100 * float(full), math.ulp(1.0))


def _title(task: Task, metric: str) -> str:
    """Return the title of a task's panel; what is not in percent, or better where lower, says so."""
    unit = [] if task.percent else [task.unit_of_changes]
    direction = [] if task.higher_is_better else ["lower is better"]
    return f"{task.label} ({', '.join([metric, *unit, *direction])})"


def _significant(change: float) -> str:
    return "" if math.isnan(change) else "0" if change == 0 else f"{change:+.3g}"


def _signed(points: float) -> str:
    # Rounding first keeps -0.04 from printing as a signed zero.
    rounded = round(points, 1) + 0.0
    return "" if math.isnan(points) else "0.0" if rounded == 0 else f"{rounded:+.1f}"


def known_answer_figure(
    ablation: pd.DataFrame, checks: pd.DataFrame, chance: Chance | None, settings: AnalysisSettings, path: Path
) -> None:
    """Draw the checks with a known answer: classification accuracy, a panel per family.

    Accuracy with its interval under full and every replacement of all registers, scales side by side, the range of
    chance as a band, each scale's accuracy under full as a thin line. A family with checks says how many of them
    passed.

    A run without known-answer models shows the families that it has; a run without classification
    gets a sentence saying so in place of the picture.

    Args:
        ablation: the ablation table's rows of one dataset.
        checks: the known-answer table's rows of that dataset.
        chance: of that dataset's classification; None where the data set is not classified.
        settings: which conditions replace all registers, and which models have a known answer.
        path: the SVG to write.
    """
    labels = register_conditions(settings.conditions)
    shown = ablation[
        (ablation["task"] == CHECKED_AGAINST_CHANCE)
        & (ablation["readout"] != FROZEN)
        & ablation["condition"].isin(list(labels))
    ]
    known = shown["model"].isin(list(settings.known_answers))
    shown = shown[known] if known.any() else shown
    present = list(shown["family"].unique())
    families = sorted(present, key=list(KNOWN_ANSWERS).index) if known.any() else present
    with house_style():
        if not families or chance is None:
            placeholder("No classification outcomes in this run", path)
            return
        labels = {name: label for name, label in labels.items() if (shown["condition"] == name).any()}
        if set(labels) <= {REFERENCE}:
            placeholder("No model was put under a replacement of its registers in this run", path)
            return
        scales = list(shown["scale"].unique())
        level = 100 * float(shown["level"].iloc[0])
        columns = min(2, len(families))
        rows = math.ceil(len(families) / columns)
        figure, panels = plt.subplots(
            nrows=rows,
            ncols=columns,
            figsize=((1.0 + 0.36 * len(labels)) * columns + 0.3, 2.9 * rows + 0.6),
            sharey=True,
            squeeze=False,
            layout="constrained",
        )
        for panel in panels.flat[len(families) :]:
            panel.set_axis_off()
        for panel, family in zip(panels.flat, families, strict=False):
            _family_panel(panel, shown[shown["family"] == family], labels, scales, chance)
            answer = KNOWN_ANSWERS[family].answer if known.any() else "measured"
            panel.set_title(f"{family}\n{answer}", loc="left", fontsize=10)
            _verdict(panel, checks[checks["family"] == family])
        for panel in panels[:, 0]:
            panel.set_ylabel(f"accuracy and {level:g} % interval, %")
        figure.legend(
            handles=_legend(scales),
            loc="outside lower center",
            ncols=len(scales) + 2,
            frameon=False,
        )
        save(figure, path)


def _family_panel(
    panel: Axes, rows: pd.DataFrame, labels: Mapping[str, str], scales: list[str], chance: Chance
) -> None:
    conditions = list(labels)
    panel.axhspan(100 * chance.low, 100 * chance.high, color="#999999", alpha=0.35, linewidth=0)
    panel.axhline(50 * (chance.low + chance.high), color="#666666", linestyle="--", linewidth=1)
    for index, scale in enumerate(scales):
        of_scale = rows[rows["scale"] == scale]
        colour, marker = colour_and_marker(index)
        models = list(of_scale["model"].unique())
        for number, model in enumerate(models):
            line = of_scale[of_scale["model"] == model].set_index("condition")
            line = line.reindex([name for name in conditions if name in line.index])
            # Side by side: scales first, then models of one scale, around the condition's place.
            width = 0.5 / (len(scales) * len(models))
            place = index * len(models) + number - (len(scales) * len(models) - 1) / 2
            across = np.array([conditions.index(name) for name in line.index]) + width * place
            value = 100 * line["value"].to_numpy()
            low, high = 100 * line["value_low"].to_numpy(), 100 * line["value_high"].to_numpy()
            panel.vlines(across, low, high, color=colour, linewidth=2)
            panel.plot(
                across,
                value,
                linestyle="none",
                marker=marker,
                markersize=5.5,
                color=colour,
            )
            if REFERENCE in line.index:
                full = 100 * line.loc[REFERENCE, "value"]
                panel.axhline(full, color=colour, linewidth=0.8, alpha=0.6, zorder=0)
    panel.set_xticks(range(len(labels)), list(labels.values()), rotation=35, ha="right", rotation_mode="anchor")
    panel.set_xlim(-0.5, len(conditions) - 0.5)
    # Room above 100 % for the verdict.
    panel.set_ylim(0, 113)
    panel.set_yticks(range(0, 101, 20))
    panel.tick_params(axis="x", length=0)


def _verdict(panel: Axes, checks: pd.DataFrame) -> None:
    if checks.empty:
        return
    passed = int(checks["passed"].sum())
    good = passed == len(checks)
    panel.text(
        0.98,
        0.97,
        f"{passed} of {len(checks)} checks passed",
        transform=panel.transAxes,
        ha="right",
        va="top",
        fontsize=9,
        fontweight="bold",
        color="#1a7f37" if good else "#b42318",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
    )


def _legend(scales: list[str]) -> list[Line2D | Patch]:
    points: list[Line2D | Patch] = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=marker,
            color=colour,
            label=f"scale {scale}",
        )
        for scale, (colour, marker) in zip(scales, map(colour_and_marker, range(len(scales))), strict=True)
    ]
    return [
        *points,
        Line2D([], [], color="#666666", linewidth=0.8, label="level under full"),
        Patch(color="#999999", alpha=0.5, linewidth=0, label="chance"),
    ]
