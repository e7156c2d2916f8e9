"""The workflow as its users meet it: run, run again, killed, misconfigured."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from tests.end_to_end.conftest import Checkout, copy_checkout


def test_ends_with_a_report(finished: Checkout) -> None:
    page = (finished.run.report / "index.html").read_text(encoding="utf-8")
    assert "<title>" in page and "</html>" in page
    # Every table that a reader cites is there and filled.
    for table in ("ablation", "replacement", "known_answers"):
        assert len(pd.read_csv(finished.run.tables / f"{table}.csv")) > 0
    assert len(pd.read_csv(finished.run.audit / "claims.csv")) >= 40


def test_known_answers_come_out(finished: Checkout) -> None:
    rows = pd.read_csv(finished.run.tables / "ablation.csv").query("readout != 'frozen'")
    ablation = rows.set_index(["model", "task", "condition"])
    for condition in ("zero_registers", "mean_registers", "shuffle_registers"):
        blind = ablation.loc[("bottleneck_s", "classification", condition)]
        assert blind["value_low"] <= 0.1 <= blind["value_high"]
    seeing = ablation.loc[("bottleneck_s", "classification", "full")]
    assert seeing["value_low"] > 0.2
    changes = pd.read_csv(finished.run.record_changes)
    sink = changes[(changes["model"] == "sink_s") & changes["condition"].isin(["mean_registers", "shuffle_registers"])]
    assert len(sink) == 6  # two conditions, three kinds of record
    assert sink["max_abs_change"].max() <= 1e-4
    zeroed = changes[(changes["model"] == "sink_s") & (changes["condition"] == "zero_registers")]
    assert zeroed["max_abs_change"].min() > 0.1
    assert (pd.read_csv(finished.run.tables / "known_answers.csv")["passed"].astype(str).str.lower() == "true").all()


def test_register_conditions_skip_a_model_without_registers(finished: Checkout) -> None:
    ablation = pd.read_csv(finished.run.tables / "ablation.csv")
    drawn = {f"zero_random_patches_{draw}" for draw in (1, 2)}
    assert set(ablation.loc[ablation["model"] == "plain_s", "condition"]) == {"full"} | drawn


def test_every_part_of_the_extraction_leaves_its_outcomes(finished: Checkout) -> None:
    outcomes = pd.read_parquet(finished.run.outcomes("classification", "sink_s"))
    assert set(outcomes["readout"]) == {"matched", "frozen"} and set(outcomes["refit"]) == {0, 1, 2}
    assert set(outcomes["features"]) == {"cls", "r1", "r2", "r3", "r4", "register_mean", "patch_mean"}
    assert set(outcomes["layer"]) == set(range(6))
    cycles = pd.read_parquet(finished.run.outcomes("cycle_consistency", "sink_s"))
    assert (cycles["numerator"] <= cycles["denominator"]).all()
    measures = pd.read_csv(finished.run.tables / "measures.csv").set_index(["model", "condition", "layer", "measure"])
    # Registers of sink hold the same for every image: another image's change no attention; zeros do.
    assert measures.loc[("sink_s", "shuffle_trajectory_registers", 5, "js"), "q75"] < 1e-6
    assert measures.loc[("sink_s", "zero_registers", 5, "js"), "q25"] > 0.01
    assert (measures.loc[("sink_s", "zero_registers", 0, "js")]["mean"] < 1e-6).all()


def test_second_call_schedules_nothing(finished: Checkout) -> None:
    start = time.monotonic()
    again = finished.snakemake("--cores", "2")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout
    assert time.monotonic() - start < 15


def test_changed_analysis_reruns_the_analysis_alone(finished: Checkout, tmp_path: Path) -> None:
    changed = yaml.safe_load(finished.config.read_text()) | {"analysis": {"draws": 999}}
    config = tmp_path / "changed.yaml"
    config.write_text(yaml.safe_dump(changed, sort_keys=False))
    plan = Checkout(finished.folder, config).snakemake("--cores", "2", "--dry-run", "--quiet", "progress")
    scheduled = set(re.findall(r"^(?:localrule|rule) (\w+):$", plan.stdout, flags=re.MULTILINE))
    assert scheduled == {"analyse", "audit_reproduced", "report", "all"}, plan.stdout


def test_changed_module_reruns_what_it_feeds(finished: Checkout, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", finished.config)
    shutil.copytree(finished.folder, checkout.folder, symlinks=True)
    module = checkout.folder / "analysis" / "engine" / "multiplicity.py"
    module.write_text(module.read_text() + "\n# edited\n")
    plan = checkout.snakemake("--cores", "2", "--dry-run", "--quiet", "progress")
    scheduled = set(re.findall(r"^(?:localrule|rule) (\w+):$", plan.stdout, flags=re.MULTILINE))
    assert "analyse" in scheduled and "extract" not in scheduled, plan.stdout


def test_killed_half_way_ends_with_the_same_bytes(finished: Checkout, tmp_path: Path) -> None:
    checkout = copy_checkout(tmp_path / "checkout")
    process = subprocess.Popen(
        checkout.command("--cores", "2"),
        cwd=checkout.folder,
        env=checkout.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    records = checkout.run.folder / "records"
    deadline = time.monotonic() + 240
    # The middle of the run: a first model is being extracted.
    while not list(records.rglob("*.safetensors")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    assert checkout.snakemake("--unlock").returncode == 0
    resumed = checkout.snakemake("--cores", "2")
    assert resumed.returncode == 0, resumed.stdout
    assert "calibrate" in resumed.stdout or list(records.rglob("*.safetensors"))
    assert checkout.outputs() == finished.outputs()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sed": 1}, ("unknown key 'sed'", "did you mean 'seed'", "allowed:")),
        ({"seed": "one"}, ("seed: 'one' is a str", "integer")),
        (
            {"conditions": {"full": {}, "blank": {"tokens": ["cls"], "by": "blank"}}},
            ("conditions.blank.by: 'blank'", "zero, mean, noise, resample, shuffle, shuffle_trajectory"),
        ),
    ],
)
def test_bad_config_names_key_value_and_allowed(
    finished: Checkout, tmp_path: Path, change: dict[str, object], said: tuple[str, ...]
) -> None:
    config = tmp_path / "bad.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(finished.config.read_text()) | change))
    refused = Checkout(finished.folder, config).snakemake("--cores", "2", "--dry-run")
    assert refused.returncode != 0
    for words in said:
        assert words in refused.stdout


def test_missing_photographs_name_the_key_to_set(finished: Checkout, tmp_path: Path) -> None:
    config = tmp_path / "photos.yaml"
    photos = yaml.safe_load((finished.folder / "config" / "photos.yaml").read_text())
    for name, dataset in photos["datasets"].items():
        dataset["path"] = str(tmp_path / "nowhere" / name)
    config.write_text(yaml.safe_dump(photos))
    refused = Checkout(finished.folder, config).snakemake("--cores", "2")
    assert refused.returncode != 0
    for name in photos["datasets"]:
        assert f"datasets.{name}.path: there is no folder {tmp_path / 'nowhere' / name}" in refused.stdout
    assert "Traceback" not in refused.stdout
    assert not (finished.folder / "results" / "photos").exists()


def test_lint_reports_only_the_missing_environment(finished: Checkout) -> None:
    report = finished.snakemake("--lint").stdout
    lints = re.findall(r"^    \* (.*):$", report, flags=re.MULTILINE)
    assert lints, report
    assert set(lints) == {"Specify a conda environment or container for each rule."}
