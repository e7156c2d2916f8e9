"""Outcomes that were made elsewhere: a folder of files, and nothing of this project but the statistics."""

from __future__ import annotations

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
