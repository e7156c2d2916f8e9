"""The worked example of the documentation: another article, audited by another folder."""

import csv
import doctest
import re
from pathlib import Path

import pytest
import yaml

from analysis.audit.figures import main as draw
from analysis.audit.kinds import KINDS, Verdict
from analysis.audit.run import main

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "invented_article"
PAGE = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("example")
    main([str(EXAMPLE), "--out", str(out)])
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_example_says_that_it_is_invented() -> None:
    assert "Everything here is made up" in (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert "does not exist" in (EXAMPLE / "claims.yaml").read_text(encoding="utf-8")


def test_the_example_shows_every_kind() -> None:
    entries = yaml.safe_load((EXAMPLE / "claims.yaml").read_text(encoding="utf-8"))
    assert {entry["kind"] for entry in entries} == set(KINDS)


def test_the_page_describes_every_kind_with_its_roles_and_options() -> None:
    table = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and cells[0].strip("`") in KINDS:
            table[cells[0].strip("`")] = cells[2:4]
    assert set(table) == set(KINDS)
    for name, (roles, options) in table.items():
        assert all(role in roles for role in KINDS[name].roles), name
        assert all(option in options for option in KINDS[name].options), name


def test_the_kind_that_the_page_tries_gives_what_it_prints() -> None:
    tried = doctest.testfile(str(ROOT / "docs" / "audit.md"), module_relative=False, encoding="utf-8")
    assert tried.attempted > 0 and tried.failed == 0


def test_the_verdicts_are_those_that_the_page_tells(out: Path) -> None:
    verdicts = "|".join(sorted(Verdict, key=len, reverse=True))
    told = dict(re.findall(rf"`([a-z-]+)` ({verdicts})", PAGE))
    assert {row["id"]: row["verdict"] for row in rows(out / "claims.csv")} == told


def test_verdicts_of_the_example_by_hand(out: Path) -> None:
    why = {row["id"]: row["why"] for row in rows(out / "claims.csv")}
    assert "60.0 - 81.3 = -21.3; stated -20.3" in why["delta-beta"]
    assert "81.3 [n07]; the smallest n that gives them is 16" in why["denominator-beta"]  # 13 of 16 is 81.25
    assert "at least 0.001; stated <0.0005" in why["p-not-attainable"]  # 1 of 1,000


def test_the_example_is_swept_and_drawn(out: Path, tmp_path: Path) -> None:
    differing = [row for row in rows(out / "sources.csv") if row["agreement"].startswith("beyond")]
    assert {row["quantity"] for row in differing} >= {"naming, accuracy, beta, full, layer 6"}
    draw([str(out), "--out", str(tmp_path)])
    ranked = {row["id"] for row in rows(out / "claims.csv") if row["rank"]}
    assert {path.stem for path in tmp_path.glob("*.svg")} == ranked


def test_without_a_folder_for_them_the_files_go_under_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main([str(EXAMPLE)])
    assert (tmp_path / "results" / "audits" / "invented_article" / "summary.md").is_file()


def test_a_folder_may_go_without_quantities(tmp_path: Path) -> None:
    for path in EXAMPLE.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "claims.yaml").write_bytes((EXAMPLE / "claims.yaml").read_bytes())
    main([str(tmp_path), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out" / "sources.csv").exists()
    assert "several places" not in (tmp_path / "out" / "summary.md").read_text()
