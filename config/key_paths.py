"""Keys of a config as one word, such as ``probe.strengths`` or ``datasets.*.resize``."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from config.errors import InputError, did_you_mean
from config.resolve import schema
from config.vocabulary.sources import sources_with

EVERY = "*"  # stands for every name of a section


def require_key(key: str, place: str) -> None:
    """Check that the schema has a key.

    Args:
        key: names joined by dots, `EVERY` or a name where a section has names of its own.
        place: where it is stated, for the message.

    Raises:
        InputError: the schema lacks it; with the nearest one that it has.
    """
    node: Mapping[str, Any] = schema()
    names = key.split(".")
    for depth, name in enumerate(names):
        named, other = node.get("properties", {}), node.get("additionalProperties")
        if name in named:
            node = named[name]
        elif isinstance(other, Mapping):
            node = other
        else:
            at = ".".join(names[:depth]) or "the config"
            allowed = f"; allowed: {', '.join(named)}" if named else ", which has no keys"
            raise InputError(
                f"{place}: {key!r} is no key of the config: {at} has no {name!r}{did_you_mean(name, named)}{allowed}"
            )


def values_of(key: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a key in a resolved config: name under `EVERY` → value; without any, one under ''.

    Names whose entry lacks the key are left out.

    Examples:
        >>> config = {"seed": 3, "datasets": {"a": {"resize": "crop"}, "b": {}}}
        >>> values_of("seed", config), values_of("datasets.*.resize", config)
        ({'': 3}, {'a': 'crop'})
    """
    return dict(_values(key.split("."), config, ""))


def _values(names: Sequence[str], node: Any, under: str) -> Iterator[tuple[str, Any]]:
    if not names:
        yield under, node
    elif isinstance(node, Mapping):
        first, *rest = names
        for name in node if first == EVERY else [first]:
            if name in node:
                yield from _values(rest, node[name], name if first == EVERY else under)


def with_values(config: Mapping[str, Any], changes: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a copy of a resolved config with other values.

    Of data sets, `EVERY` means those whose source has a use for the key.

    Args:
        config: as `config.resolve.resolve` returns it.
        changes: key → value.
        place: where they are stated, for messages.

    Raises:
        InputError: a key is none of the schema, or means no entry of this config.

    Examples:
        >>> config = {"probe": {"strengths": [0.1]}, "datasets": {"a": {"source": "voc"}, "b": {"source": "spair"}}}
        >>> with_values(config, {"datasets.*.resize": "squash"}, "here")["datasets"]
        {'a': {'source': 'voc', 'resize': 'squash'}, 'b': {'source': 'spair'}}
    """
    changed = copy.deepcopy(dict(config))
    for key, value in changes.items():
        require_key(key, place)
        *names, last = key.split(".")
        sections = list(_sections(names, changed, key, place))
        if not sections:
            raise InputError(f"{place}: {key!r} means nothing in this config: no entry has a use for it")
        for section in sections:
            section[last] = copy.deepcopy(value)
    return changed


def _sections(names: Sequence[str], node: dict[str, Any], key: str, place: str, above: str = "") -> Iterator[Any]:
    if not names:
        yield node
        return
    first, *rest = names
    if first == EVERY:
        following = key.split(".")[2] if above == "datasets" else ""
        for entry in node.values():
            if not (named := sources_with(following)) or entry["source"] in named:
                yield from _sections(rest, entry, key, place, first)
    elif isinstance(node.get(first), dict):
        yield from _sections(rest, node[first], key, place, first)
    else:
        raise InputError(
            f"{place}: {key!r} means nothing in this config, which has no {first!r}{did_you_mean(first, node)}"
        )
