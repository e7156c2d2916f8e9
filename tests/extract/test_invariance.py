"""The same results for every batch size, number of shards and number of threads, up to rounding.

Draws are the same to the bit. Features are not, since another batch size sums in another order: they agree to `SAME`,
which docs/gpus.md quotes.
"""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from extract.calibration import calibrate
from extract.datasets.packs import OpenPack
from extract.features import FeatureError, batch_of
from extract.models import Network
from extract.records import Records, Skipped
from extract.replacements import Calibration
from tests.extract.small_extraction import CONDITIONS, SAME, Extracted, assert_same, extracted, run_settings


@contextmanager
def threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def reference(
    networks: dict[str, Network],
    pack: OpenPack,
    calibration: Calibration,
    tmp_path_factory: pytest.TempPathFactory,
) -> Extracted:
    return extracted(networks["open"], pack, calibration, run_settings(), tmp_path_factory.mktemp("reference"))


@pytest.mark.parametrize(("batch_size", "shards"), [(7, 3), (200, 1), (64, 4)])
def test_batch_size_and_shards_matter_by_rounding_alone(
    networks: dict[str, Network],
    pack: OpenPack,
    calibration: Calibration,
    reference: Extracted,
    tmp_path: Path,
    batch_size: int,
    shards: int,
) -> None:
    chosen = run_settings(batch_size, shards)
    assert_same(reference, extracted(networks["open"], pack, calibration, chosen, tmp_path))


def test_threads_do_not_matter(
    networks: dict[str, Network], pack: OpenPack, calibration: Calibration, tmp_path: Path
) -> None:
    few = dataclasses.replace(pack, index=pack.index.iloc[:120], pairs=pack.pairs.iloc[:0])
    chosen = run_settings(
        conditions={key: CONDITIONS[key] for key in ("full", "resample_registers", "shuffle_registers")},
        measures={"images": 4, "attention_images": 2},
    )
    found = []
    for n in (1, 2):
        with threads(n):
            found.append(extracted(networks["open"], few, calibration, chosen, tmp_path / str(n)))
    assert_same(*found)


def test_half_precision_rounds_what_is_recorded_to_ten_bits(
    networks: dict[str, Network], pack: OpenPack, calibration: Calibration, reference: Extracted, tmp_path: Path
) -> None:
    chosen = run_settings(extraction={"record_precision": "float16", "layers": [-1]})
    halved = extracted(networks["open"], pack, calibration, chosen, tmp_path)
    for name, single in reference.records.items():
        half = halved.records[name]
        assert isinstance(single, Records) and isinstance(half, Records)
        for token in single.tokens:
            for layer in single.layers:
                np.testing.assert_array_equal(
                    half.features(token, layer), single.features(token, layer).astype(np.float16).astype(np.float32)
                )
        # Counts are whole numbers in any case.
        assert all(np.array_equal(half.pairs.hits[layer], hits) for layer, hits in single.pairs.hits.items())
    pd.testing.assert_frame_equal(halved.measures, reference.measures)


def test_everything_that_was_asked_for_is_recorded(reference: Extracted) -> None:
    full, shuffled = reference.records["full"], reference.records["shuffle_registers"]
    assert isinstance(full, Records) and isinstance(shuffled, Records)
    assert len(full.rows) == 40 + 80 + 66 and len(full.pairs.rows) == 66
    assert full.tokens == ("cls", "r1", "r2", "r3", "r4", "patch_mean")
    assert full.layers == tuple(range(6)) == tuple(full.pairs.hits) and shuffled.layers == (5,)
    assert full.features("r3", 5).shape == (186, 64)
    measures = reference.measures
    assert set(measures["condition"]) == set(reference.records)
    assert (measures.groupby(["condition", "layer"])["unit"].nunique() == 20).all()
    assert (measures.groupby(["condition", "layer"])["js"].count() == 10).all()
    assert set(measures["layer"]) == set(range(6))


