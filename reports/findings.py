"""Findings of the audit: the most severe at a glance, a page for each, and quantities with several values."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from config.errors import InputError
from reports.inputs import Cells, Inputs
from reports.markup import aside, attribute, code, fenced, lines, paragraph, slug
from reports.numbers import MINUS, MISSING, count, counted, quantity
from reports.plates import Plate, render_plate
from reports.project import FINDING
from reports.reasons import in_brief, in_full, number_list
from reports.table import Body, Table, TableColumn, TableRow, render
from reports.verdicts import printed, verdict_badge, verdict_of

_ROLES = {"stated": "stated in the article", "implied": "implied", "recomputed": "recomputed"}
_AGREES = ("same", "within rounding", "within the spread of repeats")
SEVERITIES = {
    "none": "nothing is off",
    "rounding": "a digit is off, or holds only with rounding",
    "number": "a number is off, the conclusion stands",
    "conclusion": "a limit, an order, a trend or an inference fails",
}


def severe(inputs: Inputs) -> tuple[Cells, ...]:
    """Return the claims that fail with a severity of number or above, most severe first, as the audit ranks them."""
    return tuple(sorted((claim for claim in inputs.claims if claim["rank"]), key=lambda claim: int(claim["rank"])))


def page_name(claim: Cells) -> str:
    """Return the name of a finding's page, without suffix."""
    return f"{FINDING}{slug(claim['id'])}"


def foremost(inputs: Inputs) -> Markup:
    """Return a card for each finding that the audit ranks first: the claim, what the numbers give, and a figure."""
    first = sorted((claim for claim in inputs.claims if claim["foremost"]), key=lambda claim: int(claim["foremost"]))
    if not first:
        return paragraph("No finding is more severe than rounding.")
    cards = lines(_card(inputs, claim) for claim in first)
    return Markup('<div class="findings">\n{}\n</div>').format(cards)


def _card(inputs: Inputs, claim: Cells) -> Markup:
    return Markup(
        '<article class="finding">\n<header>{verdict} <span class="place">{place}</span></header>\n'
        '<h3>{title}</h3>\n<p class="arithmetic">{arithmetic}</p>\n'
        '<div class="paper"><img src="{figure}" alt="{alt}"></div>\n</article>'
    ).format(
        verdict=verdict_badge(verdict_of(claim)),
        place=claim["place"],
        title=_link(claim, claim["claim"]),
        arithmetic=in_brief(inputs.reasons[claim["id"]]),
        figure=_figure(inputs, claim),
        alt=_alt(inputs, claim),
    )


def _link(claim: Cells, words: str, relation: str = "") -> Markup:
    """Return a link to a finding's page; `relation` is how that page relates to the present one."""
    return Markup('<a href="{}.html"{}>{}</a>').format(page_name(claim), attribute("rel", relation), words)


def _figure(inputs: Inputs, claim: Cells) -> str:
    file = inputs.run.figures / "audit" / f"{claim['id']}.svg"
    if not file.is_file():
        raise InputError(f"{file} is missing. Run the workflow up to it: `snakemake audit_figures`.")
    return f"figures/audit/{claim['id']}.svg"


def _alt(inputs: Inputs, claim: Cells) -> str:
    points = _points(inputs, claim)
    listed = "; ".join(f"{point['label'] or _role(point)} {quantity(point['value'])}" for point in points[:6])
    more = f"; and {len(points) - 6} more" if len(points) > 6 else ""
    return f"The published points of the finding {claim['id']}: {listed}{more}."


def _points(inputs: Inputs, claim: Cells) -> list[Cells]:
    return [point for point in inputs.points if point["claim"] == claim["id"]]


def _role(point: Cells) -> str:
    return _ROLES.get(point["role"], point["role"])


def findings_table(inputs: Inputs) -> Table:
    """Every finding of severity number or above, most severe first, with a link to its page."""
    rows = tuple(
        TableRow(
            (
                verdict_badge(verdict_of(claim)),
                _link(claim, claim["claim"]),
                claim["severity"],
                printed(claim["published"]),
                printed(claim["recomputed"]),
                claim["place"],
            )
        )
        for claim in severe(inputs)
    )
    return Table(
        ident="findings",
        caption="Findings of severity number or above, most severe first",
        columns=(
            TableColumn("Verdict"),
            TableColumn("Claim", "prose"),
            TableColumn("Severity"),
            TableColumn("Published", "figure"),
            TableColumn("Recomputed", "figure"),
            TableColumn("Section"),
        ),
        bodies=(Body(rows),),
    )


