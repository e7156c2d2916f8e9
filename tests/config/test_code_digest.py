"""The digest of a computation: what changes a result changes it, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.code_digest import _module, code_digest

RATES = '''"""Rates."""

from __future__ import annotations

import numpy as np

from analysis.engine import SCALE, Side, total
from config.files import write


def measure(number: int, sides: list[float]) -> float:
    """Measure."""
    sums = [total(Side.of(side), start=1) for side in sides]
    scaled = SCALE * np.sum(sums)  # scaled once
    shifted = scaled + number
    if shifted < 0:
        raise ValueError(f"measure: {number} is too small.")
    return max(shifted, key=lambda value: value - scaled)


def main() -> None:
    write(measure(1, []))
'''

ENGINE = '''"""Engine."""

from __future__ import annotations

from dataclasses import dataclass

SCALE = 2.0
UNUSED = 3


@dataclass(frozen=True)
class Side:
    """Side."""

    left: float
    right: float = 0.5

    @classmethod
    def of(cls, left: float) -> Side:
        """Side."""
        return cls(left)

    def width(self) -> float:
        """Width."""
        return self.right - self.left


def total(side: Side, weight: float = 1.0, *, start: int) -> float:
    """Total."""
    width = side.width()
    def inner(times):
        nonlocal width
        width += times
        return width
    return start + weight * inner(side.left)
'''

FILES = "def write(value):\n    print(value)\n"


@pytest.fixture
def digest_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Digest of an entry of a small project, with files of it replaced."""
    monkeypatch.setattr("config.sources.ROOT", tmp_path)
    usual = {"analysis/rates.py": RATES, "analysis/engine.py": ENGINE, "config/files.py": FILES}

    def digest(entry: str = "analysis.rates:measure", **changed: str) -> str:
        files = usual | {f"{name.replace('__', '/')}.py": text for name, text in changed.items()}
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        _module.cache_clear()
        code_digest.cache_clear()
        return code_digest(entry)

    yield digest
    _module.cache_clear()
    code_digest.cache_clear()


def edited(text: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    "edits",
    [
        pytest.param([('"""Measure."""', '"""Compute."""')], id="docstring"),
        pytest.param([('    """Measure."""\n', "")], id="no docstring"),
        pytest.param([("  # scaled once", "")], id="comment"),
        pytest.param([("list[float]) -> float", "tuple[int, ...]) -> object")], id="annotation of a function"),
        pytest.param([("scaled = SCALE", "scaled: float = SCALE")], id="annotation of a local variable"),
        pytest.param([("shifted = scaled + number", "shifted = (\n        scaled + number\n    )")], id="layout"),
        pytest.param([("scaled", "shrunk")], id="local variable"),
        pytest.param([("scaled", "x"), ("shifted", "scaled")], id="two local variables"),
        pytest.param([("number", "place")], id="argument that is passed by position"),
        pytest.param([("lambda value: value", "lambda x: x")], id="argument of a lambda"),
        pytest.param([("of(side), start=1) for side in", "of(one), start=1) for one in")], id="comprehension"),
        pytest.param([("is too small", "is below 0")], id="message of an exception"),
        pytest.param([("import numpy as np", "import numpy"), ("np.sum", "numpy.sum")], id="alias of an import"),
        pytest.param([("measure(1, [])", "measure(2, [])")], id="command line"),
    ],
)  # fmt: skip
def test_kept_by_what_computes_the_same(digest_of: Callable[..., str], edits: list[tuple[str, str]]) -> None:
    assert digest_of(analysis__rates=edited(RATES, *edits)) == digest_of()


@pytest.mark.parametrize(
    "edits",
    [
        pytest.param([("< 0", "< 1")], id="constant"),
        pytest.param([("SCALE * np.sum", "SCALE + np.sum")], id="operator"),
        pytest.param([("np.sum", "np.max")], id="function of another package"),
        pytest.param([("start=1", "start=2")], id="value of an argument"),
        pytest.param([("total(Side.of(side), ", "total(Side.of(side), 2.0, ")], id="one argument more"),
        pytest.param([("lambda value: value - scaled", "lambda value: scaled - value")], id="order of operands"),
        pytest.param([("scaled + number", "scaled + shifted")], id="another variable"),
        pytest.param([("raise ValueError", "raise KeyError")], id="kind of an exception"),
        pytest.param([("number: int, sides", "sides, number")], id="order of arguments"),
        pytest.param([("SCALE", "UNUSED")], id="another constant"),
    ],
)  # fmt: skip
def test_changed_by_what_computes_something_else(digest_of: Callable[..., str], edits: list[tuple[str, str]]) -> None:
    assert digest_of(analysis__rates=edited(RATES, *edits)) != digest_of()


@pytest.mark.parametrize(
    ("edits", "same"),
    [
        pytest.param([("SCALE = 2.0", "SCALE = 2")], False, id="type of a constant"),
        pytest.param([("weight: float = 1.0", "weight: float = 2.0")], False, id="default value"),
        pytest.param([("right: float = 0.5", "right: float = 0.4")], False, id="default of a field"),
        pytest.param([("self.right - self.left", "self.left - self.right")], False, id="method"),
        pytest.param([("left: float\n", "left: ClassVar[float]\n")], False, id="field that is none"),
        pytest.param([("frozen=True", "frozen=True, eq=False")], False, id="decorator"),
        pytest.param([("UNUSED = 3", "UNUSED = 4")], True, id="constant that is not reached"),
        pytest.param([("left: float\n", "left: int\n")], True, id="annotation of a field"),
        pytest.param([("times", "by")], True, id="argument of an inner function"),
        pytest.param([("width +=", "width -=")], False, id="operator of an inner function"),
        pytest.param([("weight", "factor")], True, id="argument that nothing passes by keyword"),
    ],
)
def test_follows_what_is_reached(digest_of: Callable[..., str], edits: list[tuple[str, str]], same: bool) -> None:
    assert (digest_of(analysis__engine=edited(ENGINE, *edits)) == digest_of()) is same


