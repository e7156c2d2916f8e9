"""The reader: what it makes of a good file, and what it says about a bad one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.outcomes.files import Outcomes, primary, read_outcomes
from analysis.outcomes.schema import OutcomeError
from config.vocabulary.tasks import task_of


def frame() -> pd.DataFrame:
    """Three images × two conditions × one class; image c has two classes."""
    rows = []
    for condition, offset in (("full", 0), ("zero_cls", 1)):
        for number, unit in enumerate("cab"):
            categories = ["x", "y"] if unit == "c" else ["x"]
            for category in categories:
                rows.append(
                    {
                        "dataset": "scenes",
                        "task": "segmentation",
                        "model": "sink_s",
                        "family": "sink",
                        "scale": "S",
                        "condition": condition,
                        "readout": "matched",
                        "unit": unit,
                        "category": category,
                        "numerator": float(2 + number - offset),
                        "denominator": 8.0,
                    }
                )
    return pd.DataFrame(rows)


def refusal(table: pd.DataFrame, folder: Path) -> str:
    path = folder / "sink_s.parquet"
    table.to_parquet(path, index=False)
    with pytest.raises(OutcomeError) as caught:
        read_outcomes(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def test_units_and_categories_are_sorted_and_gaps_are_zero(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "o.parquet")
    (one,) = read_outcomes(tmp_path / "o.parquet")
    assert (one.dataset, one.task, one.model) == ("scenes", "segmentation", "sink_s")
    assert (one.family, one.scale, one.readout) == ("sink", "S", "matched")
    assert one.units == ("a", "b", "c")
    assert one.categories == ("x", "y")
    assert list(one.conditions) == ["full", "zero_cls"]
    np.testing.assert_array_equal(one.conditions["full"].numerator, [[3, 0], [4, 0], [2, 2]])
    np.testing.assert_array_equal(one.conditions["full"].denominator, [[8, 0], [8, 0], [8, 8]])
    np.testing.assert_array_equal(one.conditions["zero_cls"].numerator, [[2, 0], [3, 0], [1, 1]])


def test_row_order_is_irrelevant(tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "a.parquet")
    frame().sample(frac=1, random_state=1).to_parquet(tmp_path / "b.parquet")
    (a,), (b,) = (read_outcomes(tmp_path / name) for name in ("a.parquet", "b.parquet"))
    assert (a.units, a.categories) == (b.units, b.categories)
    for condition in a.conditions:
        left, right = a.conditions[condition], b.conditions[condition]
        np.testing.assert_array_equal(left.numerator, right.numerator)
        np.testing.assert_array_equal(left.denominator, right.denominator)


def test_datasets_and_readouts_are_kept_apart(tmp_path: Path) -> None:
    parts = [
        frame().assign(readout="frozen"),
        frame(),
        frame().assign(dataset="photos", unit=lambda rows: "p" + rows["unit"]),
    ]
    pd.concat(parts).to_parquet(tmp_path / "o.parquet")
    found = read_outcomes(tmp_path / "o.parquet")
    assert [(one.dataset, one.readout) for one in found] == [
        ("photos", "matched"),
        ("scenes", "frozen"),
        ("scenes", "matched"),
    ]
    assert found[0].units == ("pa", "pb", "pc")


def test_dictionary_and_integer_columns_are_read(tmp_path: Path) -> None:
    table = frame().astype({"condition": "category", "unit": "category", "numerator": "int64"})
    table.to_parquet(tmp_path / "o.parquet")
    (one,) = read_outcomes(tmp_path / "o.parquet")
    assert one.conditions["full"].value() == pytest.approx((9 / 24 + 2 / 8) / 2)


@pytest.mark.parametrize("column", ["unit", "category", "denominator"])
def test_missing_column(tmp_path: Path, column: str) -> None:
    message = refusal(frame().drop(columns=column), tmp_path)
    assert f"missing column '{column}'" in message
    assert "docs/outcomes.md" in message


def test_missing_file_and_broken_file(tmp_path: Path) -> None:
    with pytest.raises(OutcomeError, match=r"absent.parquet: cannot be read"):
        read_outcomes(tmp_path / "absent.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(OutcomeError, match="Delete the file and evaluate again"):
        read_outcomes(tmp_path / "broken.parquet")


def test_no_rows(tmp_path: Path) -> None:
    assert "no rows" in refusal(frame().head(0), tmp_path)


def test_duplicate_unit(tmp_path: Path) -> None:
    message = refusal(pd.concat([frame(), frame().iloc[[2]]]), tmp_path)
    assert "column 'unit': rows 2, 8, counted from 0 repeat a unit" in message
    assert "'a'" in message
    assert "written twice" in message


@pytest.mark.parametrize(
    ("column", "value", "what"),
    [
        ("numerator", np.nan, "not a finite number"),
        ("denominator", np.inf, "not a finite number"),
        ("numerator", -1.0, "below 0"),
        ("denominator", -8.0, "below 0"),
        ("numerator", 8.5, "above the denominator"),
    ],
)
def test_impossible_count(tmp_path: Path, column: str, value: float, what: str) -> None:
    table = frame()
    table.loc[5, column] = value
    message = refusal(table, tmp_path)
    assert f"column '{column}': {what} in row 5, counted from 0" in message
    assert "unit 'c', condition 'zero_cls', category 'y'" in message


def test_many_rows_are_summed_up(tmp_path: Path) -> None:
    message = refusal(frame().assign(numerator=9.0), tmp_path)
    assert "rows 0, 1, 2, 3, 4, … (8 in all)" in message


def test_count_that_is_no_number(tmp_path: Path) -> None:
    message = refusal(frame().astype({"numerator": str}), tmp_path)
    assert "column 'numerator'" in message
    assert "is no number" in message


def test_name_that_is_no_string(tmp_path: Path) -> None:
    message = refusal(frame().assign(unit=range(8)), tmp_path)
    assert "column 'unit'" in message
    assert "hold int" in message
    assert "astype(str)" in message


def test_name_without_value(tmp_path: Path) -> None:
    table = frame()
    table.loc[3, "category"] = None
    message = refusal(table, tmp_path)
    assert "column 'category': no value in row 3" in message
    assert 'Write ""' in message


def test_unit_missing_under_a_condition(tmp_path: Path) -> None:
    table = frame()
    table = table[~((table["unit"] == "b") & (table["condition"] == "zero_cls"))]
    message = refusal(table, tmp_path)
    assert "1 of 3 units are missing under condition 'zero_cls' ('b')" in message
    assert "present under 'full'" in message
    assert "Evaluate every condition on the same units" in message


def test_unit_missing_under_full(tmp_path: Path) -> None:
    table = frame()
    table = table[~((table["unit"] == "b") & (table["condition"] == "full"))]
    assert "missing under condition 'full' ('b')" in refusal(table, tmp_path)


def test_no_full_condition(tmp_path: Path) -> None:
    message = refusal(frame().query("condition != 'full'"), tmp_path)
    assert "column 'condition': no 'full'" in message
    assert "'zero_cls'" in message


def test_unknown_readout(tmp_path: Path) -> None:
    message = refusal(frame().assign(readout="matchd"), tmp_path)
    assert "'matchd'" in message
    assert "Allowed: matched, frozen, direct" in message


def test_model_of_two_scales(tmp_path: Path) -> None:
    table = frame()
    table.loc[0, "scale"] = "B"
    message = refusal(table, tmp_path)
    assert "column 'scale': model 'sink_s' has more than one scale, 'B', 'S'" in message


def test_condition_with_nothing_to_count(tmp_path: Path) -> None:
    table = frame()
    table.loc[table["condition"] == "zero_cls", ["numerator", "denominator"]] = 0.0
    message = refusal(table, tmp_path)
    assert "column 'denominator': 0 in every row of condition 'zero_cls'" in message


def read(table: pd.DataFrame, folder: Path) -> list[Outcomes]:
    table.to_parquet(folder / "o.parquet")
    return read_outcomes(folder / "o.parquet")


def test_files_without_features_and_layers_hold_the_primary_ones(tmp_path: Path) -> None:
    (one,) = read(frame(), tmp_path)
    assert (one.features, one.layer, one.refit, one.size) == ("patches", -1, 0, 3)
    assert primary([one]) == [one]


def test_the_primary_outcomes_are_of_the_reported_probe_at_the_last_layer(tmp_path: Path) -> None:
    parts = [
        frame().assign(features=features, layer=layer, refit=refit)
        for features, layer, refit in [("patches", 3, 0), ("patches", 5, 0), ("patches", 5, 1), ("r1", 5, 0)]
    ]
    found = read(pd.concat(parts), tmp_path)
    assert len(found) == 4
    (one,) = primary(found)
    assert (one.features, one.layer, one.refit) == ("patches", 5, 0)


def test_an_unknown_task_needs_one_kind_of_features(tmp_path: Path) -> None:
    unknown = frame().assign(task="depth", features="cls", layer=1)
    (one,) = primary(read(unknown, tmp_path))
    assert one.features == "cls"
    both = read(pd.concat([unknown, unknown.assign(features="r1")]), tmp_path)
    with pytest.raises(OutcomeError, match=r"task 'depth'.*'cls', 'r1'.*Leave one in the files"):
        primary(both)


def test_clusters_are_rows_of_their_own(tmp_path: Path) -> None:
    (one,) = read(frame().assign(cluster=lambda rows: rows["unit"].replace({"a": "ab", "b": "ab"})), tmp_path)
    assert one.units == ("ab", "c")
    assert one.size == 3
    np.testing.assert_array_equal(one.conditions["full"].numerator, [[7, 0], [2, 2]])
    np.testing.assert_array_equal(one.conditions["full"].denominator, [[16, 0], [8, 8]])


def test_clusters_of_other_units_are_other_units(tmp_path: Path) -> None:
    def members(**clusters: str) -> str:
        table = frame()
        (one,) = read(table.assign(cluster=table["unit"].map(clusters)), tmp_path)
        assert one.units == ("x", "y")
        return one.members

    apart = members(a="x", b="x", c="y")
    assert apart == members(a="x", b="x", c="y")
    assert apart != members(a="x", b="y", c="y")
    (alone,) = read(frame(), tmp_path)
    assert alone.members == ""


def test_a_unit_in_two_clusters(tmp_path: Path) -> None:
    table = frame().assign(cluster="one")
    table.loc[table["condition"] == "full", "cluster"] = "other"
    message = refusal(table, tmp_path)
    assert "column 'cluster': unit 'c' has more than one cluster, 'one', 'other'" in message
    assert "A unit belongs to one cluster" in message


def test_layers_and_refits_are_whole_numbers(tmp_path: Path) -> None:
    assert "astype('int64')" in refusal(frame().assign(layer=1.5), tmp_path)
    message = refusal(frame().assign(refit=-1), tmp_path)
    assert "column 'refit': below 0 '-1' in rows 0, 1, 2, 3, 4, … (8 in all)" in message


def test_csv_says_the_same_as_parquet(tmp_path: Path) -> None:
    table = frame().assign(unit=lambda rows: rows["unit"].replace({"a": "007"}))
    table.loc[table["category"] == "y", "category"] = ""
    (expected,) = read(table, tmp_path)
    table.to_csv(tmp_path / "o.csv", index=False)
    (found,) = read_outcomes(tmp_path / "o.csv")
    assert found.units == expected.units == ("007", "b", "c")
    assert found.categories == expected.categories == ("", "x")
    np.testing.assert_array_equal(found.conditions["zero_cls"].numerator, expected.conditions["zero_cls"].numerator)


def test_an_empty_count_in_csv_is_named(tmp_path: Path) -> None:
    table = frame()
    table.loc[2, "numerator"] = np.nan
    table.to_csv(tmp_path / "o.csv", index=False)
    with pytest.raises(OutcomeError, match=r"column 'numerator': not a finite number in row 2"):
        read_outcomes(tmp_path / "o.csv")


def test_only_fractions_are_bounded_by_their_denominator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.ranges.task_of", lambda name: replace(task_of(name), bounded=False))
    errors = frame().assign(numerator=[-0.5, *np.linspace(8.5, 100, 7)])
    errors.to_parquet(tmp_path / "o.parquet")
    (one,) = read_outcomes(tmp_path / "o.parquet")
    assert one.conditions["full"].numerator.sum() == pytest.approx(errors["numerator"][:4].sum())
    assert "column 'denominator': below 0 in row 2" in refusal(
        errors.assign(denominator=[8.0, 8.0, -1.0, 8.0, 8.0, 8.0, 8.0, 8.0]), tmp_path
    )
    assert "not a finite number" in refusal(errors.assign(numerator=np.inf), tmp_path)
