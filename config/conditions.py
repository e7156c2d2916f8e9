"""What a condition replaces, by what: read from its tokens and replacement, never from its name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from config.consistency import names_of
from config.vocabulary.replacements import REFERENCE, REPLACEMENTS, Replacement
from config.vocabulary.tokens import RANDOM_PATCHES, group_of


@dataclass(frozen=True)
class Condition:
    """What is replaced after every block, and by what; ``full`` replaces nothing.

    What a condition does is read from ``tokens`` and ``by``, never from its name.

    Attributes:
        name: its name in every file.
        tokens: names of the replaced tokens.
        by: name of the replacement.
        patches: how many patches ``random_patches`` stands for.
        draw: which draw of random patches it is, counted from 1.
        of: the config's entry that it is a draw of.

    Examples:
        >>> blank = Condition("blank", ("registers",), "zero")
        >>> blank.group, blank.identity, blank.replacement.label
        ('registers', 'zero_registers', 'zero')
    """

    name: str
    tokens: tuple[str, ...] = ()
    by: str | None = None
    patches: int = 4
    draw: int | None = None
    of: str | None = None

    @property
    def replacement(self) -> Replacement | None:
        """What replaces the tokens; None for ``full``."""
        return None if self.by is None else REPLACEMENTS[self.by]

    @property
    def group(self) -> str:
        """The token group that is replaced as a whole (cls, registers, random_patches); else empty."""
        return group_of(self.tokens)

    @property
    def identity(self) -> str:
        """What it does in one word, the same whatever a config calls it: ``full``, ``zero_registers``, ``mean_r1_r2``.

        Draws of random patches have the identity of the entry that they are drawn from; it names how many patches they
        are, unless these are as many as the article's models have registers.
        """
        if self.by is None:
            return REFERENCE
        number = [str(self.patches)] if RANDOM_PATCHES in self.tokens and self.patches != type(self).patches else []
        return "_".join((self.by, *number, *self.tokens))

    @property
    def entry(self) -> str:
        """The config's entry that it comes from."""
        return self.of or self.name


def register_conditions(conditions: Mapping[str, Condition], *, article: bool = False) -> dict[str, str]:
    """Return `full` and the conditions that replace all registers, each with its label, in the order of replacements.

    Args:
        conditions: by name.
        article: whether labels are those of the article's table, where it has them.

    Examples:
        >>> register_conditions({"a": Condition("a", ("registers",), "mean"), "b": Condition("b", ("r1",), "zero")})
        {'full': 'full', 'a': 'mean'}
    """
    found: dict[str, list[str]] = {}
    for condition in conditions.values():
        if condition.group == "registers" and condition.by is not None:
            found.setdefault(condition.by, []).append(condition.name)
    labels = {REFERENCE: REFERENCE.capitalize() if article else REFERENCE}
    for name, replacement in REPLACEMENTS.items():
        label = replacement.article_label or replacement.label.capitalize() if article else replacement.label
        alike = found.get(name, [])
        labels |= {one: label if len(alike) == 1 else f"{label} ({one})" for one in alike}
    return labels


def conditions_of(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Condition]:
    """Return the conditions of a config's entries by name, draws of random patches one by one."""
    return {condition.name: condition for name, entry in entries.items() for condition in _conditions(name, entry)}


def _conditions(name: str, entry: Mapping[str, Any]) -> Iterator[Condition]:
    """Yield the condition of a config's entry, or one per draw."""
    given = {key: value for key, value in entry.items() if key != "draws"}
    condition = Condition(name, **{**given, "tokens": tuple(entry.get("tokens", ()))})
    if RANDOM_PATCHES not in condition.tokens:
        yield condition
        return
    for draw, drawn in enumerate(names_of(name, entry), start=1):
        yield replace(condition, name=drawn, draw=draw, of=name)
