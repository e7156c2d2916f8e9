"""docs/extending.md: its worked examples are applied to a copy of the checkout, and run to the report."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import binomtest

from config.layout import ROOT
from tests.end_to_end.conftest import Checkout, copy_checkout
from tests.extending.recipes import Recipe, recipes

PAGE = ROOT / "docs" / "extending.md"
# What an addition may touch, its own tests apart.
ALLOWED = {"A replacement": 4, "A task": 8, "A statistic": 6, "A data-set source": 3}
RECIPES = {recipe.title: recipe for recipe in recipes(PAGE)}
IMAGES = 32


def copied(folder: Path) -> Checkout:
    """A copy of the checkout, docs and tests included."""
    checkout = copy_checkout(folder)
    for part in ("docs", "tests"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    return checkout


def contents(folder: Path) -> dict[str, str]:
    """Every file of a checkout, by its path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_kind_of_addition_has_a_section() -> None:
    assert list(RECIPES) == list(ALLOWED)


@pytest.fixture(scope="module")
def touched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, dict[str, set[str]]]:
    """A copy with all examples applied, one after the other, and what each of them touched."""
    checkout = copied(tmp_path_factory.mktemp("extending") / "checkout")
    found = {}
    for title, recipe in RECIPES.items():
        before = contents(checkout.folder)
        recipe.apply(checkout.folder)
        after = contents(checkout.folder)
        found[title] = {name for name in after if after[name] != before.get(name)}
        assert before.keys() <= after.keys()
    return checkout, found


@pytest.mark.parametrize("title", ALLOWED)
def test_an_addition_touches_the_files_that_are_listed(
    touched: tuple[Checkout, dict[str, set[str]]], title: str
) -> None:
    _, found = touched
    listed = RECIPES[title].listed
    assert found[title] == set(listed) and len(listed) == len(set(listed))
    assert len(listed) <= ALLOWED[title]


def test_a_wrong_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\nx = 1\n")
    recipe = Recipe("", (), "```diff\n+++ b/a.py\n@@\n x = 1\n+y = 2\n```\n")
    with pytest.raises(AssertionError, match="2 times, and not once"):
        recipe.apply(tmp_path)


