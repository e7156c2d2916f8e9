"""Models on partly different units: each by itself on all of its own, and both together on those that they share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.__main__ import Stated, read_folder
from analysis.outcomes.common_units import compared_outcomes
from analysis.outcomes.files import Outcomes, read_outcomes, restricted
from analysis.outcomes.groups import task_outcomes
from analysis.statistics.comparisons import comparison_rows
from config.resolve import resolve_analysis

CONDITIONS = ("full", "blurred", "dark")
FAMILIES = {
    "comparisons": {"content": {"question": "?", "families": ["a", "b"], "conditions": ["blurred", "dark"]}},
    "draws": 199,
    "margins": {"default": {"margin": 0.05, "reason": "chosen for this test"}},
}
COMPARED = ["comparison", "task", "readout", "condition", "within"]


def rows_of(model: str, units: range, *, readouts: tuple[str, ...] = ("matched",), refits: int = 0) -> pd.DataFrame:
    """Scores of a model of family `model[0]` in two categories, drawn for each unit by its number."""
    rows = []
    for readout in readouts:
        for refit in range(refits + 1):
            for place, condition in enumerate(CONDITIONS):
                for unit in units:
                    luck = np.random.default_rng([unit, ord(model[0]), place, refit, len(readout)])
                    rows += [
                        {
                            **{"dataset": "mine", "task": "depth", "model": model, "family": model[0], "scale": "S"},
                            **{"condition": condition, "readout": readout, "unit": f"u{unit:03}", "category": category},
                            **{"numerator": float(luck.integers(5 + place, 21)), "denominator": 20.0},
                            **{"features": "", "layer": -1, "refit": refit, "cluster": f"u{unit:03}"},
                        }
                        for category in "xy"
                    ]
    return pd.DataFrame(rows)


def read(folder: Path, *frames: pd.DataFrame) -> list[Outcomes]:
    folder.mkdir()
    for place, frame in enumerate(frames):
        frame.to_parquet(folder / f"{place}.parquet")
    return read_folder(folder)


def compared(outcomes: list[Outcomes]) -> pd.DataFrame:
    settings = Stated(resolve_analysis({"analysis": FAMILIES})).of(outcomes)
    rows, _ = comparison_rows(compared_outcomes(outcomes, settings), settings)
    return pd.DataFrame([vars(row) for row in rows])


@pytest.mark.parametrize("refits", [0, 3])
def test_a_comparison_is_as_of_files_that_hold_the_common_units_alone(tmp_path: Path, refits: int) -> None:
    a, b = (rows_of("a_s", range(40), refits=refits), rows_of("b_s", range(5, 50), refits=refits))
    with pytest.warns(UserWarning, match=r"'a_s' and 'b_s' .*; 35 of 40 and 45 units are common, and compared\."):
        found = compared(read(tmp_path / "all", a, b))
    common = [f"u{unit:03}" for unit in range(5, 40)]
    expected = compared(read(tmp_path / "common", *(frame[frame["unit"].isin(common)] for frame in (a, b))))
    assert list(found["n"]) == [35, 35]
    assert list(found["condition"]) == ["blurred", "dark"]
    pd.testing.assert_frame_equal(found, expected)


def test_values_and_changes_stay_on_all_units_of_their_model(tmp_path: Path) -> None:
    outcomes = read(tmp_path / "in", rows_of("a_s", range(40)), rows_of("b_s", range(5, 50)))
    settings = Stated(resolve_analysis({"analysis": FAMILIES})).of(outcomes)
    assert [group.size for group in task_outcomes(outcomes, settings)] == [40, 45]


def test_models_on_the_same_units_are_compared_once(tmp_path: Path) -> None:
    """One readout is on the same units and the other is not; a third model shares the units of the first."""
    a = pd.concat([rows_of("a_s", range(40)), rows_of("a_s", range(30), readouts=("frozen",))])
    b = pd.concat([rows_of("b_s", range(40)), rows_of("b_s", range(10, 40), readouts=("frozen",))])
    with pytest.warns(UserWarning, match="20 of 30 and 30 units are common") as caught:
        found = compared(read(tmp_path / "in", a, b, rows_of("c_s", range(40))))
    assert len(caught) == 1
    assert not found.duplicated(COMPARED).any()
    assert dict(found.groupby("readout")["n"].first()) == {"frozen": 20, "matched": 40}
    assert len(found) == 4


@pytest.mark.parametrize(
    ("units", "said"),
    [
        (range(40, 60), "0 of 40 and 20 units are common, which are too few, so they are not compared"),
        (range(39, 60), "1 of 40 and 21 units are common, which are too few, so they are not compared"),
    ],
)
def test_too_few_common_units(tmp_path: Path, units: range, said: str) -> None:
    with pytest.warns(UserWarning, match=said):
        assert compared(read(tmp_path / "in", rows_of("a_s", range(40)), rows_of("b_s", units))).empty


def test_models_that_no_comparison_names_are_not_warned_of(tmp_path: Path) -> None:
    outcomes = read(tmp_path / "in", rows_of("a_s", range(40)), rows_of("c_s", range(5, 50)))
    assert compared(outcomes).empty


def clustered(frame: pd.DataFrame, prefix: str, per: int) -> pd.DataFrame:
    return frame.assign(cluster=frame["unit"].map(lambda unit: f"{prefix}{int(unit[1:]) // per}"))


def test_clusters_are_cut_to_the_common_units(tmp_path: Path) -> None:
    """Units 0 to 39 and 6 to 49 in fours: the cluster of units 4 to 7 is cut to 6 and 7; names of clusters differ."""
    a, b = clustered(rows_of("a_s", range(40)), "c", 4), clustered(rows_of("b_s", range(6, 50)), "d", 4)
    with pytest.warns(UserWarning, match="34 of 40 and 44 units are common, and compared"):
        found = compared(read(tmp_path / "all", a, b))
    common = [f"u{unit:03}" for unit in range(6, 40)]
    cut = [frame[frame["unit"].isin(common)] for frame in (a, b.assign(cluster=b["cluster"].str.replace("d", "c")))]
    expected = compared(read(tmp_path / "common", *cut))
    assert list(found["n"]) == [34, 34]
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("per", [1, 5])
def test_clusters_that_contradict_each_other(tmp_path: Path, per: int) -> None:
    a, b = clustered(rows_of("a_s", range(40)), "c", 4), clustered(rows_of("b_s", range(5, 50)), "c", per)
    with pytest.warns(UserWarning, match="but their clusters are not the same ones, so they are not compared"):
        assert compared(read(tmp_path / "in", a, b)).empty


def test_restricted_outcomes_are_those_of_fewer_rows(tmp_path: Path) -> None:
    table = clustered(rows_of("a_s", range(12)), "c", 4)
    table.to_parquet(tmp_path / "all.parquet")
    kept = table[table["unit"].isin(["u001", "u002", "u007"])]
    kept.to_parquet(tmp_path / "kept.parquet")
    (whole,), (expected,) = (read_outcomes(tmp_path / f"{name}.parquet") for name in ("all", "kept"))
    found = restricted(whole, {"u007": "c1", "u001": "c0", "u002": "c0"})
    assert (
        (found.units, found.members, found.size)
        == (expected.units, expected.members, 3)
        == (("c0", "c1"), found.members, 3)
    )
    assert found.sizes is not None and found.sizes.tolist() == [2, 1]
    for condition in CONDITIONS:
        np.testing.assert_array_equal(found.conditions[condition].numerator, expected.conditions[condition].numerator)
    apart = restricted(whole, {"u001": "c0", "u007": "c1"})
    assert (apart.units, apart.members, apart.sizes, apart.each) == (("u001", "u007"), "", None, None)