def test_conditions_differ_from_full(reference: Extracted) -> None:
    features = {name: records.features("cls", 5) for name, records in reference.records.items()}
    for name in set(features) - {"full"}:
        assert np.abs(features[name] - features["full"]).max() > 100 * SAME, name
    assert np.abs(features["zero_random_patches_1"] - features["zero_random_patches_2"]).max() > 100 * SAME


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3"])
def test_batch_size_does_not_matter_to_timm_networks(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration], pack: OpenPack, tmp_path: Path, name: str
) -> None:
    few = dataclasses.replace(pack, index=pack.index.iloc[:110], pairs=pack.pairs.iloc[:0])
    options = {"conditions": {key: CONDITIONS[key] for key in ("full", "noise_registers", "shuffle_registers")}}
    one, other = (
        extracted(shallow[name], few, shallow_calibrations[name], run_settings(size, **options), tmp_path / str(size))
        for size in (7, 64)
    )
    assert_same(one, other)


def test_donors_noise_and_patches_are_keyed_by_identity(pack: OpenPack) -> None:
    group = pack.rows("test")[:64]
    whole = batch_of(pack, group, seed=9)
    together = batch_of(pack, np.concatenate([pack.rows("train"), group]), seed=9)
    assert torch.equal(whole.image_keys, together.image_keys[40:])
    for layer in range(6):
        assert torch.equal(whole.donors("shuffle", layer), together.donors("shuffle", layer)[40:] - 40)
    assert not torch.equal(whole.donors("shuffle", 0), whole.donors("shuffle", 1))
    assert not torch.equal(whole.donors("shuffle", 0), batch_of(pack, group, seed=10).donors("shuffle", 0))
    some = batch_of(pack, group[5:12], seed=9)
    assert torch.equal(some.image_keys, whole.image_keys[5:12])
    patches = whole.random_patches(range(5, 69), 4, 1)
    assert torch.equal(some.random_patches(range(5, 69), 4, 1), patches[5:12])
    assert not torch.equal(whole.random_patches(range(5, 69), 4, 2), patches)


def test_a_model_without_registers_is_skipped_with_a_reason(
    networks: dict[str, Network], calibrations: dict[str, Calibration], pack: OpenPack, tmp_path: Path
) -> None:
    options = {key: CONDITIONS[key] for key in ("full", "noise_registers", "zero_random_patches")}
    found = extracted(networks["plain"], pack, calibrations["plain"], run_settings(conditions=options), tmp_path)
    assert found.records["noise_registers"] == Skipped("plain has no registers")
    full = found.records["full"]
    assert isinstance(full, Records) and full.tokens == ("cls", "patch_mean")
    assert set(found.measures["condition"]) == {"full", "zero_random_patches_1", "zero_random_patches_2"}
    assert not any("register" in name or "r1" in name for name in found.measures)


def test_nan_features_name_the_image_and_leave_no_file(
    networks: dict[str, Network], pack: OpenPack, calibration: Calibration, tmp_path: Path
) -> None:
    broken = dataclasses.replace(calibration, mean=torch.full_like(calibration.mean, torch.nan))
    options = {"full": {}, "mean_registers": {"tokens": ["registers"], "by": "mean"}}
    with pytest.raises(FeatureError, match=r"open under mean_registers: NaN or infinite features for image s/train/"):
        extracted(networks["open"], pack, broken, run_settings(conditions=options), tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


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
        found = calibrate(network, pack, batch_size, covariances=True)
        assert found.rows == (0, 1, 2, 3, 4) and found.factor is not None
        np.testing.assert_allclose(found.mean[3], seen[0].mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(found.variance[3], seen[0].var(axis=0), rtol=1e-3, atol=1e-6)
        for token in range(5):
            expected = np.cov(seen[0][:, token], rowvar=False, bias=True)
            factor = found.factor[3, token].numpy()
            np.testing.assert_allclose(factor @ factor.T, expected, atol=2e-5 * np.abs(expected).max())


def test_sink_registers_have_no_variance(networks: dict[str, Network], pack: OpenPack) -> None:
    found = calibrate(networks["sink"], pack, 64)
    assert found.variance[:, 1:].max() < 1e-8 and found.variance[1:, 0].mean() > 1e-3 and found.factor is None
