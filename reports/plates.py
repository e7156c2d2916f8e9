"""Figures of the run with captions, alternative texts, and links to the numbers that they show."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from config.errors import InputError
from config.layout import EMPTY_FIGURE
from config.vocabulary.replacements import REFERENCE
from config.vocabulary.tasks import task_of
from reports.checks import tally
from reports.inputs import Cells, Inputs
from reports.markup import download, slug
from reports.numbers import count, counted, is_missing, percent, points, scale_of_changes


@dataclass(frozen=True)
class Plate:
    """A figure.

    Attributes:
        ident: identifier, unique on its page.
        file: its place in the report.
        alt: description for readers who do not see it.
        caption: text under it, a sentence or more.
        sources: files with the numbers that it shows.
        wide: whether it keeps its size on a narrow screen and scrolls.
    """

    ident: str
    file: str
    alt: str
    caption: str
    sources: tuple[str, ...]
    wide: bool = False


def is_drawn(inputs: Inputs, plate: Plate) -> bool:
    """Tell whether a figure shows anything, which its SVG says."""
    figure = inputs.run.folder / plate.file
    return f'id="{EMPTY_FIGURE}"' not in figure.read_text(encoding="utf-8")


def render_plate(plate: Plate) -> Markup:
    """Return the HTML of a figure."""
    return Markup(
        '<figure class="{kind}" id="{ident}">\n'
        '<div class="paper" tabindex="0"><img src="{file}" alt="{alt}"></div>\n'
        "<figcaption>{caption} Data: {sources}; {figure}.</figcaption>\n</figure>"
    ).format(
        kind="plate wide" if plate.wide else "plate",
        ident=plate.ident,
        file=plate.file,
        alt=plate.alt,
        caption=plate.caption,
        sources=Markup(", ").join(map(download, plate.sources)),
        figure=download(plate.file, "figure as SVG"),
    )


def known_answer_plate(inputs: Inputs, dataset: str) -> Plate:
    """Return the figure of classification accuracy under every register condition, one panel per family."""
    counted = tally([check for check in inputs.checks if check["dataset"] == dataset])
    full = [
        f"{row['model']} {percent(row['value'])} %"
        for row in inputs.ablation
        if row["dataset"] == dataset and row["task"] == "classification" and row["condition"] == REFERENCE
        and row["readout"] != "frozen"
    ]  # fmt: skip
    outcome = (
        f"{count(counted.passed)} of {count(counted.total)} checks passed" if counted.total else "no check applies"
    )
    return Plate(
        ident=f"known-answers-{slug(dataset)}",
        file=figure_of(inputs, dataset, "known_answers.svg"),
        alt=(
            f"Classification accuracy on {dataset} by family, under full and under each replacement of the registers, "
            f"with intervals and the chance level; {outcome}. " + (f"Under full: {', '.join(full)}." if full else "")
        ).strip(),
        caption=f"Known answers on {dataset}: {outcome}. Points are accuracies with their intervals, the "
        "dashed line or grey band marks the chance level, and thin lines mark the accuracy under full.",
        sources=("tables/ablation.csv", "tables/known_answers.csv"),
    )


def heatmap_plate(inputs: Inputs, dataset: str) -> Plate:
    """Return the heat map of changes from full, for every model, task and condition."""
    changes = [
        row
        for row in inputs.ablation
        if row["dataset"] == dataset and row["readout"] != "frozen" and not is_missing(row["delta"])
    ]
    tasks = dict.fromkeys(row["task"] for row in changes)
    # Only changes in one unit can be compared with each other.
    losses = {place: _loss(row) for place, row in enumerate(changes) if task_of(row["task"]).percent}
    largest = ""
    if losses:
        row = changes[max(losses, key=losses.__getitem__)]
        change = "drop" if task_of(row["task"]).higher_is_better else "rise"
        largest = (
            f" The largest {change} is {points(row['delta'])} percentage points: {row['task']} by {row['model']} "
            f"under {row['condition']}."
        )
    scale = scale_of_changes(tasks)
    return Plate(
        ident=f"deltas-{slug(dataset)}",
        file=figure_of(inputs, dataset, "delta_heatmap.svg"),
        alt=f"Heat map of changes from full on {dataset}, {scale}, with one panel per task, models as "
        f"rows and conditions as columns.{largest}",
        caption=f"Change from full on {dataset}, {scale}.{largest}",
        sources=("tables/ablation.csv",),
        wide=True,
    )


def _loss(row: Cells) -> float:
    return -task_of(row["task"]).gain * float(row["delta"])


def null_plate(inputs: Inputs, dataset: str) -> Plate:
    """Return the figure of observed differences over their permutation distributions."""
    rows = _of(inputs, "comparisons", dataset)
    return Plate(
        ident=f"nulls-{slug(dataset)}",
        file=figure_of(inputs, dataset, "nulls.svg"),
        alt=f"{counted(len(rows), 'comparison')} on {dataset}: each observed difference with its interval, over the "
        "histogram of the differences obtained with permuted labels.",
        caption=f"Comparisons on {dataset}: each observed difference with its interval, over its distribution under "
        "the null hypothesis.",
        sources=("tests/comparisons.csv", "tests/nulls.csv"),
    )


def cumulative_plate(inputs: Inputs, dataset: str) -> Plate:
    """Return the figure of the change by number of replaced registers, next to the sum of single changes."""
    orders = max(int(row["orders"]) for row in _of(inputs, "cumulative", dataset))
    of_orders = "one order of registers" if orders == 1 else f"mean over {count(orders)} orders of registers"
    return Plate(
        ident=f"cumulative-{slug(dataset)}",
        file=figure_of(inputs, dataset, "cumulative.svg"),
        alt=f"Change from full on {dataset} by number of registers replaced, next to the sum of the changes from "
        "replacing each register alone, with models as rows and tasks as columns.",
        caption=f"Cumulative replacement of registers on {dataset}: {of_orders}, with its interval, next to the sum of "
        "the single changes.",
        sources=("tables/cumulative.csv",),
        wide=True,
    )


def _of(inputs: Inputs, table: str, dataset: str) -> list[Cells]:
    return [row for row in inputs.statistics[table] if row["dataset"] == dataset]


def figure_of(inputs: Inputs, dataset: str, name: str) -> str:
    """Return the place in the report of a data set's figure.

    Raises:
        InputError: the run lacks the figure.
    """
    path = inputs.run.figures / dataset / name
    if not path.is_file():
        raise InputError(f"{path} is missing. Run the workflow up to it: `snakemake {path}`.")
    return f"figures/{dataset}/{name}"
