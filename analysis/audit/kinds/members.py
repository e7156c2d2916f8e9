"""Kinds about what is there: how many of a thing were published, which are missing, and which two sets share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from analysis.audit.kinds.case import ONE, Case, NumberTerm, mismatch, need, stated_text
from analysis.audit.kinds.finding import Finding, Need, Value, Verdict, not_checkable_because, share_apart
from analysis.audit.kinds.reason import Citation, phrase
from analysis.audit.numbers import shown

HALF = Decimal("0.5")


def _entries(case: Case) -> dict[str, str]:
    """Return what the option `column` has in the rows of `values`, in their order, with a number that has it."""
    found: dict[str, str] = {}
    for term in case.parts["values"]:
        for number in term.numbers:
            entry = number.row.get(case.options.column, "")
            if entry:
                found.setdefault(entry, number.id)
    return found


def count(case: Case) -> Finding:
    """Claim that there are as many of a thing as stated: `column` names what the rows of `values` are counted by.

    Examples:
        >>> from analysis.audit.kinds import KINDS, Options
        >>> from analysis.audit.kinds.case import row_case
        >>> rows = [{"task": "naming"}, {"task": "sorting"}, {"task": "naming"}]
        >>> found = KINDS["count"].evaluate(row_case("3", Options(column="task"), rows))
        >>> str(found.verdict), found.why.partition(" [")[0]
        ('contradicted', '2 by task: naming')
    """
    entries = _entries(case)
    stated = case.stated.quantity.value
    off = abs(stated - len(entries)) >= HALF
    listed = [part for name, key in entries.items() for part in (f"{name}", Citation((key,)), ", ")][:-1]
    verdict = mismatch(case.sources) if off else Verdict.CONSISTENT
    return Finding(
        published=stated_text(case.stated),
        recomputed=str(len(entries)),
        tolerance="0",
        verdict=verdict,
        reason=(
            phrase(f"{len(entries)} by {case.options.column}: ", *listed, f"; stated {stated_text(case.stated)}."),
        ),
        value=Value.OFF if off else Value.AS_PRINTED,
        gap=share_apart(stated, Decimal(len(entries))) if off else Decimal(0),
        conditions=lambda: (
            need(HALF + stated - len(entries), {case.stated.id: ONE}),
            need(HALF - stated + len(entries), {case.stated.id: -ONE}),
        ),
    )


def scope(case: Case) -> Finding:
    """Claim that all of the `words` (tasks, models, conditions) are among the rows of `values`, by `column`.

    Which of them a sentence means is a matter of reading ("every task", "the full results"): where some are missing,
    the finding says for which the claim holds.

    Examples:
        >>> from analysis.audit.kinds import KINDS, Options
        >>> from analysis.audit.kinds.case import row_case
        >>> asked = Options(column="task", words=("naming", "sorting"), vague="every task")
        >>> found = KINDS["scope"].evaluate(row_case(None, asked, [{"task": "naming"}]))
        >>> str(found.verdict), found.sensitivity
        ('depends on the reading', "It holds where 'every task' means naming, without sorting.")
    """
    entries = _entries(case)
    present = [word for word in case.options.words if word in entries]
    missing = [word for word in case.options.words if word not in entries]
    told = f"{len(present)} of {len(case.options.words)} are among the rows by {case.options.column}"
    cited = Citation(tuple(entries[word] for word in present))
    reason = (phrase(told, cited, "." if not missing else f"; not there: {', '.join(missing)}."),)
    if not present:
        return not_checkable_because(*reason, published=f"'{case.options.vague}'")
    found = Finding(
        f"'{case.options.vague}'", f"{len(present)} of {len(case.options.words)}", "0", Verdict.CONSISTENT, reason
    )
    if not missing:
        return found.with_sensitivity(f"'{case.options.vague}' means {', '.join(present)}.")
    meant = f"It holds where '{case.options.vague}' means {', '.join(present)}, without {', '.join(missing)}."
    return replace(found, verdict=Verdict.READING).with_sensitivity(meant)


def overlap(case: Case) -> Finding:
    """Claim that `first` and `second` have no item in common; an item is `per_item` whole numbers in a row.

    A nearest patch, for example, is the index of an image, a row and a column. Where the sentence has a `vague` word
    ("stands apart"), the finding is how many items of `first` are shared.

    Examples:
        >>> from analysis.audit.kinds import Options, printed_case
        >>> pairs = Options(per_item=Decimal(2))
        >>> found = overlap(printed_case(None, pairs, "count", first=["7", "1", "7", "2"], second=["7", "2"]))
        >>> str(found.verdict), found.recomputed
        ('contradicted', '1 of 2')
    """
    size = int(case.options.per_item or 1)
    first, second = (_items(case.parts[role], size) for role in ("first", "second"))
    shared = [item for item in first if any(_differing(item, other) == [] for other in second)]
    told = f"{len(shared)} of {len(first)}"
    parts: list[str | Citation] = [f"{told} items are shared with the {len(second)} others"]
    if shared:
        parts += [f"; the first of them: {', '.join(shown(t.value) for t in shared[0])}"]
        parts += [Citation(tuple(n.id for t in shared[0] for n in t.numbers))]
    reason = (phrase(*parts, "."),)
    failed = bool(shared)
    found = Finding(
        published="none in common",
        recomputed=told,
        tolerance="0",
        verdict=mismatch(case.sources) if failed else Verdict.CONSISTENT,
        reason=reason,
        changes=failed,
        gap=Decimal(len(shared)) / len(first),
        conditions=lambda: tuple(_needs(first, second)),
    )
    if not case.options.vague:
        return found
    sensitivity = f"It holds where '{case.options.vague}' allows {told} in common."
    return replace(found, verdict=Verdict.READING, changes=False, gap=Decimal(0)).with_sensitivity(sensitivity)


Item = tuple[NumberTerm, ...]


def _items(terms: Sequence[NumberTerm], size: int) -> list[Item]:
    return [tuple(terms[place : place + size]) for place in range(0, len(terms) - size + 1, size)]


def _differing(one: Item, other: Item) -> list[tuple[NumberTerm, NumberTerm]]:
    return [(a, b) for a, b in zip(one, other, strict=True) if abs(a.value - b.value) >= HALF]


def _needs(first: Sequence[Item], second: Sequence[Item]) -> list[Need]:
    # Two items become one where a single number separates them; what separates two in several cannot be moved away.
    needs = []
    for one in first:
        for other in second:
            differing = _differing(one, other)
            if len(differing) == 1:
                (a, b) = differing[0]
                sign = ONE if a.value > b.value else -ONE
                needs.append(need(abs(a.value - b.value) - HALF, a.rates(sign), b.rates(-sign)))
            elif not differing:
                needs.append(need(-HALF, one[0].rates(), other[0].rates(-ONE)))
    return needs
