"""The simulated error rates: the table, and whether the code that they are of is this one."""

from __future__ import annotations

from config.code_digest import code_digest
from reports.columns import Shown, badge, body, grouped, heading, number, text
from reports.inputs import Cells, Inputs
from reports.numbers import MISSING, count, percent
from reports.table import Column, Markup, Table, escaped

SIMULATION = "analysis.error_rates.rates:measure"


def error_rate_table(inputs: Inputs) -> Table:
    """Every simulated rate, with what it should be."""
    shown = (
        Shown("Data", lambda row: row["data"], "prose"),
        text("Procedure", "procedure"),
        number("n", "n", count),
        number("Expected", "expected", percent, muted=True),
        number("Measured", "rate", percent),
        number("SE", "standard_error", percent, muted=True),
        Shown("Limits", lambda row: _limits(row) if row["within"] else MISSING, "number muted"),
        Shown("Kept", lambda row: _kept(row["within"])),
    )
    return Table(
        ident="error-rates",
        caption="Error rates and coverage where the truth is known, percent",
        columns=tuple(Column(column.title, column.classes) for column in shown),
        bodies=tuple(body(shown, of, heading(of[0]["quantity"])) for of in grouped(inputs.error_rates, "quantity")),
    )


def error_rate_origin(inputs: Inputs) -> str:
    """What the rates were computed from, as HTML."""
    first = inputs.error_rates[0]
    same = first["code"] == code_digest(SIMULATION)
    state = (
        "They are of the code that made this report."
        if same
        else "<strong>The code has changed since: run <code>snakemake error_rates</code> again.</strong>"
    )
    return (
        f"<p>{count(first['sets'])} simulated sets a row, seed {escaped(first['seed'])}, computed beforehand by "
        f"<code>snakemake error_rates</code> and stored with the digest <code>{escaped(first['code'])}</code> of the "
        f"code that they measure. {state}</p>"
    )


def _limits(row: Cells) -> str:
    upper = f"{100 * float(row['high']):g}"
    return f"at most {upper}" if float(row["low"]) == 0 else f"{100 * float(row['low']):g} to {upper}"


def _kept(within: str) -> Markup | str:
    if not within:
        return "for comparison"
    return badge("consistent", "✓", "yes") if within == "true" else badge("contradicted", "✕", "no")
