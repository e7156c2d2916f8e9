"""The state of the report's three questions, in sentences whose numbers come from the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.checks import KNOWN_ANSWER, state_of_checks, tally
from reports.inputs import Inputs
from reports.numbers import count
from reports.table import escaped
from reports.verdicts import VERDICTS, verdict_counts, verdict_of


def _card(number: str, unit: str, question: str, body: str, link: str) -> str:
    return (
        '<article class="card">\n'
        f"<h3>{escaped(question)}</h3>\n"
        f'<p class="key"><b>{escaped(number)}</b> {escaped(unit)}</p>\n{body}\n<p class="go">{link}</p>\n</article>'
    )


def trained_models(inputs: Inputs) -> Mapping[str, Mapping[str, Any]]:
    """Models whose weights came from elsewhere and are not random: those that question three is about."""
    return {
        name: model
        for name, model in inputs.models.items()
        if model["source"] != KNOWN_ANSWER and model.get("weights") != "random"
    }


def random_models(inputs: Inputs) -> tuple[str, ...]:
    """Models that run with random weights."""
    return tuple(name for name, model in inputs.models.items() if model.get("weights") == "random")


def three_questions(inputs: Inputs) -> str:
    """A card per question: what is asked, the number that matters most, what came out."""
    return '<div class="cards">\n' + "\n".join((_audit(inputs), _instrument(inputs), _dino(inputs))) + "\n</div>"


def _audit(inputs: Inputs) -> str:
    counts = verdict_counts(inputs.claims)
    failing = sum(verdict_of(claim).fails for claim in inputs.claims)
    touching = sum(claim["severity"] == "conclusion" for claim in inputs.claims if verdict_of(claim).fails)
    stated = ", ".join(f"{count(counts[verdict.name])} {verdict.name}" for verdict in VERDICTS if counts[verdict.name])
    body = (
        f"<p>{count(touching)} of those that do not hold touch a conclusion rather than a single number. "
        f"In full: {escaped(stated)}.</p>"
    )
    return _card(
        f"{count(failing)} of {count(len(inputs.claims))}",
        "claims do not hold",
        "Do the published numbers agree with each other and with what is said of them?",
        body,
        '<a href="audit.html">The audit</a>',
    )


def _instrument(inputs: Inputs) -> str:
    counted = tally(inputs.checks)
    number, unit = (
        (f"{count(counted.passed)} of {count(counted.total)}", "known answers came out")
        if counted.total
        else ("Not tested", "in this run")
    )
    return _card(
        number,
        unit,
        "Does the instrument work?",
        state_of_checks(inputs),
        '<a href="known_answers.html">Known answers</a>',
    )


def _dino(inputs: Inputs) -> str:
    trained = trained_models(inputs)
    names = ", ".join(f"<code>{escaped(name)}</code>" for name in trained)
    body = (
        f"<p>Measured here: {names}, each beside the published numbers.</p>"
        if trained
        else "<p>No model of this run has DINO’s weights, so it says nothing of DINO: it needs weights and data "
        "that are fetched or given as paths, and where there are none nothing is put in their place.</p>"
    )
    number, unit = (count(len(trained)), "trained models measured") if trained else ("Not measured", "in this run")
    return _card(number, unit, "What does DINO do?", body, '<a href="results.html">Results</a>')


def random_weights_note(inputs: Inputs) -> str:
    """A sentence about models with random weights; empty where there are none."""
    names = random_models(inputs)
    if not names:
        return ""
    listed = ", ".join(f"<code>{escaped(name)}</code>" for name in names)
    return (
        f'<p class="note"><strong>Random weights:</strong> {listed}. They exercise the path that trained weights '
        "take; their figures say nothing of the trained model.</p>"
    )
