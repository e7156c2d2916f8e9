"""Measures, held to the same quantities taken image by image from plain forward passes."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
from scipy.spatial.distance import jensenshannon

from config.conditions import Condition
from extract.draws import Batch
from extract.features import Images, clean_prefix, under
from extract.geometry import Spectra
from extract.measures import PassMeasures, Reference, columns, measuring
from extract.measures_table import MeasuresTable
from extract.models import Network
from extract.replacements import Calibration

IMAGES = 4
ALL = np.arange(IMAGES)
ATTENDED = np.array([1, 3])
ANOTHER_DEFINITION = ("effective_rank_centred", "effective_rank_unnormalised")  # under full, after the last layer


def measured_under(
    network: Network, calibration: Calibration, condition: Condition, reference: Reference, layers: tuple[int, ...]
) -> PassMeasures:
    x = torch.randn(IMAGES, 3, network.image_size, network.image_size, generator=torch.Generator().manual_seed(4))
    batch = Batch(tuple("abcd"), ("g",) * IMAGES, seed=0)
    images, spectra = Images(ALL, x, batch, clean_prefix(network, x)), Spectra()
    with (
        under(network, images, condition, calibration),
        measuring(network, layers, reference, spectra) as measured,
    ):
        network.run(x)
    spectra.solve()
    return measured


def new_reference(network: Network) -> Reference:
    return Reference.of(network, ALL, ATTENDED)


@torch.inference_mode()
def watched(network: Network, condition: Condition, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the raw output of a block and its attention weights, by hooks of the test's own that also zero rows."""
    x = torch.randn(IMAGES, 3, network.image_size, network.image_size, generator=torch.Generator().manual_seed(4))
    kept: dict[str, torch.Tensor] = {}
    rows = list(network.layout.rows(condition.tokens)) if condition.by else []

    def zero(_block: Any, _inputs: Any, output: torch.Tensor) -> None:
        output[:, rows] = 0

    handles = [block.register_forward_hook(zero) for block in network.module.blocks]
    block: Any = network.module.blocks[layer]
    handles.append(block.register_forward_hook(lambda _b, _i, output: kept.update(raw=output.clone())))
    handles.append(block.attn.attn_drop.register_forward_hook(lambda _m, _i, output: kept.update(weights=output)))
    network.module.forward_features(x)
    for handle in handles:
        handle.remove()
    return kept["raw"], kept["weights"]


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3", "open"])
def test_measures_are_those_of_a_plain_pass(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration], name: str
) -> None:
    network, layer = shallow[name], 3
    zero = Condition("zero_registers", ("registers",), "zero")
    reference = new_reference(network)
    measured_under(network, shallow_calibrations[name], Condition("full"), reference, (layer,))
    found = measured_under(network, shallow_calibrations[name], zero, reference, (layer,))
    (raw, weights), (raw_full, weights_full) = (watched(network, each, layer) for each in (zero, Condition("full")))
    norm: Any = network.module.norm
    patches = slice(network.layout.patches.start, network.layout.patches.stop)
    normed, normed_full = norm(raw), norm(raw_full)
    geometry = {name: found.of(name, layer) for name in columns(network.layout) if name not in ANOTHER_DEFINITION}
    for image in range(IMAGES):
        rows = F.normalize(normed[image, patches], dim=-1).double().numpy()
        share = np.linalg.svd(rows, compute_uv=False) ** 2 / len(rows)
        rank = np.exp(-np.sum(share[share > 0] * np.log(share[share > 0])))
        assert geometry["effective_rank"][image].item() == pytest.approx(rank, rel=1e-4)
        np.testing.assert_allclose(found.spectra_after(layer)[image], share, atol=1e-5)
        norms = np.linalg.norm(raw[image, patches].numpy(), axis=1)
        assert geometry["patch_norm"][image].item() == pytest.approx(norms.mean(), rel=1e-4)
        cosine = F.cosine_similarity(normed[image, patches], normed_full[image, patches], dim=-1).mean().item()
        assert geometry["patch_cosine"][image].item() == pytest.approx(cosine, abs=1e-5) and cosine < 1 - 1e-4
        registers = normed[image, list(network.layout.registers)]
        expected = F.cosine_similarity(registers[0], registers[2], dim=0).item()
        assert geometry["cosine_r1_r3"][image].item() == pytest.approx(expected, abs=1e-5)
        similarity = F.cosine_similarity(registers[1], normed[image, patches], dim=-1)
        assert geometry["nearest_r2"][image].item() == similarity.argmax().item()
    attention = geometry
    for place, image in enumerate(ATTENDED):
        p, q = weights_full[image].double().numpy(), weights[image].double().numpy()
        divergence = jensenshannon(p, q, axis=-1) ** 2
        assert attention["js"][place].item() == pytest.approx(divergence.mean(), abs=1e-5) and divergence.mean() > 1e-4
        assert attention["js_cls"][place].item() == pytest.approx(divergence[:, 0].mean(), abs=1e-5)
        to_registers = q[:, patches][..., 1:5].sum(axis=-1).mean()
        assert attention["mass_patches_to_registers"][place].item() == pytest.approx(to_registers, abs=1e-5)
        groups = ("cls", "registers", "patches")
        for queries in groups:
            given = sum(attention[f"mass_{queries}_to_{keys}"][place].item() for keys in groups)
            assert given == pytest.approx(1, abs=1e-5)
            single = sum(attention[f"mass_{queries}_to_r{k}"][place].item() for k in range(1, 5))
            assert single == pytest.approx(attention[f"mass_{queries}_to_registers"][place].item(), abs=1e-5)


