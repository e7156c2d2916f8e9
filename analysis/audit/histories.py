"""Histories: what the public versions of an article printed, version by version.

Two files of a folder hold them, both optional. `versions.csv` has the printed numbers, `methods_versions.csv` the
descriptions of what was done; each has one row for the version in which an entry first appears, and one for every
version that changes or removes it. A revision is no error. What a history shows is which number belongs to which
description, and whether a text and a figure come from the same version.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.errors import InputError, did_you_mean

NUMBERS, DESCRIPTIONS = "versions", "methods"
FILES: Mapping[str, tuple[str, str]] = {
    # What an identifier begins with: the file, and its column with what was printed.
    NUMBERS: ("versions.csv", "value"),
    DESCRIPTIONS: ("methods_versions.csv", "statement"),
}
STATUSES = FIRST, CHANGED, REMOVED = ("first", "changed", "removed")
COLUMNS = ("id", "version", "version_time", "status")


@dataclass(frozen=True)
class Revision:
    """A row of a history: a version that prints something for the first time, changes it, or removes it.

    Attributes:
        version: its name, for example a date and a commit.
        time: when it appeared; ISO 8601, so that times sort as text.
        status: `first`, `changed` or `removed`.
        text: what the version prints; empty where it removes the entry.
        row: the line that it was read from, by column.
    """

    version: str
    time: str
    status: str
    text: str
    row: Mapping[str, str]

    @property
    def short(self) -> str:
        """The part of the version's name that identifiers use: its second word, or the whole name."""
        words = self.version.split()
        return words[1] if len(words) > 1 else self.version


@dataclass(frozen=True)
class History:
    """All revisions of a number or of a description, oldest first.

    Examples:
        >>> history = load_histories(Path("analysis/published"))["versions:geometry.erank.dinov2"]
        >>> [(revision.text, revision.short) for revision in history.revisions]
        [('14.1', '80b54d0'), ('13.5', '4a64f5d')]
        >>> history.last.text, [revision.short for revision in history.changes]
        ('13.5', ['4a64f5d'])
    """

    id: str
    revisions: tuple[Revision, ...]

    @property
    def changes(self) -> tuple[Revision, ...]:
        """The revisions that changed it; its first appearance and its removal are none."""
        return tuple(revision for revision in self.revisions if revision.status == CHANGED)

    @property
    def last(self) -> Revision:
        """The last revision that prints it."""
        return next(revision for revision in reversed(self.revisions) if revision.status != REMOVED)

    @property
    def name(self) -> str:
        """The identifier without what it begins with."""
        return self.id.partition(":")[2]


def load_histories(folder: Path) -> dict[str, History]:
    """Read the histories of a folder, by identifier: `versions:ID` for numbers, `methods:ID` for descriptions.

    Args:
        folder: may have neither file, and then has no histories.

    Raises:
        InputError: for a missing column, an unknown status, or an entry that is changed before it first appears.
    """
    histories: dict[str, History] = {}
    for prefix, (name, column) in FILES.items():
        path = folder / name
        if path.exists():
            for entry, revisions in _revisions(path, column).items():
                key = f"{prefix}:{entry}"
                histories[key] = History(key, tuple(revisions))
    return histories


def _revisions(path: Path, column: str) -> dict[str, list[Revision]]:
    found: dict[str, list[Revision]] = {}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        header = list(reader.fieldnames or [])
        for needed in (*COLUMNS, column):
            if needed not in header:
                raise InputError(
                    f"{path}: column {needed!r} is missing{did_you_mean(needed, header)}; found: {', '.join(header)}"
                )
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            if row["status"] not in STATUSES:
                raise InputError(f"{where}: status {row['status']!r} is not known; allowed: {', '.join(STATUSES)}")
            revisions = found.setdefault(row["id"], [])
            if not revisions and row["status"] != FIRST:
                raise InputError(f"{where}: {row['id']!r} is {row['status']} before it is first printed. Sort by time.")
            revisions.append(Revision(row["version"], row["version_time"], row["status"], row[column], row))
    return found
