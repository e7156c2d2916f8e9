"""Errors that the person at the keyboard can mend, told without a traceback."""

import sys
from collections.abc import Callable


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
