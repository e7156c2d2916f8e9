"""Usage: what every published number is used for, or why it is not.

A number is used by a claim, or else compared with another number of the same quantity, or else `unused.yaml` says why
nothing rests on it:

    - rows: [t011-t012]       # identifiers, or selectors as in statements.yaml
      reason: the name of a metric, not a measurement
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from analysis.audit.claims import LOADER, Claim
from analysis.audit.published import PublishedNumbers
from analysis.audit.sources import Pair
from analysis.audit.statements import matches
from config.errors import InputError, did_you_mean
from config.schema_errors import violations

FILE = "unused.yaml"
SCHEMA = Path(__file__).with_name("usage.schema.yaml")


@dataclass(frozen=True)
class Reason:
    """Why nothing rests on some numbers.

    Attributes:
        selectors: of the rows, as they were written.
        keys: identifiers of the rows that they match.
        text: the reason.
    """

    selectors: tuple[str, ...]
    keys: frozenset[str]
    text: str


@dataclass(frozen=True)
class Usage:
    """What the published numbers of a folder are used for.

    Attributes:
        numbers: identifiers of all of them, in file order.
        by_claims: those that a claim rests on.
        by_comparison: those that a comparison of sources rests on.
        reasons: for the others.
    """

    numbers: tuple[str, ...]
    by_claims: frozenset[str]
    by_comparison: frozenset[str]
    reasons: tuple[Reason, ...]

    @property
    def only_compared(self) -> frozenset[str]:
        """Identifiers of the numbers that no claim rests on, but a comparison of sources does."""
        return self.by_comparison - self.by_claims

    @property
    def share(self) -> float:
        """Share of the published numbers that a claim or a comparison rests on."""
        return len(self.by_claims | self.by_comparison) / len(self.numbers)

    def faults(self) -> Iterator[str]:
        """Yield one line per number without use or reason, and per reason that is not needed."""
        used, seen = self.by_claims | self.by_comparison, dict[str, str]()
        for reason in self.reasons:
            listed = ", ".join(reason.selectors)
            if reason.keys <= used:
                yield f"{listed}: every number is used; remove the reason"
            for key in sorted(reason.keys):
                if key in seen:
                    yield f"{key}: has two reasons, {seen[key]!r} and {reason.text!r}; keep one"
                seen[key] = reason.text
        for key in self.numbers:
            if key not in used and key not in seen:
                yield f"{key}: is used by nothing; let a claim rest on it, or say why not in {FILE}"


def usage(numbers: PublishedNumbers, claims: Iterable[Claim], pairs: Sequence[Pair]) -> Usage:
    """Say what every published number is used for.

    Args:
        numbers: of a folder, whose `unused.yaml` has the reasons, if any.
        claims: all of them.
        pairs: compared across sources.

    Raises:
        InputError: for a faulty `unused.yaml`, or a selector in it that matches nothing.

    Examples:
        >>> from analysis.audit.claims import load_claims
        >>> from analysis.audit.published import load_published
        >>> folder = Path("docs/examples/invented_article")
        >>> found = usage(load_published(folder), load_claims(folder), [])
        >>> len(found.by_claims) <= len(found.numbers)
        True
    """
    known = tuple(numbers)
    rested = {_plain(key) for claim in claims for key in claim.ids}
    compared = {n.id for pair in pairs for value in (pair.first, pair.second) for n in value.term.numbers}
    return Usage(known, frozenset(rested & set(known)), frozenset(compared & set(known)), tuple(_reasons(numbers)))


def _plain(key: str) -> str:
    # The end of an interval is part of the number that it belongs to.
    return key.partition("#")[0]


def _reasons(numbers: PublishedNumbers) -> Iterator[Reason]:
    path = numbers.folder / FILE
    if not path.exists():
        return
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not valid YAML: {error}") from error
    faults = violations(loaded, _schema(), "the file")
    if faults:
        raise InputError(f"{path} cannot be used:\n  " + "\n  ".join(faults))
    for entry in loaded:
        keys: set[str] = set()
        for selector in entry["rows"]:
            matched = set(matches(selector, numbers))
            if not matched:
                raise InputError(f"{path}: rows: {selector!r} matches no row{did_you_mean(selector, numbers)}")
            keys |= matched
        yield Reason(tuple(entry["rows"]), frozenset(keys), " ".join(entry["reason"].split()))


@cache
def _schema() -> Mapping[str, Any]:
    schema: Mapping[str, Any] = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    return schema
