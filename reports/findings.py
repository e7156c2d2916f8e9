"""Findings of the audit: the most severe at a glance, a page for each, and quantities with several values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from reports.errors import ReportError
from reports.inputs import Cells, Inputs
from reports.numbers import MINUS, MISSING, count, counted, quantity
from reports.outcomes import slug
from reports.plates import Plate, render_plate
from reports.project import FINDING
from reports.reasons import in_brief, in_full, number_list
from reports.table import Body, Column, Markup, Row, Table, escaped, fenced, render
from reports.verdicts import printed, verdict_badge, verdict_of

_ROLES = {"stated": "stated in the article", "implied": "implied", "recomputed": "recomputed"}
_AGREES = ("same", "within rounding", "within the spread of repeats")
SEVERITIES = {
    "none": "nothing is off",
    "rounding": "a digit is off, or holds only with rounding",
    "number": "a number is off, the conclusion stands",
    "conclusion": "a limit, an order, a trend or an inference fails",
}


def grave(inputs: Inputs) -> tuple[Cells, ...]:
    """Return the claims that fail with a severity of number or above, most severe first, as the audit ranks them."""
    return tuple(sorted((claim for claim in inputs.claims if claim["rank"]), key=lambda claim: int(claim["rank"])))


def page_name(claim: Cells) -> str:
    """The name of a finding's page, without suffix."""
    return f"{FINDING}{slug(claim['id'])}"


def foremost(inputs: Inputs) -> str:
    """A card for each finding that the audit puts first: what is claimed, what the numbers give, a picture."""
    first = sorted((claim for claim in inputs.claims if claim["foremost"]), key=lambda claim: int(claim["foremost"]))
    if not first:
        return "<p>No finding is more severe than rounding.</p>"
    return '<div class="findings">\n' + "\n".join(_card(inputs, claim) for claim in first) + "\n</div>"


def _card(inputs: Inputs, claim: Cells) -> str:
    return (
        f'<article class="finding">\n<header>{verdict_badge(verdict_of(claim)).html} '
        f'<span class="place">{escaped(claim["place"])}</span></header>\n'
        f'<h3><a href="{page_name(claim)}.html">{escaped(claim["claim"])}</a></h3>\n'
        f'<p class="arithmetic">{escaped(in_brief(inputs.reasons[claim["id"]]))}</p>\n'
        f'<div class="paper"><img src="{_figure(inputs, claim)}" alt="{_alt(inputs, claim)}"></div>\n</article>'
    )


def _figure(inputs: Inputs, claim: Cells) -> str:
    file = inputs.run.figures / "audit" / f"{claim['id']}.svg"
    if not file.is_file():
        raise ReportError(f"{file} is missing. Run the workflow up to it: `snakemake audit_figures`.")
    return escape(f"figures/audit/{claim['id']}.svg")


def _alt(inputs: Inputs, claim: Cells) -> str:
    points = _points(inputs, claim)
    told = "; ".join(f"{point['label'] or _role(point)} {quantity(point['value'])}" for point in points[:6])
    more = f"; and {len(points) - 6} more" if len(points) > 6 else ""
    return escape(f"The published points of the finding {claim['id']}: {told}{more}.", quote=True)


def _points(inputs: Inputs, claim: Cells) -> list[Cells]:
    return [point for point in inputs.points if point["claim"] == claim["id"]]


def _role(point: Cells) -> str:
    return _ROLES.get(point["role"], point["role"])


def findings_table(inputs: Inputs) -> Table:
    """Return every finding of severity number or above, most severe first, with a link to its page."""
    rows = tuple(
        Row(
            (
                verdict_badge(verdict_of(claim)),
                Markup(f'<a href="{page_name(claim)}.html">{escaped(claim["claim"])}</a>'),
                claim["severity"],
                printed(claim["published"]),
                printed(claim["recomputed"]),
                claim["place"],
            )
        )
        for claim in grave(inputs)
    )
    return Table(
        ident="findings",
        caption="Findings of severity number or above, most severe first",
        columns=(
            Column("Verdict"),
            Column("Claim", "prose"),
            Column("Severity"),
            Column("Published", "figure"),
            Column("Recomputed", "figure"),
            Column("Section"),
        ),
        bodies=(Body(rows),),
    )


def sections_table(inputs: Inputs) -> Table:
    """Claims of each section by severity."""
    rows = tuple(
        Row(
            (
                row["place"],
                count(row["claims"]),
                *(
                    Markup(f'<span class="zero">{MISSING}</span>') if row[s] == "0" else count(row[s])
                    for s in SEVERITIES
                ),
                count(row["failing"]),
            )
        )
        for row in inputs.sections
    )
    return Table(
        ident="sections",
        caption="Claims by section and severity",
        columns=(
            Column("Section"),
            Column("Claims", "number"),
            *(Column(severity.capitalize(), "number") for severity in SEVERITIES),
            Column("Do not hold", "number"),
        ),
        bodies=(Body(rows),),
    )


def severities() -> str:
    """What each severity means."""
    items = "".join(f"<dt>{name}</dt><dd>{meaning}</dd>" for name, meaning in SEVERITIES.items())
    return f'<dl class="severities">{items}</dl>'


