"""Claims: what the article states, in our words, and the numbers that it rests on.

`claims.yaml` is a list. One entry:

    - id: js-gap                       # unique; lower-case letters, digits, hyphens
      place: why zeroing is misleading # section of the article
      kind: ratio                      # one of analysis.audit.kinds.KINDS
      unit: "%"                        # optional; with % or pp, fractions are read as percent
      claim: ...                       # the statement, in our words
      states: t074                     # the published number that the statement gives, if any
      parts:                           # the numbers it rests on; the kind names the roles
        numerator: [t072]              # a term is an identifier
        denominator:                   # or a sum of identifiers
          - {plus: [a, b], minus: [c]}
      options: {drop: true}            # the settings that the kind takes
      note: ...                        # optional context, appended to the arithmetic
      other_readings:                  # optional; keys given here replace those above
        - reading: ...                 # how else the wording can be understood
          parts: {...}

`claims.schema.yaml` describes every key. Ambiguous wording is judged by its most favourable reading, and the others are
reported next to it. An entry has no verdict: verdicts are computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from analysis.audit.kinds import KINDS, Options
from analysis.audit.numbers import parse_printed
from config.errors import InputError
from config.schema_errors import violations

FILE = "claims.yaml"
SCHEMA = Path(__file__).with_name("claims.schema.yaml")
PERCENT_UNITS = ("%", "pp")
# The safe loader, where PyYAML has it in C: nine times as fast on a file of four thousand lines.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# Options without which a kind has nothing to look for.
REQUIRED = {"count": ("column",), "scope": ("column", "words", "vague"), "accounts": ("vague",)}

Entry = Mapping[str, Any]


@dataclass(frozen=True)
class TermIds:
    """A term by identifier: numbers added, numbers subtracted."""

    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """One way to understand a claim: a kind, the stated number, and terms by role.

    With `cut_off`, the further digits of printed numbers are taken to have been cut off instead of rounded. `older`
    names the version that its numbers come from, where that is not the present one.
    """

    wording: str
    kind: str
    unit: str
    states: str | None
    parts: Mapping[str, tuple[TermIds, ...]]
    options: Options
    cut_off: bool = False
    older: str = ""

    @property
    def ids(self) -> tuple[str, ...]:
        """Identifiers used, each once, the stated number first."""
        terms = [term for terms in self.parts.values() for term in terms]
        used = [i for term in terms for i in (*term.plus, *term.minus)]
        return tuple(dict.fromkeys(([self.states] if self.states else []) + used))


@dataclass(frozen=True)
class Claim:
    """A statement of the article; the first reading is the statement as worded.

    Attributes:
        id, place, text: name, section of the article, and the statement in our words.
        note: context.
        readings: as worded first, then the other ways to understand the sentence.
        quote: a few words of the sentence, to find it by.
        origin: `article`, or `audit` for a check that the audit adds by itself.
        defect: what is wrong where the claim fails; claims with the same defect are one finding.
    """

    id: str
    place: str
    text: str
    note: str
    readings: tuple[Reading, ...]
    quote: str = ""
    origin: str = "article"
    defect: str = ""

    @property
    def kind(self) -> str:
        """The kind of the first reading."""
        return self.readings[0].kind

    @property
    def ids(self) -> tuple[str, ...]:
        """Identifiers of all readings, each once."""
        return tuple(dict.fromkeys(i for reading in self.readings for i in reading.ids))


def load_claims(folder: Path) -> tuple[Claim, ...]:
    """Read the claims of `folder/claims.yaml`, in file order.

    Raises:
        InputError: for a missing file, broken YAML, or entries that do not follow `claims.schema.yaml` or the rules of
            their kind; the message has one line per fault, with the claim, the key, the value and what is allowed.

    Examples:
        >>> claim = load_claims(Path("docs/examples/invented_article"))[0]
        >>> claim.id, claim.kind, claim.ids
        ('delta-alpha', 'delta', ('n06', 'n04', 'n05'))
    """
    path = folder / FILE
    entries = _entries(path)
    faults = [line for position, entry in enumerate(entries, 1) for line in _faults(position, entry)]
    if not faults:
        counts = Counter(entry["id"] for entry in entries)
        faults = [f"id {name!r} is used {count} times; make it unique" for name, count in counts.items() if count > 1]
    if faults:
        raise InputError(f"{path} cannot be used:\n  " + "\n  ".join(faults))
    return tuple(map(_claim, entries))


def _entries(path: Path) -> Sequence[Entry]:
    if not path.exists():
        raise InputError(f"{path} is missing. Add it, with one entry per claim (see {SCHEMA.name}).")
    try:
        entries: Sequence[Entry] = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path} must be a list with at least one claim.")
    return entries


@cache
def _schema() -> Mapping[str, Any]:
    """Return the schema with the names of the kinds filled in."""
    schema: dict[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    schema["$defs"]["kind"]["enum"] = list(KINDS)
    return schema


@cache
def _schema_of(name: str) -> Mapping[str, Any]:
    """Return the schema of the parts and options of a kind."""
    kind, shared = KINDS[name], _schema()["$defs"]
    sizes = {
        role: {"minItems": fewest} | ({} if most is None else {"maxItems": most})
        for role, (fewest, most) in kind.roles.items()
    }
    return {
        "$defs": shared,
        "properties": {
            "parts": {
                "properties": sizes,
                "required": [role for role, (fewest, _) in kind.roles.items() if fewest],
                "additionalProperties": False,
            },
            "options": {
                "properties": {option: shared["settings"]["properties"][option] for option in sorted(kind.options)},
                "additionalProperties": False,
            },
        },
    }


def _faults(position: int, entry: object) -> Iterator[str]:
    """Yield what is wrong with an entry, first its shape, then what its kind needs."""
    named = isinstance(entry, dict) and isinstance(entry.get("id"), str)
    where = f"claim {entry['id']!r}" if named and isinstance(entry, dict) else f"entry {position}"
    schema = _schema()
    lines = violations(entry, {"$defs": schema["$defs"], **schema["items"]}, "the entry")
    yield from (f"{where}: {line}" for line in lines)
    if not lines and isinstance(entry, dict):
        for wording, reading in _readings(entry):
            place = where if wording is None else f"{where}, reading {wording!r}"
            yield from (f"{place}: {line}" for line in _faults_of_kind(reading))


def _readings(entry: Entry) -> Iterator[tuple[str | None, Entry]]:
    """Yield the readings of an entry with their wording, the first without one."""
    yield None, entry
    for other in entry.get("other_readings", ()):
        yield _text(other["reading"]), {**entry, **other}


def _faults_of_kind(reading: Entry) -> Iterator[str]:
    name, states = reading["kind"], reading.get("states")
    kind, parts, options = KINDS[name], reading.get("parts", {}), reading.get("options", {})
    if kind.states is True and states is None and not options.get("vague"):
        yield f"states: missing; kind {name!r} needs the identifier of the stated number"
    if kind.states is False and states is not None:
        yield f"states: {states!r} cannot be set for kind {name!r}, which takes no stated number; remove it"
    lines = violations({"parts": parts, "options": options}, _schema_of(name), f"kind {name!r}")
    yield from lines
    if lines:
        return
    if options.get("vague") and kind.states is True:
        if states is not None:
            yield f"options.vague: {options['vague']!r} stands where {states!r} is stated; keep one of the two"
        if "relation" not in options:
            yield "options: missing relation; a vague limit needs its side"
    for option in (option for option in REQUIRED.get(name, ()) if not options.get(option)):
        yield f"options: missing {option}; kind {name!r} needs it"
    if kind.paired:
        one, other = kind.paired
        if len(parts[one]) != len(parts[other]):
            counts = f"{one!r} has {len(parts[one])} terms and {other!r} has {len(parts[other])}"
            yield f"parts: {counts}; needed: equally many"
    if not options.get("needs") and _is_unpublished(name, states, parts, options):
        yield f"options: missing needs; kind {name!r} needs it here: what would make the claim checkable"


def _is_unpublished(kind: str, states: str | None, parts: Entry, options: Entry) -> bool:
    if kind == "causal":
        return not (parts.get("smaller") and parts.get("larger")) or bool(options.get("also_differs"))
    return kind == "not_checkable" or (kind == "sameness" and states is None and not options.get("vague"))


def _claim(entry: Entry) -> Claim:
    return Claim(
        id=entry["id"],
        place=_text(entry["place"]),
        text=_text(entry["claim"]),
        note=_text(entry.get("note", "")),
        readings=tuple(_reading(wording or "as worded", reading) for wording, reading in _readings(entry)),
        quote=entry.get("quote", ""),
        origin=entry.get("origin", "article"),
        defect=_text(entry.get("defect", "")),
    )


def _reading(wording: str, entry: Entry) -> Reading:
    roles, parts = KINDS[entry["kind"]].roles, entry.get("parts", {})
    return Reading(
        wording=wording,
        kind=entry["kind"],
        unit=entry.get("unit", ""),
        states=entry.get("states"),
        parts={role: tuple(map(_term, parts.get(role, ()))) for role in roles},
        options=Options(**{name: _setting(name, value) for name, value in entry.get("options", {}).items()}),
        older=_text(entry.get("older", "")),
    )


def _term(term: str | Mapping[str, str | list[str]]) -> TermIds:
    if isinstance(term, str):
        return TermIds((term,))
    plus, minus = term["plus"], term.get("minus", [])
    return TermIds(*((ids,) if isinstance(ids, str) else tuple(ids) for ids in (plus, minus)))


def _setting(name: str, value: Any) -> Any:
    """Return the value of an option; what the schema calls a number or a share is one, everything else as it is."""
    kind_of_value = _schema()["$defs"]["settings"]["properties"][name].get("$ref", "")
    if kind_of_value.endswith(("/number", "/share")):
        return parse_printed(value).value
    if isinstance(value, list):
        return tuple(map(_text, value))
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    return " ".join(value.split())
