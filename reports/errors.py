"""The one exception of this room: something a reader of the message can put right."""

from config.errors import InputError


class ReportError(InputError):
    """The report cannot be built; the message names the file or page, the key and the remedy."""
