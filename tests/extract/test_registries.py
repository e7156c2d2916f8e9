"""Everything that a config can name is computed: implementations are registered under the names of the vocabulary."""

import importlib

import pytest

from config.vocabulary.measures import GEOMETRY_COLUMNS
from config.vocabulary.replacements import REPLACEMENTS
from config.vocabulary.sources import SOURCES
from config.vocabulary.tasks import ASKED, TASKS
from extract.datasets.prepare import LISTINGS
from extract.evaluate import RECORD_TASKS
from extract.measures import GEOMETRY
from extract.replacements import NEW_ROWS
from extract.tasks.dense import DenseTask

REGISTRIES = {
    "replacements": (NEW_ROWS, REPLACEMENTS),
    "tasks on records": (RECORD_TASKS, [task for task in ASKED if TASKS[task].on_records]),
    "sources": (LISTINGS, SOURCES),
    "geometry": (GEOMETRY, GEOMETRY_COLUMNS),
}


@pytest.mark.parametrize("kind", REGISTRIES)
def test_what_is_declared_is_computed_and_nothing_else(kind: str) -> None:
    registered, declared = REGISTRIES[kind]
    assert list(registered) == list(declared)
    assert len(set(registered.values())) == len(registered), "one implementation under two names"


@pytest.mark.parametrize("task", [task for task in ASKED if not TASKS[task].on_records])
def test_a_task_that_runs_the_network_is_a_module_of_its_name(task: str) -> None:
    module = importlib.import_module(f"extract.tasks.{task}")
    kinds = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, DenseTask)]
    assert [kind.name for kind in kinds if kind is not DenseTask] == [task]
    assert TASKS[task].probed and set(TASKS[task].readouts) == {"matched", "frozen"}
