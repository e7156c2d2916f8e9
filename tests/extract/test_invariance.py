"""The same results for every batch size, number of shards and number of threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from config.layout import Pack
from config.settings import Condition
from extract.calibration import calibrate
from extract.datasets.packs import OpenPack, open_pack, shard_rows
from extract.datasets.prepare import prepare
from extract.features import FeatureError, batch_of
from extract.interventions import Calibration
from extract.models import Network
from extract.records import Records, Skipped, load_records, save_records
from extract.run import extract
from tests.extract.test_packs import scenes

CONDITIONS = [Condition("full"), *(Condition(f"{by}_registers", ("registers",), by) for by in ("noise", "shuffle"))]
SAME = 5e-5  # what float32 sums in another order may differ by


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> OpenPack:
    """70 calibration, 40 training and 80 test scenes with 66 twins: four groups to shard, of 40, 64, 64 and 16."""
    folder = Pack(tmp_path_factory.mktemp("pack"))
    prepare(scenes(train=40, test=80), 0, folder)
    return open_pack(folder)


@contextmanager
def threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def calibration(networks: dict[str, Network], pack: OpenPack) -> Calibration:
    return calibrate(networks["open"], pack, 64)


def records(
    network: Network,
    pack: OpenPack,
    calibration: Calibration,
    condition: Condition,
    batch_size: int = 64,
    shards: int = 1,
) -> Records:
    """Extract all shards and put them together, by row."""
    layers = (2, 5) if network.depth == 6 else (11,)
    parts = []
    for shard in range(shards):
        rows = shard_rows(pack, shard, shards)
        part = extract(network, calibration, pack, rows, condition, layers, batch_size, seed=9)
        assert isinstance(part, Records)
        parts.append(part)
    whole = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Records)}
    order, pairs = np.argsort(whole["rows"]), np.argsort(whole["pair_rows"])
    return Records(
        **{
            name: value[pairs if name in ("pair_rows", "hits", "points", "cycles") else order]
            for name, value in whole.items()
        }
    )


def assert_same(one: Records, other: Records) -> None:
    for field in fields(Records):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name in ("hits", "cycles"):
            # A nearest neighbour may change hands where two patches are as near up to rounding.
            assert np.abs(a - b).max(initial=0) <= 1 and (a != b).sum() <= 0.05 * len(a)
        elif a.dtype.kind == "i":
            assert np.array_equal(a, b)
        else:
            np.testing.assert_allclose(a, b, atol=SAME, rtol=SAME)


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.name)
def test_batch_size_shards_and_threads_do_not_matter(
    networks: dict[str, Network], pack: OpenPack, calibration: Calibration, condition: Condition
) -> None:
    network = networks["open"]
    reference = records(network, pack, calibration, condition)
    assert_same(reference, records(network, pack, calibration, condition, batch_size=7))
    assert_same(reference, records(network, pack, calibration, condition, shards=3))
    with threads(2):
        assert_same(reference, records(network, pack, calibration, condition))
    assert len(reference.rows) == 40 + 80 + 66 and len(reference.pair_rows) == 66
    assert reference.cls.shape[1:] == (2, 64) and reference.registers.shape[1:] == (2, 4, 64)


def test_conditions_differ_from_full(networks: dict[str, Network], pack: OpenPack, calibration: Calibration) -> None:
    full, noise, shuffle = (records(networks["open"], pack, calibration, condition) for condition in CONDITIONS)
    for changed in (noise, shuffle):
        assert np.abs(changed.cls - full.cls).max() > 100 * SAME


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3"])
def test_batch_size_does_not_matter_to_timm_networks(
    networks: dict[str, Network], calibrations: dict[str, Calibration], pack: OpenPack, name: str
) -> None:
    few = replace(pack, index=pack.index.iloc[:110], pairs=pack.pairs.iloc[:0])
    for condition in CONDITIONS:
        seven, all_ = (records(networks[name], few, calibrations[name], condition, batch_size=size) for size in (7, 64))
        assert_same(seven, all_)


def test_donors_and_noise_are_keyed_by_identity(pack: OpenPack) -> None:
    group = pack.rows("test")[:64]
    whole = batch_of(pack, group, seed=9)
    together = batch_of(pack, np.concatenate([pack.rows("train"), group]), seed=9)
    assert torch.equal(whole.image_keys, together.image_keys[40:])
    for layer in range(6):
        assert torch.equal(whole.donors(layer), together.donors(layer)[40:] - 40)
    assert not torch.equal(whole.donors(0), whole.donors(1))
    assert not torch.equal(whole.donors(0), batch_of(pack, group, seed=10).donors(0))
    assert torch.equal(batch_of(pack, group[5:12], seed=9).image_keys, whole.image_keys[5:12])


def test_a_model_without_registers_is_skipped_with_a_reason(
    networks: dict[str, Network], calibrations: dict[str, Calibration], pack: OpenPack, tmp_path: Path
) -> None:
    rows = shard_rows(pack, 0, 1)
    skipped = extract(networks["plain"], calibrations["plain"], pack, rows, CONDITIONS[1], (5,), 64, seed=0)
    assert skipped == Skipped("plain has no registers")
    save_records(skipped, tmp_path / "skipped.safetensors", {})
    assert load_records([tmp_path / "skipped.safetensors"]) == skipped


def test_records_survive_the_disk(
    networks: dict[str, Network], pack: OpenPack, calibration: Calibration, tmp_path: Path
) -> None:
    network = networks["open"]
    paths = []
    for shard in (1, 0):  # put together by row, whatever the order of the shards
        part = extract(network, calibration, pack, shard_rows(pack, shard, 2), CONDITIONS[0], (2, 5), 64, seed=9)
        paths.append(tmp_path / f"{shard}.safetensors")
        save_records(part, paths[-1], {"model": network.signature})
    loaded = load_records(paths)
    assert isinstance(loaded, Records)
    expected = records(network, pack, calibration, CONDITIONS[0])
    for field in fields(Records):
        np.testing.assert_allclose(getattr(loaded, field.name), getattr(expected, field.name), atol=SAME, rtol=SAME)


def test_nan_features_name_the_image(networks: dict[str, Network], pack: OpenPack, calibration: Calibration) -> None:
    broken = replace(calibration, mean=torch.full_like(calibration.mean, torch.nan))
    rows = shard_rows(pack, 0, 1)
    condition = Condition("mean_registers", ("registers",), "mean")
    with pytest.raises(FeatureError, match=r"open under mean_registers: NaN or infinite features for image s/train/"):
        extract(networks["open"], broken, pack, rows, condition, (5,), 64, seed=0)


def test_calibration_is_the_moments_of_the_blocks(networks: dict[str, Network], pack: OpenPack) -> None:
    network = networks["open"]
    rows = pack.rows("calibration")
    assert set(pack.index["split"].iloc[rows]) == {"calibration"} and len(rows) == 70
    seen: list[np.ndarray] = []
    handle = network.module.blocks[3].register_forward_hook(
        lambda _block, _inputs, output: seen.append(output[:, :5].double().numpy())
    )
    with torch.inference_mode():
        network.module.forward_features(network.input(np.asarray(pack.images[rows])))
    handle.remove()
    for batch_size in (7, 64):
        found = calibrate(network, pack, batch_size)
        assert found.rows == (0, 1, 2, 3, 4)
        np.testing.assert_allclose(found.mean[3], seen[0].mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(found.variance[3], seen[0].var(axis=0), rtol=1e-3, atol=1e-6)


def test_sink_registers_have_no_variance(networks: dict[str, Network], pack: OpenPack) -> None:
    found = calibrate(networks["sink"], pack, 64)
    assert found.variance[:, 1:].max() < 1e-8 and found.variance[1:, 0].mean() > 1e-3
