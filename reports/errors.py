"""The error of this room, until every module raises `InputError` itself."""

from config.errors import InputError as ReportError

__all__ = ["ReportError"]
