"""How many registers the models of a config have, where that is known before any is built.

A condition on tokens that no model has is skipped by every model, and measures nothing. What cannot be known from a
config, the report tells.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from config.consistency import names_of
from config.vocabulary.known_answers import KNOWN_ANSWERS
from config.vocabulary.tokens import is_register

# timm names the number of registers (`reg4`), but for DINOv3, whose models all have four.
_STATED = re.compile(r"reg(\d+)(?=_|$)")
_DINOV2 = re.compile(r"_dinov2$")


def registers_of(model: Mapping[str, Any]) -> int | None:
    """Return how many registers a model of a config has; None where its names do not tell.

    Examples:
        >>> registers_of({"source": "timm", "architecture": "vit_small_patch14_reg4_dinov2"})
        4
        >>> registers_of({"source": "timm", "architecture": "vit_tiny_patch16_224"}) is None
        True
    """
    if model["source"] == "known_answer":
        known = KNOWN_ANSWERS.get(model["family"])
        return None if known is None else known.registers
    architecture = str(model.get("architecture", "")).split(".")[0]
    if stated := _STATED.search(architecture):
        return int(stated[1])
    if "dinov3" in architecture:
        return 4
    return 0 if _DINOV2.search(architecture) else None


def absent_registers(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the conditions that name a register above the highest of every model, some of which have registers."""
    most = _most(config)
    if not most:
        return
    for name, condition in config["conditions"].items():
        beyond = [token for token in condition.get("tokens", ()) if is_register(token) and int(token[1:]) > most]
        if beyond:
            yield (
                f"conditions.{name}.tokens: no model of this config has {', '.join(beyond)}; allowed: r1 to r{most}, "
                "or a model with more registers"
            )


def conditions_without_models(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield the conditions that no model can be put under, because none has registers."""
    if _most(config) != 0:
        return
    names = [
        name
        for entry, condition in config["conditions"].items()
        if any(token == "registers" or is_register(token) for token in condition.get("tokens", ()))
        for name in names_of(entry, condition)
    ]
    if names:
        yield (
            f"conditions: no model of this config has registers, so that {', '.join(names)} will measure nothing; "
            "add a model with registers, or remove them"
        )


def _most(config: Mapping[str, Any]) -> int | None:
    """Return the largest number of registers of any model; None where that of some model is not known."""
    counts = [registers_of(model) for model in config["models"].values()]
    known = [count for count in counts if count is not None]
    return max(known) if len(known) == len(counts) else None
