import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from config.files import DiskFull, write_whole, written_whole
from config.keys import digest, keyed_generator
from config.layout import ROOT
from config.sources import sources


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    target = tmp_path / "new" / "table.csv"
    with pytest.raises(OSError, match="disk full"), written_whole(target) as partial:
        partial.write_text("half of the ta")
        raise OSError("disk full")
    assert list(target.parent.iterdir()) == []
    write_whole(target, b"whole")
    with pytest.raises(ZeroDivisionError), written_whole(target) as partial:
        partial.write_text(f"{1 / 0}")
    assert target.read_bytes() == b"whole" and list(target.parent.iterdir()) == [target]


def test_a_full_disk_is_named_with_the_space_that_is_needed(tmp_path: Path) -> None:
    """The temporary file leads to the device that is always full, so the system itself refuses the write."""
    target = tmp_path / "table.parquet"
    frame = pd.DataFrame({"a": np.random.default_rng(0).random(50_000)})
    for needed, said in ((None, "this file needs more than the"), (400_000, "this file needs 0.40 MB")):
        for write in (lambda path: path.write_bytes(bytes(100_000)), frame.to_parquet):
            with pytest.raises(DiskFull) as caught, written_whole(target, needed) as partial:
                partial.symlink_to("/dev/full")
                write(partial)
            assert f"{target}: no space is left on the disk" in str(caught.value) and said in str(caught.value)
            assert list(tmp_path.iterdir()) == []


def test_the_temporary_name_keeps_the_format(tmp_path: Path) -> None:
    with written_whole(tmp_path / "a.parquet") as partial:
        assert partial.suffix == ".parquet" and partial.parent == tmp_path
        partial.touch()


def test_keys_keep_their_parts_apart() -> None:
    keys = [("a", "bc"), ("ab", "c"), ("abc",), (1,), ("1",), (1, 2), (12,), ("1:x", "y"), ("1", "x:y")]
    assert len({digest(*key) for key in keys}) == len(keys)


def test_keys_are_the_same_in_every_process() -> None:
    code = (
        "from config.keys import digest, keyed_generator; "
        "print(digest(0, 'noise', 'x'), keyed_generator(1, 'a').integers(2**40))"
    )
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert other.split() == [str(digest(0, "noise", "x")), str(keyed_generator(1, "a").integers(2**40))]


def test_sources_follow_imports() -> None:
    found = sources("extract.run")
    assert "extract/run.py" in found
    assert {"extract/interventions.py", "extract/noise.py", "config/keys.py", "extract/__init__.py"} <= set(found)
    assert not any(path.startswith("analysis/") or "site-packages" in path for path in found)
    assert all((ROOT / path).is_file() for path in found)
    # Evaluation reads records without loading torch.
    assert "extract/interventions.py" not in sources("extract.evaluate")
