"""The audit as a command: columns, determinism, fairness between readings, errors."""

import csv
import io
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from analysis.audit.claims import load_claims
from analysis.audit.errors import AuditInputError
from analysis.audit.kinds import Verdict
from analysis.audit.published import load_published
from analysis.audit.run import COLUMNS, Judged, audit, claims_csv, main, summary_csv

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "analysis" / "published"
TABLES = """id,value,unit,qualifier
full,69.1,%,
shuffle,68.5,%,
zero,64.3,%,
margin,1,pp,~
change,-4.8,pp,
count,4,count,
"""


@pytest.fixture(scope="module")
def judged() -> tuple[Judged, ...]:
    return audit(FOLDER)


def by_id(judged: tuple[Judged, ...]) -> dict[str, Judged]:
    return {item.claim.id: item for item in judged}


def article(folder: Path, *claims: Mapping[str, object]) -> Path:
    """A small second article: numbers and claims of the same shape."""
    (folder / "tables.csv").write_text(TABLES, encoding="utf-8")
    (folder / "claims.yaml").write_text(
        yaml.safe_dump([{"place": "table", "claim": "A claim.", **claim} for claim in claims]),
        encoding="utf-8",
    )
    return folder


def test_the_files_have_their_columns_and_one_row_per_claim(judged: tuple[Judged, ...]) -> None:
    rows = list(csv.DictReader(io.StringIO(claims_csv(judged))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["id"] for row in rows] == [claim.id for claim in load_claims(FOLDER)]
    assert all(row["why"] for row in rows)
    numbers = load_published(FOLDER)
    assert all(key in numbers for row in rows for key in row["numbers"].split(";") if key)
    summary = list(csv.DictReader(io.StringIO(summary_csv(judged))))
    assert sum(int(row["claims"]) for row in summary) == len(rows)


def test_deleting_the_verdicts_and_running_again_restores_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "analysis.audit", str(FOLDER), "--out", str(tmp_path)]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {"claims.csv", "summary.csv"}
    (tmp_path / "claims.csv").unlink()
    assert main([str(FOLDER), "--out", str(tmp_path)]) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert "claims: " in first.stdout


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        # Recomputed by hand from the rows of the article's tables.
        ("b-v3-zero-cls-correspondence", Verdict.CONSISTENT),  # 79.5 - 77.1 = +2.4
        ("rank-36-percent", Verdict.CONSISTENT),  # 1 - 8.7 / 13.5 = 35.6 %
        ("intro-within-1pp", Verdict.CONSISTENT),  # largest: |68.5 - 69.1| = 0.6
        ("js-gap", Verdict.CONSISTENT),  # 0.177 / 0.000747 = 237, near 250
        ("random-patches-s", Verdict.ROUNDING),  # 1.002, stated as at most 1
        ("random-patches-b", Verdict.CONTRADICTED),  # 2.284
        ("sum-v3-curve", Verdict.SOURCES_DISAGREE),  # 56.86 - 61.96 = -5.10, stated -7.0
        ("b-p-080", Verdict.UNSUPPORTED),
        ("patch-cosine-range", Verdict.NOT_CHECKABLE),
    ],
)
def test_verdicts_known_by_hand(judged: tuple[Judged, ...], claim: str, verdict: Verdict) -> None:
    assert by_id(judged)[claim].finding.verdict is verdict


def test_no_change_of_the_vit_b_table_is_contradicted(judged: tuple[Judged, ...]) -> None:
    table = [item for item in judged if item.claim.place == "ViT-B table"]
    deltas = [item for item in table if item.claim.id.startswith("b-v") and item.claim.kind == "delta"]
    arithmetic = [item for item in deltas if not item.claim.id.endswith("-figure")]
    assert len(arithmetic) == 20
    assert {item.finding.verdict for item in arithmetic} == {Verdict.CONSISTENT}


def test_the_most_favourable_reading_is_judged_and_the_other_told(tmp_path: Path) -> None:
    claim = {
        "id": "shuffle",
        "kind": "order",
        "parts": {"smaller": ["full"], "larger": ["shuffle"]},
        "other_readings": [
            {
                "reading": "within about a point",
                "kind": "bound",
                "states": "margin",
                "parts": {"values": [{"plus": ["shuffle"], "minus": ["full"]}]},
                "options": {"absolute": True, "relation": "<="},
            }
        ],
    }
    (item,) = audit(article(tmp_path, claim))
    assert item.finding.verdict is Verdict.CONSISTENT
    assert item.finding.why.startswith("Read as: within about a point.")
    assert "Other reading (as worded): contradicted." in item.finding.why


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (
            {"kind": "delta", "states": "change", "parts": {"from": ["fill"], "to": ["zero"]}},
            "claim 'c': number 'fill' .*Did you mean 'full'",
        ),
        (
            {"kind": "delta", "states": "change", "parts": {"from": ["count"], "to": ["zero"]}},
            "different units: '%' .*'count' .count.",
        ),
        (
            {"kind": "bound", "states": "margin", "parts": {"values": ["change"]}},
            "qualifier '~', which is no side of a limit",
        ),
    ],
)
def test_numbers_that_a_claim_cannot_rest_on(tmp_path: Path, claim: dict[str, object], message: str) -> None:
    with pytest.raises(AuditInputError, match=message):
        audit(article(tmp_path, {"id": "c", **claim}))


def test_faulty_input_is_a_message_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(FOLDER, source)
    (source / "claims.yaml").unlink()
    assert main([str(source), "--out", str(out)]) == 2
    assert "claims.yaml is missing" in capsys.readouterr().err
    assert not out.exists()
