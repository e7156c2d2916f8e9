"""The audit as a command: columns, determinism, fairness between readings, errors."""

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.audit.claims import load_claims
from analysis.audit.kinds import KINDS, Verdict
from analysis.audit.published import load_published
from analysis.audit.run import main, write_audit
from analysis.audit.verdicts import Judged, audit, defects, foremost, most_severe
from analysis.rows.audit import ClaimRow
from analysis.rows.schema import names_of
from config.errors import InputError, report_errors

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


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("audit")
    write_audit(FOLDER, out)
    return {path.name: path.read_text(encoding="utf-8") for path in out.iterdir()}


def test_the_json_has_the_readings_and_reasons_of_the_table(files: dict[str, str], judged: tuple[Judged, ...]) -> None:
    table = rows(files["claims.csv"])
    claims = json.loads(files["claims.json"])
    assert [claim["id"] for claim in claims] == [row["id"] for row in table]
    for claim, row, item in zip(claims, table, judged, strict=True):
        assert (claim["verdict"], claim["holds_if"]) == (row["verdict"], row["holds_if"])
        decides = claim["readings"][claim["decides"]]
        assert [decides[name] for name in ("reading", "severity", "published", "tolerance")] == [
            row[name] for name in ("reading", "severity", "published", "tolerance")
        ]
        assert claim["readings"][0]["verdict"] == row["as_worded"]
        assert [reading["reading"] for reading in claim["readings"]] == [r.wording for r in item.claim.readings]
        cited = {key for part in parts(claim) if isinstance(part, dict) for key in part["numbers"]}
        assert cited <= set(claim["numbers"]) == set(filter(None, row["numbers"].split(";")))
        for sentence in decides["why"]:
            written = "".join(p if isinstance(p, str) else f" [{', '.join(p['numbers'])}]" for p in sentence)
            assert written in row["why"]
        assert claim["note"] in row["why"]
    assert any(isinstance(part, dict) for claim in claims for part in parts(claim))


def parts(claim: Mapping[str, Any]) -> list[Any]:
    """Texts and citations of all reasons of a claim."""
    return [part for reading in claim["readings"] for sentence in reading["why"] for part in sentence]


def test_the_claims_table_has_its_columns_and_one_row_per_claim(files: dict[str, str]) -> None:
    table = rows(files["claims.csv"])
    assert tuple(table[0]) == names_of(ClaimRow)
    assert [row["id"] for row in table] == [claim.id for claim in load_claims(FOLDER)]
    assert all(row["why"] for row in table)
    numbers = load_published(FOLDER)
    assert all(key in numbers for row in table for key in row["numbers"].split(";") if key)


def test_a_wrong_value_and_a_changed_conclusion_are_separate_flags(files: dict[str, str]) -> None:
    table = rows(files["claims.csv"])
    assert {row["severity"] for row in table if row["conclusion"] == "changes"} == {"conclusion"}
    assert {row["severity"] for row in table if row["value"] == "off" and not row["conclusion"]} == {"number"}
    assert any(row["value"] == "off" and not row["conclusion"] for row in table)


def test_sections_count_every_claim_once(files: dict[str, str]) -> None:
    sections, table = rows(files["summary.csv"]), rows(files["claims.csv"])
    assert sum(int(row["claims"]) for row in sections) == len(table)
    for row in sections:
        assert sum(int(row[s]) for s in ("none", "rounding", "number", "conclusion")) == int(row["claims"])


def test_the_summary_lists_every_finding_of_severity_number_or_above_once(files: dict[str, str]) -> None:
    failing = {"contradicted", "sources disagree", "unsupported"}
    wanted = [
        row["id"]
        for row in rows(files["claims.csv"])
        if row["severity"] in ("number", "conclusion") and row["verdict"] in failing
    ]
    lines = [line for line in files["summary.md"].splitlines() if line.startswith("- **")]
    assert sorted(line.split("**")[1] for line in lines) == sorted(wanted)
    assert len(wanted) > 20
    assert all(any(letter.isdigit() for letter in line.split(" · ", 3)[3]) for line in lines)


