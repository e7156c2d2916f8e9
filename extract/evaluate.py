"""Turn the records of one model into outcomes: ``python -m extract.evaluate --help``.

Classification, retrieval and correspondence need no model any more. Segmentation, which does, is
:mod:`extract.tasks.segmentation`.
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from config.errors import report_errors
from config.layout import Run
from config.settings import Dataset, Settings, load_settings
from extract.datasets.packs import OpenPack, open_pack, shard_name
from extract.outcomes import Counts, Fit, save_fits, save_outcomes
from extract.records import Records, Skipped, open_records
from extract.tasks.classification import classification
from extract.tasks.correspondence import correspondence
from extract.tasks.retrieval import retrieval

TASKS = ("classification", "retrieval", "correspondence")


@dataclass
class Scored:
    """What evaluating leaves: counts by task of the outcomes, and fits by task."""

    counts: dict[str, list[Counts]] = field(default_factory=lambda: defaultdict(list))
    fits: dict[str, list[Fit]] = field(default_factory=lambda: defaultdict(list))


def score(
    task: str,
    dataset: str,
    pack: OpenPack,
    records: dict[str, Records | Skipped],
    settings: Settings,
    scored: Scored,
) -> None:
    """Add the counts and fits of one task on one data set to ``scored``."""
    match task:
        case "classification":
            options = settings.probe, settings.seed, settings.extraction.device
            counts, fits = classification(dataset, pack.index, records, *options)
            scored.counts[task] += counts
            scored.fits[task] += fits
        case "retrieval":
            scored.counts[task] += retrieval(dataset, pack.index, pack.pairs, records)
        case "correspondence":
            for part, counts in correspondence(dataset, pack.pairs, records).items():
                scored.counts[part] += counts
        case _:
            raise ValueError(f"{task!r} is no task on records; allowed: {', '.join(TASKS)}")


def records_of(settings: Settings, folder: Run, model: str, dataset: Dataset) -> dict[str, Records | Skipped]:
    """Open the records of a model on a data set, by condition."""
    shards = [shard_name(shard, dataset.shards) for shard in range(dataset.shards)]
    return {
        condition: open_records([folder.records(model, dataset.name, shard, condition) for shard in shards])
        for condition in settings.conditions
    }


def run(settings: Settings, folder: Run, model: str, tasks: tuple[str, ...]) -> None:
    """Score one model on every data set of a run that asks for one of ``tasks``, and write the outcomes."""
    scored = Scored()
    for dataset in settings.datasets.values():
        wanted = [task for task in tasks if task in dataset.tasks]
        if wanted:
            pack = open_pack(folder.pack(dataset.name))
            records = records_of(settings, folder, model, dataset)
            for task in wanted:
                score(task, dataset.name, pack, records, settings, scored)
    for task in tasks:
        for part in settings.outcomes_of(task):
            save_outcomes(scored.counts[part], part, settings.models[model], folder.outcomes(part, model))
        if task == "classification":
            save_fits(scored.fits[task], folder.probes(task, model))


def main() -> None:
    """Command line: score one model of a run on the tasks that records suffice for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--model", required=True)
    parser.add_argument("--task", choices=TASKS, nargs="+", required=True)
    arguments = parser.parse_args()
    settings = load_settings(arguments.settings)
    run(settings, Run(arguments.settings.parent), arguments.model, tuple(arguments.task))


if __name__ == "__main__":
    report_errors(main)
