"""From outcome files to tables and figures, through the command line."""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from analysis.jobs import comparison, comparisons, figures, known_answers, layers, tables
from analysis.jobs import task as of_task
from analysis.outcomes.schema import OutcomeError
from analysis.rows.registry import TABLES, TESTS
from analysis.statistics.tables import write_table
from config.errors import InputError
from config.layout import FIGURES
from config.resolve import ConfigError
from config.settings import load_settings

if TYPE_CHECKING:
    from conftest import SyntheticRun

NAMES = (
    "dataset model family scale task metric n readout condition clusters "
    "value value_low value_high value_interval delta delta_low delta_high delta_interval "
    "delta_family_low delta_family_high p p_exchange p_exact p_smallest p_mc_error p_holm p_max_t draws "
    "detectable warning level seed"
)
COLUMNS = NAMES.split()


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for name in ("tables", "tests", "figures")
        for path in sorted((folder / name).rglob("*"))
        if path.is_file()
    }


def model_settings(name: str) -> dict[str, str]:
    family, scale = name.split("_")
    return {"source": "known_answer", "family": family, "scale": scale.upper()}


def edit_settings(run: SyntheticRun, **changes: object) -> None:
    path = run.folder / "settings.yaml"
    settings = yaml.safe_load(path.read_text())
    settings.update(changes)
    path.write_text(yaml.safe_dump(settings, sort_keys=False))


def text_of(path: Path) -> str:
    """What matplotlib draws as paths it also writes as comments."""
    return "\n".join(re.findall(r"<!-- (.*?) -->", path.read_text(encoding="utf-8")))


def test_ablation_table(synthetic_run: SyntheticRun) -> None:
    synthetic_run.analyse()
    table = pd.read_csv(synthetic_run.folder / "tables" / "ablation.csv")
    assert list(table.columns) == COLUMNS
    # plain has no registers: full and zero_cls only.
    assert len(table) == len(synthetic_run.tasks) * (3 * len(synthetic_run.conditions) + 2)
    assert list(dict.fromkeys(table["task"])) == list(synthetic_run.tasks)
    assert list(dict.fromkeys(table["model"])) == list(synthetic_run.models)
    sink = table[(table["model"] == "sink_s") & (table["task"] == "segmentation")]
    assert list(sink["condition"]) == list(synthetic_run.conditions)
    assert set(sink["metric"]) == {"mIoU"}

    full, rest = table[table["condition"] == "full"], table[table["condition"] != "full"]
    tests = ["delta", "delta_low", "delta_high", "p", "p_smallest", "p_mc_error", "p_holm", "draws"]
    assert full[tests].isna().all(axis=None)
    assert rest[tests].notna().all(axis=None)
    assert rest["p"].between(0, 1, inclusive="right").all()
    assert (rest["p_holm"] >= rest["p"]).all()
    assert (table["value_low"] <= table["value"]).all()
    assert (table["value"] <= table["value_high"]).all()
    assert (table["n"] == 60).all()
    assert (table["seed"] == 7).all()
    # McNemar where outcomes are 0/1, and only there.
    assert (rest["p_exact"].isna() == (rest["task"] == "segmentation")).all()


def test_values_and_deltas_recomputed_from_the_outcome_file(synthetic_run: SyntheticRun) -> None:
    synthetic_run.analyse()
    table = pd.read_csv(synthetic_run.folder / "tables" / "ablation.csv")
    for task in synthetic_run.tasks:
        rows = synthetic_run.outcomes(task, "sink_b")
        sums = rows.groupby(["condition", "category"])[["numerator", "denominator"]].sum()
        value = (sums["numerator"] / sums["denominator"]).groupby("condition").mean()
        of_task = table[(table["task"] == task) & (table["model"] == "sink_b")]
        of_task = of_task.set_index("condition")
        for condition in synthetic_run.conditions:
            assert of_task.loc[condition, "value"] == pytest.approx(value[condition], abs=1e-9)
            if condition != "full":
                expected = value[condition] - value["full"]
                assert of_task.loc[condition, "delta"] == pytest.approx(expected, abs=1e-9)


