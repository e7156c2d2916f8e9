"""Outcomes that were made elsewhere: a folder of files, and nothing of this project but the statistics."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest
import yaml

from analysis.__main__ import main
from analysis.outcomes.schema import OutcomeError
from analysis.rows.registry import TABLES, TESTS
from config.errors import InputError, report_errors
from config.resolve import ConfigError

if TYPE_CHECKING:
    from conftest import SyntheticRun

OWN = (
    "dataset,task,model,family,scale,condition,readout,unit,category,numerator,denominator\n"
    + "\n".join(
        f"mine,depth,net,net,S,{condition},direct,image_{unit},,{(unit * 7 + shift) % 10},10"
        for condition, shift in (("full", 3), ("blurred", 0))
        for unit in range(30)
    )
    + "\n"
)


def own_folder(folder: Path) -> Path:
    (folder / "deep" / "down").mkdir(parents=True)
    (folder / "deep" / "down" / "anything.csv").write_text(OWN)
    return folder


def test_a_folder_is_all_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(own_folder(tmp_path / "in")), "--out", str(tmp_path / "out")])
    table = pd.read_csv(tmp_path / "out" / "tables" / "ablation.csv")
    assert list(table["condition"]) == ["full", "blurred"]
    assert table["delta"].iloc[1] == pytest.approx(table["value"].iloc[1] - table["value"].iloc[0])
    assert table["p"].iloc[1] > 0
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.csv")}
    # Known answers are of models of this project.
    expected = {f"tables/{name}.csv" for name in TABLES if name != "known_answers"}
    assert written == expected | {f"tests/{name}.csv" for name in TESTS}
    assert (tmp_path / "out" / "figures" / "mine" / "delta_heatmap.svg").is_file()
    assert "2 rows in" in capsys.readouterr().out


def test_numbers_are_those_of_the_workflow(synthetic_run: SyntheticRun) -> None:
    synthetic_run.analyse()
    stated = {"seed": 7, "analysis": {"draws": 200, "resamples": 200}}
    settings = synthetic_run.folder / "mine.yaml"
    settings.write_text(yaml.safe_dump(stated))
    out = synthetic_run.folder / "own"
    main([str(synthetic_run.folder / "outcomes"), "--out", str(out), "--settings", str(settings)])
    keys = ["task", "model", "condition"]
    theirs, ours = (
        pd.read_csv(folder / "tables" / "ablation.csv").sort_values(keys, ignore_index=True)
        for folder in (synthetic_run.folder, out)
    )
    pd.testing.assert_frame_equal(theirs, ours)


def test_settings_give_conditions_their_meaning(tmp_path: Path) -> None:
    rows = pd.read_csv(own_folder(tmp_path / "in") / "deep" / "down" / "anything.csv", keep_default_na=False)
    full = rows[rows["condition"] == "full"]
    parts = [full, *(full.assign(condition=name, numerator=full["numerator"] // 2) for name in ("x", "y", "both"))]
    pd.concat(parts).to_csv(tmp_path / "in" / "deep" / "down" / "anything.csv", index=False)
    settings = tmp_path / "settings.yaml"
    tokens = {"x": ["r1"], "y": ["r2"], "both": ["registers"]}
    conditions = {"full": {}, **{name: {"tokens": of, "by": "zero"} for name, of in tokens.items()}}
    settings.write_text(yaml.safe_dump({"conditions": conditions}))
    main([str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--settings", str(settings)])
    (row,) = pd.read_csv(tmp_path / "out" / "tables" / "additivity.csv").to_dict("records")
    assert (row["condition"], row["registers"], row["reading"]) == ("both", "r1 r2", "sub-additive")


@pytest.mark.parametrize("column", ["dataset", "task", "model", "family", "scale", "condition", "features"])
@pytest.mark.parametrize("value", ["../x", "../../x", "{absolute}", "..", "a\\b", "a\x1b", " "])
def test_nothing_is_written_outside_the_output_folder(column: str, value: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    value = value.format(absolute=outside)
    path = own_folder(tmp_path / "in") / "deep" / "down" / "anything.csv"
    table = pd.read_csv(path, keep_default_na=False).assign(features="cls")
    blurred = table["condition"] == "blurred"
    table[column] = table[column].where(~blurred, value) if column == "condition" else value
    table.to_csv(path, index=False)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutcomeError, match=r"anything\.csv: column '\w+': .* in rows .*It must be a name") as caught:
        main([str(tmp_path / "in"), "--out", str(tmp_path / "deep" / "out")])
    assert f"column '{column}': {value!r}" in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_same_outcomes_in_two_files(tmp_path: Path) -> None:
    folder = own_folder(tmp_path / "in")
    (folder / "again.csv").write_text(OWN)
    with pytest.raises(OutcomeError, match=r"anything\.csv: dataset 'mine', task 'depth'.*again\.csv too\. Keep one"):
        main([str(folder), "--out", str(tmp_path / "out")])
    assert not (tmp_path / "out").exists()


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(OutcomeError, match=r"no file that ends in \.parquet, \.csv or \.csv\.gz"):
        main([str(tmp_path), "--out", str(tmp_path / "out")])


def test_settings_that_say_something_else(tmp_path: Path) -> None:
    folder = own_folder(tmp_path / "in")
    settings = tmp_path / "settings.yaml"
    settings.write_text("analysis: {drawz: 5}\n")
    with pytest.raises(ConfigError, match=r"analysis: unknown key 'drawz'.*did you mean 'draws'"):
        main([str(folder), "--out", str(tmp_path / "out"), "--settings", str(settings)])
    settings.write_text("just words\n")
    with pytest.raises(InputError, match=r"holds no keys, but str; needed: a mapping of keys"):
        main([str(folder), "--out", str(tmp_path / "out"), "--settings", str(settings)])
    with pytest.raises(InputError, match=r"absent\.yaml is missing"):
        main([str(folder), "--out", str(tmp_path / "out"), "--settings", str(tmp_path / "absent.yaml")])


def test_a_mistake_is_one_message_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = own_folder(tmp_path / "in")
    path = folder / "deep" / "down" / "anything.csv"
    path.write_text(path.read_text().replace("image_4,,", "image_3,,"))
    monkeypatch.setattr(sys, "argv", ["analysis", str(folder), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as caught:
        report_errors(main)
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: {path}: column 'unit': rows 3, 4, 33, 34, counted from 0 repeat a unit")
    assert "written twice" in message


def run_with(folder: Path, **analysis: object) -> Path:
    """Analyse a folder with settings; returns where the results are."""
    settings = folder.parent / "mine.yaml"
    settings.write_text(yaml.safe_dump({"analysis": analysis}))
    out = folder.parent / "out"
    main([str(folder), "--out", str(out), "--settings", str(settings)])
    return out


def test_a_margin_that_nobody_stated_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = own_folder(tmp_path / "in")
    main([str(folder), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.startswith("warning: ")] == said[-1:]
    assert "no margin is stated for task 'depth': its tests of equivalence take 0.01 (default of this" in said[-1]
    assert "State analysis.margins.depth in a file of settings (--settings)" in said[-1]
    run_with(folder, margins={"depth": {"margin": 0.02, "reason": "not seen"}})
    assert "warning" not in capsys.readouterr().out
    run_with(folder, margins={"classification": {"margin": 0.02, "reason": "not seen"}})
    first, second = capsys.readouterr().out.splitlines()[-2:]
    assert (
        f"warning: {tmp_path / 'mine.yaml'}: analysis.margins.classification: 'classification' has no effect" in first
    )
    assert f"State analysis.margins.depth in {tmp_path / 'mine.yaml'}, with your reason" in second


def test_the_reason_of_a_margin_is_in_the_table(tmp_path: Path) -> None:
    folder = own_folder(tmp_path / "in")
    main([str(folder), "--out", str(tmp_path / "out")])
    (reason,) = pd.read_csv(tmp_path / "out" / "tests" / "equivalence.csv")["margin_reason"]
    assert reason.startswith("default of this project, not stated for this task: the article calls")


def test_settings_that_match_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = own_folder(tmp_path / "in")
    margin = {"margin": 0.02, "reason": "not seen"}
    with pytest.raises(ConfigError, match=r"mine\.yaml cannot .*\s.*margins\.dept: 'dept' is no task .*mean 'depth'"):
        run_with(folder, margins={"dept": margin})
    compared = {"question": "?", "families": ["net", "ent"], "conditions": ["blured"]}
    with pytest.raises(ConfigError, match=r"comparisons\.x\.conditions: 'blured' is no condition .*mean 'blurred'"):
        run_with(folder, margins={"depth": margin}, comparisons={"x": compared})
    with pytest.raises(ConfigError, match=r"mine\.yaml cannot .*\s.*analysis\.alpha: 0\.001 cannot be attained"):
        run_with(folder, draws=99, alpha=0.001)
    assert not (tmp_path / "out").exists()
    run_with(folder, margins={"depth": margin}, comparisons={"x": {**compared, "conditions": ["blurred"]}})
    assert "'ent' is no family of the outcomes (did you mean 'net'?); found: net" in capsys.readouterr().out


def in_metres(folder: Path) -> Path:
    path = own_folder(folder) / "deep" / "down" / "anything.csv"
    table = pd.read_csv(path, keep_default_na=False)
    table.assign(numerator=8.0 * table["numerator"] - 1).to_csv(path, index=False)
    return folder


def test_scores_of_another_range_need_it_to_be_declared(tmp_path: Path) -> None:
    folder = in_metres(tmp_path / "in")
    with pytest.raises(OutcomeError, match=r"'numerator': below 0.*analysis\.ranges\.depth: \[lowest, highest\]"):
        main([str(folder), "--out", str(tmp_path / "out")])
    margin = {"depth": {"margin": 0.5, "reason": "not seen"}}
    with pytest.raises(ConfigError, match=r"analysis\.margins: missing depth; the default margin is a fraction"):
        run_with(folder, ranges={"depth": [-0.1, 8]})
    with pytest.raises(OutcomeError, match=r"outside the range of its task in .*ranges\.depth: \[0, 8\], per unit"):
        run_with(folder, ranges={"depth": [0, 8]}, margins=margin)
    for declared in ([-0.1, 8], "unbounded"):
        out = run_with(folder, ranges={"depth": declared}, margins=margin, lower_is_better=["depth"])
        table = pd.read_csv(out / "tables" / "ablation.csv")
        numbers = pd.read_csv(folder / "deep" / "down" / "anything.csv").groupby("condition", sort=False)["numerator"]
        assert table["value"].to_list() == pytest.approx((numbers.sum() / 300).to_list())
        picture = (out / "figures" / "mine" / "delta_heatmap.svg").read_text()
        assert "lower is better" in picture and "units of the metric" in picture and "percentage" not in picture


@pytest.mark.parametrize(("separator", "suffix"), [(";", ".csv"), ("\t", ".csv"), (",", ".csv.gz"), (";", ".csv.gz")])
def test_every_csv_says_the_same(separator: str, suffix: str, tmp_path: Path) -> None:
    main([str(own_folder(tmp_path / "in")), "--out", str(tmp_path / "out")])
    table = pd.read_csv(tmp_path / "in" / "deep" / "down" / "anything.csv", keep_default_na=False)
    (tmp_path / "other").mkdir()
    # As spreadsheets do, with a mark at the beginning.
    table.to_csv(tmp_path / "other" / f"any{suffix}", sep=separator, index=False, encoding="utf-8-sig")
    main([str(tmp_path / "other"), "--out", str(tmp_path / "again")])
    first, second = ((tmp_path / name / "tables" / "ablation.csv").read_bytes() for name in ("out", "again"))
    assert first == second


def test_csv_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "in" / "mine.csv"
    path.parent.mkdir()

    def said() -> str:
        with pytest.raises(OutcomeError) as caught:
            main([str(path.parent), "--out", str(tmp_path / "out")])
        assert str(caught.value).startswith(f"{path}: ")
        return str(caught.value)

    path.write_text(OWN.replace(",10\n", ",10,0\n").replace(",", ";").replace(";10;0\n", ";10,0\n"))
    assert (
        "column 'denominator': '10,0' in rows 0, 1, 2, 3, 4, … (60 in all), counted from 0 has a decimal comma"
        in said()
    )
    assert "decimal=','" in said()
    path.write_bytes(OWN.replace("net,net", "größe,größe").encode("latin-1"))
    assert "Save it in UTF-8" in said()
    path.write_text("")
    assert "cannot be read as csv" in said()
    path = path.rename(path.with_name("mine.csv.gz"))
    path.write_bytes(b"no gzip")
    assert "cannot be read as csv" in said()
    path.write_bytes(gzip.compress(OWN.encode())[:-20])
    assert "Write the file again" in said()
