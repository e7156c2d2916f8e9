"""What replaced rows hold, read off the running networks without any of the code that drew it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from config.conditions import Condition
from config.vocabulary.replacements import REPLACEMENTS
from extract.draws import Batch
from extract.features import clean_prefix
from extract.interventions import intervene
from extract.models import Network
from extract.replacements import Calibration
from tests.extract.conftest import EVERY

GROUP = 6
BATCH = Batch(tuple(f"i{k}" for k in range(2 * GROUP)), ("a",) * GROUP + ("b",) * GROUP, seed=3)
WITH_REGISTERS = [name for name in EVERY if name not in ("dinov2", "plain")]


@dataclass(frozen=True)
class Watched:
    """Per block: what it read, what it computed, and what came out after the replacement."""

    read: list[Tensor]
    computed: list[Tensor]
    replaced: list[Tensor]


@torch.inference_mode()
def watch(network: Network, calibration: Calibration, tokens: str, by: str, batch: Batch = BATCH) -> Watched:
    """Run images, each belonging to its unit, with one hook before the replacement and one after it."""
    size = network.image_size
    x = torch.stack(
        [torch.randn(3, size, size, generator=torch.Generator().manual_seed(int(unit[1:]))) for unit in batch.units]
    )
    seen = Watched([], [], [])
    blocks = list(network.module.blocks)
    clean = clean_prefix(network, x) if by == "shuffle_trajectory" else None
    handles = [block.register_forward_pre_hook(lambda _b, args: seen.read.append(args[0].clone())) for block in blocks]
    handles += [block.register_forward_hook(lambda _b, _a, out: seen.computed.append(out.clone())) for block in blocks]
    try:
        condition = Condition("full") if by == "none" else Condition(by, (tokens,), by)
        with intervene(network.module, condition, network.layout, calibration, batch, clean):
            handles += [
                block.register_forward_hook(lambda _b, _a, out: seen.replaced.append(out.clone())) for block in blocks
            ]
            network.module.forward_features(x)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def donors(seen: Watched, row: int, layer: int) -> list[int]:
    """Find whose row every image holds after the replacement, by looking for it among the block's own rows."""
    found = []
    for held in seen.replaced[layer][:, row]:
        (match,) = (seen.computed[layer][:, row] == held).all(dim=-1).nonzero().flatten().tolist()
        found.append(match)
    return found


ROWS = {"cls": [0], "registers": [1, 2, 3, 4], "r2": [2]}
# That a model without registers refuses to have them replaced is tested with the interventions.
REPLACEABLE = [(name, tokens) for name in EVERY for tokens in ROWS if tokens == "cls" or name in WITH_REGISTERS]