def test_every_finding_has_the_points_that_it_rests_on(files: dict[str, str]) -> None:
    points = rows(files["points.csv"])
    found = [row for row in rows(files["claims.csv"]) if row["rank"]]
    assert {row["claim"] for row in points} == {row["id"] for row in found}
    assert all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in points)


def test_the_most_severe_come_first_and_from_different_sections(judged: tuple[Judged, ...]) -> None:
    ranked = most_severe(judged)
    severities = [item.finding.severity.rank for item in ranked]
    assert severities == sorted(severities, reverse=True)
    first = foremost(judged)
    assert len({item.claim.place for item in first}) == len(first) == 5
    assert first[0] is ranked[0]
    for before, after in pairwise(ranked):
        if (before.finding.severity, before.finding.verdict) == (after.finding.severity, after.finding.verdict):
            assert before.finding.gap >= after.finding.gap


def test_deleting_the_verdicts_and_running_again_restores_them(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "analysis.audit", str(FOLDER), "--out", str(tmp_path)]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {
        "claims.csv",
        "claims.json",
        "summary.csv",
        "summary.md",
        "points.csv",
        "sources.csv",
        "power.csv",
        "mutations.csv",
    }
    (tmp_path / "claims.csv").unlink()
    main([str(FOLDER), "--out", str(tmp_path)])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert "claims: " in first.stdout


@pytest.mark.parametrize(
    ("claim", "verdict"),
    [
        # Recomputed by hand from the rows of the article's tables.
        ("b-v3-zero-cls-correspondence", Verdict.CONSISTENT),  # 79.5 - 77.1 = +2.4
        ("rank-36-percent", Verdict.CONSISTENT),  # 1 - 8.7 / 13.5 = 35.6 %
        ("controls-shuffle-within-1pp", Verdict.CONSISTENT),  # largest: |68.5 - 69.1| = 0.6
        ("controls-shuffle-no-degradation", Verdict.READING),  # 68.5 < 69.1, by less than 1 point
        ("js-gap", Verdict.CONSISTENT),  # 0.177 / 0.000747 = 237, near 250
        ("random-patches-s", Verdict.READING),  # 1.002 where at most 1 is stated; 1 in whole points
        ("random-patches-b", Verdict.CONTRADICTED),  # 2.284
        ("implied-baseline-v2reg", Verdict.SOURCES_DISAGREE),  # 67.36 + 10.753 = 78.11, stated 67.3
        ("shares-gram-zero-v3", Verdict.SOURCES_DISAGREE),  # 2.682927 % is 11 of 410, not k of 10,000
        ("shares-layer-sweep", Verdict.CONSISTENT),
        ("early-near-random-v3", Verdict.READING),  # 13.92 % where chance is 0.1 %: "near" is 139 times chance
        ("early-v2reg", Verdict.READING),  # the mean of the patches, 8.76 %, is not below 6 %
        ("r134-cosine-range", Verdict.REVISED),  # 0.86 to 0.88 in the figure, 0.87 to 0.90 in an older file
        ("v3-r1-peak", Verdict.CONSISTENT),
        ("b-p-080-attainable", Verdict.CANNOT_FAIL),
        ("intro-every-task", Verdict.READING),  # retrieval under replacement was not published; the others hold
        ("sum-v3-curve", Verdict.SOURCES_DISAGREE),  # 56.86 - 61.96 = -5.10, stated -7.0
        ("intro-classification", Verdict.READING),  # 36.6 in one of the two models named, 18.9 in the other
        ("b-p-080", Verdict.UNSUPPORTED),
        ("patch-cosine-range", Verdict.NOT_CHECKABLE),
    ],
)
def test_verdicts_known_by_hand(judged: tuple[Judged, ...], claim: str, verdict: Verdict) -> None:
    assert by_id(judged)[claim].verdict is verdict


