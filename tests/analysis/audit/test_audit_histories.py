"""Histories of numbers and descriptions: read whole or refused, and told where they did not change together."""

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest

from analysis.audit.histories import load_histories
from analysis.audit.kinds import KINDS, Case, Finding, NumberTerm, Verdict
from analysis.audit.published import PublishedNumbers, load_published
from analysis.audit.verdicts import audit
from config.errors import InputError

ROOT = Path(__file__).parents[3]
FOLDER, EXAMPLE = ROOT / "analysis" / "published", ROOT / "docs" / "examples" / "invented_article"
HEADER = "id,version,version_time,value,status\n"
DESCRIBED = "id,version,version_time,statement,status\n"
TABLES = "id,value,unit,qualifier\nt1,78.50,%,\n"


def folder_with(folder: Path, numbers: str, descriptions: str = "") -> Path:
    (folder / "tables.csv").write_text(TABLES, encoding="utf-8")
    (folder / "versions.csv").write_text(HEADER + numbers, encoding="utf-8")
    if descriptions:
        (folder / "methods_versions.csv").write_text(DESCRIBED + descriptions, encoding="utf-8")
    return folder


def revision(published: PublishedNumbers, **parts: list[str]) -> Finding:
    terms = {role: tuple(NumberTerm((published[key],)) for key in keys) for role, keys in parts.items()}
    return KINDS["revision"].evaluate(Case(None, terms))


def test_every_row_of_both_files_is_a_revision() -> None:
    histories = load_histories(FOLDER)
    for prefix, name in (("versions", "versions.csv"), ("methods", "methods_versions.csv")):
        with (FOLDER / name).open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        found = [h for key, h in histories.items() if key.startswith(f"{prefix}:")]
        assert sum(len(history.revisions) for history in found) == len(rows)
        for history in found:
            times = [revision.time for revision in history.revisions]
            assert times == sorted(times), history.id


def test_what_versions_printed_is_found_but_not_counted() -> None:
    numbers = load_published(FOLDER)
    assert "versions:geometry.erank.dinov2" not in list(numbers)
    assert numbers["versions:geometry.erank.dinov2@80b54d0"].quantity.text == "14.1"
    assert numbers.find("versions:geometry.erank.dinov2", "claim 'c'").quantity.text == "13.5"
    assert numbers["methods:claim.title"].quantity.value == 2
    with pytest.raises(InputError, match=re.escape("versions:geometry.erank.dinov2")):
        numbers.find("versions:geometry.erank.dinov22", "claim 'c'")


def test_the_ends_of_intervals_and_the_number_of_units_are_found() -> None:
    numbers = load_published(EXAMPLE)
    bar = "fig/bars//Alpha//change of naming, masked/"
    assert [numbers[f"{bar}#{end}"].quantity.value for end in ("low", "high")] == [-30, -25]
    published = load_published(FOLDER)
    with (FOLDER / "figures.csv").open(encoding="utf-8", newline="") as stream:
        bars = sum(bool(row["err_low"]) for row in csv.DictReader(stream))
    assert sum(key.startswith("fig/") and key.endswith("#low") for key in published.attached) == bars == 160
    cls = "json/layer_sweep/DINOv3/11/cls/full/classification/top1_accuracy#n"
    assert (published[cls].quantity.value, published[cls].unit) == (Decimal(10_000), "images")


def test_numbers_and_description_that_changed_together_are_no_finding(tmp_path: Path) -> None:
    rows = "{0},v1 a,2025-01,{1},first\n{0},v2 b,2025-02,{2},changed\n"
    folder_with(tmp_path, rows.format("n", "4.2", "4.0"), rows.format("m", "A sum.", "A mean."))
    found = revision(load_published(tmp_path), numbers=["versions:n"], descriptions=["methods:m"])
    assert found.verdict is Verdict.CONSISTENT
    assert "“4.2” (v1 a), then “4.0” (v2 b)" in found.why


@pytest.mark.parametrize(
    ("numbers", "descriptions", "told"),
    [
        (
            "n,v1 a,2025-01,4.2,first\nn,v2 b,2025-02,4.0,changed\n",
            "m,v1 a,2025-01,A sum.,first\n",
            "The numbers changed in v2 b while the description did not.",
        ),
        (
            "n,v1 a,2025-01,4.2,first\n",
            "m,v1 a,2025-01,A sum.,first\nm,v2 b,2025-02,A mean.,changed\n",
            "The description changed in v2 b while the numbers did not.",
        ),
    ],
)
def test_one_that_changed_alone_is_told_and_accuses_nobody(
    tmp_path: Path, numbers: str, descriptions: str, told: str
) -> None:
    folder_with(tmp_path, numbers, descriptions)
    found = revision(load_published(tmp_path), numbers=["versions:n"], descriptions=["methods:m"])
    assert found.verdict is Verdict.REVISED and not found.verdict.fails
    assert told in found.why


def test_a_file_that_stayed_behind_is_told(tmp_path: Path) -> None:
    text = "text,v1 a,2025-01,50.1,first\ntext,v2 b,2025-02,50.5,changed\n"
    folder_with(tmp_path, text + "file,v1 a,2025-01,50.1,first\nlater,v3 c,2025-03,50.5,first\n")
    numbers = load_published(tmp_path)
    found = revision(numbers, numbers=["versions:text", "versions:file"])
    assert found.verdict is Verdict.REVISED and "file stayed as it was in v1 a." in found.why
    assert revision(numbers, numbers=["versions:text", "versions:later"]).verdict is Verdict.CONSISTENT


def test_a_disagreement_that_an_older_version_explains_is_no_accusation() -> None:
    (item,) = (item for item in audit(EXAMPLE) if item.claim.id == "older-accuracy")
    assert item.as_worded is Verdict.CONTRADICTED
    assert item.verdict is Verdict.REVISED and not item.fails
    assert "the draft of 2025-01-07" in item.why


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("n,v1 a,2025-01,4.2,fisrt\n", "line 2: status 'fisrt' is not known; allowed: first, changed, removed"),
        ("n,v2 b,2025-02,4.2,changed\n", "line 2: 'n' is changed before it is first printed"),
    ],
)
def test_faulty_histories_are_refused(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        load_published(folder_with(tmp_path, rows))


def test_a_history_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "versions.csv").write_text("id,valeu,version,version_time,status\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"column 'value' is missing.*did you mean 'valeu'"):
        load_histories(tmp_path)