def sections_table(inputs: Inputs) -> Table:
    """Return the number of claims of each section by severity."""
    rows = tuple(
        TableRow(
            (
                row["place"],
                count(row["claims"]),
                *(
                    Markup('<span class="zero">{}</span>').format(MISSING)
                    if row[severity] == "0"
                    else count(row[severity])
                    for severity in SEVERITIES
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
            TableColumn("Section"),
            TableColumn("Claims", "number"),
            *(TableColumn(severity.capitalize(), "number") for severity in SEVERITIES),
            TableColumn("Do not hold", "number"),
        ),
        bodies=(Body(rows),),
    )


def severities() -> Markup:
    """Return the meaning of each severity."""
    items = (Markup("<dt>{}</dt><dd>{}</dd>").format(name, meaning) for name, meaning in SEVERITIES.items())
    return Markup('<dl class="severities">{}</dl>').format(Markup().join(items))


def sources_table(inputs: Inputs) -> Table:
    """Return values of the same quantity that differ by more than rounding and published repeats explain."""
    groups: dict[str, list[Cells]] = {}
    for pair in differing(inputs.sources):
        groups.setdefault(pair["quantity"], []).append(pair)
    return Table(
        ident="sources",
        caption="One quantity, several published values",
        columns=(
            TableColumn("Quantity", "prose"),
            TableColumn("Values", "prose"),
            TableColumn("Furthest apart", "figure"),
            TableColumn("Repeats differ by", "figure"),
        ),
        bodies=(Body(tuple(_quantity_row(name, pairs) for name, pairs in groups.items())),),
    )


def differing(sources: Sequence[Cells]) -> list[Cells]:
    """Return the pairs that differ beyond rounding and repeats, without superseded versions."""
    return [pair for pair in sources if pair["superseded"] == "no" and pair["agreement"] not in _AGREES]


def _quantity_row(name: str, pairs: Sequence[Cells]) -> TableRow:
    values = dict.fromkeys(
        (pair[f"{side}_value"], pair[f"{side}_source"]) for pair in pairs for side in ("first", "second")
    )
    listed = Markup().join(Markup("<li>{} {}</li>").format(quantity(value), aside(source)) for value, source in values)
    furthest = max(pairs, key=lambda pair: float(pair["apart"]))
    return TableRow(
        (
            name,
            Markup('<ul class="values">{}</ul>').format(listed),
            f"{quantity(furthest['apart'])} {furthest['unit'] if furthest['unit'] != '%' else 'points'}",
            quantity(furthest["spread"]) if furthest["spread"] else "not published",
        )
    )


def sources_state(inputs: Inputs) -> Markup:
    """Return how many pairs were compared, and how they agree."""
    current = [pair for pair in inputs.sources if pair["superseded"] == "no"]
    counts = Counter(pair["agreement"] for pair in current)
    listed = "; ".join(f"{count(number)} {agreement}" for agreement, number in counts.most_common())
    older = counted(len(inputs.sources) - len(current), "further pair")
    return paragraph(
        f"{counted(len(current), 'pair')} of values for the same quantity: {listed}. The file also lists {older} that "
        "involve superseded versions of figures, which are stored with the article."
    )


def pages(inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Yield name and source of each finding's page."""
    found = severe(inputs)
    for claim in found:
        name = page_name(claim)
        title = json.dumps(f"Finding {claim['rank']} of {len(found)}")
        yield (
            f"{name}.qmd",
            f"---\ntitle: {title}\n---\n\n{{{{< include _generated/{name}.md >}}}}\n\n"
            "{{< include _generated/signature.md >}}\n",
        )


def page_parts(inputs: Inputs) -> Iterator[tuple[str, str]]:
    """Yield file name and content of what each finding's page includes."""
    found = severe(inputs)
    for place, claim in enumerate(found):
        before, after = (found[i] if 0 <= i < len(found) else None for i in (place - 1, place + 1))
        yield f"{page_name(claim)}.md", fenced(_page(inputs, claim, before, after))


_PAGE = Markup(
    '{steps}\n<p class="statement">{claim}</p>\n'
    '<p class="facts">{badge} {meaning}. Severity: <b>{severity}</b>, {severity_meaning}. Section: {place}.</p>\n'
    '<h2 id="picture">The published points</h2>\n{plate}\n'
    '<h2 id="arithmetic">The arithmetic</h2>\n{arithmetic}\n'
    '<h2 id="numbers">The numbers</h2>\n{points}\n'
    '<p class="facts">Kind of claim: {kind}. Identifier: {ident}. '
    '<a href="audit.html#claim-{ident_in_link}">In the table of all claims</a>.</p>'
)


def _page(inputs: Inputs, claim: Cells, before: Cells | None, after: Cells | None) -> Markup:
    verdict = verdict_of(claim)
    plate = Plate(
        ident="points",
        file=_figure(inputs, claim),
        alt=_alt(inputs, claim),
        caption="The published points, redrawn. Bars and bands show the uncertainty from rounding or digitising.",
        sources=("audit/points.csv",),
        wide=True,
    )
    return _PAGE.format(
        steps=_steps(before, after),
        claim=claim["claim"],
        badge=verdict_badge(verdict),
        meaning=verdict.meaning,
        severity=claim["severity"],
        severity_meaning=SEVERITIES.get(claim["severity"], ""),
        place=claim["place"],
        plate=render_plate(plate),
        arithmetic=lines(in_full(inputs.reasons[claim["id"]])),
        points=render(_points_table(_points(inputs, claim), inputs.reasons[claim["id"]].numbers)),
        kind=code(claim["kind"]),
        ident=code(claim["id"]),
        ident_in_link=claim["id"],
    )


def _digits(text: str) -> str:
    """What the audit wrote, with a typographic minus."""
    return text.replace("-", MINUS)


def _steps(before: Cells | None, after: Cells | None) -> Markup:
    links = [Markup('<a href="audit.html">The audit</a>')]
    if before is not None:
        links.append(_link(before, "more severe", "prev"))
    if after is not None:
        links.append(_link(after, "less severe", "next"))
    return Markup('<p class="jumps">{}</p>').format(Markup(" · ").join(links))


def _points_table(points: Sequence[Cells], files: Mapping[str, str]) -> Table:
    return Table(
        ident="numbers-table",
        caption="Every value that the verdict rests on",
        columns=(
            TableColumn("Role"),
            TableColumn("What"),
            TableColumn("Value", "number"),
            TableColumn("Allowed", "number"),
            TableColumn("Where", "prose"),
        ),
        bodies=(
            Body(
                tuple(
                    TableRow(
                        (
                            _role(point),
                            point["label"] or MISSING,
                            _digits(point["value"]),
                            f"{_digits(point['low'])} to {_digits(point['high'])}",
                            Markup("{}{}").format(
                                point["source"],
                                number_list({key: files[key] for key in point["number"].split(";") if key}),
                            ),
                        )
                    )
                    for point in points
                )
            ),
        ),
    )