def test_no_change_of_the_vit_b_table_is_contradicted(judged: tuple[Judged, ...]) -> None:
    table = [item for item in judged if item.claim.place == "ViT-B table"]
    deltas = [item for item in table if item.claim.id.startswith("b-v") and item.claim.kind == "delta"]
    arithmetic = [item for item in deltas if not item.claim.id.endswith("-figure")]
    assert len(arithmetic) == 20
    assert {item.finding.verdict for item in arithmetic} == {Verdict.CONSISTENT}


def test_both_ends_of_a_verdict_are_told_where_readings_differ(tmp_path: Path) -> None:
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
    assert (item.as_worded, item.favourable) == (Verdict.CONTRADICTED, Verdict.CONSISTENT)
    assert item.verdict is Verdict.READING and not item.fails
    assert item.holds_if == "It holds only if read as: within about a point."
    assert item.why.startswith(item.findings[0].why) and item.holds_if in item.why
    assert "Other reading (within about a point): consistent." in item.why


def test_what_holds_as_worded_holds_whatever_another_reading_says(tmp_path: Path) -> None:
    parts = {"smaller": ["shuffle"], "larger": ["full"]}
    turned = {"reading": "the other way round", "parts": {"smaller": ["full"], "larger": ["shuffle"]}}
    (item,) = audit(article(tmp_path, {"id": "c", "kind": "order", "parts": parts, "other_readings": [turned]}))
    assert (item.verdict, item.strictest, item.holds_if) == (Verdict.CONSISTENT, Verdict.CONTRADICTED, "")


def test_what_fails_in_every_reading_is_judged_by_the_most_favourable(tmp_path: Path) -> None:
    parts = {"from": ["full"], "to": ["shuffle"]}
    doubtful = {
        "reading": "a causal one",
        "kind": "causal",
        "states": None,
        "options": {"also_differs": "size", "needs": "A pair."},
        "parts": {"smaller": ["shuffle"], "larger": ["full"]},
    }
    claim = {"id": "c", "kind": "delta", "states": "change", "parts": parts, "other_readings": [doubtful]}
    (item,) = audit(article(tmp_path, claim))
    assert (item.as_worded, item.verdict) == (Verdict.CONTRADICTED, Verdict.UNSUPPORTED)
    assert item.fails and item.why.startswith("Read as: a causal one.")


def test_cut_off_digits_are_a_reading_and_not_assumed(tmp_path: Path) -> None:
    tables = TABLES + "exact,0.1167,%,\nmean,0.11,%,\nrounded,0.12,%,\nother,0.10,%,\n"
    claims = [
        {"id": stated, "kind": "equality", "states": stated, "parts": {"values": ["exact"]}}
        for stated in ("rounded", "mean", "other")
    ]
    folder = article(tmp_path, *claims)
    (folder / "tables.csv").write_text(tables, encoding="utf-8")
    rounded, cut, wrong = audit(folder)
    assert [item.verdict for item in (rounded, cut, wrong)] == [
        Verdict.CONSISTENT, Verdict.READING, Verdict.CONTRADICTED
    ]  # fmt: skip
    assert "further digits were cut off, not rounded" in cut.holds_if


def test_a_vague_word_gets_the_range_in_which_the_claim_holds(tmp_path: Path) -> None:
    options = {"vague": "nearly the same", "absolute": True, "relation": "<="}
    parts = {"values": [{"plus": ["shuffle"], "minus": ["full"]}, {"plus": ["zero"], "minus": ["full"]}]}
    (item,) = audit(article(tmp_path, {"id": "c", "kind": "bound", "parts": parts, "options": options}))
    assert item.verdict is Verdict.READING
    assert item.holds_if == "It holds where 'nearly the same' allows 4.8 or more."
    with pytest.raises(InputError, match="stands where 'margin' is stated"):
        audit(article(tmp_path, {"id": "c", "kind": "bound", "states": "margin", "parts": parts, "options": options}))


