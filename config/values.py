"""What a job reads from the config, as text that Snakemake can compare."""

import json
from collections.abc import Mapping
from functools import reduce
from typing import Any


def values(resolved: Mapping[str, Any], *keys: str, **read: object) -> str:
    """Return what a job reads from the config: when one of these changes, and only then, it is run again.

    As text with sorted keys, since Snakemake compares the text of params, and the order of keys is no change.

    Args:
        resolved: the resolved config.
        keys: what is read of it; a dot leads into a section.
        read: what is read by other names, or in part.

    Examples:
        >>> values({"seed": 1, "analysis": {"draws": 99, "alpha": 0.05}}, "seed", "analysis.draws", models=["a"])
        '{"analysis.draws": 99, "models": ["a"], "seed": 1}'
    """
    found = {key: reduce(lambda section, name: section[name], key.split("."), resolved) for key in keys}
    return json.dumps({**found, **read}, sort_keys=True)
