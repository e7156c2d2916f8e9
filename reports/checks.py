"""Checks against known answers: their table, and a summary in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from config.vocabulary.known_answers import KNOWN_ANSWERS
from reports.inputs import Cells, Inputs
from reports.markup import aside, badge, code, codes, heading, lines
from reports.numbers import MISSING, count, interval, quantity
from reports.table import Body, Table, TableColumn, TableRow


@dataclass(frozen=True)
class Tally:
    """Number of checks, and of those that passed."""

    total: int
    passed: int

    @property
    def failed(self) -> int:
        """Number of checks that did not pass."""
        return self.total - self.passed


def tally(checks: Sequence[Cells]) -> Tally:
    """Count the checks."""
    return Tally(len(checks), sum(passed(check) for check in checks))


def passed(check: Cells) -> bool:
    """Return whether a check passed."""
    return check["passed"].strip().lower() == "true"


def check_table(checks: Sequence[Cells]) -> Table:
    """Return every check with its expected and observed value, by data set and model."""
    groups = dict.fromkeys((check["dataset"], check["model"]) for check in checks)
    return Table(
        ident="checks",
        caption="Known answers, expected and observed",
        columns=(
            TableColumn("Outcome"),
            TableColumn("Check", "prose"),
            TableColumn("Condition"),
            TableColumn("Expected", "prose"),
            TableColumn("Observed", "number"),
            TableColumn("Interval", "number muted"),
        ),
        bodies=tuple(
            Body(
                tuple(_row(check) for check in checks if (check["dataset"], check["model"]) == (dataset, model)),
                heading=heading(model, f"on {dataset}"),
            )
            for dataset, model in groups
        ),
    )


def _row(check: Cells) -> TableRow:
    return TableRow(
        (
            badge("consistent", "✓", "passed") if passed(check) else badge("contradicted", "✕", "failed"),
            Markup("{} {}").format(check["check"], aside(check["quantity"])),
            code(check["condition"]),
            check["expected"],
            quantity(check["observed"]) if check["observed"] else "not measured",
            interval(check["low"], check["high"], quantity) or MISSING,
        )
    )


def unchecked_models(inputs: Inputs) -> list[str]:
    """Return the models with a known answer that no check of this run tests."""
    checked = {check["model"] for check in inputs.checks}
    return [
        name
        for name, model in inputs.models.items()
        if model.known_answer and KNOWN_ANSWERS[model.family].check and name not in checked
    ]


def state_of_checks(inputs: Inputs) -> Markup:
    """Return the result of the checks in words, with a warning about known answers that were not checked."""
    if not any(model.known_answer for model in inputs.models.values()):
        return Markup(
            "<p>This run has no known-answer model. It did not test whether the instrument works, "
            "and its other results should be read with that in mind.</p>"
        )
    return lines(filter(None, (_result(inputs), _warning(inputs))))


def _result(inputs: Inputs) -> Markup:
    counted = tally(inputs.checks)
    if counted.total == 0:
        return Markup("<p><strong>Nothing was checked</strong> against a known answer in this run.</p>")
    if counted.failed == 0:
        return Markup(
            "<p><strong>{}.</strong> Wherever the answer is known by construction, the ablations recovered it.</p>"
        ).format("The one check passed" if counted.total == 1 else f"All {count(counted.total)} checks passed")
    failing = sorted({check["model"] for check in inputs.checks if not passed(check)})
    return Markup(
        "<p><strong>{} of {} checks failed</strong> ({}). Until they pass, every other measurement of this run should "
        "be interpreted with caution.</p>"
    ).format(count(counted.failed), count(counted.total), codes(failing))


def _warning(inputs: Inputs) -> Markup:
    unchecked = unchecked_models(inputs)
    if not unchecked:
        return Markup()
    return Markup(
        '<p class="note warning"><strong>Known answers that were not checked:</strong> {}. Their construction fixes '
        "an answer, but no condition of this run tests it. Add one that replaces all registers.</p>"
    ).format(codes(unchecked))
