"""The simulated error rates: the table, and whether the code that they are of is this one."""

from __future__ import annotations

from config.sources import code_digest
from reports.inputs import Inputs
from reports.numbers import MISSING, count, fixed
from reports.statistics import badge, grouped
from reports.table import Body, Column, Markup, Row, Table, escaped

SIMULATION = "analysis.error_rates"


def error_rate_table(inputs: Inputs) -> Table:
    """Every simulated rate, with what it should be."""
    return Table(
        ident="error-rates",
        caption="Error rates and coverage where the truth is known, percent",
        columns=(
            Column("Data", "prose"),
            Column("Procedure"),
            Column("n", "number"),
            Column("Expected", "number muted"),
            Column("Measured", "number"),
            Column("SE", "number muted"),
            Column("Limits", "number muted"),
            Column("Kept"),
        ),
        bodies=tuple(
            Body(
                tuple(
                    Row(
                        (
                            row["data"],
                            row["procedure"],
                            count(row["n"]),
                            fixed(100 * float(row["expected"]), 1),
                            fixed(100 * float(row["rate"]), 1),
                            fixed(100 * float(row["standard_error"]), 1),
                            MISSING if not row["within"] else _limits(row["low"], row["high"]),
                            _kept(row["within"]),
                        )
                    )
                    for row in group
                ),
                heading=Markup(f"<b>{escaped(quantity)}</b>"),
            )
            for (quantity,), group in grouped(inputs.error_rates, "quantity")
        ),
    )


def error_rate_origin(inputs: Inputs) -> str:
    """What the rates were computed from, as HTML."""
    first = inputs.error_rates[0]
    same = first["code"] == code_digest(SIMULATION)
    state = (
        "They are of the code that made this report."
        if same
        else "<strong>The code has changed since: run <code>snakemake calibration</code> again.</strong>"
    )
    return (
        f"<p>{count(first['sets'])} simulated sets a row, seed {escaped(first['seed'])}, computed beforehand by "
        f"<code>snakemake calibration</code> and stored with the digest <code>{escaped(first['code'])}</code> of the "
        f"code that they measure. {state}</p>"
    )


def _limits(low: str, high: str) -> str:
    upper = f"{100 * float(high):g}"
    return f"at most {upper}" if float(low) == 0 else f"{100 * float(low):g} to {upper}"


def _kept(within: str) -> Markup | str:
    if not within:
        return "for comparison"
    return badge("consistent", "✓", "yes") if within == "true" else badge("contradicted", "✕", "no")
