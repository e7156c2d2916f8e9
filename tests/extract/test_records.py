"""Record files: what was written comes back, by row, and nothing half-written stays."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from extract.records import Planned, RangeError, Records, Skipped, open_records, save_skipped, tensor_file


def write(path: Path, rows: list[int], pairs: list[int]) -> None:
    """A shard whose features tell their row, in two pieces."""
    n, m = len(rows), len(pairs)
    plan = {
        "rows": Planned((n,), np.int64),
        "cls/1": Planned((n, 3), np.float16),
        "cls/2": Planned((n, 3)),
        "r1/2": Planned((n, 3)),
        "r2/2": Planned((n, 3)),
        "patch_mean/2": Planned((n, 3)),
        "pair_rows": Planned((m,), np.int64),
        "points": Planned((m,), np.int64),
        "hits/2": Planned((m,), np.int64),
        "cycles/2": Planned((m,), np.int64),
    }
    with tensor_file(path, plan, {"model": "made up"}) as file:
        for start, part in ((1, rows[1:]), (0, rows[:1])):  # in any order
            file.write("rows", np.array(part), start)
            for k, name in enumerate(("cls/1", "cls/2", "r1/2", "r2/2", "patch_mean/2")):
                file.write(name, np.array([[row, k, 0.5] for row in part], np.float64), start)
        for name in ("pair_rows", "points", "hits/2", "cycles/2"):
            file.write(name, np.array(pairs) * (1 if name == "pair_rows" else 10))


def test_a_file_is_what_safetensors_reads(tmp_path: Path) -> None:
    write(tmp_path / "x.safetensors", [4, 5, 6], [1])
    found = load_file(tmp_path / "x.safetensors")
    assert found["rows"].tolist() == [4, 5, 6]
    assert found["cls/1"].dtype == np.float16 and found["cls/2"].dtype == np.float32
    np.testing.assert_array_equal(found["patch_mean/2"], [[4, 4, 0.5], [5, 4, 0.5], [6, 4, 0.5]])
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]


def test_shards_are_put_together_by_row(tmp_path: Path) -> None:
    write(tmp_path / "1.safetensors", [7, 3, 9], [2, 0])
    write(tmp_path / "2.safetensors", [1, 8], [1])
    records = open_records([tmp_path / "1.safetensors", tmp_path / "2.safetensors"])
    assert isinstance(records, Records)
    assert records.rows.tolist() == [1, 3, 7, 8, 9]
    assert records.tokens == ("cls", "r1", "r2", "patch_mean") and records.registers == ("r1", "r2")
    assert records.layers == (1, 2)
    assert records.features("cls", 2)[:, 0].tolist() == [1, 3, 7, 8, 9]
    assert records.features("cls", 1).dtype == np.float32
    np.testing.assert_array_equal(records.features("register_mean", 2)[:, 1], np.full(5, 2.5))
    assert records.pairs.rows.tolist() == [0, 1, 2]
    assert records.pairs.hits[2].tolist() == [0, 10, 20] == records.pairs.points.tolist()
    with pytest.raises(KeyError, match="r1 after layer 0 was not recorded"):
        records.features("r1", 0)


def test_what_half_precision_cannot_hold_is_refused_with_the_remedy(tmp_path: Path) -> None:
    plan = {"cls/11": Planned((2, 3), np.float16)}
    with (
        pytest.raises(RangeError, match=r"x\.safetensors.*cls/11 holds 7e\+04.*extraction\.record_precision"),
        tensor_file(tmp_path / "x.safetensors", plan, {}) as file,
    ):
        file.write("cls/11", np.array([[1, 2, -70_000]]))
    assert not list(tmp_path.iterdir())


def test_a_skipped_condition_is_a_file_with_its_reason(tmp_path: Path) -> None:
    save_skipped(Skipped("plain has no registers"), tmp_path / "x.safetensors", {"model": "plain"})
    assert open_records([tmp_path / "x.safetensors"]) == Skipped("plain has no registers")


def test_rows_that_do_not_fit_are_refused_and_nothing_stays(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="do not fit"),
        tensor_file(tmp_path / "x.safetensors", {"rows": Planned((2,), np.int64)}, {}) as file,
    ):
        file.write("rows", np.arange(2), start=1)
    assert not list(tmp_path.iterdir())
