"""Every published number is used, or there is one reason why not."""

from pathlib import Path

import pytest
import yaml

from analysis.audit.claims import load_claims
from analysis.audit.published import load_published
from analysis.audit.quantities import load_vocabulary
from analysis.audit.sources import sweep
from analysis.audit.summary import usage_sentence
from analysis.audit.usage import FILE, Usage, usage
from config.errors import InputError

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "analysis" / "published"


@pytest.fixture(scope="module")
def found() -> Usage:
    numbers, vocabulary = load_published(FOLDER), load_vocabulary(FOLDER)
    assert vocabulary is not None
    return usage(numbers, load_claims(FOLDER), sweep(numbers, vocabulary))


def article(folder: Path, reasons: list[dict[str, object]]) -> Usage:
    (folder / "tables.csv").write_text("id,value,unit,qualifier\nt1,1.0,%,\nt2,2.0,%,\nt3,3.0,%,\n", encoding="utf-8")
    claim = {
        "id": "c",
        "place": "p",
        "claim": "Equal.",
        "kind": "equality",
        "states": "t1",
        "parts": {"values": ["t1"]},
    }
    (folder / "claims.yaml").write_text(yaml.safe_dump([claim]), encoding="utf-8")
    (folder / FILE).write_text(yaml.safe_dump(reasons), encoding="utf-8")
    return usage(load_published(folder), load_claims(folder), [])


def test_every_published_number_is_accounted_for(found: Usage) -> None:
    assert list(found.faults()) == []
    reasoned = frozenset[str]().union(*(reason.keys for reason in found.reasons))
    assert found.by_claims | found.by_comparison | reasoned == set(found.numbers)


def test_nearly_every_number_is_used(found: Usage) -> None:
    assert found.share > 0.99


def test_the_readme_says_how_many_numbers_are_used(found: Usage) -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert usage_sentence(found).rstrip(".") in readme


def test_a_number_without_use_or_reason_is_told(tmp_path: Path) -> None:
    assert list(article(tmp_path, [{"rows": ["t2"], "reason": "a name"}]).faults()) == [
        "t3: is used by nothing; let a claim rest on it, or say why not in unused.yaml"
    ]


def test_a_number_with_two_reasons_is_told(tmp_path: Path) -> None:
    reasons: list[dict[str, object]] = [
        {"rows": ["t2-t3"], "reason": "a name"},
        {"rows": ["t3"], "reason": "another"},
    ]
    assert list(article(tmp_path, reasons).faults()) == ["t3: has two reasons, 'a name' and 'another'; keep one"]


def test_a_reason_for_a_number_that_is_used_is_told(tmp_path: Path) -> None:
    reasons: list[dict[str, object]] = [{"rows": ["t1"], "reason": "old"}, {"rows": ["t2-t3"], "reason": "a name"}]
    assert list(article(tmp_path, reasons).faults()) == ["t1: every number is used; remove the reason"]


@pytest.mark.parametrize(
    ("reasons", "message"),
    [
        ([{"rows": ["t9"], "reason": "gone"}], "rows: 't9' matches no row"),
        ([{"rows": ["t2"]}], "missing reason"),
        ([{"rows": [], "reason": "none"}], "rows: 0 given"),
    ],
)
def test_faulty_reasons_are_refused(tmp_path: Path, reasons: list[dict[str, object]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        article(tmp_path, reasons)
