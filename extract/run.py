"""Extract one shard of a data set through one model, under every condition: ``python -m extract.run --help``.

An image's way: :mod:`extract.loads` reads it from the pack; :mod:`extract.passes` puts it onto the device once and
passes it under one condition after the other, while :mod:`extract.reduction` and :mod:`extract.measures` reduce block
outputs as they come; :mod:`extract.shard_files` writes what is left at once, so that memory does not grow with the
number of images.
"""

import argparse
from pathlib import Path

import numpy as np
from tqdm import tqdm

from config.errors import report_errors
from config.layout import Run
from config.settings import Dataset, Settings, load_settings
from extract.calibration import load_calibration
from extract.datasets.packs import OpenPack, open_pack, shard_blocks, shard_name
from extract.gpu_pool import take_gpu
from extract.loads import loads
from extract.models import Network, load_network
from extract.passes import ShardExtraction, fitting_passes
from extract.patch_store import PatchStore
from extract.replacements import Calibration
from extract.shard_files import shard_files


def extract(
    network: Network,
    calibration: Calibration,
    pack: OpenPack,
    settings: Settings,
    folder: Run,
    model: str,
    dataset: Dataset,
    shard: int,
    store: PatchStore | None = None,
) -> None:
    """Extract one shard of a data set and write its records, one file per condition, and its measures.

    Args:
        network, calibration, pack: what passes through what.
        settings: of the run: conditions, layers, measures, batch size and seed.
        folder: where the run keeps its files.
        model, dataset: names, for the paths.
        shard: counted from 0.
        store: where the patches of its images are kept, for tasks in the same process.

    Raises:
        FeatureError: for NaN or infinite features.
        DeviceMemoryError: where not even the smallest pass fits.
    """
    place = model, dataset.name, shard_name(shard, dataset.shards)
    blocks = shard_blocks(pack, shard, dataset.shards)
    rows = np.concatenate([np.zeros(0, np.int64), *blocks])
    extraction = ShardExtraction.of(network, calibration, pack, settings, dataset.name, store)
    batch_size = settings.extraction.batch_size
    with (
        shard_files(extraction, settings, folder, place, rows) as files,
        tqdm(total=len(rows), desc=" ".join(place), unit=" images", mininterval=5) as progress,
    ):
        for load in loads(pack, blocks, batch_size):
            kept, batch_size = fitting_passes(extraction, load, batch_size)
            files.write(load, kept)
            progress.update(len(load.rows))


def run(settings: Settings, folder: Run, model: str, dataset: Dataset, shard: int) -> None:
    """Extract one shard of a run."""
    network = load_network(settings.models[model], settings.seed, settings.extraction)
    calibration = load_calibration(folder.calibration(model), network.device)
    extract(network, calibration, open_pack(folder.pack(dataset.name)), settings, folder, model, dataset, shard)


def main() -> None:
    """Command line: extract one shard of one data set through one model of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--model", required=True)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--shard", type=int, default=0, help="counted from 0")
    arguments = parser.parse_args()
    settings = load_settings(arguments.settings)
    folder = Run(arguments.settings.parent)
    take_gpu(settings.extraction.device)
    run(settings, folder, arguments.model, settings.datasets[arguments.dataset], arguments.shard)


if __name__ == "__main__":
    report_errors(main)
