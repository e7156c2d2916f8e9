"""Reasons of the audit: `audit/claims.json`, read and set as HTML.

A reason is a list of sentences, a sentence a list of texts and of numbers that they cite. Nothing is parsed out of
prose.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from config.errors import InputError
from reports.numbers import counted

UNPUBLISHED = "not_checkable"
Sentence = Sequence[str | Mapping[str, Sequence[str]]]


@dataclass(frozen=True)
class JudgedReading:
    """One way to understand a claim: its wording, kind and verdict, and the reason sentence by sentence."""

    wording: str
    kind: str
    verdict: str
    why: tuple[Sentence, ...]


@dataclass(frozen=True)
class Reasons:
    """Why a claim has its verdict.

    Attributes:
        readings: the ways to understand the claim; the first is the one that its wording suggests.
        decides: index of the reading whose verdict counts.
        note: context, if any.
        numbers: identifier of each published number behind the claim → the file that has its row.
    """

    readings: tuple[JudgedReading, ...]
    decides: int
    note: str
    numbers: Mapping[str, str]

    @property
    def deciding(self) -> JudgedReading:
        """The reading whose verdict counts."""
        return self.readings[self.decides]

    @property
    def opening(self) -> tuple[Sentence, ...]:
        """The reason of the deciding reading, after its wording where that is not the first."""
        if self.decides:
            return ([f"Read as: {self.deciding.wording}."], *self.deciding.why)
        if self.deciding.kind == UNPUBLISHED:
            first, *others = self.deciding.why
            return (["Not published: ", *first], *others)
        return self.deciding.why


def read_reasons(path: Path) -> Mapping[str, Reasons]:
    """Read the reasons of every claim by its identifier.

    Raises:
        InputError: the file is missing; the message says what makes it.
    """
    try:
        claims = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing. Run the workflow up to it: `snakemake {path}`.") from error
    return {claim["id"]: _reasons(claim) for claim in claims}


def _reasons(claim: Mapping[str, Any]) -> Reasons:
    readings = (
        JudgedReading(reading["reading"], reading["kind"], reading["verdict"], tuple(reading["why"]))
        for reading in claim["readings"]
    )
    return Reasons(tuple(readings), claim["decides"], claim["note"], claim["numbers"])


def in_brief(reasons: Reasons) -> str:
    """Return the deciding reason and the note, without the identifiers of numbers."""
    sentences = [_plain(sentence) for sentence in reasons.opening]
    return " ".join(filter(None, (*sentences, with_signs(reasons.note))))


def in_full(reasons: Reasons) -> list[Markup]:
    """Return the deciding reason, that of each other reading, and the note; identifiers are in small print."""
    paragraphs = [_cited(reasons.opening)]
    for place, reading in enumerate(reasons.readings):
        if place != reasons.decides:
            paragraphs.append(_cited(([f"Other reading ({reading.wording}): {reading.verdict}."], *reading.why)))
    return [Markup("<p>{}</p>").format(each) for each in (*paragraphs, with_signs(reasons.note)) if each]


def folded(reasons: Reasons) -> Markup:
    """Return the first sentence without identifiers, with the whole reason and its numbers to unfold."""
    first = _plain(reasons.opening[0])
    paragraphs = in_full(reasons)
    is_longer = len(paragraphs) > 1 or paragraphs[0] != Markup("<p>{}</p>").format(first)
    if not is_longer and not reasons.numbers:
        return Markup("{}").format(first)
    label = "in full"
    if reasons.numbers:
        numbers = counted(len(reasons.numbers), "published number")
        label = f"in full, with {numbers}" if is_longer else numbers
    shown = Markup().join(paragraphs if is_longer else ()) + number_list(reasons.numbers)
    return Markup("{}<details><summary>{}</summary>{}</details>").format(first, label, shown)


def number_list(numbers: Mapping[str, str]) -> Markup:
    """Return a list of identifiers of published numbers, each a link to the file that has its row."""
    if not numbers:
        return Markup()
    item = Markup('<li><a href="published/{file}" download title="{file}">{number}</a></li>')
    items = (item.format(number=number, file=file) for number, file in numbers.items())
    return Markup('<ul class="sources">{}</ul>').format(Markup().join(items))


def with_signs(text: str) -> str:
    """Return a text with each comparison as a single sign."""
    return text.replace("<=", "≤").replace(">=", "≥")


def _plain(sentence: Sentence) -> str:
    return with_signs("".join(part for part in sentence if isinstance(part, str)))


def _cited(sentences: Iterable[Sentence]) -> Markup:
    return Markup(" ").join(Markup().join(map(_part, sentence)) for sentence in sentences)


def _part(part: str | Mapping[str, Sequence[str]]) -> Markup:
    if isinstance(part, str):
        return Markup("{}").format(with_signs(part))
    return Markup(' <span class="source">[{}]</span>').format(", ".join(part["numbers"]))
