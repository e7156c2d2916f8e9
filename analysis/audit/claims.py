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

Ambiguous wording is judged by its most favourable reading, and the others are reported beside it.
An entry has no verdict: verdicts are computed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from analysis.audit.errors import AuditInputError, did_you_mean
from analysis.audit.kinds import KINDS, RELATIONS, Options
from analysis.audit.numbers import parse_printed

FILE = "claims.yaml"
PERCENT_UNITS = ("%", "pp")
READING_KEYS = frozenset({"kind", "unit", "states", "parts", "options"})
ENTRY_KEYS = READING_KEYS | {"id", "place", "claim", "note", "other_readings"}
REQUIRED = ("id", "place", "kind", "claim")
ALLOWED_VALUES = {
    "relation": tuple(RELATIONS),
    "direction": ("rising", "falling"),
    "quantifier": ("every", "none", "only"),
}
NUMERIC = frozenset({"alpha", "share", "near", "earliest", "latest", "n", "classes", "members"})
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
FRACTIONS = frozenset({"alpha", "share"})


@dataclass(frozen=True)
class TermIds:
    """A term by identifier: numbers added, numbers subtracted."""

    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """One way to understand a claim: a kind, the stated number, and terms by role."""

    wording: str
    kind: str
    unit: str
    states: str | None
    parts: Mapping[str, tuple[TermIds, ...]]
    options: Options

    @property
    def ids(self) -> tuple[str, ...]:
        """Identifiers used, each once, the stated number first."""
        terms = [term for terms in self.parts.values() for term in terms]
        used = [i for term in terms for i in (*term.plus, *term.minus)]
        return tuple(dict.fromkeys(([self.states] if self.states else []) + used))


@dataclass(frozen=True)
class Claim:
    """A statement of the article; the first reading is the one its wording suggests."""

    id: str
    place: str
    text: str
    note: str
    readings: tuple[Reading, ...]

    @property
    def kind(self) -> str:
        """The kind of the first reading."""
        return self.readings[0].kind

    @property
    def ids(self) -> tuple[str, ...]:
        """Identifiers of all readings, each once."""
        return tuple(dict.fromkeys(i for reading in self.readings for i in reading.ids))


def load_claims(folder: Path) -> tuple[Claim, ...]:
    """The claims of `folder/claims.yaml`, in file order.

    Raises AuditInputError for a missing file, broken YAML, a repeated id, an unknown or missing
    key, kind, role or option, or a wrong type; the message names the file, the claim, the key and
    the value.
    """
    path = folder / FILE
    if not path.exists():
        raise AuditInputError(f"{path} is missing. Write one entry per claim there (see {__name__}).")
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise AuditInputError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise AuditInputError(f"{path} must be a list with at least one claim.")
    claims = tuple(_Entry(path, position, entry).claim() for position, entry in enumerate(entries, 1))
    for claim_id, count in Counter(claim.id for claim in claims).items():
        if count > 1:
            raise AuditInputError(f"{path}: id {claim_id!r} is used {count} times. Make it unique.")
    return claims


