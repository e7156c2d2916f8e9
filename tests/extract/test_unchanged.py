"""What conditions share is computed once per batch, and every pass is, bit for bit, the one it would be by itself."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from config.conditions import Condition, conditions_of
from config.settings import Model
from extract.calibration import calibrate
from extract.datasets.packs import OpenPack
from extract.features import Images, clean_prefix, images_of, under
from extract.models import Network, load_network
from extract.observation import observe, observe_attention
from extract.replacements import Calibration
from extract.unchanged import Unchanged, sharing
from tests.extract.small_extraction import CONDITIONS, extracted, run_settings

EVERY = tuple(
    conditions_of(
        {
            **CONDITIONS,
            "zero_cls": {"tokens": ["cls"], "by": "zero"},
            "mean_r1": {"tokens": ["r1"], "by": "mean"},
        }
    ).values()
)
MODELS = {
    "open": Model("m", "known_answer", "open", "S"),
    "sink": Model("m", "known_answer", "sink", "S"),
    "dinov2_reg": Model("m", "timm", "m", "S", "vit_small_patch14_reg4_dinov2", 28, "random"),
    "dinov3": Model("m", "timm", "m", "S", "vit_small_patch16_dinov3", 32, "random"),
}
ATTENDED = np.array([0, 5, 6])


@pytest.fixture(scope="module", params=MODELS)
def network(request: pytest.FixtureRequest) -> Network:
    return load_network(MODELS[request.param], 0)


@pytest.fixture(scope="module")
def calibration(network: Network) -> Calibration:
    shape = network.depth, len(network.layout.prefix), network.dimension
    mean, variance, factor = torch.randn(shape), torch.rand(shape), 0.1 * torch.randn(*shape, shape[-1])
    return Calibration(mean, variance, network.layout.prefix, factor)


@contextmanager
def runs(network: Network) -> Iterator[Counter[str]]:
    """Counts images that pass through what only the patch embedding, block 0 and block 1 run."""
    counted: Counter[str] = Counter()
    blocks = network.module.blocks
    parts = {"embedding": network.module.patch_embed.proj, "block 0": blocks[0].norm1, "block 1": blocks[1].norm1}

    def count(name: str):
        return lambda _module, inputs: counted.update({name: len(inputs[0])})

    with ExitStack() as stack:
        for name, part in parts.items():
            stack.callback(part.register_forward_pre_hook(count(name)).remove)
        yield counted


def seen(
    network: Network, images: Images, condition: Condition, calibration: Calibration, unchanged: Unchanged | None
) -> dict[str, Tensor]:
    """All outputs of blocks, the network's output, and the attention of some images, under a condition."""
    found = {}
    with ExitStack() as stack:
        stack.enter_context(under(network, images, condition, calibration))
        if unchanged is not None:
            stack.enter_context(sharing(network, unchanged))
        layers = range(network.depth)
        keep = lambda layer, output: found.update({f"block {layer}": output.clone()})  # noqa: E731
        stack.enter_context(observe(network.module, layers, keep))
        keep_weights = lambda layer, weights: found.update({f"attention {layer}": weights[ATTENDED].clone()})  # noqa: E731
        stack.enter_context(observe_attention(network.module, layers, keep_weights))
        found["output"] = network.run(images.x)
    return found


def test_shared_passes_are_those_of_their_own_bit_for_bit(
    network: Network, pack: OpenPack, calibration: Calibration
) -> None:
    rows = pack.rows("test")[:20]
    images = images_of(network, pack, rows, np.asarray(pack.images[rows]), seed=9)
    own = replace(images, clean=clean_prefix(network, images.x))
    unchanged = Unchanged(torch.from_numpy(ATTENDED), trajectories=True)
    with runs(network) as counted:
        for condition in EVERY:
            shared = seen(network, replace(images, clean=unchanged.clean), condition, calibration, unchanged)
            if condition.name == "full":
                assert torch.equal(unchanged.clean, own.clean)
            assert counted["embedding"] == counted["block 0"] == 20
            before = counted.copy()
            alone = seen(network, own, condition, calibration, None)
            counted.clear()
            counted.update(before)
            assert shared.keys() == alone.keys()
            for name, value in alone.items():
                assert torch.equal(shared[name], value), (condition.name, name)
    assert counted["block 1"] == 20 * len(EVERY)
    # Nothing is left behind.
    assert not any("forward" in vars(part) for part in (network.module.patch_embed, network.module.blocks[0]))


def test_an_extraction_runs_block_0_once_per_image(pack: OpenPack, tmp_path: Path) -> None:
    network, chosen = load_network(MODELS["open"], 0), run_settings()
    calibration = calibrate(network, pack, 64, covariances=True)
    with runs(network) as counted:
        extracted(network, pack, calibration, chosen, tmp_path)
    evaluated = int((pack.index["split"] != "calibration").sum())
    assert counted["embedding"] == counted["block 0"] == evaluated
    # No pass beside those of the conditions: trajectories come from the unchanged one.
    assert counted["block 1"] == evaluated * len(chosen.conditions)
