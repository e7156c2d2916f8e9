"""Reasons for a verdict: sentences that cite the published numbers they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Citation:
    """Identifiers of published numbers, placed after what they give."""

    ids: tuple[str, ...]

    def __str__(self) -> str:
        return f" [{', '.join(self.ids)}]"


@dataclass(frozen=True)
class Phrase:
    """Text with citations in it; a `Reason` is made of them, one per sentence.

    Examples:
        >>> found = phrase("The largest is ", phrase("0.6", Citation(("t37", "t61"))), ".")
        >>> found.text
        'The largest is 0.6 [t37, t61].'
        >>> found.plain
        'The largest is 0.6.'
        >>> found.data
        ['The largest is 0.6', {'numbers': ['t37', 't61']}, '.']
    """

    parts: tuple[str | Citation, ...]

    @property
    def text(self) -> str:
        """The sentence with the identifiers in brackets."""
        return "".join(map(str, self.parts))

    @property
    def plain(self) -> str:
        """The sentence without identifiers."""
        return "".join(part for part in self.parts if isinstance(part, str))

    @property
    def data(self) -> list[str | dict[str, list[str]]]:
        """The sentence for JSON: text, and a mapping where numbers are cited."""
        return [part if isinstance(part, str) else {"numbers": list(part.ids)} for part in self.parts]


Reason = tuple[Phrase, ...]


def phrase(*parts: str | Citation | Phrase) -> Phrase:
    """Join text, citations and phrases into one phrase."""
    merged: list[str | Citation] = []
    for part in _flat(parts):
        last = merged[-1] if merged else None
        if isinstance(part, str) and isinstance(last, str):
            merged[-1] = last + part
        else:
            merged.append(part)
    return Phrase(tuple(merged))


def joined(separator: str, phrases: Iterable[Phrase]) -> Phrase:
    """Join phrases with a separator between them.

    Examples:
        >>> joined("; ", [phrase("1", Citation(("a",))), phrase("2", Citation(("b",)))]).text
        '1 [a]; 2 [b]'
    """
    listed = list(phrases)
    return phrase(*(part for each in listed[:-1] for part in (each, separator)), *listed[-1:])


def _flat(parts: Iterable[str | Citation | Phrase]) -> Iterator[str | Citation]:
    for part in parts:
        if isinstance(part, Phrase):
            yield from part.parts
        else:
            yield part
