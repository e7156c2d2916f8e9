"""The known answers: the table of checks, and what came of them in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.inputs import Cells, Inputs
from reports.numbers import MISSING, count, interval, quantity
from reports.table import Body, Column, Markup, Row, Table, escaped

KNOWN_ANSWER = "known_answer"


@dataclass(frozen=True)
class Tally:
    """How many checks there were, and how many passed."""

    total: int
    passed: int

    @property
    def failed(self) -> int:
        """Checks that did not pass."""
        return self.total - self.passed


def tally(checks: Sequence[Cells]) -> Tally:
    """Count the checks."""
    return Tally(len(checks), sum(passed(check) for check in checks))


def passed(check: Cells) -> bool:
    """Whether a check passed."""
    return check["passed"].strip().lower() == "true"


def check_table(checks: Sequence[Cells]) -> Table:
    """Every check, by data set and model, with what was expected and what was observed."""
    groups = dict.fromkeys((check["dataset"], check["model"]) for check in checks)
    return Table(
        ident="checks",
        caption="Known answers, expected and observed",
        columns=(
            Column("Outcome"),
            Column("Check", "prose"),
            Column("Condition"),
            Column("Expected", "prose"),
            Column("Observed", "number"),
            Column("Interval", "number muted"),
        ),
        bodies=tuple(
            Body(
                tuple(_row(check) for check in checks if (check["dataset"], check["model"]) == (dataset, model)),
                heading=Markup(f"<b>{escaped(model)}</b> <small>on {escaped(dataset)}</small>"),
            )
            for dataset, model in groups
        ),
    )


def _row(check: Cells) -> Row:
    good = passed(check)
    sign, label, key = ("✓", "passed", "consistent") if good else ("✕", "failed", "contradicted")
    return Row(
        (
            Markup(f'<span class="badge {key}"><span class="sign" aria-hidden="true">{sign}</span> {label}</span>'),
            Markup(f'{escaped(check["check"])} <span class="ident">{escaped(check["quantity"])}</span>'),
            Markup(f"<code>{escaped(check['condition'])}</code>"),
            check["expected"],
            quantity(check["observed"]) if check["observed"] else "not measured",
            interval(check["low"], check["high"], quantity) or MISSING,
        )
    )


def state_of_checks(inputs: Inputs) -> str:
    """What came of the known answers, as HTML paragraphs."""
    if not any(model["source"] == KNOWN_ANSWER for model in inputs.models.values()):
        return (
            "<p>This run has no known-answer model: whether the instrument works was not tested in it, "
            "and its other results stand without that test.</p>"
        )
    if not inputs.checks:
        return (
            "<p>This run has known-answer models, but none of a family whose construction fixes an answer "
            "(bottleneck, sink), or no condition that tests it: nothing was checked.</p>"
        )
    counted = tally(inputs.checks)
    if counted.failed == 0:
        return (
            f"<p><strong>All {count(counted.total)} checks passed.</strong> Where the answer is known by "
            "construction, the ablations gave it.</p>"
        )
    failing = sorted({check["model"] for check in inputs.checks if not passed(check)})
    models = ", ".join(f"<code>{escaped(model)}</code>" for model in failing)
    return (
        f"<p><strong>{count(counted.failed)} of {count(counted.total)} checks failed</strong> ({models}). "
        "Until they pass, read every other measurement of this run with that in mind.</p>"
    )