def sources_table(inputs: Inputs) -> Table:
    """Values for one quantity that differ by more than rounding and published repeats explain."""
    groups: dict[str, list[Cells]] = {}
    for pair in differing(inputs.sources):
        groups.setdefault(pair["quantity"], []).append(pair)
    return Table(
        ident="sources",
        caption="One quantity, several published values",
        columns=(
            Column("Quantity", "prose"),
            Column("Values", "prose"),
            Column("Furthest apart", "figure"),
            Column("Repeats differ by", "figure"),
        ),
        bodies=(Body(tuple(_quantity_row(name, pairs) for name, pairs in groups.items())),),
    )


def differing(sources: Sequence[Cells]) -> list[Cells]:
    """Pairs that are beyond rounding and repeats, older versions left out."""
    return [pair for pair in sources if pair["superseded"] == "no" and pair["agreement"] not in _AGREES]


def _quantity_row(name: str, pairs: Sequence[Cells]) -> Row:
    values = dict.fromkeys(
        (pair[f"{side}_value"], pair[f"{side}_source"]) for pair in pairs for side in ("first", "second")
    )
    listed = "".join(
        f"<li>{escaped(quantity(value))} <span class='ident'>{escaped(source)}</span></li>" for value, source in values
    )
    furthest = max(pairs, key=lambda pair: float(pair["apart"]))
    return Row(
        (
            name,
            Markup(f'<ul class="values">{listed}</ul>'),
            f"{quantity(furthest['apart'])} {furthest['unit'] if furthest['unit'] != '%' else 'points'}",
            quantity(furthest["spread"]) if furthest["spread"] else "not published",
        )
    )


def sources_state(inputs: Inputs) -> str:
    """How many pairs were compared, and how they compare."""
    current = [pair for pair in inputs.sources if pair["superseded"] == "no"]
    counts = Counter(pair["agreement"] for pair in current)
    told = "; ".join(f"{count(number)} {escaped(agreement)}" for agreement, number in counts.most_common())
    older = len(inputs.sources) - len(current)
    return (
        f"<p>{counted(len(current), 'pair')} of values for the same quantity: {told}. Another {count(older)}, with "
        "figures that are stored with the article as older versions, are in the file alone.</p>"
    )


def pages(inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Name and source of each finding's page."""
    found = grave(inputs)
    for claim in found:
        name = page_name(claim)
        title = json.dumps(f"Finding {claim['rank']} of {len(found)}")
        yield (
            f"{name}.qmd",
            f"---\ntitle: {title}\n---\n\n{{{{< include _generated/{name}.md >}}}}\n\n"
            "{{< include _generated/signature.md >}}\n",
        )


def page_parts(inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Name and content of what each finding's page includes."""
    found = grave(inputs)
    for place, claim in enumerate(found):
        before, after = (found[i] if 0 <= i < len(found) else None for i in (place - 1, place + 1))
        yield f"{page_name(claim)}.md", fenced(_page(inputs, claim, before, after))


def _page(inputs: Inputs, claim: Cells, before: Cells | None, after: Cells | None) -> str:
    verdict = verdict_of(claim)
    plate = Plate(
        ident="points",
        file=_figure(inputs, claim),
        alt=_alt(inputs, claim),
        caption="The published points, redrawn. Bars and bands are what rounding or digitising allows.",
        sources=("audit/points.csv",),
        wide=True,
    )
    return "\n".join(
        (
            _steps(before, after),
            f'<p class="statement">{escaped(claim["claim"])}</p>',
            f'<p class="facts">{verdict_badge(verdict).html} {escaped(verdict.meaning)}. '
            f"Severity: <b>{escaped(claim['severity'])}</b>, {escaped(SEVERITIES.get(claim['severity'], ''))}. "
            f"Section: {escaped(claim['place'])}.</p>",
            '<h2 id="picture">The published points</h2>',
            render_plate(plate),
            '<h2 id="arithmetic">The arithmetic</h2>',
            *(str(part).replace("`", "&#96;") for part in in_full(inputs.reasons[claim["id"]])),
            '<h2 id="numbers">The numbers</h2>',
            render(_points_table(_points(inputs, claim), inputs.reasons[claim["id"]].numbers)),
            f'<p class="facts">Kind of claim: <code>{escaped(claim["kind"])}</code>. Identifier: '
            f'<code>{escaped(claim["id"])}</code>. <a href="audit.html#claim-{escaped(claim["id"])}">In the table of '
            "all claims</a>.</p>",
        )
    )


def _digits(text: str) -> str:
    """What the audit wrote, with a typographic minus."""
    return text.replace("-", MINUS)


def _steps(before: Cells | None, after: Cells | None) -> str:
    links = ['<a href="audit.html">The audit</a>']
    if before is not None:
        links.append(f'<a href="{page_name(before)}.html" rel="prev">more severe</a>')
    if after is not None:
        links.append(f'<a href="{page_name(after)}.html" rel="next">less severe</a>')
    return f'<p class="jumps">{" · ".join(links)}</p>'


def _points_table(points: Sequence[Cells], files: Mapping[str, str]) -> Table:
    return Table(
        ident="numbers-table",
        caption="Every value that the verdict rests on",
        columns=(
            Column("Role"),
            Column("What"),
            Column("Value", "number"),
            Column("Allowed", "number"),
            Column("Where", "prose"),
        ),
        bodies=(
            Body(
                tuple(
                    Row(
                        (
                            _role(point),
                            point["label"] or MISSING,
                            _digits(point["value"]),
                            f"{_digits(point['low'])} to {_digits(point['high'])}",
                            Markup(
                                escaped(point["source"])
                                + number_list({key: files[key] for key in point["number"].split(";") if key})
                            ),
                        )
                    )
                    for point in points
                )
            ),
        ),
    )
