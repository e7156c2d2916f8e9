"""Draw the published points behind each finding, one SVG per finding.

    python -m analysis.audit.figures results/demo/audit --out results/demo/figures/audit

reads `points.csv`. Points with a position are drawn as a curve, all others as rows next to the number that the article
states. A bar or band is what rounding or digitising allows, not an uncertainty of measurement. Every byte is a function
of that file.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import COLOURS, colour_and_marker, house_style, svg
from config.errors import report_errors
from config.files import write_whole

STATED = "stated"
SETTINGS = frozenset({"earliest", "latest", "share", "n", "near", "alpha"})
# The result is drawn in place of its inputs, where the two differ in size.
HIDDEN = {"delta": frozenset({"from", "to"}), "baseline": frozenset({"scores", "changes"})}
# Kinds that compare levels: the figure zooms in on them, and bars from zero would show nothing.
LEVELS = frozenset({"equality", "baseline", "range", "mean"})
CLAIMED = "#9C1C22"
INK = "#1D1F23"
SOFT = "#5A5F68"
LONGEST_LABEL = 52
_INKS = {"axes.edgecolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT, "axes.labelcolor": INK}


@dataclass(frozen=True)
class Point:
    """A row of `points.csv`."""

    role: str
    label: str
    position: float | None
    value: float
    low: float
    high: float
    source: str
    unit: str


@dataclass(frozen=True)
class Drawing:
    """Content of a figure: the points of a finding, the stated number, and the settings of its kind."""

    kind: str
    points: tuple[Point, ...]
    stated: Point | None
    settings: Mapping[str, float]
    axis: str

    @property
    def unit(self) -> str:
        """The unit of the points; fractions are in percent where the claim is."""
        return next((point.unit for point in self.points), self.stated.unit if self.stated else "")


def read_drawings(folder: Path) -> dict[str, Drawing]:
    """Read the drawing of each claim from the audit's `points.csv`.

    Args:
        folder: with the files of an audit.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from analysis.audit.run import write_audit
        >>> with TemporaryDirectory() as out:
        ...     judged = write_audit(Path("docs/examples/invented_article"), Path(out))
        ...     drawing = read_drawings(Path(out))["delta-beta"]
        >>> drawing.kind, drawing.stated.value, [point.value for point in drawing.points]
        ('delta', -20.3, [-21.3])
    """
    rows: dict[str, list[dict[str, str]]] = {}
    with (folder / "points.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            rows.setdefault(row["claim"], []).append(row)
    return {claim: _drawing(each) for claim, each in rows.items()}


def _drawing(rows: Sequence[Mapping[str, str]]) -> Drawing:
    kind = next((row["kind"] for row in rows if row["kind"]), "")
    hidden = HIDDEN.get(kind, frozenset())
    points = [_point(row) for row in rows if row["role"] not in {STATED, *SETTINGS, *hidden}]
    stated = next((_point(row) for row in rows if row["role"] == STATED), None)
    settings = {row["role"]: float(row["value"]) for row in rows if row["role"] in SETTINGS}
    axis = next((row["axis"] for row in rows if row["role"] == "series"), "")
    return Drawing(kind, _shortened(points), stated, settings, axis)


def _point(row: Mapping[str, str]) -> Point:
    place = float(row["position"]) if row["position"] else None
    value, low, high = (float(row[column]) for column in ("value", "low", "high"))
    return Point(row["role"], row["label"], place, value, low, high, row["source"], row["unit"])


def _shortened(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the points with their labels cut to a length that fits, without the parts that all labels share."""
    fields = [point.label.split(" · ") for point in points]
    shared = set.intersection(*map(set, fields)) if len(fields) > 1 else set[str]()
    short = []
    for point, names in zip(points, fields, strict=True):
        label = " · ".join(name for name in names if name and name not in shared)
        label = label or (point.role if point.role not in ("values", "parts") else point.source)
        label = label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
        short.append(replace(point, label=label))
    return tuple(short)


