"""statements.yaml: each statement has a claim or a reason, each claim a statement, and each row named exists."""

import re
from pathlib import Path

import pytest
import yaml

from analysis.audit.claims import load_claims
from analysis.audit.published import PublishedNumbers, load_published
from analysis.audit.statements import Statements, load_statements, rows_of
from config.errors import InputError

FOLDER = Path(__file__).parents[3] / "analysis" / "published"
WORDS = {"two": "2", "three": "3", "four": "4"}
GOOD = {
    "id": "s1",
    "at": "table",
    "words": "it falls",
    "says": "It falls.",
    "kind": "order",
    "rows": [],
    "claims": ["c"],
}


@pytest.fixture(scope="module")
def article() -> Statements:
    return load_statements(FOLDER)


@pytest.fixture(scope="module")
def numbers() -> PublishedNumbers:
    return load_published(FOLDER)


def write(folder: Path, *entries: object, **more: object) -> Path:
    document = {"document": "d", "statements": list(entries), **more}
    (folder / "statements.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return folder


def test_every_statement_is_covered_or_has_a_reason(article: Statements) -> None:
    assert len(article.statements) >= 180
    for statement in article.statements:
        assert bool(statement.claims) != bool(statement.reason), statement.id


def test_nearly_every_statement_is_covered(article: Statements) -> None:
    assert article.coverage >= 0.98


def test_every_claim_belongs_to_a_statement_or_is_a_check_of_our_own(article: Statements) -> None:
    assert list(article.disagreements([claim.id for claim in load_claims(FOLDER)])) == []


def test_every_row_that_is_named_exists(article: Statements, numbers: PublishedNumbers) -> None:
    named = set().union(*(rows_of(statement, numbers) for statement in article.statements))
    tables = {key for key in numbers if re.fullmatch(r"t\d{3}", key)}
    assert tables <= named, "a printed number belongs to no statement"


def test_the_numbers_of_a_statement_are_those_of_its_rows(article: Statements, numbers: PublishedNumbers) -> None:
    compared = 0
    for statement in article.statements:
        printed = {numbers[key].row["value"].lstrip("-+") for key in rows_of(statement, numbers) if key[0] == "t"}
        for text in statement.numbers if printed else ():
            digits = re.search(r"\d[\d,]*(\.\d+)?", WORDS.get(text.lower(), text))
            assert digits and digits.group().replace(",", "") in printed, (statement.id, text)
            compared += 1
    assert compared >= 150


def test_places_are_those_of_the_printed_numbers(article: Statements, numbers: PublishedNumbers) -> None:
    known = {numbers[key].row["location"] for key in numbers if key[0] == "t"}
    others = {statement.place for statement in article.statements} - known
    assert all(place.startswith(("caption: ", "abstract of ", "citation")) for place in others), others


def test_a_claim_that_rests_on_nothing_is_named(tmp_path: Path) -> None:
    statements = load_statements(write(tmp_path, GOOD, own_checks={"own": "digits", "gone": "digits", "c": "twice"}))
    assert list(statements.disagreements(["own", "c", "lost"])) == [
        "own_checks: claim 'c' rests on a statement too; remove it from one of them",
        "own_checks: claim 'gone' is unknown",
        "claim 'lost' rests on no statement; name it in one, or in own_checks with what it checks",
    ]
    assert next(statements.disagreements(["own", "gone"])) == "statement 's1': claim 'c' is unknown"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": "one two three four five six seven"}, "statements.0.words"),
        ({"kind": "guess"}, "'guess' is not known"),
        ({"claims": []}, "name a claim, or say why there is none"),
        ({"reason": "none"}, "claims and reason: remove one of them"),
        ({"row": []}, "unknown key 'row'"),
    ],
)
def test_faulty_statements_are_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        load_statements(write(tmp_path, {**GOOD, **change}))


def test_an_identifier_is_used_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="id 's1' is used 2 times"):
        load_statements(write(tmp_path, GOOD, GOOD))


@pytest.mark.parametrize("selector", ["t177-t179", "t999", "fig/fig2_combined/*", "json/*/DINOv4/*/*/*/*/*"])
def test_a_selector_that_matches_nothing_is_refused(tmp_path: Path, numbers: PublishedNumbers, selector: str) -> None:
    (statement,) = load_statements(write(tmp_path, {**GOOD, "rows": [selector]})).statements
    with pytest.raises(InputError, match=f"statement 's1': rows: {re.escape(repr(selector))} matches no published row"):
        rows_of(statement, numbers)


def test_histories_are_looked_up_where_they_are_published(tmp_path: Path) -> None:
    (tmp_path / "tables.csv").write_text((FOLDER / "tables.csv").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "versions.csv").write_text(
        "id,version,version_time,value,status\nrank,a b,2025,4.0,first\n", encoding="utf-8"
    )
    entries = [{**GOOD, "id": "s1", "rows": ["versions:rank"]}, {**GOOD, "id": "s2", "rows": ["versions:rang"]}]
    known, unknown = load_statements(write(tmp_path, *entries)).statements
    numbers = load_published(tmp_path)
    assert rows_of(known, numbers) == {"versions:rank"}
    with pytest.raises(InputError, match="statement 's2': rows: 'versions:rang' matches no published row"):
        rows_of(unknown, numbers)
