"""How far conditions move records, on records written by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from config.layout import Run
from config.resolve import resolve
from config.settings import settings
from extract.record_changes import put_together
from extract.record_changes import run as changes_of_model
from extract.records import Planned, Skipped, save_skipped, tensor_file

SETTINGS = settings(
    resolve(
        {
            "run": "changes",
            "models": {
                "m": {
                    **{"source": "timm", "family": "open", "scale": "S", "weights": "random"},
                    **{"architecture": "of_some_registers", "image_size": 64},
                }
            },
            "datasets": {"d": {"source": "scenes", "image_size": 64, "tasks": ["classification"], "shards": 2}},
            "conditions": {
                "full": {},
                "zero_r2": {"tokens": ["r2"], "by": "zero"},
                "zero_r4": {"tokens": ["r4"], "by": "zero"},
            },
        }
    )
)


def write(path: Path, features: dict[str, np.ndarray], start: int) -> None:
    n = len(next(iter(features.values())))
    plan = {"rows": Planned((n,), np.int64), **{name: Planned(each.shape) for name, each in features.items()}}
    with tensor_file(path, plan, {}) as file:
        file.write("rows", np.arange(start, start + n))
        for name, each in features.items():
            file.write(name, each)


def changes_of(
    folder: Path, moved: dict[str, tuple[int, int, float]], told: pytest.CaptureFixture[str]
) -> dict[tuple[str, int], float]:
    """Record twenty images in two shards, and again with a value (row, dimension) of some tensors moved."""
    run = Run(folder)
    tokens = ("cls", "r1", "r2", "patch_mean")
    rng = np.random.default_rng(0)
    base = {f"{token}/{layer}": rng.normal(size=(20, 4)).astype(np.float32) for token in tokens for layer in (3, 5)}
    after = {name: each.copy() for name, each in base.items() if name.endswith("/5")}
    for name, (row, dimension, by) in moved.items():
        after[name][row, dimension] += np.float32(by)
    for condition, features in (("full", base), ("zero_r2", after)):
        for k, shard in enumerate(("1-of-2", "2-of-2")):
            part = {name: each[10 * k : 10 * k + 10] for name, each in features.items()}
            write(run.records("m", "d", shard, condition), part, 10 * k)
    for shard in ("1-of-2", "2-of-2"):
        save_skipped(Skipped("m has no r4"), run.records("m", "d", shard, "zero_r4"), {})
    changes_of_model(SETTINGS, run, "m")
    put_together(SETTINGS, run)
    assert told.readouterr().err == (
        "warning: conditions.zero_r4: no model of this run could be put under it (m has no r4); add a model that has "
        "these tokens, or remove the condition\n"
    )
    found = pd.read_csv(run.record_changes)
    assert list(found) == ["model", "dataset", "condition", "token", "layer", "max_abs_change"]
    assert set(zip(found["model"], found["dataset"], found["condition"], strict=True)) == {("m", "d", "zero_r2")}
    return found.set_index(["token", "layer"])["max_abs_change"].to_dict()


def test_the_largest_change_of_a_token_is_found_in_any_shard_at_the_layers_that_both_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = changes_of(tmp_path, {"cls/5": (3, 1, -0.5), "r1/5": (2, 2, 0.25), "r2/5": (17, 0, 2.0)}, capsys)
    assert found == {
        ("cls", 5): pytest.approx(0.5, abs=1e-6),
        ("registers", 5): pytest.approx(2.0, abs=1e-6),
        ("patch_mean", 5): 0.0,
    }


@pytest.mark.parametrize("token", ["r1", "r2"])
def test_a_damaged_record_is_no_small_change(tmp_path: Path, capsys: pytest.CaptureFixture[str], token: str) -> None:
    found = changes_of(tmp_path, {f"{token}/5": (4, 0, np.nan)}, capsys)
    assert np.isnan(found["registers", 5]) and found["cls", 5] == 0.0