def test_the_copy_keeps_the_rules_of_the_house(touched: tuple[Checkout, dict[str, set[str]]]) -> None:
    """Its code is formatted, its records are filled in, and its docs say the same."""
    checkout, found = touched
    code = sorted(name for names in found.values() for name in names if name.endswith(".py"))
    for command in (
        ["ruff", "check", "--no-cache", *code],
        ["ruff", "format", "--no-cache", "--check", *code],
        # Those of the vocabulary that import no network; the run below proves that what is declared is computed.
        [
            *("pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "tests/config/test_vocabulary.py"),
            *("-k", "filled_in or schema or design_page or refer or prints_itself"),
        ],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=checkout.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def run(touched: tuple[Checkout, dict[str, set[str]]], tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The extended copy after a run that has everything that was added."""
    copy, _ = touched
    folder = tmp_path_factory.mktemp("config")
    config = yaml.safe_load(Path(__file__).with_name("all.yaml").read_text(encoding="utf-8"))
    config["datasets"]["patterns"]["path"] = str(folder / "arrays")
    (folder / "arrays").mkdir()
    rng = np.random.default_rng(0)
    for image in range(IMAGES):
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        np.save(folder / "arrays" / f"{image}.npy", coarse.repeat(9, axis=0).repeat(10, axis=1))
    (folder / "all.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    checkout = Checkout(copy.folder, folder / "all.yaml")
    done = checkout.snakemake("--cores", "2")
    assert done.returncode == 0, done.stdout
    return checkout


def words(run: Checkout, page: str) -> str:
    """What a reader sees of a page, without tags."""
    text = (run.run.report / page).read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def test_the_task_is_measured_in_its_own_unit(run: Checkout) -> None:
    outcomes = pd.read_parquet(run.run.outcomes("brightness", "sink_s"))
    assert set(outcomes["readout"]) == {"matched", "frozen"} and (outcomes["denominator"] == 64).all()
    assert (outcomes["numerator"] > outcomes["denominator"]).mean() > 0.5
    ablation = pd.read_csv(run.run.table("ablation")).set_index(["task", "readout", "condition"])
    errors = ablation.loc["brightness"]["value"]
    # The brightness of a patch varies by some 43 grey levels; the tokens say more than nothing about it.
    assert 1 < errors["matched", "full"] < 40
    # A probe that was trained on other features errs more, and no column says otherwise.
    assert errors["frozen", "opposite"] > errors["frozen", "full"] == errors["matched", "full"]
    assert ablation.loc[("brightness", "frozen", "opposite"), "delta"] > 0


def test_the_report_prints_the_task_as_its_record_says(run: Checkout) -> None:
    value = (
        pd.read_csv(run.run.table("ablation")).query("task == 'brightness' and condition == 'full'")["value"].iloc[0]
    )
    results = words(run, "results.html")
    assert "Brightness on patterns: mean absolute error" in results
    assert "what a ridge regression predicts from its token, averaged over patches; grey levels" in results
    assert "lower is better" in results and "a positive change is a loss" in results
    assert f" {value:.4g} " in results and f" {100 * value:.1f} " not in results
    assert "Value, grey levels" in results and "Δ, grey levels" in results
    statistics = words(run, "statistics.html")
    assert "Differences are in percentage points, brightness in grey levels." in statistics
    assert "2 grey levels two grey levels cannot be seen" in statistics
    assert "Values and changes are fractions, brightness in grey levels." in words(run, "methods.html")


def test_known_answers_hold_for_the_task(run: Checkout) -> None:
    """Registers of sink hold the same for every image: their mean changes no brightness."""
    checks = pd.read_csv(run.run.table("known_answers"))
    of_task = checks[checks["check"] == "brightness does not change"]
    assert list(of_task["condition"]) == ["mean_registers"] and of_task["passed"].all()


def test_the_replacement_has_its_label_and_its_words(run: Checkout) -> None:
    assert "the same token with its sign reversed" in words(run, "methods.html")
    assert " Negated " in words(run, "results.html")
    changes = pd.read_csv(run.run.record_changes).set_index(["condition", "token"])["max_abs_change"]
    assert changes.loc["opposite"].min() > 1e-3 > changes.loc["mean_registers"].max()


@pytest.mark.parametrize(("task", "worse"), [("retrieval", -1), ("brightness", 1)])
def test_the_statistic_counts_losses_in_the_direction_of_the_task(run: Checkout, task: str, worse: int) -> None:
    outcomes = pd.read_parquet(run.run.outcomes(task, "sink_s")).query("readout != 'frozen' and layer == 5")
    score = outcomes.assign(score=outcomes["numerator"] / outcomes["denominator"]).pivot(
        index="unit", columns="condition", values="score"
    )
    rows = pd.read_csv(run.run.test("sign_test")).query(f"task == '{task}' and readout != 'frozen'")
    rows = rows.set_index("condition")
    assert set(rows.index) == {"zero_registers", "mean_registers", "opposite"}
    for condition in ("zero_registers", "opposite"):
        change = worse * (score[condition] - score["full"])
        lost, won = int((change > 1e-9).sum()), int((change < -1e-9).sum())
        assert (rows.loc[condition, "worse"], rows.loc[condition, "better"]) == (lost, won)
        assert rows.loc[condition, "p"] == pytest.approx(binomtest(lost, lost + won).pvalue if lost + won else 1)
    assert task == "retrieval" or rows.loc["opposite", "worse"] + rows.loc["opposite", "better"] == 12


def test_the_statistic_has_its_table_and_its_columns_are_explained(run: Checkout) -> None:
    page = words(run, "statistics.html")
    assert "Units that change on patterns" in page and "as likely to change for the better" in page
    assert 'href="tests/sign_test.csv"' in (run.run.report / "statistics.html").read_text(encoding="utf-8")
    methods = words(run, "methods.html")
    assert "tests/sign_test.csv : How many units a condition changes for the better" in methods
    assert "units (or clusters) whose score is worse than under full" in methods


def test_the_source_is_named_and_split(run: Checkout) -> None:
    assert "unlabelled images as NumPy arrays" in words(run, "methods.html")
    index = pd.read_parquet(run.run.pack("patterns").index)
    assert index["split"].value_counts().to_dict() == {"calibration": 8, "train": 12, "test": 12, "twin": 12}
    assert np.load(run.run.pack("patterns").images).std() > 50
