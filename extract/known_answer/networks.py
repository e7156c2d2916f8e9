"""The four families of known-answer networks: small ViTs whose attention mask fixes the answer.

============  ==========================================  ==================================================
family        who may attend to whom                      known answer
============  ==========================================  ==================================================
plain         there are no registers                      none: CLS zeroing is measured
open          everyone to everyone                        none: it is measured
bottleneck    CLS to itself and the registers only        the image reaches CLS through register content
                                                          alone, so any replacement of the content destroys
                                                          classification
sink          registers to registers only; every other    register content is the same for every image, so
              token's logits towards them carry a         mean and shuffle change nothing at all
              positive bias
============  ==========================================  ==================================================
"""

from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

Family = Literal["plain", "open", "bottleneck", "sink"]
Scale = Literal["S", "B"]
FAMILIES: tuple[Family, ...] = get_args(Family)
SCALES: tuple[Scale, ...] = get_args(Scale)

IMAGE_SIZE = 64
PATCH_SIZE = 8
DEPTH = 6
REGISTERS = 4
MEAN = (0.5, 0.5, 0.5)  # pixels enter as (value − MEAN) / STD, values from 0 to 1
STD = (0.25, 0.25, 0.25)
SINK_BIAS = 3.0  # added to the attention logits towards registers: e³ ≈ 20 times the odds


@dataclass(frozen=True)
class Width:
    """Embedding dimension and number of heads; both scales have heads of 32 dimensions, as ViT-S and ViT-B
    share theirs of 64.
    """

    dimension: int
    heads: int


WIDTHS: dict[Scale, Width] = {"S": Width(64, 2), "B": Width(96, 3)}


def attention_bias(family: Family, tokens: int) -> Tensor | None:
    """Return what ``family`` adds to the attention logits, shape 1×1×tokens×tokens (query × key).

    0 leaves a pair of tokens alone, −inf forbids it. None where nothing is restricted. The token order is CLS,
    registers, patches.
    """
    registers = slice(1, 1 + REGISTERS)
    bias = torch.zeros(1, 1, tokens, tokens)
    match family:
        case "plain" | "open":
            return None
        case "bottleneck":
            bias[..., 0, 1 + REGISTERS :] = -torch.inf
        case "sink":
            bias[..., :, registers] = SINK_BIAS
            bias[..., registers, :] = -torch.inf
            bias[..., registers, registers] = 0.0
    return bias


class KnownAnswerViT(VisionTransformer):
    """timm's VisionTransformer with a fixed bias on the attention logits of every block."""

    attention_bias: Tensor | None

    def __init__(self, family: Family, scale: Scale) -> None:
        width = WIDTHS[scale]
        super().__init__(
            img_size=IMAGE_SIZE,
            patch_size=PATCH_SIZE,
            embed_dim=width.dimension,
            depth=DEPTH,
            num_heads=width.heads,
            reg_tokens=0 if family == "plain" else REGISTERS,
            num_classes=0,
            global_pool="token",
        )
        tokens = self.num_prefix_tokens + self.patch_embed.num_patches
        for block in cast(nn.ModuleList, self.blocks):
            # Eager everywhere; on a CPU its backward pass is also several times faster than the fused kernel's.
            cast(Any, block).attn.fused_attn = False
        # Not a parameter: the family fixes it, so a checkpoint cannot change it.
        self.register_buffer("attention_bias", attention_bias(family, tokens), persistent=False)

    def forward_features(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Return the normed tokens of images ``x``, B×tokens×dimension."""
        return super().forward_features(x, attn_mask=self.attention_bias)

    def forward_intermediates(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        """As timm's, under the family's attention bias."""
        return super().forward_intermediates(x, *args, **{**kwargs, "attn_mask": self.attention_bias})
