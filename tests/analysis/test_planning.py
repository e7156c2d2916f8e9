"""`python -m analysis.power`: a pilot or assumptions in, power and numbers of units out."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from analysis.engine.paired_power import power_of_mcnemar, power_of_score_equivalence
from analysis.power import main
from config.errors import InputError
from config.layout import ROOT

UNITS = 100
COLUMNS = "dataset,task,model,family,scale,condition,readout,unit,category,numerator,denominator"


def pilot(folder: Path, families: tuple[str, ...] = ("net",)) -> Path:
    """Of 100 units, 8 are lost and 2 gained when blurred."""
    folder.mkdir()
    for place, family in enumerate(families):
        right = {"full": range(2 + place, 90), "blurred": (*range(2), *range(10, 90))}
        rows = [
            f"mine,depth,{family}_s,{family},S,{condition},direct,image_{unit:03},,{int(unit in hits)},1"
            for condition, hits in right.items()
            for unit in range(UNITS)
        ]
        (folder / f"{family}.csv").write_text("\n".join([COLUMNS, *rows]) + "\n")
    return folder


def planned(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_pilot_of_changes_is_planned_with_exact_power(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "power.csv"
    folder = pilot(tmp_path / "pilot")
    main([str(folder), "--units", "200", "1000", "--difference", "-0.05", "--tests", "4", "--out", str(out)])
    rows = planned(out)
    assert [(row["condition"], row["units"], row["pilot_units"]) for row in rows] == [
        ("blurred", "200", "100"),
        ("blurred", "1000", "100"),
    ]
    for row in rows:
        assert (row["spread_of"], float(row["spread"])) == ("rate", 0.1)
        assert float(row["spread_low"]) < 0.1 < float(row["spread_high"])
        units = int(row["units"])
        assert float(row["power_difference"]) == pytest.approx(power_of_mcnemar(-0.05, 0.1, units, 0.05 / 4))
        # Equivalence is not adjusted.
        assert float(row["power_equivalence"]) == pytest.approx(
            power_of_score_equivalence(0.0, 0.1, units, 0.01, 0.05), abs=1e-9
        )
        for name in ("power_difference", "power_equivalence"):
            assert float(row[f"{name}_low"]) <= float(row[name]) <= float(row[f"{name}_high"])
    needed = int(rows[0]["units_difference"])
    assert power_of_mcnemar(-0.05, 0.1, needed, 0.05 / 4) >= 0.8
    assert float(rows[0]["detectable"]) > float(rows[1]["detectable"])
    assert int(rows[0]["decide_low"]) < int(rows[0]["decide_high"])
    said = capsys.readouterr().out
    assert "alpha 0.05 / 4" in said and "net_s direct blurred" in said and "mine, depth: difference -0.05" in said
    assert "the article calls a task preserved" in said


def test_declared_comparisons_are_planned_where_asked_for(tmp_path: Path) -> None:
    folder = pilot(tmp_path / "pilot", ("net", "other"))
    stated = {"question": "Alike?", "families": ["net", "other"], "conditions": ["blurred"]}
    settings = tmp_path / "settings.yaml"
    settings.write_text(yaml.safe_dump({"analysis": {"comparisons": {"alike": stated}}}))
    out = tmp_path / "power.csv"
    given = [str(folder), "--units", "500", "--settings", str(settings), "--out", str(out)]
    main(given)
    assert [row["comparison"] for row in planned(out)] == ["", ""]
    main([*given, "--comparisons"])
    *deltas, row = planned(out)
    assert len(deltas) == 2
    assert (row["comparison"], row["model"], row["against"], row["spread_of"]) == (
        "alike",
        "other_s",
        "net_s",
        "deviation",
    )
    # One unit in 100 differs between the models: its interval reaches to what the pilot may not have shown.
    assert float(row["spread"]) == pytest.approx(0.1, abs=0.01)
    assert float(row["spread_high"]) > 0.2
    with pytest.raises(InputError, match=r"--comparisons: .* has no two models .*declared: 'register_sensitivity'"):
        main([str(folder), "--units", "500", "--comparisons"])


def test_without_a_pilot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "power.csv"
    main(["--rate-changed", "0.1", "--net", "0.05", "--units", "500", "--margin", "0.03", "--out", str(out)])
    (row,) = planned(out)
    assert float(row["power_difference"]) == pytest.approx(power_of_mcnemar(0.05, 0.1, 500, 0.05))
    assert (row["margin"], row["margin_reason"], row["pilot_units"]) == ("0.03", "stated on the command line", "")
    assert "In brackets" not in capsys.readouterr().out
    # A textbook example: half a standard deviation with power 0.8.
    main(["--deviation", "1", "--difference", "0.5", "--units", "34", "--out", str(out)])
    (row,) = planned(out)
    assert row["units_difference"] == "34"
    main(
        [
            "--deviation",
            "1",
            "--difference",
            "0.5",
            "--units",
            "34",
            "--cluster-size",
            "5",
            "--icc",
            "0.2",
            "--out",
            str(out),
        ]
    )
    assert int(planned(out)[0]["units_difference"]) > 1.8 * 34


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "state the folder of a pilot, or one of --rate-changed and --deviation"),
        (["--rate-changed", "0.1", "--deviation", "1"], "one of --rate-changed and --deviation"),
        (["--rate-changed", "0.1", "--difference", "0.2"], r"--difference 0\.2: more than --rate-changed 0\.1"),
        (["--rate-changed", "0.005"], r"--rate-changed 0\.005: less than the margin 0\.01"),
        (["--rate-changed", "1.5"], r"--rate-changed 1\.5: must be above 0 and at most 1"),
        (["--deviation", "-1"], r"--deviation -1: must be above 0"),
        (["--deviation", "1", "--power", "1"], r"--power 1: must be above 0 and below 1"),
        (["--deviation", "1", "--tests", "0"], r"--tests 0: must be 1 or more"),
        (["--deviation", "1", "--cluster-size", "0"], r"--cluster-size 0: must be 1 or more"),
        (["--deviation", "1", "--comparisons"], "--comparisons: needs the folder of a pilot"),
        (["--deviation", "1", "--units", "1"], "--units 1: must be 2 or more"),
    ],
)
def test_what_cannot_be_planned_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        main(["--units", "100", *arguments])


def test_a_pilot_that_says_nothing_is_refused(tmp_path: Path) -> None:
    folder = pilot(tmp_path / "pilot")
    with pytest.raises(InputError, match=r"--deviation and a pilot .*state one of the two"):
        main([str(folder), "--units", "100", "--deviation", "1"])
    rows = (folder / "net.csv").read_text().splitlines()
    (folder / "net.csv").write_text("\n".join(row for row in rows if "blurred" not in row) + "\n")
    with pytest.raises(InputError, match="has no condition but full"):
        main([str(folder), "--units", "100"])


def test_a_mistake_is_one_message_and_no_traceback() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "analysis.power", "--units", "100"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 2
    assert found.stderr.startswith("error: state the folder of a pilot")