def test_numbers_of_a_table_may_be_a_series(tmp_path: Path) -> None:
    (tmp_path / "tables.csv").write_text(
        "id,value,unit,qualifier,position\na,1.0,%,,0\nb,3.0,%,,5\nc,2.0,%,,6\nat,5,layer,,\n", encoding="utf-8"
    )
    claim = {
        "id": "c",
        "place": "p",
        "claim": "C.",
        "kind": "peak",
        "states": "at",
        "parts": {"series": ["a", "b", "c"]},
    }
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump([claim]), encoding="utf-8")
    (item,) = audit(tmp_path)
    assert item.verdict is Verdict.CONSISTENT and "Of the positions 0, 5, 6" in item.why


def test_findings_of_one_defect_are_one_finding(judged: tuple[Judged, ...], files: dict[str, str]) -> None:
    found = defects(judged)
    assert sum(map(len, found.values())) == sum(item.fails for item in judged)
    bars = found["the single-register bars were taken against another unablated score"]
    assert {item.claim.id for item in bars} > {"r2-zeroed-figure", "implied-baseline-v3"}
    table = rows(files["claims.csv"])
    assert {row["defect"] for row in table if row["defect"]} == set(found)
    assert len({row["origin"] for row in table}) == 2


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (
            {"kind": "delta", "states": "change", "parts": {"from": ["fill"], "to": ["zero"]}},
            r"claim 'c': number 'fill' .*\(did you mean 'full'\?\)",
        ),
        (
            {"kind": "delta", "states": "change", "parts": {"from": ["count"], "to": ["zero"]}},
            "different units: '%' .*'count' .count.",
        ),
        (
            {"kind": "bound", "states": "margin", "parts": {"values": ["change"]}},
            "qualifier '~', which is not a side of a limit",
        ),
    ],
)
def test_numbers_that_a_claim_cannot_rest_on(tmp_path: Path, claim: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        audit(article(tmp_path, {"id": "c", **claim}))


def test_faulty_input_is_a_message_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(FOLDER, source)
    (source / "claims.yaml").unlink()
    with pytest.raises(SystemExit) as ended:
        report_errors(lambda: main([str(source), "--out", str(out)]))
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and "claims.yaml is missing" in message
    assert not out.exists()


# What a kind needs besides its numbers.
ASKED: dict[str, dict[str, object]] = {
    "sameness": {"options": {"needs": "A margin."}},
    "accounts": {"options": {"vague": "most"}},
    "count": {"options": {"column": "model"}},
    "scope": {"options": {"column": "model", "words": ["Alpha"], "vague": "every model"}},
}


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if any(few for few, _ in kind.roles.values())])
def test_a_kind_whose_numbers_are_missing_is_refused(tmp_path: Path, kind: str) -> None:
    roles = {role: few for role, (few, _) in KINDS[kind].roles.items() if few}
    stated = {"states": "full"} if KINDS[kind].states else {}
    relation = {"options": {"relation": "<="}} if "relation" in KINDS[kind].options else {}
    claim = {"id": "c", "kind": kind, **stated, **relation, **ASKED.get(kind, {})}
    absent = {role: ["zreo"] * few for role, few in roles.items()}
    with pytest.raises(InputError, match=r"claim 'c': number 'zreo' is not in .*tables\.csv \(did you mean 'zero'"):
        audit(article(tmp_path, {**claim, "parts": absent}))
    with pytest.raises(InputError, match=r"claim 'c': parts: missing \w+"):
        audit(article(tmp_path, {**claim, "parts": {}}))


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.states])
def test_a_kind_whose_stated_number_is_missing_is_refused(tmp_path: Path, kind: str) -> None:
    parts = {role: ["full"] * few for role, (few, _) in KINDS[kind].roles.items() if few}
    relation = {"options": {"relation": "<="}} if "relation" in KINDS[kind].options else {}
    with pytest.raises(InputError, match=r"states: missing; kind .* needs the identifier"):
        audit(article(tmp_path, {"id": "c", "kind": kind, "parts": parts, **relation, **ASKED.get(kind, {})}))
    with pytest.raises(InputError, match="number 'absent' is not in"):
        claim = {"id": "c", "kind": kind, "states": "absent", "parts": parts, **relation, **ASKED.get(kind, {})}
        audit(article(tmp_path, claim))
