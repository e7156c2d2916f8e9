"""Errors that the user can mend, reported without a traceback."""

import difflib
import sys
from collections.abc import Callable, Iterable


class InputError(Exception):
    """Something about the input: the message names the file or key, the value, and the remedy."""


def report_errors(main: Callable[[], None]) -> None:
    """Run a command line; an :class:`InputError` becomes one message on stderr and exit status 2.

    Any other exception is a defect of ours and keeps its traceback.
    """
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def did_you_mean(value: object, known: Iterable[object]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the known name nearest to ``value``, or ``""`` where none is near.

    Examples:
        >>> did_you_mean("zreo", ["zero", "mean"])
        " (did you mean 'zero'?)"
        >>> did_you_mean("attention", ["zero", "mean"])
        ''
    """
    close = difflib.get_close_matches(str(value), list(map(str, known)), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