def test_identical_outcomes_have_delta_zero_and_p_one(synthetic_run: SyntheticRun) -> None:
    synthetic_run.analyse()
    table = pd.read_csv(synthetic_run.folder / "tables" / "ablation.csv")
    same = table[(table["family"] == "sink") & (table["condition"] == "mean_registers")]
    assert (same["delta"] == 0).all()
    # No change among sixty units does not exclude one among others.
    assert ((same["delta_low"] < 0) & (same["delta_high"] > 0)).all()
    assert (same[["p", "p_holm"]] == 1).all(axis=None)


def test_replacement_table_has_the_layout_of_the_article(synthetic_run: SyntheticRun) -> None:
    synthetic_run.analyse()
    table = pd.read_csv(synthetic_run.folder / "tables" / "replacement.csv", dtype=str)
    with_registers = [name for name in synthetic_run.models if name != "plain_s"]
    assert list(table.columns) == [
        "dataset",
        "condition",
        *(f"{task}/{model}" for task in synthetic_run.tasks for model in with_registers),
    ]
    assert list(table["condition"]) == [
        "Full",
        "Zero registers",
        "Mean-sub",
        "Noise-sub",
        "Shuffle",
    ]
    # Printed with one decimal, as the outcome file says.
    right = synthetic_run.outcomes("classification", "sink_s").groupby("condition")["numerator"].mean()
    assert table["classification/sink_s"][0] == f"{100 * right['full']:.1f}"
    assert table["classification/sink_s"][1] == f"{100 * right['zero_registers']:.1f}"


def test_known_answers(synthetic_run: SyntheticRun) -> None:
    synthetic_run.analyse()
    table = pd.read_csv(synthetic_run.folder / "tables" / "known_answers.csv", dtype=str)
    assert list(table.columns) == [
        *("dataset", "model", "family", "check", "condition", "quantity"),
        *("expected", "observed", "low", "high", "passed"),
    ]
    assert set(table["family"]) == {"bottleneck", "sink"}
    # bottleneck: 4 conditions; sink: 2 conditions × (records + 3 tasks), two models.
    assert len(table) == 4 + 2 * 2 * 4
    assert set(table["passed"]) == {"true"}
    records = table[table["check"] == "records do not change"]
    assert set(records["observed"].astype(float)) == {2e-6}


def test_failing_known_answers_are_reported(synthetic_run: SyntheticRun) -> None:
    folder = synthetic_run.folder
    changes = pd.read_csv(folder / "measures" / "record_changes.csv")
    changes = changes[(changes["condition"] != "shuffle_registers") | (changes["model"] != "sink_b")]
    changes.loc[changes["condition"] == "mean_registers", "max_abs_change"] = 2e-4
    changes.to_csv(folder / "measures" / "record_changes.csv", index=False)
    (folder / "packs" / "scenes" / "pack.yaml").write_text("chance: {low: 0.6, high: 0.7}\n")
    synthetic_run.analyse(draw=True)
    table = pd.read_csv(folder / "tables" / "known_answers.csv", keep_default_na=False, dtype=str)
    passed = table.set_index(["model", "condition", "check"])["passed"]
    records = "records do not change"
    assert passed["sink_s", "mean_registers", records] == "false"
    assert passed["sink_s", "shuffle_registers", records] == "true"
    # Not measured is not passed.
    assert passed["sink_b", "shuffle_registers", records] == "false"
    unmeasured = table[(table["model"] == "sink_b") & (table["condition"] == "shuffle_registers")]
    assert list(unmeasured.loc[unmeasured["check"] == records, "observed"]) == [""]
    bottleneck = table[table["family"] == "bottleneck"]
    assert set(bottleneck["passed"]) == {"false"}
    figure = text_of(folder / "figures" / "scenes" / "known_answers.svg")
    assert "0 of 4 checks passed" in figure
    assert "13 of 16 checks passed" in figure


