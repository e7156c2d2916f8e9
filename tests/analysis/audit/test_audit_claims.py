"""claims.yaml: complete, without verdicts, and refused with a helpful message when it is wrong."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from analysis.audit.claims import SCHEMA, load_claims
from analysis.audit.kinds import KINDS, RELATIONS, Options
from config.errors import InputError

FOLDER = Path(__file__).parents[3] / "analysis" / "published"
GOOD = {
    "id": "c",
    "place": "table",
    "kind": "delta",
    "claim": "It falls.",
    "states": "t3",
    "parts": {"from": ["t1"], "to": [{"plus": ["t2"], "minus": "t4"}]},
}


def write(folder: Path, *entries: object) -> Path:
    (folder / "claims.yaml").write_text(yaml.safe_dump(list(entries)), encoding="utf-8")
    return folder


def keys(node: object) -> set[str]:
    if isinstance(node, dict):
        return set(node).union(*(keys(value) for value in node.values()))
    if isinstance(node, list):
        return set().union(*(keys(item) for item in node))
    return set()


def test_the_claims_of_the_article() -> None:
    claims = load_claims(FOLDER)
    assert len(claims) >= 120
    assert len({claim.id for claim in claims}) == len(claims)


def test_the_schema_knows_the_options_of_every_kind() -> None:
    settings = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))["$defs"]["settings"]["properties"]
    assert set(settings) == {field.name for field in fields(Options)}
    assert set(settings) == set().union(*(kind.options for kind in KINDS.values()))
    assert settings["relation"]["enum"] == list(RELATIONS)


def test_the_readme_counts_the_claims() -> None:
    readme = (FOLDER.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"{len(load_claims(FOLDER))} claims are checked" in readme


def test_no_verdict_is_written_by_hand() -> None:
    entries = yaml.safe_load((FOLDER / "claims.yaml").read_text(encoding="utf-8"))
    assert not keys(entries) & {"verdict", "severity", "recomputed", "why", "tolerance", "rank", "gap", "reproduced"}


def test_every_printed_change_of_the_vit_b_table_is_a_claim() -> None:
    # Five ablated rows of four tasks: the changes stand at odd numbers after their scores.
    stated = {claim.readings[0].states for claim in load_claims(FOLDER)}
    printed = [*range(93, 100, 2), *range(105, 120, 2), *range(125, 140, 2)]
    assert {f"t{number:03d}" for number in printed} <= stated


def test_an_entry_as_it_is_read(tmp_path: Path) -> None:
    other = {"reading": "at another scale", "states": "t5"}
    (claim,) = load_claims(write(tmp_path, {**GOOD, "other_readings": [other]}))
    assert claim.ids == ("t3", "t1", "t2", "t4", "t5")
    assert [reading.states for reading in claim.readings] == ["t3", "t5"]
    assert claim.readings[1].parts == claim.readings[0].parts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"claim": None}, "claim: None is a NoneType; needed: string"),
        ({"claim": " "}, "claim: ' ' is not allowed; needed: text"),
        ({"kind": "detla"}, r"kind: 'detla' is not known \(did you mean 'delta'\?\); allowed: delta, sum"),
        ({"verdict": "consistent"}, "the entry: unknown key 'verdict'"),
        ({"states": None}, "states: missing; kind 'delta' needs the identifier"),
        ({"kind": "order", "parts": {}}, "states: 't3' cannot be set for kind 'order', .*remove it"),
        (
            {"parts": {"form": ["t1"], "to": ["t2"]}},
            r"parts: unknown key 'form' .*\(did you mean 'from'\?\); allowed: from, to",
        ),
        ({"parts": {"from": ["t1", "t2"], "to": ["t2"]}}, "parts.from: 2 given; needed: 1$"),
        ({"parts": {"from": "t1", "to": ["t2"]}}, "parts.from: 't1' is a str; needed: array"),
        ({"parts": {"from": [1], "to": ["t2"]}}, "parts.from.0: 1 is a int; needed: string or object"),
        ({"parts": {"from": [{"minus": ["t1"]}], "to": ["t2"]}}, "parts.from.0: missing plus; found: minus"),
        ({"parts": {"from": [{"plus": []}], "to": ["t2"]}}, "parts.from.0.plus: 0 given; needed: 1 or more"),
        ({"parts": {"from": [{"plus": [1]}], "to": ["t2"]}}, "parts.from.0.plus.0: 1 is a int; needed: string, in quo"),
        ({"options": {"dorp": True}}, r"options: unknown key 'dorp' .*\(did you mean 'drop'\?\); allowed: drop"),
        ({"options": {"drop": "yes"}}, "options.drop: 'yes' is a str; needed: boolean"),
        (
            {"kind": "bound", "parts": {"values": ["t1"]}, "options": {"relation": "=<"}},
            "options.relation: '=<' is not known.*allowed: <, <=, >, >=",
        ),
        (
            {"kind": "nonsignificance", "parts": {}, "options": {"alpha": 0.05}},
            "options.alpha: 0.05 is a float; needed: string, in quotes",
        ),
        ({"kind": "nonsignificance", "parts": {}, "options": {"alpha": "5"}}, "'5' is not allowed.*between 0 and 1"),
        ({"kind": "not_checkable", "states": None, "parts": {}}, "options: missing needs; kind 'not_checkable'"),
        ({"kind": "causal", "states": None, "parts": {}}, "options: missing needs; kind 'causal'"),
        ({"kind": "bound", "parts": {}}, "parts: missing values; found: nothing"),
        ({"kind": "bound", "parts": {"values": []}}, "parts.values: 0 given; needed: 1 or more"),
        ({"kind": "baseline", "parts": {"scores": ["t1"], "changes": ["t1", "t2"]}}, "equally many"),
        (
            {"kind": "chance", "states": None, "parts": {"values": ["t1"]}, "options": {"classes": "x"}},
            "options.classes: 'x' is not allowed; .*A number as printed",
        ),
        ({"other_readings": [{"states": "t5"}]}, "other_readings.0: missing reading; found: states"),
        ({"other_readings": {"reading": "x"}}, "other_readings: .* is a dict; needed: array"),
        ({"other_readings": [{"reading": "x", "kind": "sum"}]}, "claim 'c', reading 'x': parts: missing parts"),
    ],
)
def test_faulty_entries(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_claims(write(tmp_path, {**GOOD, **change}))
    first, *lines = str(caught.value).splitlines()
    assert first.endswith("claims.yaml cannot be used:")
    assert lines and all(line.startswith("  claim 'c'") for line in lines)


def test_every_fault_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    faulty = [{**GOOD, "id": "a", "kind": "detla"}, {**GOOD, "id": "b", "parts": {}}, GOOD]
    with pytest.raises(InputError) as caught:
        load_claims(write(tmp_path, *faulty))
    assert [line.split(":")[0] for line in str(caught.value).splitlines()[1:]] == ["  claim 'a'", "  claim 'b'"]


@pytest.mark.parametrize("ident", ["a/b", "A", "a b", "-a"])
def test_an_id_that_cannot_name_a_file_is_refused(tmp_path: Path, ident: str) -> None:
    with pytest.raises(InputError, match=r"id: .* is not allowed; needed: text that matches .*names files and links"):
        load_claims(write(tmp_path, {**GOOD, "id": ident}))


def test_faulty_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"claims\.yaml is missing"):
        load_claims(tmp_path)
    (tmp_path / "claims.yaml").write_text("- {", encoding="utf-8")
    with pytest.raises(InputError, match="not valid YAML"):
        load_claims(tmp_path)
    (tmp_path / "claims.yaml").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="at least one claim"):
        load_claims(tmp_path)
    with pytest.raises(InputError, match="id 'c' is used 2 times"):
        load_claims(write(tmp_path, GOOD, GOOD))
    with pytest.raises(InputError, match="entry 1: the entry: 'a claim' is a str; needed: object"):
        load_claims(write(tmp_path, "a claim"))
    without = {key: value for key, value in GOOD.items() if key != "place"}
    with pytest.raises(InputError, match="claim 'c': the entry: missing place; found: claim, id, kind"):
        load_claims(write(tmp_path, without))