class _Entry:
    """One entry of the file while it is read: knows where it stands, for error messages."""

    def __init__(self, path: Path, position: int, entry: object) -> None:
        self.where = f"{path}, entry {position}"
        if not isinstance(entry, dict):
            raise self.error(f"must be a mapping with {', '.join(REQUIRED)}, not {entry!r}.")
        self.entry: dict[Any, Any] = entry
        if isinstance(entry.get("id"), str):
            self.where = f"{path}, claim {entry['id']!r}"

    def error(self, message: str) -> AuditInputError:
        return AuditInputError(f"{self.where}: {message}")

    def claim(self) -> Claim:
        self.known_keys("entry", self.entry, ENTRY_KEYS)
        for key in REQUIRED:
            if key not in self.entry:
                raise self.error(f"key {key!r} is missing.")
        if not _ID.fullmatch(self.text(self.entry, "id")):
            raise self.error("an id names files and links: use lower-case letters, digits and hyphens.")
        others = self.entry.get("other_readings", [])
        if not isinstance(others, list):
            raise self.error(f"key 'other_readings' must be a list, not {others!r}.")
        return Claim(
            id=self.text(self.entry, "id"),
            place=self.text(self.entry, "place"),
            text=self.text(self.entry, "claim"),
            note=self.text(self.entry, "note", default=""),
            readings=(
                self.reading(self.entry, "as worded"),
                *(self.other_reading(other) for other in others),
            ),
        )

    def other_reading(self, other: object) -> Reading:
        if not isinstance(other, dict):
            raise self.error(f"an entry of 'other_readings' must be a mapping, not {other!r}.")
        self.known_keys("other reading", other, READING_KEYS | {"reading"})
        if "reading" not in other:
            raise self.error("an entry of 'other_readings' needs the key 'reading': how it reads.")
        return self.reading({**self.entry, **other}, self.text(other, "reading"))

    def reading(self, entry: dict[Any, Any], wording: str) -> Reading:
        kind = self.text(entry, "kind")
        if kind not in KINDS:
            raise self.error(f"kind {kind!r} is unknown. {did_you_mean(kind, KINDS)}")
        states = entry.get("states")
        if states is not None and not isinstance(states, str):
            raise self.error(f"key 'states' must be one identifier, not {states!r}.")
        needed = KINDS[kind].states
        if needed is not None and needed != (states is not None):
            rule = "needs" if needed else "takes no"
            raise self.error(f"kind {kind!r} {rule} key 'states' (the number that is stated).")
        reading = Reading(
            wording=wording,
            kind=kind,
            unit=self.text(entry, "unit", default=""),
            states=states,
            parts=self.parts(kind, entry.get("parts", {})),
            options=self.options(kind, entry.get("options", {})),
        )
        if self.unpublished(reading) and not reading.options.needs:
            raise self.error(f"kind {kind!r} needs option 'needs': what would make it checkable.")
        return reading

    def unpublished(self, reading: Reading) -> bool:
        if reading.kind == "causal":
            return not (reading.parts["smaller"] and reading.parts["larger"]) or bool(reading.options.also_differs)
        return reading.kind == "not_checkable" or (reading.kind == "sameness" and reading.states is None)

    def parts(self, kind: str, parts: object) -> Mapping[str, tuple[TermIds, ...]]:
        roles = KINDS[kind].roles
        if not isinstance(parts, dict):
            raise self.error(f"key 'parts' must map roles to lists of numbers, not {parts!r}.")
        self.known_keys(f"parts of kind {kind!r}", parts, frozenset(roles))
        found: dict[str, tuple[TermIds, ...]] = {}
        for role, (fewest, most) in roles.items():
            terms = parts.get(role, [])
            if not isinstance(terms, list):
                raise self.error(f"role {role!r} must be a list, not {terms!r}.")
            if not fewest <= len(terms) <= most:
                wanted = f"{fewest}" if fewest == most else f"{fewest} or more"
                raise self.error(f"role {role!r} has {len(terms)} terms; {kind!r} takes {wanted}.")
            found[role] = tuple(self.term(role, term) for term in terms)
        if pair := KINDS[kind].paired:
            one, other = pair
            if len(found[one]) != len(found[other]):
                raise self.error(f"roles {one!r} and {other!r} must have equally many terms.")
        return found

    def term(self, role: str, term: object) -> TermIds:
        if isinstance(term, str):
            return TermIds((term,))
        if not isinstance(term, dict):
            raise self.error(f"role {role!r}: a term is an identifier or plus/minus, not {term!r}.")
        self.known_keys(f"a term of {role!r}", term, frozenset({"plus", "minus"}))
        plus, minus = (self.identifiers(role, term.get(key, [])) for key in ("plus", "minus"))
        if not plus:
            raise self.error(f"role {role!r}: a term needs at least one identifier under 'plus'.")
        return TermIds(plus, minus)

    def identifiers(self, role: str, ids: object) -> tuple[str, ...]:
        listed = [ids] if isinstance(ids, str) else ids
        if not isinstance(listed, list) or not all(isinstance(i, str) for i in listed):
            raise self.error(f"role {role!r}: expected identifiers, found {ids!r}.")
        return tuple(listed)

    def options(self, kind: str, options: object) -> Options:
        if not isinstance(options, dict):
            raise self.error(f"key 'options' must be a mapping, not {options!r}.")
        self.known_keys(f"options of kind {kind!r}", options, KINDS[kind].options)
        values: dict[str, Any] = {}
        for option in fields(Options):
            if option.name not in options:
                continue
            value = options[option.name]
            if isinstance(option.default, bool):
                if not isinstance(value, bool):
                    raise self.error(f"option {option.name!r} must be true or false, not {value!r}.")
                values[option.name] = value
                continue
            if not isinstance(value, str):
                raise self.error(f"option {option.name!r} must be quoted text, not {value!r}.")
            allowed = ALLOWED_VALUES.get(option.name)
            if allowed and value not in allowed:
                raise self.error(f"option {option.name!r} is {value!r}. {did_you_mean(value, allowed)}")
            values[option.name] = self.number(option.name, value) if option.name in NUMERIC else value
        return Options(**values)

    def number(self, option: str, value: str) -> Decimal:
        try:
            number = parse_printed(value).value
        except AuditInputError as error:
            raise self.error(f"option {option!r}: {error}") from error
        if option in FRACTIONS and not 0 < number < 1:
            raise self.error(f"option {option!r} is {value!r}; it must lie between 0 and 1.")
        return number

    def text(self, entry: dict[Any, Any], key: str, default: str | None = None) -> str:
        value = entry.get(key, default)
        if not isinstance(value, str) or (default is None and not value.strip()):
            raise self.error(f"key {key!r} must be text, not {value!r}.")
        return " ".join(value.split())

    def known_keys(self, what: str, found: dict[Any, Any], known: frozenset[str]) -> None:
        for key in found:
            if key not in known:
                raise self.error(f"{what}: unknown key {key!r}. {did_you_mean(str(key), known)}")
