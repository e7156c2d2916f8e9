"""How every figure looks: SVG, every byte a function of the numbers, text as paths, readable at phone width.

Panels stand on white, so they read on light and on dark pages alike.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from config.files import write_whole
from config.layout import EMPTY_FIGURE

# Okabe and Ito's colours keep apart for colour-blind readers; the markers do so without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4d4d4d")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_STYLE: dict[str, Any] = {
    "svg.hashsalt": "register-audit",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "hatch.linewidth": 0.6,
}


@contextmanager
def house_style(**changes: Any) -> Iterator[None]:
    """Draw in the house style with some `changes` of it, whatever matplotlibrc a reader has."""
    with plt.style.context(["default", _STYLE, changes], after_reset=True):
        yield


def colour_and_marker(place: int) -> tuple[str, str]:
    """Return the colour and marker of the ``place``-th thing of a legend."""
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]


def svg(figure: Figure) -> bytes:
    """Turn a figure into SVG, and close it."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)
    return buffer.getvalue()


def save(figure: Figure, path: Path) -> None:
    """Write a figure as SVG, and close it."""
    write_whole(path, svg(figure))


def placeholder(message: str, path: Path) -> None:
    """Write a figure that says why there is none; the report leaves it out, by its mark `EMPTY_FIGURE`."""
    # Without axes, whose ticks and labels would take most of the time, and not be seen.
    figure = plt.figure(figsize=(6.4, 1.6))
    figure.text(0.5, 0.5, message, ha="center", va="center", gid=EMPTY_FIGURE)
    save(figure, path)
