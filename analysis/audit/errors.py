"""The one error that a user of the audit can cause and repair."""

from collections.abc import Iterable
from difflib import get_close_matches


class AuditInputError(ValueError):
    """An input file is missing or wrong; the message names file, key, value and a remedy."""


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """The end of an error message: the entries of `known` closest to `value`, or all of them."""
    options = sorted(known)
    close = get_close_matches(value, options, n=3, cutoff=0.6)
    if close:
        return "Did you mean " + " or ".join(repr(option) for option in close) + "?"
    if len(options) <= 20:
        return "Allowed: " + ", ".join(options) + "."
    return "Nothing is spelled like it. Are there any typos?"