@pytest.mark.parametrize("by", REPLACEMENTS)
@pytest.mark.parametrize(("name", "tokens"), REPLACEABLE)
def test_other_rows_stay_as_computed_and_the_next_block_reads_the_result(
    shallow: dict[str, Network],
    shallow_calibrations: dict[str, Calibration],
    name: str,
    tokens: str,
    by: str,
) -> None:
    rows = ROWS[tokens]
    seen = watch(shallow[name], shallow_calibrations[name], tokens, by)
    assert len(seen.read) == len(seen.computed) == len(seen.replaced) == shallow[name].depth
    others = [row for row in range(seen.computed[0].shape[1]) if row not in rows]
    for layer, (computed, replaced) in enumerate(zip(seen.computed, seen.replaced, strict=True)):
        assert torch.equal(computed[:, others], replaced[:, others])
        if layer:
            assert torch.equal(seen.read[layer], seen.replaced[layer - 1])
        if by == "zero":
            assert not replaced[:, rows].any()
        if by == "mean":
            wanted = shallow_calibrations[name].mean[layer, rows].expand(len(replaced), -1, -1)
            assert torch.equal(replaced[:, rows], wanted)


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3", "open", "sink"])
def test_noise_has_the_calibration_moments(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration], name: str
) -> None:
    calibration = shallow_calibrations[name]
    held = torch.stack(watch(shallow[name], calibration, "registers", "noise").replaced, dim=1)[:, :, 1:5]
    standard = ((held - calibration.mean[:, 1:5]) / calibration.variance[:, 1:5].sqrt()).double().numpy()
    assert abs(standard.mean()) < 4 / np.sqrt(standard.size)
    assert stats.kstest(standard.ravel(), "norm").pvalue > 0.001
    # Draws of two images, two layers or two registers have nothing in common.
    for pairs in (standard[0] * standard[1], standard[:, 0] * standard[:, 1], standard[:, :, 0] * standard[:, :, 1]):
        assert abs(pairs.mean()) < 4 / np.sqrt(pairs.size)


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3", "open", "sink"])
def test_resampled_rows_have_the_whole_covariance(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration], name: str
) -> None:
    calibration = shallow_calibrations[name]
    held = torch.stack(watch(shallow[name], calibration, "registers", "resample").replaced, dim=1)[:, :, 1:5]
    # Turned back by the inverse of the factor, what is left must be independent standard normal values.
    factor, centred = calibration.factor[:, 1:5].double(), (held - calibration.mean[:, 1:5]).double()
    standard = torch.linalg.solve(factor, centred[..., None])[..., 0].numpy()
    assert abs(standard.mean()) < 4 / np.sqrt(standard.size)
    assert stats.kstest(standard.ravel(), "norm").pvalue > 0.001
    neighbours = standard[..., 1:] * standard[..., :-1]
    assert abs(neighbours.mean()) < 4 / np.sqrt(neighbours.size)
    # And it is not the diagonal alone: scaled by variances, the same rows are correlated.
    scaled = centred / factor.square().sum(dim=-1).sqrt()
    assert np.abs(np.corrcoef(scaled[:, 0, 0].numpy(), rowvar=False)).max() > 0.5


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3", "open", "bottleneck"])
def test_a_trajectory_comes_from_one_donors_unchanged_pass(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration], name: str
) -> None:
    network = shallow[name]
    plain = watch(network, shallow_calibrations[name], "registers", "none")
    seen = watch(network, shallow_calibrations[name], "registers", "shuffle_trajectory")
    takers: set[tuple[int, ...]] = set()
    for clean, replaced in zip(plain.computed, seen.replaced, strict=True):
        found = [
            next(donor for donor in range(2 * GROUP) if torch.equal(clean[donor, 1:5], held[1:5])) for held in replaced
        ]
        takers.add(tuple(found))
    (donor_of,) = takers  # one donor for all layers
    assert sorted(donor_of) == list(range(2 * GROUP))
    assert all(donor != image and donor // GROUP == image // GROUP for image, donor in enumerate(donor_of))


def test_noise_follows_the_image_and_the_seed(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration]
) -> None:
    def held(batch: Batch) -> Tensor:
        return torch.stack(watch(shallow["open"], shallow_calibrations["open"], "r2", "noise", batch).replaced)[:, :, 2]

    reference = held(BATCH)
    few = Batch(("i9", "i4"), ("b", "a"), seed=3)
    assert torch.equal(held(few), reference[:, [9, 4]])
    assert not (held(replace(BATCH, seed=4)) == reference).all(dim=-1).any()


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3", "open", "bottleneck"])
def test_shuffled_rows_are_those_of_another_image_of_the_group(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration], name: str
) -> None:
    seen = watch(shallow[name], shallow_calibrations[name], "registers", "shuffle")
    layers = range(shallow[name].depth)
    by_layer = [donors(seen, 1, layer) for layer in layers]
    for layer, found in enumerate(by_layer):
        assert sorted(found) == list(range(2 * GROUP))
        assert all(donor != image and donor // GROUP == image // GROUP for image, donor in enumerate(found))
        # An image takes all its registers from one donor.
        assert all(donors(seen, row, layer) == found for row in (2, 3, 4))
    assert len({tuple(found) for found in by_layer}) > 1


def test_donors_follow_the_group_and_the_seed(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration]
) -> None:
    def found(batch: Batch) -> list[list[int]]:
        seen = watch(shallow["open"], shallow_calibrations["open"], "r2", "shuffle", batch)
        return [donors(seen, 2, layer) for layer in range(6)]

    whole = found(BATCH)
    second = found(Batch(BATCH.units[GROUP:], BATCH.groups[GROUP:], seed=3))
    assert second == [[donor - GROUP for donor in layer[GROUP:]] for layer in whole]
    assert found(replace(BATCH, seed=4)) != whole


def test_a_group_of_one_is_refused_and_leaves_no_hook(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration]
) -> None:
    with pytest.raises(ValueError, match="group of 1 image cannot be shuffled"):
        watch(
            shallow["open"],
            shallow_calibrations["open"],
            "r2",
            "shuffle",
            Batch(("i0", "i1", "i2"), ("a", "a", "b"), 0),
        )
    assert not any(module._forward_hooks for module in shallow["open"].module.modules())
