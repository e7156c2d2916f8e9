"""The one exception of this room: something a reader of the message can put right."""


class ReportError(Exception):
    """The report cannot be built; the message names the file or page, the key and the remedy."""
