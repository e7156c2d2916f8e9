"""Features belong to the rows they are said to belong to, whoever else is asked for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from config.conditions import Condition
from config.layout import Pack
from extract.datasets.packs import OpenPack, open_pack, shard_blocks
from extract.datasets.prepare import prepare
from extract.draws import Batch
from extract.features import Images, tokens_by_batch, tokens_under
from extract.models import Network
from extract.tokens import read_layout
from tests.extract.test_packs import scenes


class PatchesFirst(VisionTransformer):
    """Puts the patches first, then CLS, then the registers."""

    def _pos_embed(self, x: torch.Tensor) -> torch.Tensor:
        n, patches = len(x), x.flatten(1, -2)
        return torch.cat([patches, self.cls_token.expand(n, -1, -1), self.reg_token.expand(n, -1, -1)], dim=1)


@torch.inference_mode()
def test_tokens_are_those_of_the_layout_in_another_order() -> None:
    torch.manual_seed(0)
    module = PatchesFirst(img_size=32, patch_size=8, embed_dim=16, depth=2, num_heads=2, reg_tokens=3).eval()
    network = Network("odd", module, read_layout(module, 32), 32, (0.5,) * 3, (0.5,) * 3, "float32", "")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    batch = Batch(("one", "two"), ("g", "g"), 0)
    passed = Images(np.arange(2), network.input(images), batch)
    tokens = tokens_under(network, passed, Condition("full"), None, (1,))
    sequence = module.forward_features(network.input(images))
    assert torch.equal(tokens.patches[:, 0], sequence[:, :16])
    assert torch.equal(tokens.prefix[:, 0], sequence[:, 16:])


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> OpenPack:
    folder = Pack(tmp_path_factory.mktemp("pack"))
    prepare(scenes(calibration=2, train=70, test=10, pairs=2), 0, folder)
    return open_pack(folder)


@pytest.mark.parametrize("n", [1, 20, 65])
def test_shuffled_features_do_not_depend_on_who_else_is_asked_for(
    networks: dict[str, Network], pack: OpenPack, n: int
) -> None:
    condition = Condition("shuffle_registers", ("registers",), "shuffle")

    def features(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = list(tokens_by_batch(networks["open"], pack, rows, condition, None, (5,), 64, seed=1))
        return np.concatenate([part for part, _ in found]), torch.cat([tokens.prefix for _, tokens in found]).numpy()

    train = pack.rows("train")
    rows, all_ = features(train)
    assert np.array_equal(rows, train)
    rows, some = features(train[:n])
    assert np.array_equal(rows, train[:n])
    np.testing.assert_allclose(some, all_[:n], atol=5e-5, rtol=5e-5)


@pytest.fixture(
    scope="module", params=[(100, 65), (129, 65), (129, 128), (193, 129), (200, 130), (129, 129)], ids=lambda n: f"{n}"
)
def paired(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OpenPack:
    """Test images of which the first are paired with twins, at sizes about those of groups."""
    test, pairs = request.param
    folder = Pack(tmp_path_factory.mktemp("paired"))
    prepare(replace(scenes(), calibration=2, train=10, test=test, pairs=pairs, image_size=8), 0, folder)
    return open_pack(folder)


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_no_pair_is_cut_in_two(paired: OpenPack, shards: int) -> None:
    pack = paired
    blocks = [shard_blocks(pack, shard, shards) for shard in range(shards)]
    parts = [{row for block in of_shard for row in block.tolist()} for of_shard in blocks]
    assert sum(map(len, parts)) == len(pack.index) - 2 == len(set.union(*parts))
    for source, twin in zip(pack.pairs["source"], pack.pairs["twin"], strict=True):
        assert any({source, twin} <= set(block.tolist()) for of_shard in blocks for block in of_shard)
    groups = pack.index["group"].to_numpy()
    for part in parts:
        rest = set(range(2, len(groups))) - part
        assert not {groups[row] for row in part} & {groups[row] for row in rest}