def test_the_same_inputs_give_the_same_bytes(synthetic_run: SyntheticRun) -> None:
    synthetic_run.analyse(draw=True)
    first = digests(synthetic_run.folder)
    assert set(first) == {
        *(f"tables/{name}.csv" for name in TABLES),
        *(f"tests/{name}.csv" for name in TESTS),
        *(f"figures/scenes/{name}.svg" for name in FIGURES),
    }
    for path in (synthetic_run.folder / "outcomes").rglob("*.parquet"):
        shuffled = pd.read_parquet(path).sample(frac=1, random_state=4)
        shuffled.to_parquet(path, index=False)
    synthetic_run.analyse(draw=True)
    assert digests(synthetic_run.folder) == first


def test_a_model_does_not_change_the_numbers_of_another(synthetic_run: SyntheticRun) -> None:
    synthetic_run.analyse()
    path = synthetic_run.folder / "tables" / "ablation.csv"
    # What holds for a family at once depends on what is in it.
    of_family = ("p_holm", "p_max_t", "delta_family_low", "delta_family_high")
    unadjusted = [name for name in COLUMNS if name not in of_family]
    before = pd.read_csv(path).query("model == 'sink_b'")[unadjusted].reset_index(drop=True)
    edit_settings(synthetic_run, models={name: model_settings(name) for name in ("sink_b", "bottleneck_s")})
    synthetic_run.analyse()
    after = pd.read_csv(path)
    assert list(dict.fromkeys(after["model"])) == ["sink_b", "bottleneck_s"]
    after = after.query("model == 'sink_b'")[unadjusted].reset_index(drop=True)
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_figures_are_valid_dateless_svg(synthetic_run: SyntheticRun) -> None:
    synthetic_run.analyse(draw=True)
    folder = synthetic_run.folder / "figures" / "scenes"
    for path in folder.iterdir():
        assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
        assert "dc:date" not in path.read_text(encoding="utf-8")
        assert str(synthetic_run.folder) not in path.read_text(encoding="utf-8")
    heatmap = text_of(folder / "delta_heatmap.svg")
    for name in (*synthetic_run.models, "classification (accuracy)", "segmentation (mIoU)"):
        assert name in heatmap
    answers = text_of(folder / "known_answers.svg")
    for name in ("plain", "bottleneck", "sink", "4 of 4 checks passed", "16 of 16 checks passed"):
        assert name in answers


def test_heatmap_prints_the_delta_of_the_table(synthetic_run: SyntheticRun) -> None:
    synthetic_run.analyse(draw=True)
    table = pd.read_csv(synthetic_run.folder / "tables" / "ablation.csv")
    printed = text_of(synthetic_run.folder / "figures" / "scenes" / "delta_heatmap.svg").split("\n")
    for points in 100 * table["delta"].dropna():
        assert ("0.0" if abs(points) < 0.05 else f"{points:+.1f}") in printed


def test_run_without_known_answer_models_or_registers(synthetic_run: SyntheticRun) -> None:
    folder = synthetic_run.folder
    for task in synthetic_run.tasks:
        for model in synthetic_run.models:
            path = folder / "outcomes" / task / f"{model}.parquet"
            if model == "plain_s":
                pd.read_parquet(path).assign(family="dinov2").to_parquet(path, index=False)
            else:
                path.unlink()
    dinov2 = {"source": "timm", "family": "dinov2", "scale": "S", "architecture": "vit", "image_size": 64}
    edit_settings(synthetic_run, models={"plain_s": dinov2 | {"weights": "random"}})
    synthetic_run.analyse(draw=True)
    replacement = pd.read_csv(folder / "tables" / "replacement.csv")
    assert list(replacement.columns) == ["dataset", "condition"]
    assert replacement.empty
    assert pd.read_csv(folder / "tables" / "known_answers.csv").empty
    # A point per model under full alone answers nothing.
    answers = text_of(folder / "figures" / "scenes" / "known_answers.svg")
    assert "No model was put under a replacement of its registers in this run" in answers


