"""Extract one shard of a data set through one model, under every condition: ``python -m extract.run --help``."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from config.errors import report_errors
from config.layout import Run
from config.settings import Condition, Dataset, Settings, load_settings
from extract.calibration import load_calibration
from extract.datasets.packs import OpenPack, open_pack, shard_name, shard_rows
from extract.features import Tokens, passes
from extract.interventions import Calibration
from extract.matching import PairCounts, match
from extract.models import Network, load_network
from extract.records import Records, Skipped, save_records


def extract(
    network: Network,
    calibration: Calibration,
    pack: OpenPack,
    rows: NDArray[np.int64],
    condition: Condition,
    layers: tuple[int, ...],
    batch_size: int,
    seed: int,
) -> Records | Skipped:
    """Compute the records of pack rows under one condition.

    Patches are reduced on the device: to their mean, and, for the rows that form pairs, to matching counts.
    """
    if missing := network.layout.missing(condition.tokens):
        return Skipped(f"{network.name} has no {', '.join(missing)}")
    kept: dict[str, list[NDArray[Any]]] = {name: [] for name in ("rows", "cls", "registers", "patch_mean")}
    matcher = _PairMatcher(pack, rows, network.layout.grid)
    for part, tokens in passes(network, pack, rows, condition, calibration, layers, batch_size, seed):
        kept["rows"].append(part)
        for name, value in _reduced(network, tokens).items():
            kept[name].append(value.float().cpu().numpy())
        matcher.see(part, tokens.patches[:, -1].clone())
    pair_rows, counts = matcher.counts()
    return Records(
        **{name: np.concatenate(value) for name, value in kept.items()},
        pair_rows=pair_rows,
        hits=counts.hits,
        points=counts.points,
        cycles=counts.cycles,
    )


def _reduced(network: Network, tokens: Tokens) -> dict[str, torch.Tensor]:
    places = network.layout.prefix
    cls = network.layout.cls
    return {
        "cls": tokens.prefix[:, :, [] if cls is None else places.index(cls)],
        "registers": tokens.prefix[:, :, [places.index(row) for row in network.layout.registers]],
        "patch_mean": tokens.patches.mean(dim=2),
    }


class _PairMatcher:
    """Matches image pairs as a pass over the rows brings their second half, holding only unmatched patches."""

    def __init__(self, pack: OpenPack, rows: NDArray[np.int64], grid: tuple[int, int]) -> None:
        pairs = pack.pairs
        inside = np.flatnonzero(pairs["source"].isin(rows) & pairs["twin"].isin(rows))
        self._grid = grid
        self._source, self._twin = (pairs[key].to_numpy() for key in ("source", "twin"))
        self._warp = np.array(pairs["warp"].to_list(), dtype=np.float32).reshape(-1, 2, 3)
        self._pair_of = {int(row): int(k) for k in inside for row in (self._source[k], self._twin[k])}
        self._patches: dict[int, torch.Tensor] = {}
        self._matched: list[tuple[list[int], PairCounts]] = []

    def see(self, rows: NDArray[np.int64], patches: torch.Tensor) -> None:
        """Take the patches (B × patches × dimension) of pack rows."""
        seen = [(int(row), image) for row, image in zip(rows, patches, strict=True) if row in self._pair_of]
        self._patches.update(seen)
        pairs = sorted(
            {
                pair
                for pair in (self._pair_of[row] for row, _ in seen)
                if self._source[pair] in self._patches and self._twin[pair] in self._patches
            }
        )
        if pairs:
            source, twin = (
                torch.stack([self._patches.pop(row) for row in half[pairs].tolist()])
                for half in (self._source, self._twin)
            )
            self._matched.append((pairs, match(source, twin, self._warp[pairs], self._grid)))

    def counts(self) -> tuple[NDArray[np.int64], PairCounts]:
        """Return the rows of the matched pairs and their counts."""
        rows = [np.zeros(0, np.int64), *(np.array(pairs) for pairs, _ in self._matched)]
        none = PairCounts(*3 * [np.zeros(0, np.int64)])
        found = [none, *(counts for _, counts in self._matched)]
        return np.concatenate(rows), PairCounts(
            hits=np.concatenate([each.hits for each in found]),
            points=np.concatenate([each.points for each in found]),
            cycles=np.concatenate([each.cycles for each in found]),
        )


def run(settings: Settings, folder: Run, model: str, dataset: Dataset, shard: int) -> None:
    """Extract one shard of a run and write its records, a file a condition."""
    options = settings.extraction
    network = load_network(settings.models[model], settings.seed, options.device)
    calibration = load_calibration(folder.calibration(model), network.device)
    pack = open_pack(folder.pack(dataset.name))
    rows = shard_rows(pack, shard, dataset.shards)
    layers = network.layers(options.layers)
    name = shard_name(shard, dataset.shards)
    for condition in tqdm(settings.conditions.values(), desc=f"{model} {dataset.name} {name}", mininterval=5):
        records = extract(network, calibration, pack, rows, condition, layers, options.batch_size, settings.seed)
        facts = {
            "model": network.signature,
            "condition": condition.name,
            "layers": ",".join(map(str, layers)),
        }
        save_records(records, folder.records(model, dataset.name, name, condition.name), facts)


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
    run(settings, folder, arguments.model, settings.datasets[arguments.dataset], arguments.shard)


if __name__ == "__main__":
    report_errors(main)
