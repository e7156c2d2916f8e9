"""Statements: what the article says, sentence by sentence, each with the claims that rest on it.

`statements.yaml` is read from the article alone; `claims.yaml` is what the audit makes of it. Next to each other they
show what no claim checks. One entry:

    statements:
      - id: s097
        at: why zeroing is misleading       # section of the article
        words: a ~250x gap                  # at most six words that locate the sentence
        says: ...                           # the statement, in our words
        kind: ratio
        numbers: ["~250x"]                  # as printed
        rows: [t072-t074, "fig/fig9//*/S/*/"]   # rows that could contradict it; *, ? and [13] as in a shell
        claims: [js-gap]                    # or, where the list is empty, a `reason`
    own_checks: {shares-lesions: digits against a number of images}   # claims that rest on no statement

`statements.schema.yaml` describes every key.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from analysis.audit.claims import LOADER
from analysis.audit.published import PublishedNumbers
from config.errors import InputError, did_you_mean
from config.schema_errors import violations

FILE = "statements.yaml"
SCHEMA = Path(__file__).with_name("statements.schema.yaml")
# Documents whose rows are no published numbers: they are named by their column `id`.
HISTORIES: Mapping[str, str] = {"versions": "versions.csv", "methods": "methods_versions.csv"}
_SPAN = re.compile(r"([a-z]+)(\d+)-\1(\d+)")


@dataclass(frozen=True)
class Statement:
    """A statement of the article.

    Attributes:
        id: its identifier.
        place: section of the article.
        words: at most six words that locate it.
        text: the statement, in our words.
        kind: what it asserts.
        numbers: those that it prints, as printed.
        selectors: of the published rows that could contradict it.
        claims: identifiers of the claims that rest on it.
        reason: why there is none, else empty.
    """

    id: str
    place: str
    words: str
    text: str
    kind: str
    numbers: tuple[str, ...]
    selectors: tuple[str, ...]
    claims: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Statements:
    """All statements of a document, in its order.

    Attributes:
        document: what was read.
        statements: in the order of the document.
        own_checks: claims that rest on no statement, with what they check.
    """

    document: str
    statements: tuple[Statement, ...]
    own_checks: Mapping[str, str]

    @property
    def coverage(self) -> float:
        """Share of statements on which at least one claim rests."""
        return sum(bool(statement.claims) for statement in self.statements) / len(self.statements)

    def disagreements(self, claims: Collection[str]) -> Iterator[str]:
        """Yield one line per claim that is named and unknown, or that rests on nothing.

        Args:
            claims: identifiers of all claims.
        """
        placed: set[str] = set()
        for statement in self.statements:
            for claim in statement.claims:
                placed.add(claim)
                if claim not in claims:
                    yield f"statement {statement.id!r}: claim {claim!r} is unknown{did_you_mean(claim, claims)}"
        for claim in self.own_checks:
            if claim not in claims:
                yield f"own_checks: claim {claim!r} is unknown{did_you_mean(claim, claims)}"
            elif claim in placed:
                yield f"own_checks: claim {claim!r} rests on a statement too; remove it from one of them"
        for claim in claims:
            if claim not in placed and claim not in self.own_checks:
                yield f"claim {claim!r} rests on no statement; name it in one, or in own_checks with what it checks"


def load_statements(folder: Path) -> Statements:
    """Read the statements of `folder/statements.yaml`.

    Raises:
        InputError: for a missing file, broken YAML, or entries that do not follow `statements.schema.yaml`; the message
            has one line per fault, with the statement, the key, the value and what is allowed.
    """
    path = folder / FILE
    if not path.exists():
        raise InputError(f"{path} is missing. Add it, with one entry per statement (see {SCHEMA.name}).")
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {error}") from error
    faults = violations(loaded, _schema(), "the file")
    if not faults:
        faults = list(_faults(loaded["statements"]))
    if faults:
        raise InputError(f"{path} cannot be used:\n  " + "\n  ".join(faults))
    return Statements(
        document=loaded["document"],
        statements=tuple(map(_statement, loaded["statements"])),
        own_checks=loaded.get("own_checks", {}),
    )


def rows_of(statement: Statement, numbers: PublishedNumbers) -> frozenset[str]:
    """Return identifiers of the published rows that could contradict a statement.

    Rows of the two histories keep their prefix, as in ``versions:geometry.erank.dinov2``. They are looked up where the
    folder of the numbers has the file.

    Raises:
        InputError: for a selector that matches nothing, naming the statement.
    """
    found: set[str] = set()
    for selector in statement.selectors:
        matched = set(matches(selector, numbers))
        if not matched:
            raise InputError(
                f"{numbers.folder / FILE}, statement {statement.id!r}: rows: {selector!r} matches no published row"
                f"{did_you_mean(selector, numbers)}"
            )
        found |= matched
    return frozenset(found)


@cache
def _schema() -> Mapping[str, Any]:
    schema: Mapping[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return schema


def _faults(entries: list[Mapping[str, Any]]) -> Iterator[str]:
    for name, count in Counter(entry["id"] for entry in entries).items():
        if count > 1:
            yield f"id {name!r} is used {count} times; make it unique"
    for entry in entries:
        if bool(entry["claims"]) == bool(entry.get("reason")):
            needed = "remove one of them" if entry["claims"] else "name a claim, or say why there is none"
            yield f"statement {entry['id']!r}: claims and reason: {needed}"


def _statement(entry: Mapping[str, Any]) -> Statement:
    return Statement(
        id=entry["id"],
        place=entry["at"],
        words=entry["words"],
        text=entry["says"],
        kind=entry["kind"],
        numbers=tuple(entry.get("numbers", ())),
        selectors=tuple(entry["rows"]),
        claims=tuple(entry["claims"]),
        reason=entry.get("reason", ""),
    )


def matches(selector: str, numbers: PublishedNumbers) -> Iterator[str]:
    """Yield identifiers of the published rows that a selector names."""
    prefix, _, name = selector.partition(":")
    if prefix in HISTORIES:
        path = numbers.folder / HISTORIES[prefix]
        if not path.exists() or name in _ids(path):
            yield selector
        return
    span = _SPAN.fullmatch(selector)
    if span is not None:
        letters, first, last = span.groups()
        named = [f"{letters}{number:0{len(first)}}" for number in range(int(first), int(last) + 1)]
        # All or nothing: a span that runs past the last row is a slip.
        yield from named if all(name in numbers for name in named) else ()
        return
    pattern = _pattern(selector)
    yield from (key for key in numbers if pattern.fullmatch(key))


@cache
def _pattern(selector: str) -> re.Pattern[str]:
    """Return a selector as regular expression; as in a shell, no wildcard goes beyond a slash."""

    def translated(token: re.Match[str]) -> str:
        text = token.group()
        return {"*": "[^/]*", "?": "[^/]"}.get(text) or (text if text.startswith("[") else re.escape(text))

    return re.compile(re.sub(r"\*|\?|\[[^\]]+\]|[^*?\[]+", translated, selector))


@cache
def _ids(path: Path) -> frozenset[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return frozenset(row["id"] for row in csv.DictReader(file))
