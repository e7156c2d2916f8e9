"""All figures of one data set, drawn from its tables."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.figures.conditions import delta_heatmap, known_answer_figure
from analysis.figures.layers import layer_figures
from analysis.figures.statistics import cumulative_figure, null_figure
from analysis.figures.style import house_style
from analysis.rows.chance import Chance
from config.analysis import AnalysisSettings
from config.layout import Run


def draw_figures(
    tables: Mapping[str, pd.DataFrame], dataset: str, settings: AnalysisSettings, chance: Chance | None, run: Run
) -> None:
    """Draw `config.layout.FIGURES` of one data set; a sentence where a run has nothing to draw.

    Args:
        tables: name → table, with the rows of every data set; those of `analysis.rows.registry.DRAWN`, and of them
            `known_answers` only where there are known-answer models.
        dataset: which one.
        settings: of the run.
        chance: of its classification; None where the data set is not classified.
        run: where the figures are written.
    """
    of_dataset = {name: table[table["dataset"] == dataset] for name, table in tables.items()}
    delta_heatmap(of_dataset["ablation"], settings, run.figure(dataset, "delta_heatmap"))
    if "known_answers" in of_dataset:
        known_answer_figure(
            of_dataset["ablation"], of_dataset["known_answers"], chance, settings, run.figure(dataset, "known_answers")
        )
    layer_figures(of_dataset["layer_measures"], of_dataset["layer_curves"], chance, settings, run.figures_of(dataset))
    with house_style():
        null_figure(of_dataset["comparisons"], of_dataset["nulls"], run.figure(dataset, "nulls"), settings.task)
        cumulative_figure(of_dataset["cumulative"], run.figure(dataset, "cumulative"), settings.task)
