"""Turn the records of one model into outcomes: ``python -m extract.evaluate --help``.

These tasks need no model any more. Those that do are built on :mod:`extract.tasks.dense`.
"""

import argparse
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from config.errors import report_errors
from config.layout import Run
from config.settings import Dataset, Settings, load_settings
from config.vocabulary.tasks import TASKS
from extract.datasets.packs import open_pack, shard_name
from extract.gpu_pool import take_gpu
from extract.outcomes import save_fits, save_outcomes
from extract.records import Records, Skipped, open_records
from extract.tasks.classification import classification
from extract.tasks.correspondence import correspondence
from extract.tasks.recorded import Recorded, RecordTask
from extract.tasks.retrieval import retrieval

RECORD_TASKS: Mapping[str, RecordTask] = {
    "classification": classification,
    "retrieval": retrieval,
    "correspondence": correspondence,
}


def records_of(settings: Settings, folder: Run, model: str, dataset: Dataset) -> dict[str, Records | Skipped]:
    """Open the records of a model on a data set, by condition."""
    shards = [shard_name(shard, dataset.shards) for shard in range(dataset.shards)]
    return {
        condition: open_records([folder.records(model, dataset.name, shard, condition) for shard in shards])
        for condition in settings.conditions
    }


def recorded(settings: Settings, folder: Run, model: str, dataset: Dataset) -> Recorded:
    """Open what a run recorded of a data set through a model."""
    pack = open_pack(folder.pack(dataset.name))
    records = records_of(settings, folder, model, dataset)
    device = settings.extraction.device
    return Recorded(dataset.name, pack.index, pack.pairs, records, settings.probe, settings.seed, device)


def run(settings: Settings, folder: Run, model: str, tasks: Sequence[str]) -> None:
    """Score one model on every data set of a run that asks for one of ``tasks``, and write the outcomes."""
    opened = {
        dataset.name: recorded(settings, folder, model, dataset)
        for dataset in settings.datasets.values()
        if set(tasks) & set(dataset.tasks)
    }
    for task in tasks:
        datasets = settings.datasets_with(task)
        refused = [why for dataset in datasets if (why := unreadable(task, model, opened[dataset.name])) is not None]
        for reason in refused:
            warnings.warn(reason, stacklevel=2)
        scores = [RECORD_TASKS[task](opened[dataset.name]) for dataset in datasets]
        for part in settings.outcomes_of(task):
            counts = [each for score in scores for each in score.counts.get(part, ())]
            save_outcomes(counts, part, settings.models[model], folder.outcomes(part, model), refused)
        if TASKS[task].probed:
            save_fits([fit for score in scores for fit in score.fits], folder.probes(task, model))


def unreadable(task: str, model: str, recorded: Recorded) -> str | None:
    """Say why a task has no outcomes of the features that it is reported from; None where it has.

    Args:
        task: as in the vocabulary.
        model: name, for the message.
        recorded: a data set through the model.
    """
    features = TASKS[task].features
    if features == "patches" or any(features in found.tokens for found in recorded.opened.values()):
        return None
    rest = " (its other tokens are probed)" if TASKS[task].probed else ""
    return (
        f"{model}: no {task} on {recorded.dataset}, since it is reported from {features.upper()}, which the "
        f"architecture does not have{rest}. Tasks on patches are measured; for {task}, choose an architecture with "
        f"{features.upper()}"
    )


def main() -> None:
    """Command line: score one model of a run on the tasks that records suffice for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--model", required=True)
    parser.add_argument("--task", choices=RECORD_TASKS, nargs="+", required=True)
    arguments = parser.parse_args()
    settings = load_settings(arguments.settings)
    if any(TASKS[task].probed for task in arguments.task):  # nothing else here computes on a device
        take_gpu(settings.extraction.device)
    run(settings, Run(arguments.settings.parent), arguments.model, arguments.task)


if __name__ == "__main__":
    report_errors(main)
