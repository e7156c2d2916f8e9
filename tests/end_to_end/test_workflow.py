"""The workflow as its users meet it: run, run again, killed, misconfigured."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from config.settings import load_settings
from tests.end_to_end.conftest import Checkout
from tests.end_to_end.renaming import DATASET, WORDS, assert_names_change_nothing


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
    measures = pd.read_csv(finished.run.table("layer_measures"))
    measures = measures.set_index(["model", "condition", "layer", "measure"])
    # Registers of sink hold the same for every image: another image's change no attention; zeros do.
    assert measures.loc[("sink_s", "shuffle_trajectory_registers", 5, "js"), "quartile_3"] < 1e-6
    assert measures.loc[("sink_s", "zero_registers", 5, "js"), "quartile_1"] > 0.01
    assert (measures.loc[("sink_s", "zero_registers", 0, "js")]["mean"] < 1e-6).all()


@pytest.mark.parametrize("words", [WORDS, WORDS | DATASET], ids=["conditions and models", "the data set too"])
def test_names_change_nothing(finished: Checkout, tmp_path: Path, words: dict[str, str]) -> None:
    assert_names_change_nothing(finished, tmp_path, words)


def test_second_call_schedules_nothing(finished: Checkout) -> None:
    start = time.monotonic()
    again = finished.snakemake("--cores", "2")
    assert again.returncode == 0
    assert "Nothing to be done" in again.stdout
    assert time.monotonic() - start < 15


def planned(checkout: Checkout) -> Counter[str]:
    """The rules of the jobs that a dry run lists, each with how many there are."""
    plan = checkout.snakemake("--cores", "2", "--dry-run", "--quiet", "progress")
    assert plan.returncode == 0, plan.stdout
    return Counter(re.findall(r"^(?:localrule|rule) (\w+):$", plan.stdout, flags=re.MULTILINE))


OF_TABLES = {"tables", "figures", "audit_reproduced", "report", "all"}
OF_COMPARISON = {"comparison", "comparisons", "figures", "report", "all"}
OF_KNOWN_ANSWERS = {"known_answers", "figures", "report", "all"}
OF_STATISTICS = {"statistics", "known_answers", *OF_TABLES}


@pytest.mark.parametrize(
    ("place", "value", "rerun"),
    [
        (("draws",), 999, {"comparison", "comparisons", *OF_STATISTICS}),
        (("resamples",), 999, {"layers", "figures", "report", "all"}),
        # A family has intervals that hold for all of it at once.
        (("families",), ["dataset"], OF_STATISTICS),
        # The tables carry the reason beside the margin.
        (("margins", "default", "reason"), "because", {"comparison", "comparisons", *OF_STATISTICS}),
        (("comparisons", "zeros", "conditions"), ["zero_r1", "zero_registers"], OF_COMPARISON),
        (("comparisons", "zeros", "question"), "And a single one?", {"report", "all"}),
    ],
)
def test_a_changed_value_of_the_config_reruns_what_reads_it(
    finished: Checkout, tmp_path: Path, place: tuple[str, ...], value: object, rerun: set[str]
) -> None:
    changed = yaml.safe_load(finished.run.settings.read_text())
    section = changed["analysis"]
    for key in place[:-1]:
        section = section[key]
    section[place[-1]] = value
    config = tmp_path / "changed.yaml"
    config.write_text(yaml.safe_dump(changed, sort_keys=False))
    scheduled = planned(Checkout(finished.folder, config))
    assert set(scheduled) == rerun
    # Of two comparisons the other one stays.
    assert scheduled["comparison"] in (0, 1 if rerun is OF_COMPARISON else 2)


@pytest.fixture(scope="module")
def edited(finished: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A finished checkout whose sources may be edited."""
    checkout = Checkout(tmp_path_factory.mktemp("edited") / "checkout", finished.config)
    shutil.copytree(finished.folder, checkout.folder, symlinks=True)
    return checkout


@pytest.mark.parametrize(
    ("module", "before", "after", "rerun"),
    [
        (
            "analysis/figures/style.py",
            '"font.size": 10',
            '"font.size": 11',
            {"figures", "audit_figures", "report", "all"},
        ),
        ("analysis/statistics/comparisons.py", "BINS = 40", "BINS = 41", OF_COMPARISON),
        ("analysis/statistics/additivity.py", '"neither shown"', '"neither"', OF_STATISTICS),
        ("analysis/statistics/known_answers.py", "FALSE_ALARM = 0.05", "FALSE_ALARM = 0.01", OF_KNOWN_ANSWERS),
        ("analysis/statistics/attention.py", '"not monotone"', '"other"', {"layers", "figures", "report", "all"}),
        # What is written for readers alone.
        ("analysis/rows/contrasts.py", 'column("the second model")', 'column("the other model")', {"report", "all"}),
        ("analysis/engine/permutation.py", '"""', '"""Anew: ', set()),
    ],
)
def test_a_changed_module_reruns_what_it_computes(
    edited: Checkout, module: str, before: str, after: str, rerun: set[str]
) -> None:
    path = edited.folder / module
    text, times = path.read_text(encoding="utf-8"), path.stat()
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    try:
        assert set(planned(edited)) == rerun
    finally:
        path.write_text(text, encoding="utf-8")
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_planning_imports_no_network(finished: Checkout) -> None:
    # pandas is Snakemake's own: it imports it to compare params.
    code = (
        "import sys; from snakemake.cli import main; sys.argv[0] = 'snakemake'\n"
        "try:\n    main()\n"
        "finally:\n"
        "    heavy = {'torch', 'timm', 'scipy', 'matplotlib'}\n"
        "    print('imported', *sorted(heavy & set(sys.modules)))"
    )
    _, _, _, *arguments = finished.command("--cores", "1", "--dry-run", "--quiet", "all")
    said = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=finished.folder, capture_output=True, text=True, check=True
    ).stdout
    assert said.split()[-1] == "imported", said


def test_killed_half_way_ends_with_the_same_bytes(finished: Checkout, tmp_path: Path) -> None:
    # Two of three models are done: the whole run from its start is `finished` itself.
    checkout = Checkout(tmp_path / "checkout", finished.config)
    shutil.copytree(finished.folder, checkout.folder, symlinks=True)
    undone = [
        *(path for path in checkout.run.folder.rglob("sink_s*") if path.parent.name != "logs"),
        *(checkout.run.folder / name for name in ("statistics", "comparisons", "tables", "tests", "figures", "report")),
        checkout.run.record_changes,
    ]
    for path in undone:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    process = subprocess.Popen(
        checkout.command("--cores", "2"),
        cwd=checkout.folder,
        env=checkout.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    records = checkout.run.folder / "records" / "sink_s"
    deadline = time.monotonic() + 240
    # The middle of the run: a model is being extracted.
    while not list(records.rglob("*.safetensors")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    assert checkout.snakemake("--unlock").returncode == 0
    resumed = checkout.snakemake("--cores", "2")
    assert resumed.returncode == 0, resumed.stdout
    # What had ended when it was killed is not done again, and what had not is.
    assert "rule extract:" in resumed.stdout and "rule prepare_scenes:" not in resumed.stdout
    assert len(list(records.rglob("*.safetensors"))) == len(load_settings(checkout.run.settings).conditions)
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
