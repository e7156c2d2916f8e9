"""Which source files a module is made of, so that a rule can name them as inputs.

Snakemake reruns a job when its inputs change, but it sees only a rule's shell text, not the modules that the text
calls. Listing by hand goes stale; this reads the imports.
"""

import ast
from functools import cache
from pathlib import Path

from config.layout import ROOT

ROOMS = ("analysis", "config", "extract", "reports")


@cache
def sources(module: str) -> tuple[str, ...]:
    """Return the project's source files that ``module`` imports, directly or not, itself included.

    Args:
        module: dotted name, such as ``extract.run``.

    Returns:
        Paths relative to the checkout, sorted.
    """
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = file_of(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += _imported(name, path)
    return tuple(sorted(path.relative_to(ROOT).as_posix() for path in found.values()))


def file_of(module: str) -> Path | None:
    """Return the file of a module of the project; None where the name is of none, or of another package's."""
    if module.split(".")[0] not in ROOMS:
        return None
    stem = ROOT.joinpath(*module.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return path
    return None


def _imported(name: str, path: Path) -> list[str]:
    names = [name.rpartition(".")[0]]  # importing a module runs its package first
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names
