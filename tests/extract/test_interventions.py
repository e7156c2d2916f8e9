"""Every condition touches its rows, all of them, at every block, and nothing else; and leaves nothing behind."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from config.conditions import Condition
from config.vocabulary.replacements import REPLACEMENTS
from extract.draws import Batch, derangement
from extract.features import clean_prefix
from extract.interventions import intervene
from extract.models import Network
from extract.noise import keyed_normal
from extract.replacements import Calibration
from tests.extract.conftest import EVERY

IMAGES = 6
BATCH = Batch(tuple(f"image {k}" for k in range(IMAGES)), ("a", "a", "a", "b", "b", "b"), seed=11)
CONDITIONS = [
    Condition(f"{by}_{'_'.join(tokens)}", tokens, by)
    for by in REPLACEMENTS
    for tokens in (("cls",), ("registers",), ("r2",), ("r1", "r3"))
]


def images(network: Network) -> Tensor:
    size = network.image_size
    return torch.randn(IMAGES, 3, size, size, generator=torch.Generator().manual_seed(1))


def hooks(network: Network) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.module.modules())


def by_hand(network: Network, x: Tensor, condition: Condition, calibration: Calibration) -> list[Tensor]:
    """Run the blocks in a loop and replace rows between them, one image and row at a time.

    The draws themselves are the project's; test_noise and test_replacements hold them to something else.

    Returns the output of every block after replacement, and the normed last one.
    """
    module: Any = network.module
    arguments: dict[str, Any] = {}
    if hasattr(module, "rope"):
        tokens, arguments["rope"] = module._pos_embed(module.patch_embed(x))
    else:
        tokens = module._pos_embed(module.patch_embed(x))
        arguments["attn_mask"] = getattr(module, "attention_bias", None)
    tokens = clean = module.norm_pre(tokens)
    names = {"cls": [0], "registers": [1, 2, 3, 4], "r1": [1], "r2": [2], "r3": [3]}
    rows = [row for name in condition.tokens for row in names[name]]
    outputs = []
    for layer, block in enumerate(module.blocks):
        tokens = block(tokens, **arguments)
        clean = block(clean, **arguments) if condition.by == "shuffle_trajectory" else clean
        new = tokens.clone()
        for row in rows:
            mean, variance = calibration.mean[layer, row], calibration.variance[layer, row]
            for image in range(IMAGES):
                match condition.by:
                    case "zero":
                        new[image, row] = 0
                    case "mean":
                        new[image, row] = mean
                    case "noise":
                        key = BATCH.image_keys[image : image + 1]
                        draw = keyed_normal(key, torch.tensor([layer]), torch.tensor([row]), tokens.shape[-1])[0, 0, 0]
                        new[image, row] = (mean + variance.sqrt() * draw).float()
                    case "resample":
                        key = BATCH.image_keys[image : image + 1]
                        draw = keyed_normal(key, torch.tensor([layer]), torch.tensor([row]), tokens.shape[-1])[0, 0, 0]
                        new[image, row] = (mean + calibration.factor[layer, row].double() @ draw).float()
                    case "shuffle_trajectory":
                        group, place = divmod(image, 3)
                        donors = derangement(3, 11, "shuffle_trajectory", "ab"[group])
                        new[image, row] = clean[3 * group + int(donors[place]), row]
                    case "shuffle":
                        group, place = divmod(image, 3)
                        donors = derangement(3, 11, "shuffle", "ab"[group], layer)
                        new[image, row] = tokens[3 * group + int(donors[place]), row]
        tokens = new
        outputs.append(tokens)
    return [*outputs, module.norm(tokens)]


@pytest.fixture(scope="module")
def unchanged(shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration]) -> dict[str, list[Tensor]]:
    """What every block puts out where nothing is replaced."""
    with torch.inference_mode():
        return {
            name: by_hand(network, images(network), Condition("full"), shallow_calibrations[name])
            for name, network in shallow.items()
        }


WITHOUT_REGISTERS = ("dinov2", "plain")
REPLACEABLE = [
    pytest.param(name, condition, id=f"{name}-{condition.name}")
    for name in EVERY
    for condition in CONDITIONS
    if condition.tokens == ("cls",) or name not in WITHOUT_REGISTERS
]


@pytest.mark.parametrize("condition", [each for each in CONDITIONS if each.tokens != ("cls",)], ids=lambda it: it.name)
@pytest.mark.parametrize("name", WITHOUT_REGISTERS)
def test_registers_that_a_model_lacks_are_refused(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration], name: str, condition: Condition
) -> None:
    network = shallow[name]
    with (
        pytest.raises(ValueError, match="The model has no token"),
        intervene(network.module, condition, network.layout, shallow_calibrations[name], BATCH),
    ):
        pass
    assert hooks(network) == 0


@torch.inference_mode()
@pytest.mark.parametrize(("name", "condition"), REPLACEABLE)
def test_replaces_exactly_its_rows_at_every_block(
    shallow: dict[str, Network],
    shallow_calibrations: dict[str, Calibration],
    unchanged: dict[str, list[Tensor]],
    name: str,
    condition: Condition,
) -> None:
    network, calibration = shallow[name], shallow_calibrations[name]
    x = images(network)
    expected = by_hand(network, x, condition, calibration)
    seen: list[Tensor] = []
    clean = clean_prefix(network, x) if REPLACEMENTS[condition.by].clean_pass else None
    with intervene(network.module, condition, network.layout, calibration, BATCH, clean):
        watchers = [
            block.register_forward_hook(lambda _block, _inputs, output: seen.append(output.clone()))
            for block in network.module.blocks
        ]
        normed = network.module.forward_features(x)
        for watcher in watchers:
            watcher.remove()
    assert len(seen) == network.depth
    for actual, wanted in zip([*seen, normed], expected, strict=True):
        torch.testing.assert_close(actual, wanted, atol=5e-5, rtol=5e-5)
    assert hooks(network) == 0
    # At block 0, which reads the untouched input, no other row may move at all.
    rows = list(network.layout.rows(condition.tokens))
    plain = unchanged[name]
    others = [row for row in range(seen[0].shape[1]) if row not in rows]
    assert torch.equal(seen[0][:, others], plain[0][:, others])
    # And the condition does something, except where registers are alike in all images.
    if name != "sink" or "shuffle" not in condition.by or condition.tokens == ("cls",):
        assert (seen[-1] - plain[-2])[:, rows].abs().max() > 1e-3


@torch.inference_mode()
@pytest.mark.parametrize("name", EVERY)
def test_full_is_the_plain_pass_bit_for_bit(
    shallow: dict[str, Network], shallow_calibrations: dict[str, Calibration], name: str
) -> None:
    network = shallow[name]
    x = images(network)
    plain = network.module.forward_features(x)
    with intervene(network.module, Condition("full"), network.layout, shallow_calibrations[name], BATCH):
        assert hooks(network) == 0
        inside = network.module.forward_features(x)
    assert torch.equal(plain, inside)


@pytest.mark.parametrize("name", EVERY)
def test_no_hook_outlives_the_block(shallow: dict[str, Network], name: str) -> None:
    network = shallow[name]
    condition = Condition("zero_cls", ("cls",), "zero")
    with intervene(network.module, condition, network.layout, None, BATCH):
        assert hooks(network) == network.depth
    assert hooks(network) == 0
    with (
        pytest.raises(ZeroDivisionError),
        intervene(network.module, condition, network.layout, None, BATCH),
    ):
        _ = 1 / 0
    assert hooks(network) == 0
    with (
        pytest.raises(ValueError, match="holds 2 images, but the batch names 6"),
        intervene(network.module, condition, network.layout, None, BATCH),
    ):
        network.module.forward_features(images(network)[:2])
    assert hooks(network) == 0


def test_gradients_pass_through_an_intervention(shallow: dict[str, Network]) -> None:
    network = shallow["open"]
    x = images(network).requires_grad_()
    with intervene(network.module, Condition("zero_cls", ("cls",), "zero"), network.layout, None, BATCH):
        network.module.forward_features(x)[:, 5:].sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all() and x.grad.abs().max() > 0


@torch.inference_mode()
def test_random_patches_are_zeroed_at_the_same_places_after_every_block(shallow: dict[str, Network]) -> None:
    network = shallow["dinov3"]
    layout = network.layout

    def zeroed(draw: int) -> list[Tensor]:
        condition = Condition("zero_random_patches", ("random_patches",), "zero", patches=4, draw=draw)
        seen: list[Tensor] = []
        with intervene(network.module, condition, layout, None, BATCH):
            watchers = [
                block.register_forward_hook(lambda _b, _i, output: seen.append((output == 0).all(dim=-1)))
                for block in network.module.blocks
            ]
            network.module.forward_features(images(network))
            for watcher in watchers:
                watcher.remove()
        return seen

    draws = [zeroed(1), zeroed(2)]
    for seen in draws:
        assert len(seen) == network.depth and all(torch.equal(seen[0], each) for each in seen)
        assert (seen[0].sum(dim=1) == 4).all() and not seen[0][:, list(layout.prefix)].any()
    # Places differ between images and between draws.
    assert len({tuple(row.tolist()) for seen in draws for row in seen[0]}) == 2 * IMAGES


def test_random_patches_are_drawn_evenly() -> None:
    # 4 of 16 patches for 2,000 images: chi-square with 15 degrees of freedom, 99.9 % point.
    batch = Batch(tuple(map(str, range(2000))), ("a",) * 2000, seed=0)
    counts = torch.bincount(batch.random_patches(range(5, 21), 4, 1).flatten() - 5, minlength=16)
    # Drawing without replacement shrinks the variance by (16 − 4) / (16 − 1).
    assert ((counts - 500) ** 2 / 500).sum().item() / (12 / 15) < 37.7


def test_what_a_replacement_needs_must_be_given(shallow: dict[str, Network]) -> None:
    network = shallow["open"]
    for by, needed in (
        ("mean", "'mean' needs a calibration"),
        ("noise", "'noise' needs a calibration"),
        ("resample", "'resample' needs a calibration with covariances"),
        ("shuffle_trajectory", "'shuffle_trajectory' needs the tokens of an unchanged pass"),
    ):
        with (
            pytest.raises(ValueError, match=needed),
            intervene(network.module, Condition("x", ("cls",), by), network.layout, None, BATCH),
        ):
            pass


def test_derangements() -> None:
    for n in (2, 3, 64, 65):
        drawn = derangement(n, 0, "group", n)
        assert sorted(drawn) == list(range(n)) and not np.any(drawn == np.arange(n))
    assert np.array_equal(derangement(64, 0, "g", 1), derangement(64, 0, "g", 1))
    different = {tuple(derangement(64, *key)) for key in ((0, "g", 1), (0, "g", 2), (0, "h", 1), (1, "g", 1))}
    assert len(different) == 4
    with pytest.raises(ValueError, match="group of 1 image cannot be shuffled"):
        derangement(1, 0)


def test_derangements_are_uniform() -> None:
    # Nine derangements of four, drawn 3,600 times: chi-square with 8 degrees of freedom, 99.9 % point.
    counts: dict[tuple[int, ...], int] = {}
    for k in range(3600):
        drawn = tuple(int(place) for place in derangement(4, "uniform", k))
        counts[drawn] = counts.get(drawn, 0) + 1
    assert len(counts) == 9
    assert sum((count - 400) ** 2 / 400 for count in counts.values()) < 26.1


def test_donors_stay_in_their_group() -> None:
    donors = BATCH.donors("shuffle", 3)
    assert [BATCH.groups[donor] for donor in donors] == list(BATCH.groups)
