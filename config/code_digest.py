"""Digest of what a function computes, so that a stored result can tell whether it is of the present code.

The digest is taken of the function's syntax tree and of everything that the function reaches by name: the functions,
classes and constants that it uses, those that they use, and so on, wherever in the project they are defined. What is
not reached does not enter, so command lines, files and paths stay out by themselves. Other packages enter by the
dotted names that are used of them.

What does not change a result does not change the digest:

- comments, docstrings, annotations, formatting, and the messages of exceptions and assertions;
- names of local variables and of parameters that nothing passes by keyword;
- names of functions, classes and constants of a module, the module and folder that they are in, and their order there.

What may change a result changes the digest: constants, operators, calls, default values, the order of statements,
names of attributes and methods, names of parameters that are passed by keyword, fields of a dataclass.

Two things that a reader might expect are not seen: a definition that is found by other means than its name (through
``globals()``, say), and the versions of other packages, which ``uv.lock`` fixes.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from config.sources import ROOMS, file_of

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# Nodes that bind the name that they carry; some patterns and handlers carry none.
NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler, ast.MatchAs, ast.MatchStar)
IMPORTS = (ast.Import, ast.ImportFrom)

# Fields of syntax nodes that say nothing of what is computed.
SILENT = ("annotation", "returns", "ctx", "kind", "type_comment", "type_params")

# Annotations of a class body that a dataclass acts on.
ACTING = ("ClassVar", "InitVar", "KW_ONLY")


@cache
def code_digest(entry: str) -> str:
    """Return a digest of what a function computes, with everything of the project that it reaches.

    Args:
        entry: module and name of the function, such as ``analysis.error_rates.rates:measure``.

    Returns:
        16 hexadecimal digits.

    Raises:
        ValueError: where a name cannot be resolved, or a module of the project is used as a value.
    """
    module, _, name = entry.partition(":")
    keywords: frozenset[str] = frozenset()
    # What is passed by keyword is known when everything that is reached has been seen once.
    for _ in range(2):
        reached = _Reached(keywords)
        text = reached.serialise(module, name)
        keywords = frozenset(reached.passed)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class _Module:
    """The top level of a module.

    Attributes:
        bindings: name → the statements that bind it, in order.
        imports: name → the dotted name that it is imported from.
        effects: statements that bind no name, and are no import.
    """

    bindings: Mapping[str, tuple[ast.stmt, ...]]
    imports: Mapping[str, str]
    effects: tuple[ast.stmt, ...]


@cache
def _module(name: str) -> _Module:
    path = file_of(name)
    if path is None:
        raise ValueError(f"code_digest: there is no module {name}.")
    bindings: dict[str, tuple[ast.stmt, ...]] = {}
    imports: dict[str, str] = {}
    effects: list[ast.stmt] = []
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        origins = dict(_origins([statement]))
        imports |= origins
        names = [bound for bound in _bound([statement]) if bound not in origins]
        for bound in names:
            bindings[bound] = (*bindings.get(bound, ()), statement)
        if not names and not origins and not _is_silent(statement) and not _is_script(statement):
            effects.append(statement)
    return _Module(bindings, imports, tuple(effects))


def _is_module(name: str) -> bool:
    return name in ROOMS or file_of(name) is not None


def _is_silent(statement: ast.AST) -> bool:
    """Whether a statement does nothing: a docstring, ``...``, ``pass``, an import (its use is what counts)."""
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, (ast.Pass, ast.Global, ast.Nonlocal, *IMPORTS))


def _is_script(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test).startswith("__name__ ==")


def _within(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of one scope, functions, classes and comprehensions that they hold included, but not entered."""
    for node in nodes:
        yield node
        if not isinstance(node, (*FUNCTIONS, *COMPREHENSIONS, ast.ClassDef)):
            yield from _within(ast.iter_child_nodes(node))


def _bound(nodes: Iterable[ast.AST]) -> list[str]:
    """The names that are bound in one scope, in order of first appearance."""
    names: dict[str, None] = {}
    elsewhere: set[str] = set()
    for node in _within(nodes):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names[node.id] = None
        elif isinstance(node, NAMED) and node.name:
            names[node.name] = None
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names[node.rest] = None
        elif isinstance(node, COMPREHENSIONS):
            # `:=` binds in the scope around the comprehension.
            walked = (one.target for one in ast.walk(node) if isinstance(one, ast.NamedExpr))
            names |= {target.id: None for target in walked}
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            elsewhere |= set(node.names)
        elif isinstance(node, IMPORTS):
            names |= dict.fromkeys(dict(_origins([node])))
    return [name for name in names if name not in elsewhere]


