"""Which source files a module is made of, so that a rule can name them as inputs.

Snakemake reruns a job when its inputs change, but it sees only a rule's shell text, not the modules that the text
calls. Listing by hand goes stale; this reads the imports.
"""

import ast
import hashlib
import re
from functools import cache
from pathlib import Path

from config.layout import ROOT

ROOMS = ("analysis", "config", "extract", "reports")
# An import statement, at the start of a line or indented; a syntax tree would take ten times as long in every dry run.
IMPORT = re.compile(
    r"^[ \t]*(?:from (?P<module>[\w.]+) )?import (?P<names>[\w., ]+|\([\w., \n]+\))(?: *#.*)?$", re.MULTILINE
)
# Declares a column of a table; its first argument says what the column means.
COLUMN = "column"


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


@cache
def code_of(module: str) -> str:
    """Return a digest of the code of a module and of everything that it imports.

    A rule that has it among its params is run again when the code changes. What is written for readers does not
    change it: comments, docstrings, formatting, and what the columns of tables mean (`analysis.rows.schema.column`).

    Args:
        module: dotted name, such as ``analysis.jobs.tables``.

    Returns:
        16 hexadecimal digits.
    """
    found = hashlib.blake2b(digest_size=8)
    for source in sources(module):
        found.update(f"{source}\0{_code(ROOT / source)}\0".encode())
    return found.hexdigest()


@cache
def _code(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    _strip(tree)
    return ast.dump(tree)


def _strip(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Remove what is written for readers from a definition and from those that it holds."""
    if ast.get_docstring(node, clean=False) is not None:
        del node.body[0]
    for statement in node.body:
        if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            _strip(statement)
        elif isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.Call):
            declared = statement.value
            if isinstance(declared.func, ast.Name) and declared.func.id == COLUMN:
                del declared.args[:1]


@cache
def _imported(name: str, path: Path) -> tuple[str, ...]:
    names = [name.rpartition(".")[0]]  # importing a module runs its package first
    for line in IMPORT.finditer(path.read_text(encoding="utf-8")):
        module, listed = line["module"], re.findall(r"(\w+)(?: as \w+)?", line["names"])
        names += [module, *(f"{module}.{one}" for one in listed)] if module else line["names"].split(", ")
    return tuple(names)