def test_changed_by_the_order_of_two_statements(digest_of: Callable[..., str]) -> None:
    usual = "    first = np.random.random()\n    second = np.random.normal()\n    return first - second\n"
    turned = "    second = np.random.normal()\n    first = np.random.random()\n    return first - second\n"
    text = "import numpy as np\n\n\ndef measure():\n"
    assert digest_of(analysis__rates=text + usual) != digest_of(analysis__rates=text + turned)


def test_names_that_are_passed_by_keyword_are_kept(digest_of: Callable[..., str]) -> None:
    text = "def minus({0}, {1}):\n    return {0} - {1}\n\n\ndef measure():\n    return minus({2})\n"
    assert digest_of(analysis__rates=text.format("a", "b", "a=1, b=2")) != digest_of(
        analysis__rates=text.format("b", "a", "a=1, b=2")
    )
    assert digest_of(analysis__rates=text.format("a", "b", "1, 2")) == digest_of(
        analysis__rates=text.format("b", "a", "1, 2")
    )
    # Keys of a dictionary may become keywords.
    assert digest_of(analysis__rates=text.format("a", "b", "**{'a': 1, 'b': 2}")) != digest_of(
        analysis__rates=text.format("b", "a", "**{'a': 1, 'b': 2}")
    )


def test_kept_where_a_module_moves_or_is_divided(digest_of: Callable[..., str]) -> None:
    usual = digest_of()
    moved = edited(RATES, ("analysis.engine", "extract.deep.engine"))
    assert digest_of(analysis__rates=moved, extract__deep__engine=ENGINE) == usual
    assert digest_of("reports.measured:measure", reports__measured=RATES) == usual
    # Into the module that uses it.
    one = ENGINE.replace("from __future__ import annotations\n", "") + RATES.partition("write\n")[2]
    assert digest_of(analysis__rates="import numpy as np\nfrom config.files import write\n" + one) == usual
    start, sides = ENGINE.index("@dataclass"), ENGINE.index("def total")
    divided = {
        "analysis__engine": "from analysis.sides import SCALE, Side\n\n\n" + ENGINE[sides:],
        "analysis__sides": ENGINE[:start] + ENGINE[start:sides],
    }
    assert digest_of(**divided) == usual


def test_kept_where_functions_classes_and_constants_are_renamed(digest_of: Callable[..., str]) -> None:
    usual = digest_of()
    names = [("SCALE", "FACTOR"), ("Side", "Edge"), ("total", "summed")]
    found = digest_of(
        "analysis.rates:rate",
        analysis__rates=edited(RATES, *names, ("measure(", "rate(")),
        analysis__engine=edited(ENGINE, *names),
    )
    assert found == usual


def test_a_statement_that_binds_nothing_enters_with_its_module(digest_of: Callable[..., str]) -> None:
    found = {
        digest_of(analysis__engine=ENGINE + more)
        for more in ("", "\nlist.append([], SCALE)\n", "\nlist.append([], UNUSED)\n")
    }
    assert len(found) == 3
    script = '\nif __name__ == "__main__":\n    print(1)\n'
    assert digest_of(analysis__engine=ENGINE + script) == digest_of()


def test_shadowed_names_are_kept_apart(digest_of: Callable[..., str]) -> None:
    text = "x = 1\n\n\ndef measure(y):\n    return [{0} for x in [x, y] if x], x\n"
    assert digest_of(analysis__rates=text.format("x")) != digest_of(analysis__rates=text.format("y"))
    inner = text.format("x").replace("[x for x in [x, y] if x]", "[z for z in [x, y] if z]")
    assert digest_of(analysis__rates=inner) == digest_of(analysis__rates=text.format("x"))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("def measure():\n    return nowhere\n", "neither binds nor imports"),
        (
            "from analysis import engine\n\n\ndef measure():\n    return print(engine)\n",
            "module analysis.engine itself",
        ),
        ("from analysis.engine import missing\n\n\ndef measure():\n    return missing\n", "has no missing"),
        ("from analysis.engine import *\n\n\ndef measure():\n    return SCALE\n", "cannot follow"),
    ],
)
def test_what_cannot_be_followed_is_refused(digest_of: Callable[..., str], text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        digest_of(analysis__rates=text)


def test_an_entry_that_does_not_exist_is_refused(digest_of: Callable[..., str]) -> None:
    with pytest.raises(ValueError, match="has no nothing"):
        digest_of("analysis.rates:nothing")
    with pytest.raises(ValueError, match=r"no module analysis\.none"):
        digest_of("analysis.none:measure")


def test_modules_are_followed_by_their_dotted_names(digest_of: Callable[..., str]) -> None:
    text = "import analysis.engine{0}\n\n\ndef measure():\n    return {1}.total({1}.Side.of(1.0), start=1)\n"
    whole = digest_of(analysis__rates=text.format("", "analysis.engine"))
    assert digest_of(analysis__rates=text.format(" as engine", "engine")) == whole
    changed = edited(ENGINE, ("1.0", "2.0"))
    assert digest_of(analysis__rates=text.format("", "analysis.engine"), analysis__engine=changed) != whole
