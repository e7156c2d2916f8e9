"""What the pages include: every generated table, figure and sentence, by the name of its file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from html import escape

from reports import findings
from reports.checks import check_table, state_of_checks
from reports.definitions import ablation_definitions, replacement_definitions
from reports.facts import condition_table, dataset_notes, dataset_table, model_table, signature
from reports.inputs import Cells, Inputs
from reports.layers import FIGURES, last_layer_table, layer_plate, measure_definitions, rank_table
from reports.numbers import counted
from reports.outcomes import (
    ablation_sections,
    ablation_table,
    measured_replacements,
    published_replacements,
    task_title,
)
from reports.plates import Plate, heatmap_plate, known_answer_plate, render_plate
from reports.project import PAGES_FOLDER
from reports.questions import random_weights_note, three_questions
from reports.statistics_includes import statistics_includes
from reports.table import Table, escaped, fenced, render, source_link
from reports.verdicts import claims_table, verdict_summary

FILTER = PAGES_FOLDER / "claims_filter.js"
# An included file is never empty: not every renderer includes nothing without a complaint.
_NOTHING = "<!-- nothing to say in this run -->"


def generated(inputs: Inputs) -> dict[str, str]:
    """File name → Markdown, all of it raw HTML in fences, so that nothing in the data is read as Markdown."""
    return {
        "title.md": fenced(_title(inputs)),
        "questions.md": fenced(three_questions(inputs)),
        "verdict_counts.md": _table(verdict_summary(inputs.claims), "audit/claims.csv"),
        "severities.md": fenced(findings.severities()),
        "foremost.md": fenced(findings.foremost(inputs)),
        "findings.md": _findings(inputs),
        "sections.md": _table(findings.sections_table(inputs), "audit/summary.csv"),
        "sources_state.md": fenced(findings.sources_state(inputs)),
        "sources.md": _sources(inputs),
        "claims.md": _table(claims_table(inputs.claims, _by_claim(inputs), inputs.reasons), "audit/claims.csv"),
        "claims_filter.md": fenced(f"<script>\n{FILTER.read_text(encoding='utf-8')}</script>"),
        **dict(findings.page_parts(inputs)),
        "checks_state.md": fenced(state_of_checks(inputs)),
        "checks.md": _table(check_table(inputs.checks), "tables/known_answers.csv")
        if inputs.checks
        else fenced(_NOTHING),
        "known_answer_figures.md": _plates(inputs, known_answer_plate, needed="classification"),
        **{
            f"{figure}.md": _plates(inputs, partial(layer_plate, figure=figure), needed=needed)
            for figure, needed in {**dict.fromkeys(FIGURES, ""), "token_curves": "classification"}.items()
        },
        "last_layer.md": _tables(inputs, last_layer_table, measure_definitions()),
        "rank_definitions.md": _tables(inputs, rank_table),
        "heatmaps.md": _plates(inputs, heatmap_plate),
        "replacements.md": _replacements(inputs),
        "ablations.md": _ablations(inputs),
        "random_weights.md": fenced(random_weights_note(inputs) or _NOTHING),
        "datasets.md": _table(dataset_table(inputs)) + "\n" + fenced(dataset_notes(inputs)),
        "models.md": _table(model_table(inputs)),
        "conditions.md": _table(condition_table(inputs)),
        **statistics_includes(inputs),
        "downloads.md": _downloads(inputs),
        "signature.md": fenced(signature(inputs)),
    }


def _title(inputs: Inputs) -> str:
    name, title = (escaped(str(inputs.settings[key])) for key in ("run", "title"))
    return f'<p class="run-title">Run <b>{name}</b>: {title}</p>'


def _table(table: Table, source: str = "") -> str:
    return fenced(render(table) + ("\n" + source_link(source) if source else ""))


def _findings(inputs: Inputs) -> str:
    if not findings.grave(inputs):
        return fenced("<p>No finding is graver than rounding.</p>")
    return fenced(render(findings.findings_table(inputs)) + "\n" + source_link("audit/summary.md"))


def _sources(inputs: Inputs) -> str:
    if not findings.differing(inputs.sources):
        return fenced("<p>No two published values for one quantity differ by more than rounding and repeats.</p>")
    return _table(findings.sources_table(inputs), "audit/sources.csv")


def _by_claim(inputs: Inputs) -> dict[str, Cells]:
    return {row["claim"]: row for row in inputs.reproduced if not row["number"]}


def _plates(inputs: Inputs, plate: Callable[[Inputs, str], Plate], needed: str = "") -> str:
    """A figure per data set, of those that have the task `needed`."""
    datasets = [
        name for name in inputs.datasets if not needed or needed in inputs.settings["datasets"][name].get("tasks", ())
    ]
    if not datasets:
        return fenced(f"<p>No data set of this run has the task {escaped(needed)}, so there is no figure.</p>")
    return fenced("\n".join(render_plate(plate(inputs, name)) for name in datasets))


def _tables(inputs: Inputs, table: Callable[[Inputs, str], Table | None], definitions: str = "") -> str:
    """A table per data set that was measured."""
    found = [render(made) for name in inputs.datasets if (made := table(inputs, name)) is not None]
    if not found:
        return fenced("<p>This run measured no geometry and no attention.</p>")
    return fenced("\n".join((*found, source_link("tables/measures.csv"), definitions)))


def _replacements(inputs: Inputs) -> str:
    published = render(published_replacements(inputs.published))
    found = [render(table) for name in inputs.datasets for table in measured_replacements(inputs.replacement, name)]
    if not found:
        found = ["<p>No model of this run has registers that were replaced, so there is nothing to set beside it.</p>"]
        return fenced("\n".join((published, *found)))
    return fenced(
        "\n".join(
            (
                '<div class="beside">',
                published,
                *found,
                "</div>",
                source_link("tables/replacement.csv"),
                replacement_definitions(inputs.ablation),
            )
        )
    )


def _ablations(inputs: Inputs) -> str:
    sections = ablation_sections(inputs.ablation)
    if not sections:
        return fenced("<p>This run measured no ablation.</p>")
    several = len({section.dataset for section in sections}) > 1
    blocks = []
    for section in sections:
        name = task_title(section.task) + (f", {section.dataset}" if several else "")
        blocks.append(
            f'<h3 id="{section.ident}">{escaped(name)}</h3>\n'
            f"<details><summary>{counted(len(section.rows), 'row')}</summary>\n"
            f"{render(ablation_table(section))}\n</details>\n{source_link('tables/ablation.csv')}\n"
            f"{ablation_definitions(section, inputs.settings)}"
        )
    jumps = _jumps((section.ident, f"{task_title(section.task)} on {section.dataset}") for section in sections)
    return fenced("\n".join((jumps, *blocks)))


def _jumps(targets: Iterable[tuple[str, str]]) -> str:
    links = " · ".join(f'<a href="#{ident}">{escaped(label)}</a>' for ident, label in targets)
    return f'<p class="jumps">{links}</p>'


def _downloads(inputs: Inputs) -> str:
    items = "".join(
        f'<li><a href="{escape(place)}" download>{escaped(place)}</a></li>'
        for place in inputs.downloads()
        if place.endswith((".csv", ".md"))
    )
    return fenced(f"<ul>{items}</ul>")
