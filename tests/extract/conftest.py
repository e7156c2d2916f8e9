"""Networks of every layout, built once: three timm architectures with random weights and the known-answer families."""

import os
from copy import deepcopy
from dataclasses import replace

import pytest
import torch

from config.layout import Pack
from config.settings import Model
from extract.calibration import calibrate
from extract.datasets.packs import OpenPack, open_pack
from extract.datasets.prepare import prepare
from extract.models import Network, load_network
from extract.replacements import Calibration
from tests.extract.test_packs import scenes

pytest.register_assert_rewrite("tests.extract.small_extraction")

# One thread: sums in one order, and no quarrel with tests run side by side.
torch.set_num_threads(1)
os.environ.setdefault("HF_HUB_OFFLINE", "1")

TIMM = {
    "dinov2": ("vit_small_patch14_dinov2", 56),
    "dinov2_reg": ("vit_small_patch14_reg4_dinov2", 56),
    "dinov3": ("vit_small_patch16_dinov3", 64),
}
FAMILIES = ("plain", "open", "bottleneck", "sink")
EVERY = (*TIMM, *FAMILIES)
SHALLOW = 4  # blocks


def timm_model(name: str, weights: str = "random") -> Model:
    architecture, size = TIMM[name]
    return Model(name, "timm", name, "S", architecture=architecture, image_size=size, weights=weights)


@pytest.fixture(scope="session")
def networks() -> dict[str, Network]:
    """Every network by name."""
    known = {family: Model(family, "known_answer", family, "S") for family in FAMILIES}
    models = {name: timm_model(name) for name in TIMM} | known
    return {name: load_network(model, seed=0) for name, model in models.items()}


@pytest.fixture(scope="session")
def shallow(networks: dict[str, Network]) -> dict[str, Network]:
    """The same networks without the later blocks of those of timm, where what is tested is the same at each."""
    cut = dict(networks)
    for name in TIMM:
        module = deepcopy(networks[name].module)
        module.blocks = module.blocks[:SHALLOW]
        cut[name] = replace(networks[name], module=module)
    return cut


@pytest.fixture(scope="session")
def calibrations(networks: dict[str, Network]) -> dict[str, Calibration]:
    """Made-up moments, different at every layer, row and dimension, so that a mix-up shows."""
    return made_up_moments(networks)


@pytest.fixture(scope="session")
def shallow_calibrations(shallow: dict[str, Network]) -> dict[str, Calibration]:
    """The like, of the shallow networks."""
    return made_up_moments(shallow)


def made_up_moments(networks: dict[str, Network]) -> dict[str, Calibration]:
    made_up = {}
    for name, network in networks.items():
        shape = (network.depth, len(network.layout.prefix), network.module.embed_dim)
        random = torch.Generator().manual_seed(5)
        mean, variance = torch.randn(shape, generator=random), torch.rand(shape, generator=random) + 0.1
        factor = torch.randn((*shape, shape[-1]), generator=random) / shape[-1] ** 0.5
        made_up[name] = Calibration(mean, variance, network.layout.prefix, factor)
    return made_up


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> OpenPack:
    """70 calibration, 40 training and 80 test scenes with 66 twins: four groups to shard, of 40, 64, 64 and 16."""
    folder = Pack(tmp_path_factory.mktemp("pack"))
    prepare(scenes(train=40, test=80), 0, folder)
    return open_pack(folder)


@pytest.fixture(scope="module")
def calibration(networks: dict[str, Network], pack: OpenPack) -> Calibration:
    return calibrate(networks["open"], pack, 64, covariances=True)
