"""Contents of the pages: every generated table, figure and sentence, by file name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from markupsafe import Markup

from reports import findings
from reports.anchors import anchors_compared, anchors_missed
from reports.checks import check_table, state_of_checks
from reports.definitions import ablation_definitions, replacement_definitions
from reports.facts import condition_table, dataset_notes, dataset_table, model_table, signature
from reports.glossary import glossaries
from reports.inputs import Cells, Inputs
from reports.layers import FIGURES, last_layer_table, layer_plate, measure_definitions
from reports.markup import NOTHING, download, fenced, fenced_script, lines, paragraph, source_link
from reports.multiverse import multiverse_includes
from reports.numbers import counted
from reports.outcomes import (
    ablation_sections,
    ablation_table,
    measured_replacements,
    published_replacements,
    task_title,
)
from reports.plates import Plate, heatmap_plate, is_drawn, known_answer_plate, render_plate
from reports.project import PAGES_FOLDER
from reports.protocol import protocol_table
from reports.questions import random_weights_note, three_questions
from reports.statistics_includes import statistics_includes
from reports.table import Table, render
from reports.verdicts import claims_table, verdict_summary

FILTER = PAGES_FOLDER / "claims_filter.js"
_ABLATION = Markup(
    '<h3 id="{ident}">{name}</h3>\n<details><summary>{rows}</summary>\n{table}\n</details>\n{source}\n{definitions}'
)


def generated(inputs: Inputs) -> dict[str, str]:
    """Return file name → Markdown.

    All of it is raw HTML in fences, so that nothing in the data is read as Markdown.
    """
    return {
        "title.md": fenced(_title(inputs)),
        "anchors_missed.md": fenced(anchors_missed(inputs)),
        "anchors.md": fenced(anchors_compared(inputs)),
        "questions.md": fenced(three_questions(inputs)),
        "verdict_counts.md": _table(verdict_summary(inputs.claims), "audit/claims.csv"),
        "severities.md": fenced(findings.severities()),
        "foremost.md": fenced(findings.foremost(inputs)),
        "findings.md": _findings(inputs),
        "sections.md": _table(findings.sections_table(inputs), "audit/summary.csv"),
        "sources_state.md": fenced(findings.sources_state(inputs)),
        "sources.md": _sources(inputs),
        "claims.md": _table(claims_table(inputs.claims, _by_claim(inputs), inputs.reasons), "audit/claims.csv"),
        "claims_filter.md": fenced_script(FILTER.read_text(encoding="utf-8")),
        **dict(findings.page_parts(inputs)),
        "checks_state.md": fenced(state_of_checks(inputs)),
        "checks.md": _table(check_table(inputs.checks), "tables/known_answers.csv")
        if inputs.checks
        else fenced(NOTHING),
        "known_answer_figures.md": _plates(
            inputs,
            known_answer_plate,
            "no model was put under a replacement of its registers",
            needed="classification",
        ),
        **{
            f"{name}.md": _plates(inputs, partial(layer_plate, figure=name), figure.otherwise, figure.needed)
            for name, figure in FIGURES.items()
        },
        "last_layer.md": _tables(inputs, last_layer_table, measure_definitions()),
        "heatmaps.md": _plates(inputs, heatmap_plate, "no condition other than full was measured"),
        "replacements.md": _replacements(inputs),
        "ablations.md": _ablations(inputs),
        "random_weights.md": fenced(random_weights_note(inputs) or NOTHING),
        "datasets.md": fenced(lines((render(dataset_table(inputs)), dataset_notes(inputs)))),
        "models.md": _table(model_table(inputs)),
        "conditions.md": _table(condition_table(inputs)),
        "protocol.md": _table(protocol_table(inputs)),
        **statistics_includes(inputs),
        **multiverse_includes(inputs),
        "downloads.md": _downloads(inputs),
        "columns.md": fenced(glossaries()),
        "signature.md": fenced(signature(inputs)),
    }


def _title(inputs: Inputs) -> Markup:
    settings = inputs.settings
    return Markup('<p class="run-title">Run <b>{}</b>: {}</p>').format(settings.run, settings.title)


def _table(table: Table, source: str = "") -> str:
    return fenced(lines((render(table), *([source_link(source)] if source else []))))


def _findings(inputs: Inputs) -> str:
    if not findings.severe(inputs):
        return fenced(paragraph("No finding is more severe than rounding."))
    return _table(findings.findings_table(inputs), "audit/summary.md")


def _sources(inputs: Inputs) -> str:
    if not findings.differing(inputs.sources):
        return fenced(
            paragraph("No two published values of the same quantity differ by more than rounding and repeats explain.")
        )
    return _table(findings.sources_table(inputs), "audit/sources.csv")


def _by_claim(inputs: Inputs) -> dict[str, Cells]:
    return {row["claim"]: row for row in inputs.reproduced if not row["number"]}


def _plates(inputs: Inputs, plate: Callable[[Inputs, str], Plate], otherwise: str, needed: str = "") -> str:
    """Return one figure per data set, of those that have the task `needed`, where it shows anything.

    Args:
        inputs: of the report.
        plate: the figure of a data set.
        otherwise: why a figure may show nothing, for a sentence in its place.
        needed: a task; every data set is meant where it is empty.
    """
    datasets = [name for name in inputs.datasets if not needed or needed in inputs.settings.datasets[name].tasks]
    if not datasets:
        return fenced(paragraph(f"No data set in this run has the task {needed}, so there is no figure."))
    made = {name: plate(inputs, name) for name in datasets}
    empty = [name for name, each in made.items() if not is_drawn(inputs, each)]
    shown = [render_plate(each) for name, each in made.items() if name not in empty]
    if empty:
        shown.append(paragraph(f"There is no figure for {' or '.join(empty)}: {otherwise} there."))
    return fenced(lines(shown))


def _tables(inputs: Inputs, table: Callable[[Inputs, str], Table | None], *definitions: Markup) -> str:
    """Return one table per data set that was measured."""
    found = [render(made) for name in inputs.datasets if (made := table(inputs, name)) is not None]
    if not found:
        return fenced(paragraph("This run measured neither geometry nor attention."))
    return fenced(lines((*found, source_link("tables/layer_measures.csv"), *definitions)))


def _replacements(inputs: Inputs) -> str:
    published = render(published_replacements(inputs.published))
    found = [render(table) for name in inputs.datasets for table in measured_replacements(inputs.replacement, name)]
    if not found:
        missing = paragraph(
            "No condition of this run replaced registers, so there is nothing to compare with this table."
        )
        return fenced(lines((published, missing)))
    return fenced(
        lines(
            (
                Markup('<div class="beside">\n{}\n</div>').format(lines((published, *found))),
                source_link("tables/replacement.csv"),
                replacement_definitions(inputs.ablation),
            )
        )
    )


def _ablations(inputs: Inputs) -> str:
    sections = ablation_sections(inputs.ablation)
    if not sections:
        return fenced(paragraph("This run measured no ablation."))
    several = len({section.dataset for section in sections}) > 1
    blocks = []
    for section in sections:
        name = task_title(section.task) + (f", {section.dataset}" if several else "")
        blocks.append(
            _ABLATION.format(
                ident=section.ident,
                name=name,
                rows=counted(len(section.rows), "row"),
                table=render(ablation_table(section)),
                source=source_link("tables/ablation.csv"),
                definitions=ablation_definitions(section, inputs.settings),
            )
        )
    jumps = _jumps((section.ident, f"{task_title(section.task)} on {section.dataset}") for section in sections)
    return fenced(lines((jumps, *blocks)))


def _jumps(targets: Iterable[tuple[str, str]]) -> Markup:
    links = (Markup('<a href="#{}">{}</a>').format(ident, label) for ident, label in targets)
    return Markup('<p class="jumps">{}</p>').format(Markup(" · ").join(links))


def _downloads(inputs: Inputs) -> str:
    items = (
        Markup("<li>{}</li>").format(download(place, place))
        for place in inputs.downloads()
        if place.endswith((".csv", ".md"))
    )
    return fenced(Markup("<ul>{}</ul>").format(Markup().join(items)))
