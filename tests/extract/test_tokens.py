import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from extract.models import Network
from extract.tokens import read_layout


@pytest.mark.parametrize(
    ("name", "registers", "grid"),
    [
        ("dinov2", 0, (4, 4)),
        ("dinov2_reg", 4, (4, 4)),
        ("dinov3", 4, (4, 4)),
        ("plain", 0, (8, 8)),
        ("open", 4, (8, 8)),
        ("bottleneck", 4, (8, 8)),
        ("sink", 4, (8, 8)),
    ],
)
def test_layouts(networks: dict[str, Network], name: str, registers: int, grid: tuple[int, int]) -> None:
    layout = networks[name].layout
    assert layout.cls == 0
    assert layout.registers == tuple(range(1, 1 + registers))
    assert layout.patches == range(1 + registers, 1 + registers + grid[0] * grid[1])
    assert layout.grid == grid


class RegistersLast(VisionTransformer):
    """Puts the registers behind the patches, in reverse, and CLS between."""

    def _pos_embed(self, x: torch.Tensor) -> torch.Tensor:
        batch, patches = len(x), x.flatten(1, -2)
        return torch.cat(
            [patches, self.cls_token.expand(batch, -1, -1), self.reg_token.flip(1).expand(batch, -1, -1)], dim=1
        )


class RegistersAdded(RegistersLast):
    """Adds the registers to each other, so that none has a row of its own."""

    def _pos_embed(self, x: torch.Tensor) -> torch.Tensor:
        whole = super()._pos_embed(x)
        return torch.cat([whole[:, :-3], whole[:, -3:] + self.reg_token.sum(1, keepdim=True)], dim=1)


TINY = {"img_size": 32, "patch_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2, "reg_tokens": 3}


def test_another_order_is_read_and_not_assumed() -> None:
    layout = read_layout(RegistersLast(**TINY), 32)
    assert layout.patches == range(16)
    assert layout.cls == 16
    assert layout.registers == (19, 18, 17)
    assert layout.rows(("r1", "cls")) == (16, 19)


def test_tokens_without_rows_of_their_own_are_refused() -> None:
    with pytest.raises(ValueError, match="register r1 moves rows"):
        read_layout(RegistersAdded(**TINY), 32)


def test_reading_changes_no_weight() -> None:
    network = RegistersLast(**TINY)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    read_layout(network, 32)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not network.blocks[0]._forward_pre_hooks


def test_names(networks: dict[str, Network]) -> None:
    layout = networks["open"].layout
    assert layout.rows(("registers",)) == (1, 2, 3, 4)
    assert layout.rows(("r4", "cls", "r2")) == (0, 2, 4)
    assert layout.missing(("r4", "r5")) == ("r5",)
    assert networks["plain"].layout.missing(("cls", "registers")) == ("registers",)
    with pytest.raises(ValueError, match="no token r5: it has a CLS token and 4 registers"):
        layout.rows(("r5",))
    with pytest.raises(ValueError, match="'patch' is no token name"):
        layout.rows(("patch",))