def draw(drawing: Drawing) -> bytes:
    """Return the SVG of a finding."""
    with house_style(**_INKS):
        return svg(_painter(drawing)(drawing))


def _painter(drawing: Drawing) -> Callable[[Drawing], Figure]:
    if drawing.kind == "denominator":
        return _remainders
    roles = {point.role for point in drawing.points}
    if "series" in roles:
        return _course
    if not drawing.points:
        return _stated_alone
    return _rows


def _course(drawing: Drawing) -> Figure:
    """Draw a series along its positions; falling steps, or the window that a claim names, are highlighted."""
    figure, axes = plt.subplots(figsize=(6.4, 3.3), layout="constrained")
    series = [p for p in drawing.points if p.role == "series" and p.position is not None]
    across, up = [p.position or 0.0 for p in series], [p.value for p in series]
    axes.plot(across, up, color=COLOURS[0], marker="o", linewidth=1.6, zorder=3)
    if drawing.kind == "monotone":
        for (x0, y0), (x1, y1) in zip(
            zip(across, up, strict=True), list(zip(across, up, strict=True))[1:], strict=False
        ):
            if y1 < y0:
                axes.plot([x0, x1], [y0, y1], color=CLAIMED, linewidth=2.6, zorder=4)
    window = [p.value for p in drawing.points if p.role in ("first", "last")]
    ends = window or [drawing.settings[key] for key in ("earliest", "latest") if key in drawing.settings]
    if drawing.kind == "onset" and len(ends) == 2:
        axes.axvspan(ends[0] - 0.3, ends[1] + 0.3, color=CLAIMED, alpha=0.09, linewidth=0)
        axes.text(sum(ends) / 2, 1.0, "where the claim places it", ha="center", va="bottom", color=CLAIMED,
                  fontsize=9, transform=axes.get_xaxis_transform())  # fmt: skip
        share = drawing.settings["share"]
        axes.axhline(share * max(up), color=SOFT, linestyle="--", linewidth=1)
        axes.text(1.0, share * max(up), f"{share:g} of the largest", va="center", ha="right", color=SOFT, fontsize=9,
                  transform=axes.get_yaxis_transform(), bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
                  zorder=2)  # fmt: skip
    axes.set_ylim(bottom=min(0, *up))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel=drawing.axis, ylabel=_unit(drawing.unit))
    return figure


def _rows(drawing: Drawing) -> Figure:
    """Draw one row per value, one colour and marker per role, and the stated number as a line with its rounding."""
    points = drawing.points
    figure, axes = plt.subplots(figsize=(6.4, 1.2 + 0.3 * len(points)), layout="constrained")
    roles = list(dict.fromkeys(point.role for point in points))
    sources = list(dict.fromkeys(point.source for point in points))
    by_role = len(roles) > 1
    for height, point in enumerate(points):
        group = roles.index(point.role) if by_role else sources.index(point.source)
        colour, marker = colour_and_marker(group)
        if drawing.kind not in LEVELS:
            axes.plot([0, point.value], [height, height], color="#DDDAD4", linewidth=1, zorder=1)
        axes.plot([point.low, point.high], [height, height], color=colour, linewidth=3, alpha=0.5, zorder=2)
        axes.plot(point.value, height, marker=marker, color=colour, markersize=6.5, zorder=3)
        side = -1 if point.value < 0 else 1
        axes.annotate(_number(point.value), (point.value, height), xytext=(7 * side, 0), textcoords="offset points",
                      ha="left" if side > 0 else "right", va="center", fontsize=8.5, color=INK)  # fmt: skip
    if drawing.stated is not None and drawing.stated.unit != "layer":
        _stated_line(axes, drawing.stated)
    if drawing.kind not in LEVELS:
        axes.axvline(0, color=SOFT, linewidth=0.8)
    chance = next((point for point in points if point.role == "chance"), None)
    if chance is not None and "near" in drawing.settings:
        _line(axes, chance.value * drawing.settings["near"], f"{drawing.settings['near']:g} times chance")
    axes.set_yticks(range(len(points)), [point.label for point in points])
    axes.set_ylim(len(points) - 0.4, -0.75)
    axes.margins(x=0.16)
    axes.set_xlabel(_unit(drawing.unit))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    groups = roles if by_role else sources
    if len(groups) > 1:
        handles = [
            Line2D([], [], linestyle="none", marker=marker, color=colour, label=group)
            for group, (colour, marker) in ((group, colour_and_marker(i)) for i, group in enumerate(groups))
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(groups)), frameon=False, fontsize=9)
    return figure


