"""What the pages include: every generated table, figure and sentence, by the name of its file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape

from reports.checks import check_table, state_of_checks
from reports.definitions import ablation_definitions, replacement_definitions
from reports.facts import condition_table, dataset_notes, dataset_table, model_table, signature
from reports.inputs import Inputs
from reports.outcomes import (
    ablation_sections,
    ablation_table,
    measured_replacements,
    published_replacements,
)
from reports.plates import Plate, heatmap_plate, known_answer_plate, render_plate
from reports.questions import random_weights_note, three_questions
from reports.statistics_includes import statistics_includes
from reports.table import Table, escaped, fenced, render, source_link
from reports.verdicts import claims_table, failing_claims, verdict_summary

# An included file is never empty: not every renderer includes nothing without a complaint.
_NOTHING = "<!-- nothing to say in this run -->"


def generated(inputs: Inputs) -> dict[str, str]:
    """File name → Markdown, all of it raw HTML in fences, so that nothing in the data is read as Markdown."""
    return {
        "title.md": fenced(_title(inputs)),
        "questions.md": fenced(three_questions(inputs)),
        "verdict_counts.md": _table(verdict_summary(inputs.claims), "audit/claims.csv"),
        "failing_claims.md": _failing(inputs),
        "claims.md": _table(claims_table(inputs.claims), "audit/claims.csv"),
        "checks_state.md": fenced(state_of_checks(inputs)),
        "checks.md": _table(check_table(inputs.checks), "tables/known_answers.csv")
        if inputs.checks
        else fenced(_NOTHING),
        "known_answer_figures.md": _plates(inputs, known_answer_plate, needed="classification"),
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


def _failing(inputs: Inputs) -> str:
    table = failing_claims(inputs.claims)
    if not any(body.rows for body in table.bodies):
        return fenced("<p>Every claim holds.</p>")
    return fenced(render(table))


def _plates(inputs: Inputs, plate: Callable[[Inputs, str], Plate], needed: str = "") -> str:
    """A figure per data set, of those that have the task `needed`."""
    datasets = [
        name for name in inputs.datasets if not needed or needed in inputs.settings["datasets"][name].get("tasks", ())
    ]
    if not datasets:
        return fenced(f"<p>No data set of this run has the task {escaped(needed)}, so there is no figure.</p>")
    return fenced("\n".join(render_plate(plate(inputs, name)) for name in datasets))


def _replacements(inputs: Inputs) -> str:
    published = render(published_replacements(inputs.published))
    measured = [measured_replacements(inputs.replacement, name) for name in inputs.datasets]
    found = [render(table) for table in measured if table is not None]
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
        name = section.task.capitalize() + (f", {section.dataset}" if several else "")
        blocks.append(
            f'<h3 id="{section.ident}">{escaped(name)}</h3>\n'
            f"{render(ablation_table(section))}\n{source_link('tables/ablation.csv')}\n"
            f"{ablation_definitions(section, inputs.settings)}"
        )
    jumps = _jumps((section.ident, f"{section.task} on {section.dataset}") for section in sections)
    return fenced("\n".join((jumps, *blocks)))


def _jumps(targets: Iterable[tuple[str, str]]) -> str:
    links = " · ".join(f'<a href="#{ident}">{escaped(label)}</a>' for ident, label in targets)
    return f'<p class="jumps">{links}</p>'


def _downloads(inputs: Inputs) -> str:
    items = "".join(
        f'<li><a href="{escape(place)}" download>{escaped(place)}</a></li>'
        for place in inputs.downloads()
        if place.endswith(".csv")
    )
    return fenced(f"<ul>{items}</ul>")