def test_run_without_classification(synthetic_run: SyntheticRun) -> None:
    edit_settings(synthetic_run, datasets={"scenes": {"source": "scenes", "image_size": 64, "tasks": ["retrieval"]}})
    with pytest.warns(UserWarning, match="'bottleneck_s' has a known answer, but no condition of this run can check"):
        synthetic_run.analyse(draw=True)
    figure = text_of(synthetic_run.folder / "figures" / "scenes" / "known_answers.svg")
    assert "No classification outcomes in this run" in figure
    table = pd.read_csv(synthetic_run.folder / "tables" / "ablation.csv")
    assert set(table["task"]) == {"retrieval"}


def test_run_with_full_only(synthetic_run: SyntheticRun) -> None:
    folder = synthetic_run.folder
    for path in (folder / "outcomes").rglob("*.parquet"):
        pd.read_parquet(path).query("condition == 'full'").to_parquet(path, index=False)
    with pytest.warns(UserWarning, match="no condition of this run can check it"):
        synthetic_run.analyse(draw=True)
    table = pd.read_csv(folder / "tables" / "ablation.csv")
    assert table["p"].isna().all()
    heatmap = text_of(folder / "figures" / "scenes" / "delta_heatmap.svg")
    assert "No condition other than full in this run" in heatmap


def test_two_datasets_have_their_own_figures(synthetic_run: SyntheticRun) -> None:
    folder = synthetic_run.folder
    edit_settings(
        synthetic_run,
        datasets={
            "photos": {"source": "scenes", "image_size": 64, "tasks": ["retrieval"]},
            "scenes": {"source": "scenes", "image_size": 64, "tasks": list(synthetic_run.tasks)},
        },
    )
    path = folder / "outcomes" / "retrieval" / "sink_s.parquet"
    scenes = pd.read_parquet(path)
    photos = scenes[scenes["unit"] < "image_040"].assign(dataset="photos")
    pd.concat([scenes, photos]).to_parquet(path, index=False)
    (folder / "packs" / "photos").mkdir()
    (folder / "packs" / "photos" / "pack.yaml").write_text("chance: {low: 0.1, high: 0.2}\n")
    synthetic_run.analyse(draw=True)
    table = pd.read_csv(folder / "tables" / "ablation.csv")
    assert list(dict.fromkeys(table["dataset"])) == ["photos", "scenes"]
    assert set(table.query("dataset == 'photos'")["n"]) == {40}
    for dataset in ("photos", "scenes"):
        assert (folder / "figures" / dataset / "delta_heatmap.svg").exists()
        assert (folder / "figures" / dataset / "known_answers.svg").exists()


def test_both_readouts_are_reported_and_only_matched_is_pictured(
    synthetic_run: SyntheticRun,
) -> None:
    folder = synthetic_run.folder
    synthetic_run.analyse(draw=True)
    figures = {name: d for name, d in digests(folder).items() if name.startswith("figures")}
    checks = (folder / "tables" / "known_answers.csv").read_bytes()
    path = folder / "outcomes" / "classification" / "bottleneck_s.parquet"
    matched = pd.read_parquet(path)
    frozen = matched.assign(readout="frozen", numerator=1.0)
    pd.concat([matched, frozen]).to_parquet(path, index=False)
    synthetic_run.analyse(draw=True)
    table = pd.read_csv(folder / "tables" / "ablation.csv")
    of_model = table[(table["model"] == "bottleneck_s") & (table["task"] == "classification")]
    assert list(of_model["readout"]) == ["frozen"] * 6 + ["matched"] * 6
    assert digests(folder).items() >= figures.items()
    assert (folder / "tables" / "known_answers.csv").read_bytes() == checks
    # A proportion of exactly 1 has Wilson's interval, not a zero-width one.
    assert set(of_model.query("readout == 'frozen'")["value_interval"]) == {"wilson"}