@pytest.mark.parametrize("name", ["plain", "open", "sink", "dinov2"])
def test_full_is_at_no_distance_from_itself(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration], name: str
) -> None:
    network = shallow[name]
    layers = tuple(range(network.depth))
    found = measured_under(network, shallow_calibrations[name], Condition("full"), new_reference(network), layers)
    for layer in layers:
        assert (found.of("patch_cosine", layer) - 1).abs().max() < 1e-5
        divergences = [found.of(name, layer) for name in columns(network.layout) if name.startswith("js")]
        assert divergences and all(value.abs().max() == 0 for value in divergences)
    for name in columns(network.layout):
        assert found.of(name, layers[-1]).isfinite().all()


def test_replacing_what_is_the_same_for_every_image_changes_no_measure(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration]
) -> None:
    reference = new_reference(shallow["sink"])
    layers = tuple(range(6))
    full = measured_under(shallow["sink"], shallow_calibrations["sink"], Condition("full"), reference, layers)
    trajectory = Condition("shuffle_trajectory", ("registers",), "shuffle_trajectory")
    shuffled = measured_under(shallow["sink"], shallow_calibrations["sink"], trajectory, reference, layers)
    zeroed = measured_under(
        shallow["sink"], shallow_calibrations["sink"], Condition("zero", ("registers",), "zero"), reference, layers
    )
    for layer in layers:
        assert shuffled.of("js", layer).max() < 1e-6
        torch.testing.assert_close(
            shuffled.of("effective_rank", layer), full.of("effective_rank", layer), rtol=1e-4, atol=1e-4
        )
    assert zeroed.of("js", 5).min() > 0.01


def test_a_measures_file_holds_a_row_an_image_condition_and_layer(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration], tmp_path: Any
) -> None:
    network = shallow["open"]
    found = measured_under(network, shallow_calibrations["open"], Condition("full"), new_reference(network), (2, 5))
    path, spectra = tmp_path / "1-of-1.parquet", tmp_path / "1-of-1.spectra.parquet"
    collected = MeasuresTable(network.layout)
    for part in ("a", "b"):
        units = np.array([f"{part}{k}" for k in range(IMAGES)])
        collected.add(found, "full", units, np.isin(ALL, ATTENDED))
    collected.save(path, spectra)
    table = pd.read_parquet(path)
    assert list(table.columns) == ["unit", "condition", "layer", *columns(network.layout)]
    none = MeasuresTable(network.layout)
    none.save(tmp_path / "none.parquet", tmp_path / "none.spectra.parquet")
    assert pq.read_schema(tmp_path / "none.parquet").names == pq.read_schema(path).names
    assert len(table) == 2 * IMAGES * 2 and set(table["layer"]) == {2, 5}
    row = table[(table["unit"] == "b3") & (table["layer"] == 5)].iloc[0]
    assert row["effective_rank"] == pytest.approx(found.of("effective_rank", 5)[3].item())
    assert row["mass_cls_to_r4"] == pytest.approx(found.of("mass_cls_to_r4", 5)[1].item())
    assert table[table["unit"] == "a0"]["js"].isna().all()
    mean = pd.read_parquet(spectra).set_index(["condition", "layer", "component"])
    assert (mean["images"] == 2 * IMAGES).all()
    shares = mean["share_sum"] / mean["images"]
    np.testing.assert_allclose(shares["full", 5], found.spectra_after(5).mean(dim=0))
    np.testing.assert_allclose(shares.groupby(["condition", "layer"]).sum(), 1)