def _origins(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """What one scope imports: the name that it is bound to, and the dotted name of what it is."""
    for node in _within(nodes):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname, alias.name) if alias.asname else (alias.name.split(".")[0],) * 2
        elif isinstance(node, ast.ImportFrom):
            if node.level or any(alias.name == "*" for alias in node.names):
                raise ValueError(f"code_digest: cannot follow “{ast.unparse(node)}”.")
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


@dataclass(frozen=True)
class _Scope:
    """Names of a function, a comprehension or a class body, with what each is written as; None before its first use."""

    names: dict[str, str | None]
    is_class: bool = False


class _Reached:
    """Definitions in the order in which they are reached, and their syntax trees as text.

    Attributes:
        keywords: names that are passed by keyword somewhere; parameters of these names keep them.
        passed: the same, as it is found on the way.
        numbers: (module, name) → the number that stands for it.
    """

    def __init__(self, keywords: frozenset[str]) -> None:
        self.keywords = keywords
        self.passed: set[str] = set()
        self.numbers: dict[tuple[str, str], int] = {}
        self._lines: list[str] = []
        self._scopes: list[_Scope] = []
        self._module = ""
        self._locals = 0

    def serialise(self, module: str, name: str) -> str:
        """Return the text of a definition and of all that it reaches."""
        if name not in _module(module).bindings:
            raise ValueError(f"code_digest: {module} has no {name}.")
        self._put("global", self._number(module, name))
        # Grows while it is gone through: a definition is added where it is first named.
        done = 0
        while done < len(self.numbers):
            module, name = list(self.numbers)[done]
            self._module = module
            statements = _module(module).bindings[name] if name else _module(module).effects
            self._put("definition", done)
            for statement in statements:
                self._locals = 0
                self._write(statement)
            done += 1
        return "\n".join(self._lines)

    def _put(self, *words: object) -> None:
        self._lines.append(" ".join(map(str, words)))

    def _number(self, module: str, name: str) -> int:
        if (module, name) not in self.numbers:
            # A module that is reached runs as a whole: what it does beside binding names comes first.
            if _module(module).effects and name and (module, "") not in self.numbers:
                self._number(module, "")
            self.numbers[module, name] = len(self.numbers)
        return self.numbers[module, name]

    # Names

    def _word(self, name: str) -> str:
        """What a name is written as: its place where it is ours, its dotted name where it is not."""
        for depth, scope in enumerate(reversed(self._scopes)):
            # A class body's names are not seen from the functions in it.
            if name in scope.names and not (scope.is_class and depth):
                word = scope.names[name]
                if word is None:
                    word = scope.names[name] = f"local {self._locals}"
                    self._locals += 1
                return word
        top = _module(self._module)
        if name in top.bindings:
            return f"global {self._number(self._module, name)}"
        if name in top.imports:
            return self._imported(top.imports[name])
        if hasattr(builtins, name) or name in ("__name__", "__file__"):
            return f"builtin {name}"
        raise ValueError(f"code_digest: {self._module} uses {name}, which it neither binds nor imports.")

    def _imported(self, origin: str) -> str:
        """What the thing of a dotted name is written as."""
        if origin.split(".")[0] not in ROOMS:
            return f"external {origin}"
        if _is_module(origin):
            raise ValueError(f"code_digest: {self._module} uses the module {origin} itself as a value.")
        module, _, name = origin.rpartition(".")
        found = _module(module)
        if name in found.bindings:
            return f"global {self._number(module, name)}"
        if name in found.imports:
            return self._imported(found.imports[name])
        raise ValueError(f"code_digest: {module} has no {name}, which {self._module} imports.")

    def _module_of(self, node: ast.AST) -> str | None:
        """The module of the project that an expression stands for; None for anything else."""
        if isinstance(node, ast.Name) and not any(node.id in scope.names for scope in self._scopes):
            origin = _module(self._module).imports.get(node.id, "")
            return origin if _is_module(origin) else None
        if isinstance(node, ast.Attribute) and (package := self._module_of(node.value)):
            module = f"{package}.{node.attr}"
            return module if _is_module(module) else None
        return None

    # Syntax

    def _write(self, node: object) -> None:
        if isinstance(node, list):
            self._put("[")
            for one in node:
                if not (isinstance(one, ast.AST) and _is_silent(one)):
                    self._write(one)
            self._put("]")
        elif not isinstance(node, ast.AST):
            self._put(repr(node))
        elif isinstance(node, ast.Name):
            self._put(self._word(node.id))
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, str) and node.value.isidentifier():
                self.passed.add(node.value)
            self._put(type(node.value).__name__, repr(node.value))
        elif isinstance(node, ast.Attribute) and (module := self._module_of(node.value)):
            self._put(self._imported(f"{module}.{node.attr}"))
        elif isinstance(node, FUNCTIONS):
            self._write_function(node)
        elif isinstance(node, ast.ClassDef):
            self._write_class(node)
        elif isinstance(node, COMPREHENSIONS):
            self._write_comprehension(node)
        elif isinstance(node, ast.AnnAssign):
            self._write_annotated(node)
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            self._write_fields(ast.Raise(exc=node.exc.func, cause=node.cause))
        elif isinstance(node, ast.Assert):
            self._write_fields(ast.Assert(test=node.test))
        elif not _is_silent(node):
            self._write_fields(node)

    def _write_fields(self, node: ast.AST) -> None:
        self._put("(", type(node).__name__)
        for name, value in ast.iter_fields(node):
            if name in SILENT or value is None or value == []:
                continue
            self._put(name)
            if isinstance(node, ast.keyword) and name == "arg":
                self.passed.add(value)
            # Handlers and patterns bind a name that is no node.
            binds = isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and name == "name"
            if binds or (isinstance(node, ast.MatchMapping) and name == "rest"):
                self._put(self._word(value))
            else:
                self._write(value)
        self._put(")")

    def _write_function(self, node: Function) -> None:
        self._put("(", type(node).__name__)
        if not isinstance(node, ast.Lambda):
            self._put(self._word(node.name))
            self._write(node.decorator_list)
        # Default values belong to the scope around the function.
        self._write(node.args.defaults)
        self._write(node.args.kw_defaults)
        body = node.body if isinstance(node.body, list) else [node.body]
        parameters = [one for one in ast.walk(node.args) if isinstance(one, ast.arg)]
        imported = {name: self._imported(origin) for name, origin in _origins(body)}
        self._scopes.append(_Scope(dict.fromkeys([one.arg for one in parameters] + _bound(body)) | imported))
        for kind, value in ast.iter_fields(node.args):
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, ast.arg):
                    kept = kind in ("args", "kwonlyargs") and one.arg in self.keywords
                    self._put(kind, self._word(one.arg), one.arg if kept else "")
        self._write(body)
        self._scopes.pop()
        self._put(")")

    def _write_class(self, node: ast.ClassDef) -> None:
        self._put("(", "ClassDef", self._word(node.name))
        for outside in (node.decorator_list, node.bases, node.keywords):
            self._write(outside)
        names: dict[str, str | None] = {name: f"attribute {name}" for name in _bound(node.body)}
        self._scopes.append(_Scope(names, is_class=True))
        self._write(node.body)
        self._scopes.pop()
        self._put(")")

    def _write_comprehension(self, node: Comprehension) -> None:
        self._put("(", type(node).__name__)
        # The first iterable belongs to the scope around the comprehension.
        self._write(node.generators[0].iter)
        targets = [name for one in node.generators for name in _bound([one.target])]
        self._scopes.append(_Scope(dict.fromkeys(targets)))
        for place, generator in enumerate(node.generators):
            self._put("for", generator.is_async)
            if place:
                self._write(generator.iter)
            self._write(generator.target)
            self._write(generator.ifs)
        for name in ("key", "value", "elt"):
            if hasattr(node, name):
                self._write(getattr(node, name))
        self._scopes.pop()
        self._put(")")

    def _write_annotated(self, node: ast.AnnAssign) -> None:
        if self._scopes and self._scopes[-1].is_class:
            # A field of a dataclass; one without a value is a field too.
            acting = [word for word in ACTING if word in ast.unparse(node.annotation)]
            self._put("field", *acting)
            self._write(node.target)
            self._write([] if node.value is None else [node.value])
        elif node.value is not None:
            self._write_fields(ast.Assign(targets=[node.target], value=node.value))