def test_holm_families_follow_the_settings(synthetic_run: SyntheticRun) -> None:
    path = synthetic_run.folder / "tables" / "ablation.csv"
    synthetic_run.analyse()
    by_task = pd.read_csv(path)
    smallest = by_task.query("task == 'retrieval' and p < 0.01")
    # 16 tests of retrieval: the smallest p is multiplied by 16.
    np.testing.assert_allclose(smallest["p_holm"], 16 * smallest["p"])
    settings = yaml.safe_load((synthetic_run.folder / "settings.yaml").read_text())
    families = {**settings["analysis"], "families": ["dataset", "task", "model"]}
    edit_settings(synthetic_run, analysis=families)
    synthetic_run.analyse()
    plain = pd.read_csv(path).query("model == 'plain_s' and condition == 'zero_cls'")
    np.testing.assert_allclose(plain["p_holm"], plain["p"])


def test_nothing_half_written_is_left(synthetic_run: SyntheticRun) -> None:
    tables = synthetic_run.folder / "tables"
    tables.mkdir()
    # What a killed run may leave behind.
    (tables / ".ablation.partial.csv").write_text("dataset,ta")
    synthetic_run.analyse()
    assert not list(synthetic_run.folder.rglob("*.partial*"))


def test_negative_zero_is_printed_as_zero(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"delta": [-0.0, 0.5]}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == b"delta\n0\n0.5\n"


def test_file_that_disagrees_with_its_name(synthetic_run: SyntheticRun) -> None:
    path = synthetic_run.folder / "outcomes" / "retrieval" / "sink_s.parquet"
    synthetic_run.outcomes("retrieval", "sink_b").to_parquet(path, index=False)
    with pytest.raises(OutcomeError, match=r"sink_s.parquet: column 'model': 'sink_b'"):
        synthetic_run.analyse()


def test_condition_that_the_settings_do_not_name(synthetic_run: SyntheticRun) -> None:
    edit_settings(synthetic_run, conditions={"full": {}, "zero_cls": {"tokens": ["cls"], "by": "zero"}})
    with pytest.raises(OutcomeError, match="column 'condition': 'mean_registers'"):
        synthetic_run.analyse()


def test_no_outcomes_at_all(synthetic_run: SyntheticRun) -> None:
    edit_settings(synthetic_run, models={"other": {"source": "known_answer", "family": "open", "scale": "S"}})
    with pytest.raises(OutcomeError, match=r"no outcome file .* models other"):
        synthetic_run.analyse()


def test_pack_without_chance(synthetic_run: SyntheticRun) -> None:
    (synthetic_run.folder / "packs" / "scenes" / "pack.yaml").write_text("images: 60\n")
    with pytest.raises(InputError, match=r"pack.yaml: key 'chance'"):
        synthetic_run.analyse()


def test_settings_errors_name_the_key(synthetic_run: SyntheticRun) -> None:
    path = synthetic_run.folder / "settings.yaml"
    edit_settings(synthetic_run, analysis={"families": ["datset"]})
    with pytest.raises(ConfigError, match=r"settings\.yaml cannot .*\s.*families\.0: 'datset' .*mean 'dataset'"):
        load_settings(path)
    edit_settings(synthetic_run, analysis={"families": ["dataset", "condition"]})
    assert load_settings(path).analysis.families == ("dataset", "condition")


@pytest.mark.parametrize("job", (comparison, comparisons, figures, known_answers, layers, of_task, tables))
def test_help_says_what_a_job_reads(job: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        job.main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert f"python -m {job.__name__}" in shown and "--settings" in shown
