"""Which jobs a config asks for, read from dry runs."""

import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.end_to_end.conftest import Checkout, copy_checkout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return copy_checkout(tmp_path_factory.mktemp("planned") / "checkout")


def planned(checkout: Checkout, folder: Path, **changed: object) -> str:
    """What a dry run of the small config, changed, says."""
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(yaml.safe_load(checkout.config.read_text()) | changed, sort_keys=False))
    plan = Checkout(checkout.folder, config).snakemake("--cores", "2", "--dry-run")
    assert plan.returncode == 0, plan.stdout
    return plan.stdout


def datasets(checkout: Checkout, **more: object) -> dict[str, object]:
    small = yaml.safe_load(checkout.config.read_text())["datasets"]
    return small | more


MASKED = {"source": "scenes", "image_size": 64, "tasks": ["segmentation"]}


@pytest.mark.parametrize("measured", [False, True])
def test_a_data_set_is_extracted_where_something_reads_its_records(
    checkout: Checkout, tmp_path: Path, measured: bool
) -> None:
    changed = {"datasets": datasets(checkout, masked=MASKED)}
    if measured:
        changed["measures"] = {"images": 20, "attention_images": 10, "datasets": ["scenes", "masked"]}
    said = planned(checkout, tmp_path, **changed)
    # It is packed and segmented all the same.
    assert re.search(r"rule prepare_masked:", said) and "statistics/masked/segmentation" in said
    assert ("records/sink_s/masked" in said) is measured
    assert "records/sink_s/scenes" in said


@pytest.mark.parametrize(
    ("shards", "jobs"),
    [(1, {"extract": 3}), (2, {"calibrate": 3, "extract": 6, "segmentation": 3, "changes_of_records": 3})],
)
def test_a_model_is_one_job_where_no_data_set_has_shards(
    checkout: Checkout, tmp_path: Path, shards: int, jobs: dict[str, int]
) -> None:
    small = datasets(checkout)
    said = planned(checkout, tmp_path, datasets={"scenes": small["scenes"] | {"shards": shards}})  # type: ignore[operator]
    rules = Counter(re.findall(r"^rule (\w+):$", said, flags=re.MULTILINE))
    of_networks = ("calibrate", "extract", "segmentation", "changes_of_records")
    assert {rule: n for rule, n in rules.items() if rule in of_networks} == jobs
    assert rules["evaluate"] == 3
