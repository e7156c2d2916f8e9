"""A run that keeps neither records nor packs: what is deleted, what stays, and what runs again when asked for."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import yaml

from config.layout import Run
from tests.end_to_end.conftest import Checkout, copy_checkout

CONFIG = {
    "run": "small",
    "keep": [],
    "models": {name: {"source": "known_answer", "family": name, "scale": "S"} for name in ("plain", "sink")},
    "datasets": {
        "scenes": {
            **{"source": "scenes", "image_size": 64, "tasks": ["classification", "retrieval"], "shards": 1},
            **{"calibration": 16, "train": 40, "test": 30, "pairs": 10},
        }
    },
    "conditions": {"full": {}, "zero_registers": {"tokens": ["registers"], "by": "zero"}},
    "measures": {"images": 6, "attention_images": 4, "layers": [-1]},
}


def targets(run: Run) -> list[str]:
    """What reads packs, records and measures last."""
    found = [run.record_changes, run.table("layer_measures")]
    found += [run.outcomes(task, model) for task in ("classification", "retrieval") for model in CONFIG["models"]]  # type: ignore[attr-defined]
    return [path.relative_to(run.folder.parents[1]).as_posix() for path in found]


def asked(checkout: Checkout, *arguments: str, **changed: object) -> subprocess.CompletedProcess[str]:
    checkout.config.write_text(yaml.safe_dump({**CONFIG, **changed}, sort_keys=False))
    configured = ["--configfile", str(checkout.config)]
    done = checkout.snakemake_of([*targets(checkout.run), *configured, "--cores", "2", *arguments])
    assert done.returncode == 0, done.stdout
    return done


def planned(checkout: Checkout, **changed: object) -> Counter[str]:
    """The rules of the jobs that a dry run lists, each with how many there are."""
    said = asked(checkout, "--dry-run", "--quiet", "progress", **changed).stdout
    return Counter(re.findall(r"^(?:localrule|rule) (\w+):$", said, flags=re.MULTILINE))


@pytest.fixture(scope="module")
def lean(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    folder = tmp_path_factory.mktemp("lean")
    checkout = Checkout(copy_checkout(folder / "checkout").folder, folder / "lean.yaml")
    asked(checkout)
    return checkout


def large(run: Run) -> list[Path]:
    """Records, and pixels of packs."""
    return [*(run.folder / "records").rglob("*.safetensors"), *(run.folder / "packs").rglob("*.npy")]


def test_what_is_not_kept_is_gone_and_what_is_read_later_stays(lean: Checkout) -> None:
    assert large(lean.run) == []
    for target in targets(lean.run):
        assert (lean.folder / target).exists()
    assert lean.run.pack("scenes").facts.exists() and lean.run.pack("scenes").index.exists()
    assert len(list(lean.run.all_measures.rglob("*.parquet"))) == 2 * 2  # models; measures and spectra


def test_a_second_call_runs_nothing(lean: Checkout) -> None:
    assert "Nothing to be done" in asked(lean).stdout
    # Nor does keeping the files from now on make those that are gone.
    assert planned(lean, keep=["packs", "records"]) == Counter()


def test_a_missing_table_is_made_of_what_stayed(lean: Checkout) -> None:
    table = lean.run.table("layer_measures")
    before = table.read_bytes()
    table.unlink()
    assert set(planned(lean)) == {"layers"}
    asked(lean)
    assert table.read_bytes() == before


def test_what_is_asked_for_again_is_computed_again_and_the_same(lean: Checkout) -> None:
    outcomes = lean.run.outcomes("retrieval", "sink")
    before = outcomes.read_bytes()
    again = planned(lean, probe={"strengths": [0.5]})
    assert again["evaluate"] == 2 and again["extract"] == 2 and again["prepare_scenes"] == 1
    outcomes.unlink()
    asked(lean)
    assert outcomes.read_bytes() == before and large(lean.run) == []
