"""All that needs the network of one model, in one process: ``python -m extract.one_model --help``.

Calibration, records, measures and changes of records, and the tasks on patches, of every data set of the run. The
network is loaded once, and images pass once: patches go from the extraction's passes to the tasks that read them. What
:mod:`extract.calibration`, :mod:`extract.run` and the tasks' own commands do step by step, on several machines where
data sets are cut into shards, leaves the same files.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from config.errors import report_errors
from config.layout import Run
from config.settings import Dataset, Settings, load_settings
from config.vocabulary.tasks import ASKED, TASKS
from extract import calibration, record_changes
from extract.datasets.packs import OpenPack, open_pack
from extract.gpu_pool import take_gpu
from extract.models import Network, load_network
from extract.patch_store import PatchStore
from extract.reduction import plans
from extract.replacements import Calibration
from extract.run import extract
from extract.tasks import dense


def run(settings: Settings, folder: Run, model: str) -> None:
    """Compute and write all files of one model of a run that its network is needed for."""
    network = load_network(settings.models[model], settings.seed, settings.extraction)
    calibrated = calibration.calibrated(network, settings, folder, model)
    stores: dict[str, PatchStore] = {}
    for dataset in settings.recorded:
        pack = open_pack(folder.pack(dataset.name))
        store = _store(network, calibrated, pack, dataset, settings, folder)
        if store is not None:
            stores[dataset.name] = store
        for shard in range(dataset.shards):
            extract(network, calibrated, pack, settings, folder, model, dataset, shard, store)
    record_changes.run(settings, folder, model)
    for kind in dense_tasks(settings).values():
        dense.evaluate(kind, network, calibrated, settings, folder, model, stores)


def dense_tasks(settings: Settings) -> Mapping[str, dense.AnyDenseTask]:
    """Return the tasks on patches that a run asks for, by name."""
    asked = [task for task in ASKED if not TASKS[task].on_records and settings.datasets_with(task)]
    return {task: dense.task_of(task) for task in asked}


def _store(
    network: Network, calibrated: Calibration, pack: OpenPack, dataset: Dataset, settings: Settings, folder: Run
) -> PatchStore | None:
    """Return where patches are kept for the tasks that read a data set's; None where there is no such task."""
    asked = [kind for name, kind in dense_tasks(settings).items() if name in dataset.tasks]
    rows = [kind(network, calibrated, pack, dataset, settings).rows for kind in asked]
    conditions = [plan.condition.name for plan in plans(network, settings)]
    return PatchStore.of(network, conditions, np.unique(np.concatenate(rows)), folder.folder) if rows else None


def main() -> None:
    """Command line: compute what one model of a run needs its network for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--model", required=True)
    arguments = parser.parse_args()
    settings = load_settings(arguments.settings)
    take_gpu(settings.extraction.device)
    run(settings, Run(arguments.settings.parent), arguments.model)


if __name__ == "__main__":
    report_errors(main)
