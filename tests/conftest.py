"""How the tests are divided among processes."""

import os

import pytest

IN_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if IN_WORKER:
    # Each worker has a core of its own; set before anything imports NumPy or torch.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file in one process, and those that share the finished workflow too: fixtures are costly."""
    for item in items:
        folder, _, file = item.nodeid.partition("::")[0].rpartition("/")
        item.add_marker(pytest.mark.xdist_group("workflow" if folder == "tests/end_to_end" else f"{folder}/{file}"))
