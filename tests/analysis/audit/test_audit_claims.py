"""claims.yaml: complete, without verdicts, and refused with a helpful message when it is wrong."""

from pathlib import Path

import pytest
import yaml

from analysis.audit.claims import load_claims
from analysis.audit.errors import AuditInputError
from analysis.audit.kinds import KINDS

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
    used = {reading.kind for claim in claims for reading in claim.readings}
    assert used == set(KINDS)


def test_the_readme_counts_the_claims() -> None:
    readme = (FOLDER.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"{len(load_claims(FOLDER))} claims are held against" in readme


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
        ({"claim": None}, "key 'claim' must be text, not None"),
        ({"kind": "detla"}, "kind 'detla' is unknown. Did you mean 'delta'"),
        ({"verdict": "consistent"}, "unknown key 'verdict'"),
        ({"states": None}, "kind 'delta' needs key 'states'"),
        ({"kind": "order", "parts": {}}, "kind 'order' takes no key 'states'"),
        ({"parts": {"form": ["t1"], "to": ["t2"]}}, "unknown key 'form'. Did you mean 'from'"),
        ({"parts": {"from": ["t1", "t2"], "to": ["t2"]}}, "role 'from' has 2 terms"),
        ({"parts": {"from": "t1", "to": ["t2"]}}, "role 'from' must be a list, not 't1'"),
        ({"parts": {"from": [1], "to": ["t2"]}}, "a term is an identifier"),
        ({"parts": {"from": [{"minus": ["t1"]}], "to": ["t2"]}}, "at least one identifier"),
        ({"parts": {"from": [{"plus": [1]}], "to": ["t2"]}}, r"expected identifiers, found \[1\]"),
        ({"options": {"dorp": True}}, "unknown key 'dorp'. Did you mean 'drop'"),
        ({"options": {"drop": "yes"}}, "option 'drop' must be true or false, not 'yes'"),
        ({"kind": "bound", "parts": {"values": ["t1"]}, "options": {"relation": "=<"}}, "'=<'"),
        ({"kind": "nonsignificance", "parts": {}, "options": {"alpha": 0.05}}, "quoted text"),
        ({"kind": "nonsignificance", "parts": {}, "options": {"alpha": "5"}}, "between 0 and 1"),
        ({"kind": "not_checkable", "states": None, "parts": {}}, "needs option 'needs'"),
        ({"kind": "causal", "states": None, "parts": {}}, "needs option 'needs'"),
        ({"kind": "bound", "parts": {}}, "role 'values' has 0 terms; 'bound' takes 1 or more"),
        ({"kind": "baseline", "parts": {"scores": ["t1"], "changes": ["t1", "t2"]}}, "equally many"),
        ({"kind": "chance", "states": None, "parts": {"values": ["t1"]}, "options": {"classes": "x"}}, "'classes'"),
        ({"other_readings": [{"states": "t5"}]}, "needs the key 'reading'"),
        ({"other_readings": {"reading": "x"}}, "'other_readings' must be a list"),
    ],
)
def test_faulty_entries(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(AuditInputError, match=message) as caught:
        load_claims(write(tmp_path, {**GOOD, **change}))
    assert "claims.yaml, claim 'c'" in str(caught.value)


@pytest.mark.parametrize("ident", ["a/b", "A", "a b", "-a"])
def test_an_id_that_cannot_name_a_file_is_refused(tmp_path: Path, ident: str) -> None:
    with pytest.raises(AuditInputError, match="an id names files and links"):
        load_claims(write(tmp_path, {**GOOD, "id": ident}))


def test_faulty_files(tmp_path: Path) -> None:
    with pytest.raises(AuditInputError, match=r"claims\.yaml is missing"):
        load_claims(tmp_path)
    (tmp_path / "claims.yaml").write_text("- {", encoding="utf-8")
    with pytest.raises(AuditInputError, match="not valid YAML"):
        load_claims(tmp_path)
    (tmp_path / "claims.yaml").write_text("", encoding="utf-8")
    with pytest.raises(AuditInputError, match="at least one claim"):
        load_claims(tmp_path)
    with pytest.raises(AuditInputError, match="id 'c' is used 2 times"):
        load_claims(write(tmp_path, GOOD, GOOD))
    with pytest.raises(AuditInputError, match="entry 1: must be a mapping"):
        load_claims(write(tmp_path, "a claim"))
    without = {key: value for key, value in GOOD.items() if key != "place"}
    with pytest.raises(AuditInputError, match="key 'place' is missing"):
        load_claims(write(tmp_path, without))
