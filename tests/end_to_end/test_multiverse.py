"""A multiverse as its users meet it: one command, one page, and nothing computed twice."""

from pathlib import Path

import pandas as pd
import pytest

from config.layout import Run
from tests.end_to_end.conftest import Checkout, copy_checkout

CONFIG = Path(__file__).with_name("multiverse.yaml")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    checkout = Checkout(copy_checkout(tmp_path_factory.mktemp("multiverse") / "checkout").folder, CONFIG)
    done = checkout.snakemake("--cores", "2", "multiverse")
    assert done.returncode == 0, done.stdout
    return checkout


def run_of(checkout: Checkout, name: str) -> Run:
    return Run(checkout.folder / "results" / name)


def test_conclusions_of_every_universe_are_gathered(ran: Checkout) -> None:
    base = run_of(ran, "tiny")
    universes = pd.read_csv(base.multiverse("universes"))
    assert universes["run"].tolist() == ["tiny", "tiny-penalty-strong", "tiny-shuffle_group-small"]
    survival = pd.read_csv(base.multiverse("survival")).set_index("condition")
    # Its CLS reads registers alone: no penalty and no group can save the accuracy.
    assert survival.loc[["zero_registers", "shuffle_registers"], "survival"].tolist() == ["all", "all"]
    assert survival["universes"].tolist() == [3, 3]
    rows = pd.read_csv(base.multiverse("conclusions")).query("condition == 'shuffle_registers'").set_index("universe")
    for name, run in zip(universes["universe"], universes["run"], strict=True):
        table = pd.read_csv(run_of(ran, run).test("equivalence")).query("readout != 'frozen'").set_index("condition")
        assert table.loc["shuffle_registers", "delta"] == pytest.approx(rows.loc[name, "estimate"])


def test_a_choice_of_the_probe_shares_the_records_and_one_of_the_images_does_not(ran: Checkout) -> None:
    base, penalty, groups = (run_of(ran, f"tiny{rest}") for rest in ("", "-penalty-strong", "-shuffle_group-small"))
    for folder in ("packs", "calibration", "records", "measures"):
        assert (penalty.folder / folder).resolve() == (base.folder / folder).resolve()
        assert not (groups.folder / folder).is_symlink()
    sizes = [pd.read_parquet(run.pack("scenes").index)["group"].value_counts().max() for run in (base, groups)]
    assert sizes == [64, 8]
    strengths = pd.read_csv(penalty.probes("classification", "bottleneck_s"))["strength"]
    assert set(strengths) == {0.001}


def test_the_report_of_the_base_has_the_page(ran: Checkout) -> None:
    page = (run_of(ran, "tiny").report / "multiverse.html").read_text(encoding="utf-8")
    assert "survival-delta" in page and "specification_curve.svg" in page
    assert not run_of(ran, "tiny-penalty-strong").report.exists()


def test_a_second_call_computes_nothing(ran: Checkout) -> None:
    before = {file: file.stat().st_mtime_ns for file in (ran.folder / "results").rglob("*.parquet")}
    again = ran.snakemake("--cores", "2", "multiverse")
    assert again.returncode == 0, again.stdout
    assert again.stdout.count("Nothing to be done") >= 3
    assert {file: file.stat().st_mtime_ns for file in before} == before
