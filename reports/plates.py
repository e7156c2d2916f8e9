"""Figures as blocks: the run's SVG on a white plate, described in words, with the CSV it is drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from reports.checks import tally
from reports.errors import ReportError
from reports.inputs import Cells, Inputs
from reports.numbers import count, is_missing, percent, points
from reports.outcomes import slug
from reports.table import escaped


@dataclass(frozen=True)
class Plate:
    """A figure: file in the report, what it shows (for readers who do not see it), and its sources."""

    ident: str
    file: str
    alt: str
    caption: str
    sources: tuple[str, ...]
    wide: bool = False  # keeps its size on a narrow screen and scrolls


def render_plate(plate: Plate) -> str:
    """The HTML of a figure."""
    links = ", ".join(
        f'<a href="{escape(source)}" download>{escaped(source.rpartition("/")[2])}</a>' for source in plate.sources
    )
    kind = "plate wide" if plate.wide else "plate"
    return (
        f'<figure class="{kind}" id="{escape(plate.ident)}">\n'
        f'<div class="paper" tabindex="0">'
        f'<img src="{escape(plate.file)}" alt="{escape(plate.alt, quote=True)}"></div>\n'
        f"<figcaption>{escaped(plate.caption)} Drawn from {links}; "
        f'<a href="{escape(plate.file)}" download>the figure as SVG</a>.</figcaption>\n</figure>'
    )


def known_answer_plate(inputs: Inputs, dataset: str) -> Plate:
    """Classification under every register condition, a panel per family."""
    counted = tally([check for check in inputs.checks if check["dataset"] == dataset])
    full = [
        f"{row['model']} {percent(row['value'])} %"
        for row in inputs.ablation
        if row["dataset"] == dataset and row["task"] == "classification" and row["condition"] == "full"
        and row["readout"] != "frozen"
    ]  # fmt: skip
    outcome = (
        f"{count(counted.passed)} of {count(counted.total)} checks passed" if counted.total else "no check applies"
    )
    return Plate(
        ident=f"known-answers-{slug(dataset)}",
        file=figure_of(inputs, dataset, "known_answers.svg"),
        alt=(
            f"Classification accuracy on {dataset} by family, under full and under zeroed, mean, noise and "
            f"shuffled registers, with intervals and the range of chance; {outcome}. "
            + (f"Unablated: {', '.join(full)}." if full else "")
        ).strip(),
        caption=f"Known answers on {dataset}: {outcome}. Points are accuracies with their intervals, the "
        "dashed line or grey band is chance, thin lines are the unablated levels.",
        sources=("tables/ablation.csv", "tables/known_answers.csv"),
    )


def heatmap_plate(inputs: Inputs, dataset: str) -> Plate:
    """Changes against full, of every model, task and condition."""
    changes = [
        row
        for row in inputs.ablation
        if row["dataset"] == dataset and row["readout"] != "frozen" and not is_missing(row["delta"])
    ]
    largest = ""
    if changes:
        row = min(changes, key=lambda row: float(row["delta"]))
        largest = (
            f" The largest drop is {points(row['delta'])} points: {row['task']} of {row['model']} "
            f"under {row['condition']}."
        )
    return Plate(
        ident=f"deltas-{slug(dataset)}",
        file=figure_of(inputs, dataset, "delta_heatmap.svg"),
        alt=f"Heat map of changes against full on {dataset}, in percentage points: a panel per task, models as "
        f"rows, conditions as columns.{largest}",
        caption=f"What each condition takes away on {dataset}: change against full, percentage points.{largest}",
        sources=("tables/ablation.csv",),
        wide=True,
    )


def null_plate(inputs: Inputs, dataset: str) -> Plate:
    """Comparisons as observed, over what exchanged labels give."""
    rows = _of(inputs, "comparisons", dataset)
    return Plate(
        ident=f"nulls-{slug(dataset)}",
        file=figure_of(inputs, dataset, "nulls.svg"),
        alt=f"{count(len(rows))} comparisons on {dataset}: each difference with its interval, over the histogram of "
        "the differences that arise when labels are exchanged.",
        caption=f"Comparisons on {dataset}: the observed difference with its interval, over the distribution under "
        "the null hypothesis.",
        sources=("tests/comparisons.csv", "tests/nulls.csv"),
    )


def cumulative_plate(inputs: Inputs, dataset: str) -> Plate:
    """Loss by number of registers, against the sum of single losses."""
    orders = max(int(row["orders"]) for row in _of(inputs, "cumulative", dataset))
    of_orders = "one order of registers" if orders == 1 else f"the mean over {count(orders)} orders of registers"
    return Plate(
        ident=f"cumulative-{slug(dataset)}",
        file=figure_of(inputs, dataset, "cumulative.svg"),
        alt=f"Change against full on {dataset} by number of registers replaced, beside the sum of the changes of each "
        "alone: models down, tasks across.",
        caption=f"Registers replaced one after the other on {dataset}: {of_orders}, with its interval, and the sum of "
        "single changes.",
        sources=("tables/cumulative.csv",),
        wide=True,
    )


def _of(inputs: Inputs, table: str, dataset: str) -> list[Cells]:
    return [row for row in inputs.statistics[table] if row["dataset"] == dataset]


def figure_of(inputs: Inputs, dataset: str, name: str) -> str:
    """The place in the report of a figure of a data set; ReportError where the run lacks it."""
    path = inputs.run.figures / dataset / name
    if not path.is_file():
        raise ReportError(f"{path} is missing. Run the workflow up to it: `snakemake {path}`.")
    return f"figures/{dataset}/{name}"