def _stated_line(axes: Axes, stated: Point) -> None:
    axes.axvspan(stated.low, stated.high, color=CLAIMED, alpha=0.13, linewidth=0)
    _line(axes, stated.value, f"stated {_number(stated.value)}")


def _line(axes: Axes, value: float, label: str) -> None:
    axes.axvline(value, color=CLAIMED, linewidth=1.4)
    axes.text(value, 1.0, label, ha="center", va="bottom", color=CLAIMED, fontsize=9,
              transform=axes.get_xaxis_transform())  # fmt: skip


def _remainders(drawing: Drawing) -> Figure:
    """Draw the distance of each value from the nearest share of n units, in steps of one unit."""
    n = drawing.settings.get("n") or next(p.value for p in drawing.points if p.role == "n")
    values = [point for point in drawing.points if point.role == "values"]
    whole = 1.0 if drawing.unit == "fraction" else 100.0
    steps = [point.value * n / whole for point in values]
    off = [abs(step - round(step)) for step in steps]
    figure, axes = plt.subplots(figsize=(6.4, 1.2 + 0.3 * len(values)), layout="constrained")
    axes.barh(range(len(values)), off, color=[CLAIMED if each > 0.01 else COLOURS[2] for each in off], height=0.55)
    for height, (point, each) in enumerate(zip(values, off, strict=True)):
        axes.text(each + 0.008, height, f"{point.value:.6g} %" if whole > 1 else f"{point.value:.6g}",
                  va="center", fontsize=8.5, color=INK)  # fmt: skip
    axes.set_yticks(range(len(values)), [_place(point) for point in values])
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.set_xlim(0, 0.56)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"distance to the nearest count out of {n:,.0f}, in counts (0 is a whole count)")
    return figure


def _place(point: Point) -> str:
    return point.label or point.source


def _stated_alone(drawing: Drawing) -> Figure:
    """Draw a stated p-value between 0 and 1, with the level that it is compared with."""
    figure, axes = plt.subplots(figsize=(6.4, 1.5), layout="constrained")
    alpha = drawing.settings.get("alpha")
    if alpha is not None:
        axes.axvspan(0, alpha, color=COLOURS[2], alpha=0.2, linewidth=0)
        axes.text(alpha, 0.06, f" below {alpha:g}: a difference is shown", color=COLOURS[2], fontsize=9, va="bottom",
                  transform=axes.get_xaxis_transform())  # fmt: skip
    if drawing.stated is not None:
        _stated_line(axes, drawing.stated)
    axes.set_xlim(0, 1)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("p-value")
    return figure


def _unit(unit: str) -> str:
    return {"pp": "percentage points", "%": "%"}.get(unit, unit)


def _number(value: float) -> str:
    digits = 4 if value and math.floor(math.log10(abs(value))) >= 0 else 3
    return f"{value:.{digits}g}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: write one SVG per finding."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.audit.figures", description="Draw the published points behind every finding."
    )
    parser.add_argument("folder", type=Path, help="folder with the audit's points.csv")
    parser.add_argument("--out", type=Path, required=True, help="folder for the SVG files, one per finding")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for claim, drawing in read_drawings(options.folder).items():
        write_whole(options.out / f"{claim}.svg", draw(drawing))


if __name__ == "__main__":
    report_errors(main)
