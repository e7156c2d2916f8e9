"""Rows of the tables that the audit writes: claims, sections and points; and the claims as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from analysis.audit.claims import Reading
from analysis.audit.kinds import KINDS, Finding, NumberTerm, Severity
from analysis.audit.kinds.agreement import implied
from analysis.audit.kinds.inference import GENEROUS
from analysis.audit.kinds.series import HALF
from analysis.audit.numbers import shown
from analysis.audit.published import Published, PublishedNumbers, file_of
from analysis.audit.quantities import Vocabulary
from analysis.audit.verdicts import Judged, case_of, foremost, most_severe

STATED, IMPLIED, RECOMPUTED = "stated", "implied", "recomputed"
LABEL_COLUMNS = ("model", "scale", "condition", "x", "token", "layer")
COMPUTED = frozenset({"delta", "sum", "mean", "ratio", "percent_change"})
SETTINGS = ("earliest", "latest", "share", "n", "near", "alpha")  # options that a figure draws

# What a kind starts from where the article has a word instead of a number.
ASSUMED = {"share": HALF, "near": GENEROUS}

Row = dict[str, str]


def claim_rows(judged: Sequence[Judged]) -> Iterator[Row]:
    """Yield the rows of `claims.csv`: one per claim, in file order.

    `value` and `conclusion` are the two flags; `gap` is the distance of the decisive number from what the claim needs;
    `rank` orders the findings of severity number or above, `foremost` those that a summary shows first; `strictest` is
    the least favourable verdict of all readings. `as_worded` and `favourable` are the two ends of a verdict, `holds_if`
    says what separates them, and `sensitivity` for which meanings of a vague word the claim holds.
    """
    ranks = {item.claim.id: str(rank) for rank, item in enumerate(most_severe(judged), 1)}
    first = {item.claim.id: str(rank) for rank, item in enumerate(foremost(judged), 1)}
    for item in judged:
        claim = item.claim
        yield {
            "id": claim.id,
            "place": claim.place,
            "claim": claim.text,
            **_outcome(item.reading, item.finding),
            "verdict": item.verdict.value,
            "as_worded": item.as_worded.value,
            "favourable": item.favourable.value,
            "holds_if": item.holds_if,
            "sensitivity": item.findings[0].sensitivity,
            "power": shown(item.power[0], 3) if item.power is not None else "",
            "weakest": item.power[1] if item.power is not None else "",
            "origin": claim.origin,
            "defect": (claim.defect or claim.id) if item.fails else "",
            "gap": shown(item.finding.gap, 3) if item.fails else "",
            "why": item.why,
            "numbers": ";".join(claim.ids),
            "rank": ranks.get(claim.id, ""),
            "foremost": first.get(claim.id, ""),
            "strictest": item.strictest.value,
        }


def claims_data(judged: Sequence[Judged]) -> list[dict[str, object]]:
    """Return the content of `claims.json`: for each claim all readings, their reasons, and the numbers behind them.

    A claim has `id`, `verdict`, `decides` (index of the reading whose arithmetic is shown), `holds_if`, `readings`,
    `note` and `numbers`. A reading
    has the columns of `claims.csv` that depend on it; its `why` is a list of sentences. A sentence is a list of texts
    and of mappings `{"numbers": [...]}`, which cite the identifiers of published numbers. `numbers` maps each
    identifier of the claim to the file that has its row.
    """
    return [
        {
            "id": item.claim.id,
            "verdict": item.verdict.value,
            "holds_if": item.holds_if,
            "decides": item.chosen,
            "readings": [
                {**_outcome(reading, finding), "why": [sentence.data for sentence in finding.reason]}
                for reading, finding in zip(item.claim.readings, item.findings, strict=True)
            ],
            "note": item.claim.note,
            "numbers": {key: file_of(key) for key in item.claim.ids},
        }
        for item in judged
    ]


def _outcome(reading: Reading, finding: Finding) -> Row:
    unit = f" {reading.unit}" if reading.unit and finding.tolerance else ""
    return {
        "reading": reading.wording,
        "kind": reading.kind,
        "published": finding.published,
        "recomputed": finding.recomputed,
        "tolerance": finding.tolerance + unit,
        "verdict": finding.verdict.value,
        "severity": finding.severity.value,
        "value": finding.value.value,
        "conclusion": "changes" if finding.changes else "",
    }


def section_rows(judged: Sequence[Judged]) -> Iterator[Row]:
    """Yield the rows of `summary.csv`: claims of each section by severity, and the number that fail."""
    for place in dict.fromkeys(item.claim.place for item in judged):
        items = [item for item in judged if item.claim.place == place]
        counts = Counter(item.finding.severity for item in items)
        yield {
            "place": place,
            "claims": str(len(items)),
            **{severity.value: str(counts[severity]) for severity in Severity},
            "failing": str(sum(item.fails for item in items)),
        }


def point_rows(judged: Sequence[Judged], numbers: PublishedNumbers, vocabulary: Vocabulary | None) -> Iterator[Row]:
    """Yield the rows of `points.csv`: the values behind each finding of severity number or above.

    One row per term of the reading that decides, one for the number that it states, one for each number that its kind
    computed from them, and one for each setting of its kind. `low` and `high` are the bounds that rounding allows;
    `label` joins the columns that name the number with " · ".
    """
    for item in most_severe(judged):
        yield from _points(item, numbers, vocabulary)


def _points(item: Judged, numbers: PublishedNumbers, vocabulary: Vocabulary | None) -> Iterator[Row]:
    case = case_of(item.claim, item.reading, numbers)
    if case.printed is not None:
        yield _point(item, STATED, NumberTerm((case.printed,)), vocabulary)
    for role, terms in case.parts.items():
        yield from (_point(item, role, term, vocabulary) for term in terms)
    if item.reading.kind == "baseline":
        yield from (_point(item, IMPLIED, term, vocabulary) for term in implied(case))
    if item.reading.kind in COMPUTED:
        yield _value(item, RECOMPUTED, item.finding.recomputed)
    taken = KINDS[item.reading.kind].options
    for setting in SETTINGS:
        value = getattr(case.options, setting) or ASSUMED.get(setting)
        if setting in taken and value is not None:
            yield _value(item, setting, shown(value))


def _value(item: Judged, role: str, text: str) -> Row:
    return {"claim": item.claim.id, "role": role, "value": text, "low": text, "high": text}


def _point(item: Judged, role: str, term: NumberTerm, vocabulary: Vocabulary | None) -> Row:
    return {
        "claim": item.claim.id,
        "kind": item.reading.kind,
        "role": role,
        "number": ";".join(number.id for number in term.numbers),
        "label": _label(term),
        "axis": _axis(term.plus[0], vocabulary),
        "position": "" if term.position is None else shown(term.position),
        "value": shown(term.value, 9),
        "low": shown(term.bounds.low, 9),
        "high": shown(term.bounds.high, 9),
        "source": " and ".join(sorted(term.sources)),
        "unit": term.plus[0].unit,
    }


def _axis(number: Published, vocabulary: Vocabulary | None) -> str:
    """Return what the position of a number counts: layers, where a column or `quantities.yaml` says so."""
    named = vocabulary.name(number) if vocabulary is not None else None
    return "layer" if number.row.get("layer") or (named is not None and named[0].layer) else "position"


def _label(term: NumberTerm) -> str:
    row: Mapping[str, str] = term.plus[0].row
    cells = dict(row)
    if row.get("layer"):
        cells["layer"] = f"layer {row['layer']}"
    if row.get("x", "").isdecimal():
        cells["x"] = f"at {row['x']}"
    label = " · ".join(filter(None, (cells.get(column, "") for column in LABEL_COLUMNS)))
    return f"{label} · and {len(term.plus) - 1} more, added" if len(term.plus) > 1 else label
