"""What may be the name of a data set, task, model, condition or anything else that is written into a path."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

# File systems allow 255 bytes, of which a suffix and the mark of a file that is being written take some.
LONGEST, LONGEST_FILE = 200, 240
# Control characters, halves of surrogate pairs, and separators of lines and paragraphs.
_INVISIBLE = frozenset(("Cc", "Cs", "Zl", "Zp"))


def fault_of(name: str, longest: int = LONGEST) -> str:
    """Return what keeps a text from being a name, as the end of a sentence about it; empty where it is one.

    Names of data sets, tasks, models and conditions become parts of paths. A name is therefore never a path: it is not
    empty, starts with no dot, and holds no separator of folders, no drive letter and no control character.

    Args:
        name: any text.
        longest: how many bytes it may have.

    Examples:
        >>> fault_of("zero_registers"), fault_of("ImageNet-1k, v2.0")
        ('', '')
        >>> fault_of("../x")
        "holds '/', as a path does"
        >>> fault_of(" ")
        'is empty'
    """
    separators = [mark for mark in ("/", "\\") if mark in name]
    if not name.strip():
        return "is empty"
    if separators:
        return f"holds {separators[0]!r}, as a path does"
    if name.startswith("."):
        return "starts with a dot, as hidden files and '..' do"
    if re.match(r"[A-Za-z]:", name):
        return f"starts with {name[:2]!r}, as a path on a drive does"
    if any(unicodedata.category(character) in _INVISIBLE for character in name):
        return "holds a control character or a line break"
    if name != name.strip():
        return "starts or ends with a space"
    if len(name.encode()) > longest:
        return f"is longer than {longest} bytes"
    return ""


def remedy_for(name: str) -> str:
    """Return what to do about a text that is no name, with a name that is near to it where there is one.

    Examples:
        >>> remedy_for("../x")
        "It must be a name, not a path: write 'x', for example."
    """
    kept = "".join("_" if unicodedata.category(one) in _INVISIBLE else one for one in name)
    kept = re.sub(r"^[A-Za-z]:", "", kept)
    nearest = re.sub(r"[\\/]+", "_", kept).strip(" ._").encode()[:LONGEST].decode(errors="ignore")
    if not nearest or fault_of(nearest):
        return "It must be a name: a word without '/', '\\' and control characters."
    return f"It must be a name, not a path: write {nearest!r}, for example."


def unusable_names(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a config writes into paths and tables as a name and is none.

    Args:
        config: any part of a config with its defaults, such as its conditions and analysis alone.
    """
    stated: list[tuple[str, object]] = [("run", config["run"])] if "run" in config else []
    for section in ("models", "datasets", "conditions"):
        stated += [(f"{section}.{name}", name) for name in config.get(section, ())]
    for name, model in config.get("models", {}).items():
        stated += [(f"models.{name}.{key}", model[key]) for key in ("family", "scale")]
    analysis = config["analysis"]
    for section in ("margins", "comparisons", "ranges"):
        stated += [(f"analysis.{section}.{name}", name) for name in analysis.get(section, ())]
    for place, name in stated:
        if not isinstance(name, str):
            # YAML reads 1 and no as a number and a truth value.
            yield f"{place}: {name!r} is a {type(name).__name__}; needed: a name, in quotes"
        elif fault := fault_of(name):
            yield f"{place}: {name!r} {fault}. {remedy_for(name)}"
