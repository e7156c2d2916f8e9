"""The simulated error rates: their table, and whether they belong to the present code."""

from __future__ import annotations

from markupsafe import Markup

from config.code_digest import code_digest
from reports.columns import Shown, body, grouped, number, text
from reports.inputs import Cells, Inputs
from reports.markup import badge, heading
from reports.numbers import MISSING, count, percent
from reports.table import Table, TableColumn

SIMULATION = "analysis.error_rates.rates:measure"


def error_rate_table(inputs: Inputs) -> Table:
    """Return every simulated rate with its expected value and limits."""
    shown = (
        Shown("Data", _data, "prose"),
        text("Procedure", "procedure"),
        number("n", "n", count),
        number("Expected", "expected", percent, muted=True),
        number("Measured", "rate", percent),
        number("SE", "standard_error", percent, muted=True),
        Shown("Limits", lambda row: _limits(row) if row["within"] else MISSING, "number muted"),
        Shown("Within limits", lambda row: _kept(row["within"])),
    )
    return Table(
        ident="error-rates",
        caption="Error rates and coverage where the truth is known, in percent",
        columns=tuple(TableColumn(column.title, column.classes) for column in shown),
        bodies=tuple(body(shown, of, heading(of[0]["quantity"])) for of in grouped(inputs.error_rates, "quantity")),
    )


def error_rate_origin(inputs: Inputs) -> Markup:
    """Return how the rates were computed, and whether the code has changed since."""
    first = inputs.error_rates[0]
    if first["code"] == code_digest(SIMULATION):
        state = Markup("The code that produced this report is the code that was simulated.")
    else:
        state = Markup(
            "<strong>The code has changed since then. Run <code>snakemake error_rates</code> again.</strong>"
        )
    return Markup(
        "<p>Each row is based on {sets} simulated data sets, seed {seed}. The rates were computed beforehand by "
        "<code>snakemake error_rates</code> and are stored with the digest <code>{digest}</code> of the simulated "
        "code. {state}</p>"
    ).format(sets=count(first["sets"]), seed=first["seed"], digest=first["code"], state=state)


def _data(row: Cells) -> Markup:
    """Return how data sets are drawn, and why the limits are wider than the nominal rate asks, where they are."""
    # Rates that were simulated before notes were kept have none.
    note = row.get("note", "")
    return Markup("{}{}").format(row["data"], Markup('<br><span class="muted">{}</span>').format(note) if note else "")


def _limits(row: Cells) -> str:
    lower, upper = f"{100 * float(row['low']):g}", f"{100 * float(row['high']):g}"
    if float(row["high"]) == 1:
        return f"at least {lower}"
    return f"at most {upper}" if float(row["low"]) == 0 else f"{lower} to {upper}"


def _kept(within: str) -> str:
    if not within:
        return "for comparison"
    return badge("consistent", "✓", "yes") if within == "true" else badge("contradicted", "✕", "no")
