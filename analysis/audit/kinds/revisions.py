"""Kinds about versions: whether a description and its numbers, or a text and its figures, belong together."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from analysis.audit.histories import REMOVED, History, Revision
from analysis.audit.kinds.case import Case
from analysis.audit.kinds.finding import Finding, Verdict, not_checkable_because
from analysis.audit.kinds.reason import Citation, Phrase, phrase

LISTED = 4


def revision(case: Case) -> Finding:
    """Claim that a description and its `numbers` changed together, version by version, or not at all.

    Both are histories (`versions:ID`, `methods:ID`). A revision is no error, so nothing here is contradicted: a number
    that changed while the `descriptions` did not, a description that changed while no number did, and entries of one
    role that changed in different versions are *revised in part*. Which of them describes what was measured was not
    published. What still stands is told from what a later version removed.

    Examples:
        >>> from pathlib import Path
        >>> from analysis.audit.kinds import Case, NumberTerm
        >>> from analysis.audit.published import load_published
        >>> numbers = load_published(Path("analysis/published"))
        >>> rank, described = numbers["versions:geometry.erank.dinov2"], numbers["methods:geometry.definition"]
        >>> parts = {"numbers": (NumberTerm((rank,)),), "descriptions": (NumberTerm((described,)),)}
        >>> found = revision(Case(None, parts))
        >>> str(found.verdict)
        'revised in part'
    """
    roles = [
        [n.history for term in case.parts.get(role, ()) for n in term.numbers] for role in ("numbers", "descriptions")
    ]
    numbers, descriptions = ([history for history in found if history is not None] for found in roles)
    if not numbers and not descriptions:
        return not_checkable_because("No history of these entries was published.")
    times = [
        {change.time: change for history in found for change in history.changes} for found in (numbers, descriptions)
    ]
    reason = [_told(found, word) for found, word in ((numbers, "number"), (descriptions, "description")) if found]
    apart = _apart(numbers, descriptions, *times)
    reason += [phrase(sentence) for sentence in apart]
    return Finding(
        published="changed together",
        recomputed="; ".join(sorted(change.version for found in times for change in found.values())),
        tolerance="",
        verdict=Verdict.REVISED if apart else Verdict.CONSISTENT,
        reason=tuple(reason),
    )


def _apart(
    numbers: Sequence[History],
    descriptions: Sequence[History],
    numbers_at: dict[str, Revision],
    descriptions_at: dict[str, Revision],
) -> list[str]:
    """Return a sentence for every way in which entries did not change together."""
    told = []
    if numbers and descriptions:
        # What changed before the other was first printed, or with it, is no change apart.
        numbers_at = _after(numbers_at, descriptions)
        descriptions_at = _after(descriptions_at, numbers)
        alone = [change.version for time, change in numbers_at.items() if time not in descriptions_at]
        if alone:
            told.append(f"The numbers changed in {_and(alone)} while the description did not.")
        alone = [change.version for time, change in descriptions_at.items() if time not in numbers_at]
        if alone:
            told.append(f"The description changed in {_and(alone)} while the numbers did not.")
        return told
    entries = numbers or descriptions
    for history in entries:
        behind = [time for time in (numbers_at | descriptions_at) if time not in {c.time for c in history.changes}]
        # What was first printed after a change cannot have stayed behind it.
        behind = [time for time in behind if time > history.revisions[0].time]
        if behind:
            told.append(f"{history.name} stayed as it was in {history.revisions[0].version}.")
    return told


def _after(changes: dict[str, Revision], others: Sequence[History]) -> dict[str, Revision]:
    begun = min(history.revisions[0].time for history in others)
    return {time: change for time, change in changes.items() if time > begun}


def _told(histories: Sequence[History], word: str) -> Phrase:
    parts: list[str | Citation] = [f"{len(histories)} {word}{'s' if len(histories) > 1 else ''}: "]
    for history in histories[:LISTED]:
        printed = [each for each in history.revisions if each.status != REMOVED]
        course = ", then ".join(f"“{each.text.rstrip('.')}” ({each.version})" for each in printed)
        removed = history.revisions[-1]
        gone = f", removed in {removed.version}" if removed.status == REMOVED else ""
        parts += [f"{course}{gone}", Citation((history.id,)), "; "]
    rest = len(histories) - LISTED
    parts[-1] = f"; and {rest} more." if rest > 0 else "."
    return phrase(*parts)


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)


def explained_by(finding: Finding, version: str) -> Finding:
    """Return the finding of a reading with numbers of an older version: what disagrees today is revised in part.

    Args:
        finding: of the reading; it stays as it is unless the claim holds in it.
        version: whose numbers they are, for the reader.
    """
    told = phrase(f"The numbers are those of {version}: one of the two was revised, the other not.")
    return Finding(
        published=finding.published,
        recomputed=finding.recomputed,
        tolerance=finding.tolerance,
        verdict=Verdict.REVISED,
        reason=(*finding.reason, told),
        gap=Decimal(0),
        conditions=finding.conditions,
    )
