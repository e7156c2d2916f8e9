"""What a run says of published numbers: reproduced, not reproduced, or not measured."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from analysis.audit.reproduced import DELTA, NEEDED, main, with_draws_averaged
from config.errors import InputError
from config.layout import Run

FOLDER = Path(__file__).parents[3] / "analysis" / "published"
COLUMNS = (*NEEDED, *DELTA)
FULL = {
    **{"dataset": "imagenet", "task": "classification", "model": "v3", "family": "dinov3", "scale": "S"},
    **{"readout": "matched", "condition": "full", "value": "0.6200", "value_low": "0.6105", "value_high": "0.6295"},
}
ZERO = {
    **{**FULL, "condition": "zero_registers", "value": "0.2541", "value_low": "0.2450", "value_high": "0.2630"},
    **{"delta": "-0.3659", "delta_low": "-0.3760", "delta_high": "-0.3560"},
}


MODEL = {"source": "timm", "family": "dinov3", "scale": "S", "architecture": "a", "image_size": 224}
CONFIG = {
    "run": "small",
    "datasets": {"scenes": {"source": "scenes", "image_size": 64, "tasks": ["classification"]}},
    # What a condition is called says nothing of what it does.
    "conditions": {
        "full": {},
        "zero_registers": {"tokens": ["registers"], "by": "zero"},
        "mean_registers": {"tokens": ["cls"], "by": "mean"},
    },
}


def reproduced(path: Path, *rows: Mapping[str, str], weights: str = "hub") -> dict[str, list[dict[str, str]]]:
    """Claim → its rows, for a run with these rows in its ablation table."""
    run = Run(path)
    ablation, settings, out = run.table("ablation"), run.settings, run.audit / "reproduced.csv"
    ablation.parent.mkdir(exist_ok=True)
    with ablation.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    settings.write_text(yaml.safe_dump(CONFIG | {"models": {"v3": MODEL | {"weights": weights}}}, sort_keys=False))
    main([str(FOLDER), "--settings", str(settings)])
    found: dict[str, list[dict[str, str]]] = {}
    with out.open(newline="") as stream:
        for row in csv.DictReader(stream):
            found.setdefault(row["claim"], []).append(row)
    return found


def test_a_run_whose_interval_holds_the_published_numbers_reproduces_a_claim(tmp_path: Path) -> None:
    # 62.0 to 25.4, a change of -36.6 points.
    claim, *numbers = reproduced(tmp_path, FULL, ZERO)["reg-v3-classification"]
    assert (claim["reproduced"], claim["measured"], claim["quantities"]) == ("reproduced", "3", "3")
    assert {(row["number"], row["published"]) for row in numbers} == {
        ("t023", "62"),
        ("t024", "25.4"),
        ("t025", "-36.6"),
    }
    assert all(float(row["low"]) <= float(row["published"]) <= float(row["high"]) for row in numbers)


def test_conditions_are_known_by_what_they_replace(tmp_path: Path) -> None:
    called_otherwise = {"condition": "mean_registers"}
    claim, *_ = reproduced(tmp_path, FULL, {**ZERO, **called_otherwise})["reg-v3-classification"]
    assert (claim["reproduced"], claim["measured"]) == ("not measured", "1")


def test_a_run_whose_interval_excludes_one_of_them_does_not(tmp_path: Path) -> None:
    away = {**ZERO, "value": "0.40", "value_low": "0.39", "value_high": "0.41"}
    claim, *numbers = reproduced(tmp_path, FULL, away)["reg-v3-classification"]
    assert claim["reproduced"] == "not reproduced"
    assert {row["number"] for row in numbers if row["reproduced"] == "not reproduced"} == {"t024"}


def test_an_interval_that_misses_by_less_than_rounding_still_reproduces(tmp_path: Path) -> None:
    near = {**FULL, "value": "0.6210", "value_low": "0.6203", "value_high": "0.6217"}
    claim, *_ = reproduced(tmp_path, near, ZERO)["reg-v3-classification"]
    assert claim["reproduced"] == "reproduced"  # 62.0 stands for anything up to 62.05


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "scenes"},  # another data set is another quantity
        {"readout": "frozen"},
        {"family": "dinov3_random"},
        {"scale": "B"},
        {"task": "a new task"},
    ],
)
def test_what_is_not_the_same_quantity_is_not_measured(tmp_path: Path, change: Mapping[str, str]) -> None:
    found = reproduced(tmp_path, {**FULL, **change}, {**ZERO, **change})
    claim, *numbers = found["reg-v3-classification"]
    assert (claim["reproduced"], claim["measured"], numbers) == ("not measured", "0", [])


def test_random_weights_measure_nothing(tmp_path: Path) -> None:
    found = reproduced(tmp_path, FULL, ZERO, weights="random")
    assert {claim["reproduced"] for claim, *_ in found.values()} == {"not measured"}


def test_a_claim_of_which_a_part_is_measured_is_not_measured(tmp_path: Path) -> None:
    claim, *numbers = reproduced(tmp_path, FULL)["reg-v3-classification"]
    assert (claim["reproduced"], claim["measured"]) == ("not measured", "1")
    assert [row["number"] for row in numbers] == ["t023"]


def test_every_claim_has_its_row(tmp_path: Path) -> None:
    found = reproduced(tmp_path)
    entries = yaml.safe_load((FOLDER / "claims.yaml").read_text(encoding="utf-8"))
    assert list(found) == [entry["id"] for entry in entries]
    assert all(len(rows) == 1 for rows in found.values())


def test_a_missing_table_is_a_message(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent.csv")
    with pytest.raises(InputError, match=r"absent\.csv is missing"):
        main([str(FOLDER), "--settings", absent])
    assert list(tmp_path.iterdir()) == []


def test_draws_of_random_patches_count_as_their_mean() -> None:
    draws = [
        {**ZERO, "condition": f"zero_random_patches_{k}", "value": f"0.{k}", "value_low": "0.1", "value_high": "0.9"}
        for k in (2, 4)
    ]
    others = [dict(FULL), {**draws[0], "model": "another"}]
    drawn_from = {f"zero_random_patches_{k}": "zero_random_patches" for k in (2, 4)}
    found = with_draws_averaged([*draws, *others], drawn_from)
    assert found[0] == FULL
    by_model = {row["model"]: row for row in found[1:]}
    assert {row["condition"] for row in by_model.values()} == {"zero_random_patches"} and len(found) == 3
    mean = by_model[ZERO["model"]]
    assert [float(mean[name]) for name in ("value", "value_low", "value_high")] == [0.3, 0.1, 0.9]
    assert float(by_model["another"]["value"]) == 0.2
