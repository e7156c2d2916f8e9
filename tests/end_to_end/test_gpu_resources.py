"""Which jobs ask for a GPU, with the profile of this machine and with that of a cluster; nothing is run."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.conftest import Checkout, copy_checkout

ON_A_GPU = {"calibrate", "extract", "segmentation"}


def resources(folder: Path, tasks: list[str], profile: str, *arguments: str) -> tuple[dict[str, dict[str, str]], str]:
    """Plan a run with a profile, on GPUs that nobody has; return every rule's resources, and what was said."""
    checkout = copy_checkout(folder / "checkout")
    path = checkout.folder / "profiles" / profile / "profile.yaml"
    options: dict[str, Any] = yaml.safe_load(path.read_text())
    options.pop("executor", None)  # whose plugin is no part of this environment
    path.write_text(yaml.safe_dump(options))
    config = yaml.safe_load(checkout.config.read_text())
    config["datasets"]["scenes"]["tasks"] = tasks
    config["extraction"] = {"device": "cuda"}
    config["analysis"] = {"comparisons": {}}
    (folder / "c.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    plan = Checkout(checkout.folder, folder / "c.yaml").snakemake(
        "--workflow-profile", f"profiles/{profile}", "--dry-run", *arguments
    )
    assert plan.returncode == 0, plan.stdout
    found = {}
    for job in re.split(r"^(?=(?:localrule|rule) \w+:$)", plan.stdout, flags=re.MULTILINE)[1:]:
        named = re.match(r"\w+ (\w+):", job)
        said = re.search(r"^    resources: (.*)$", job, flags=re.MULTILINE)
        assert named is not None and said is not None
        found[named[1]] = dict(pair.split("=", 1) for pair in said[1].split(", "))
    return found, plan.stdout


@pytest.mark.parametrize("profile", ["default", "slurm"])
def test_jobs_that_compute_on_a_gpu_ask_for_one_and_no_others(tmp_path: Path, profile: str) -> None:
    found, _ = resources(tmp_path, ["classification", "segmentation", "retrieval"], profile)
    assert {rule for rule, asked in found.items() if int(asked.get("gpu", 0)) == 1} == {*ON_A_GPU, "evaluate"}
    if profile == "slurm":
        assert (found["extract"]["runtime"], found["evaluate"]["mem_mb"]) == ("720", "32000")


def test_without_probes_the_evaluation_blocks_no_gpu(tmp_path: Path) -> None:
    found, said = resources(tmp_path, ["retrieval", "correspondence", "segmentation"], "default")
    assert {rule for rule, asked in found.items() if int(asked.get("gpu", 0)) == 1} == ON_A_GPU
    assert "evaluate" in found and "rule evaluate:" in said
