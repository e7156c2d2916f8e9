"""The answers to the report's three questions, in sentences whose numbers come from the run."""

from __future__ import annotations

from markupsafe import Markup

from reports.checks import state_of_checks, tally
from reports.inputs import Inputs
from reports.markup import codes, lines
from reports.numbers import count
from reports.verdicts import VERDICTS, verdict_counts, verdict_of

_CARD = Markup(
    '<article class="card">\n<h3>{question}</h3>\n'
    '<p class="key"><b>{number}</b> {unit}</p>\n{body}\n<p class="go">{link}</p>\n</article>'
)


def trained_models(inputs: Inputs) -> tuple[str, ...]:
    """Return the models with trained weights from elsewhere, which the third question is about."""
    return tuple(name for name, model in inputs.models.items() if not (model.known_answer or model.random))


def random_models(inputs: Inputs) -> tuple[str, ...]:
    """Return the models with random weights."""
    return tuple(name for name, model in inputs.models.items() if model.random)


def three_questions(inputs: Inputs) -> Markup:
    """Return one card per question, with its most important number and its answer."""
    cards = lines((_audit(inputs), _instrument(inputs), _dino(inputs)))
    return Markup('<div class="cards">\n{}\n</div>').format(cards)


def _audit(inputs: Inputs) -> Markup:
    counts = verdict_counts(inputs.claims)
    failing = sum(verdict_of(claim).fails for claim in inputs.claims)
    touching = sum(claim["severity"] == "conclusion" for claim in inputs.claims if verdict_of(claim).fails)
    stated = ", ".join(f"{count(counts[verdict.name])} {verdict.name}" for verdict in VERDICTS if counts[verdict.name])
    body = Markup(
        "<p>Of the claims that do not hold, {} affect a conclusion rather than only a number. "
        "All claims by verdict: {}.</p>"
    )
    return _CARD.format(
        question="Are the published numbers consistent with each other and with the article’s statements?",
        number=f"{count(failing)} of {count(len(inputs.claims))}",
        unit="claims do not hold",
        body=body.format(count(touching), stated),
        link=Markup('<a href="audit.html">The audit</a>'),
    )


def _instrument(inputs: Inputs) -> Markup:
    counted = tally(inputs.checks)
    number, unit = (
        (f"{count(counted.passed)} of {count(counted.total)}", "checks with a known answer passed")
        if counted.total
        else ("Not tested", "in this run")
    )
    return _CARD.format(
        question="Does the instrument work?",
        number=number,
        unit=unit,
        body=state_of_checks(inputs),
        link=Markup('<a href="known_answers.html">Known answers</a>'),
    )


def _dino(inputs: Inputs) -> Markup:
    trained = trained_models(inputs)
    if trained:
        number, unit = count(len(trained)), f"trained {'model' if len(trained) == 1 else 'models'} measured"
        body = Markup("<p>Measured here: {}, next to the published numbers.</p>").format(codes(trained))
    else:
        number, unit = "Not measured", "in this run"
        body = Markup(
            "<p>No model in this run has DINO’s weights, so the run provides no evidence about DINO. Measuring DINO "
            "needs its weights and a data set, downloaded or given as paths; nothing else is used in their place.</p>"
        )
    return _CARD.format(
        question="What does DINO do?",
        number=number,
        unit=unit,
        body=body,
        link=Markup('<a href="results.html">Results</a>'),
    )


def random_weights_note(inputs: Inputs) -> Markup:
    """Return a note about models with random weights, or nothing if there are none."""
    names = random_models(inputs)
    if not names:
        return Markup()
    return Markup(
        '<p class="note"><strong>Random weights:</strong> {}. These models go through the same code as trained weights '
        "would. Their results provide no evidence about the trained models.</p>"
    ).format(codes(names))
