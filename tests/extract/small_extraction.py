"""An extraction that tests run in many ways: its settings, what it wrote, and whether two wrote the same."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from config.layout import Run
from config.resolve import resolve
from config.settings import Settings, settings
from extract.datasets.packs import OpenPack, shard_name
from extract.models import Network
from extract.records import Records, Skipped, open_records
from extract.replacements import Calibration
from extract.run import extract

CONDITIONS: dict[str, dict[str, Any]] = {
    "full": {},
    **{
        f"{by}_registers": {"tokens": ["registers"], "by": by}
        for by in ("noise", "resample", "shuffle", "shuffle_trajectory")
    },
    "zero_random_patches": {"tokens": ["random_patches"], "by": "zero", "draws": 2},
}
SAME = 5e-5  # what float32 sums in another order may differ by


def run_settings(batch_size: int = 64, shards: int = 1, **changed: Any) -> Settings:
    config = {
        "run": "test",
        "seed": 9,
        "models": {"m": {"source": "known_answer", "family": "open", "scale": "S"}},
        "datasets": {"s": {"source": "scenes", "image_size": 64, "tasks": ["retrieval"], "shards": shards}},
        "conditions": CONDITIONS,
        "extraction": {"batch_size": batch_size, "layers": [-1]},
        "measures": {"images": 20, "attention_images": 10},
        **changed,
    }
    return settings(resolve(config))


@dataclasses.dataclass(frozen=True)
class Extracted:
    """What an extraction wrote, read back."""

    records: dict[str, Records | Skipped]
    measures: pd.DataFrame
    spectra: pd.DataFrame


def extracted(network: Network, pack: OpenPack, calibration: Calibration, chosen: Settings, folder: Path) -> Extracted:
    run, dataset = Run(folder), chosen.datasets["s"]
    shards = [shard_name(shard, dataset.shards) for shard in range(dataset.shards)]
    for shard in range(dataset.shards):
        extract(network, calibration, pack, chosen, run, "m", dataset, shard)
    keys = ["condition", "layer"]
    measures = pd.concat([pd.read_parquet(run.measures("m", "s", shard)) for shard in shards])
    spectra = pd.concat([pd.read_parquet(run.spectra("m", "s", shard)) for shard in shards])
    return Extracted(
        {name: open_records([run.records("m", "s", shard, name) for shard in shards]) for name in chosen.conditions},
        measures.sort_values(["unit", *keys]).reset_index(drop=True),
        spectra.groupby([*keys, "component"], as_index=False).sum(),
    )


def assert_same(one: Extracted, other: Extracted, tolerance: float = SAME) -> None:
    for name, records in one.records.items():
        again = other.records[name]
        assert isinstance(records, Records) and isinstance(again, Records)
        assert (records.tokens, records.layers) == (again.tokens, again.layers)
        assert np.array_equal(records.rows, again.rows)
        for layer in records.layers:
            # Layers of a curve are stored in half precision, where rounding may fall the other way.
            allowed = tolerance if layer == records.layers[-1] else 2e-3
            for token in records.tokens:
                a, b = records.features(token, layer), again.features(token, layer)
                np.testing.assert_allclose(a, b, atol=allowed, rtol=allowed)
        a, b = records.pairs, again.pairs
        assert np.array_equal(a.rows, b.rows) and np.array_equal(a.points, b.points)
        for layer in a.hits:
            for counts, counts_again in ((a.hits, b.hits), (a.cycles, b.cycles)):
                # A nearest neighbour may change hands where two patches are as near up to rounding.
                difference = np.abs(counts[layer] - counts_again[layer])
                assert difference.max(initial=0) <= 1 and (difference != 0).sum() <= 0.05 * len(difference)
    keys = ["unit", "condition", "layer"]
    pd.testing.assert_frame_equal(one.measures[keys], other.measures[keys])
    # The nearest patch is an index: where two are as near up to rounding, either may be named.
    numbers = [name for name in one.measures if name not in keys and name not in {f"nearest_r{k}" for k in range(9)}]
    np.testing.assert_allclose(one.measures[numbers], other.measures[numbers], atol=1e-3, rtol=1e-3)
    np.testing.assert_allclose(one.spectra["share_sum"], other.spectra["share_sum"], atol=1e-3)
    assert one.spectra["images"].tolist() == other.spectra["images"].tolist()
