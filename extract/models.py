"""Models as the extraction uses them: a network, its token layout, and how pixels enter it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import timm
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from config.errors import InputError
from config.keys import digest
from config.layout import KNOWN_ANSWER_WEIGHTS
from config.settings import Extraction, Model
from extract.architectures import built, layout_of, norm_tokens, open_layer_scales, require_architecture
from extract.checkpoints import WeightsError, downloaded, fill, read_checkpoint, refuse_non_finite
from extract.conversion import converted
from extract.devices import resolve_device
from extract.known_answer import networks
from extract.positions import backend_of, set_periods
from extract.precision import available_precision, products_in
from extract.tokens import TokenLayout


class LayerError(InputError):
    """A layer that a network does not have, with the keys that may have asked for it."""


@dataclass(frozen=True)
class Network:
    """A model, ready for features.

    Attributes:
        name: the model's name in every file.
        module: the timm network, in evaluation mode, eager attention.
        layout: rows of its token sequence.
        image_size: side of its square input in pixels.
        mean, std: pixels enter as (value − mean) / std, values from 0 to 1, per channel.
        precision: of the forward pass: float32, tf32 or bfloat16 (:mod:`extract.precision`).
        signature: enough to know which weights were run.
    """

    name: str
    module: nn.Module
    layout: TokenLayout
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    precision: str
    signature: str

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.module.parameters()).device

    @property
    def depth(self) -> int:
        """Number of blocks."""
        return len(cast(nn.ModuleList, self.module.blocks))

    @property
    def dimension(self) -> int:
        """Width of a token."""
        return cast(int, self.module.embed_dim)

    def layers(self, wanted: tuple[int, ...] | None) -> tuple[int, ...]:
        """Return layer indices counted from 0, in order, negative ones counted from the last; every one for None.

        Raises:
            LayerError: for a layer that the network does not have.
        """
        if wanted is None:
            return tuple(range(self.depth))
        if absent := [layer for layer in wanted if not -self.depth <= layer < self.depth]:
            raise LayerError(
                "extraction.layers, extraction.curves.layers or measures.layers: "
                f"{absent} are not layers of {self.name}; allowed: {-self.depth} … {self.depth - 1}"
            )
        return tuple(sorted({layer % self.depth for layer in wanted}))

    def input(self, images: NDArray[np.uint8]) -> Tensor:
        """Turn uint8 images B×H×W×3 into network input B×3×size×size on the network's device."""
        x = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2).float() / 255
        if x.shape[-2:] != (self.image_size, self.image_size):
            size = (self.image_size, self.image_size)
            x = F.interpolate(x, size=size, mode="bilinear", antialias=True, align_corners=False)
        mean, std = (torch.tensor(each, device=x.device).view(1, 3, 1, 1) for each in (self.mean, self.std))
        return (x - mean) / std

    def run(self, x: Tensor) -> Tensor:
        """Return the tokens of network input, B × tokens × dimension, after the final norm."""
        with products_in(self.precision, x.device):
            return cast(Callable[[Tensor], Tensor], self.module.forward_features)(x)

    def norm(self, tokens: Tensor) -> Tensor:
        """Return tokens, … × dimension, after the final norm, in float32."""
        return cast(nn.Module, self.module.norm)(tokens.float())  # type: ignore[no-any-return]


def load_network(model: Model, seed: int, options: Extraction | None = None) -> Network:
    """Build a model and load its weights.

    DINOv2 and DINOv3 compute what their official implementations do (facebookresearch/dinov2 and dinov3), unless the
    config's key ``backend`` says transformers or timm, where these differ (:mod:`extract.positions`): features of the
    same weights agree with official ones, and with those of Transformers, to 1e-5 of their unit spread. What timm, as
    of 1.0.31, names or arranges otherwise:

    - *Registers* are stored as ``reg_token`` (official: ``register_tokens`` in DINOv2, ``storage_tokens`` in DINOv3),
      behind CLS and before the patches as in both. They carry no position embedding; so in DINOv2 with registers the
      CLS position embedding is folded into the CLS token when official weights are converted. The sums are the same.
    - *RoPE* of DINOv3: shifts and rescalings of coordinates belong to training and are absent in both.
    - *QKV bias* of DINOv3 S and B: left out of the architecture ``vit_*_patch16_dinov3``, because it is all zero in the
      released weights (the key's share is masked to zero in any case). A checkpoint whose bias is not zero is refused
      here, with the name of the architecture that has one (``…_qkvb``).
    - *Mask tokens*, and the heads and projectors of training, are not read: nothing is masked in a feature extractor.
    - *Pooling*: timm pools DINOv3 by average and DINOv2 by CLS. Neither is used here: tokens are read where they are.
    - *Attention* is eager in every model: fused kernels differ from it by rounding, and hide the weights.
    - *Final norm*: where timm moves it behind the pooling (``fc_norm``, as in BEiT, EVA-02 and relpos networks), it is
      moved back, and norms every token; these networks were trained with it on the mean of patches. RADIO, InternViT
      and others have no norm after the last block: their tokens are read as that block leaves them. The signature
      tells (norm:pooled, norm:none).

    The same in both: LayerNorm's ε (1e-6 in DINOv2, 1e-5 in DINOv3), one final norm for all tokens, LayerScale, and an
    MLP with GELU (SwiGLU comes with larger sizes).

    Args:
        model: what to build.
        seed: seed of random weights, combined with the model's name.
        options: device and precision; the CPU and float32 where left out.

    Raises:
        ArchitectureError: where timm has no such architecture, or it is no Vision Transformer, or has no other
            backend than timm and the config asks for one.
        WeightsError: where the weights cannot be found, are not those that the config's hash names, or do not fill
            every parameter.
    """
    if model.source == "known_answer":
        module, mean, std, image_size = _known_answer(model)
    else:
        module, mean, std, image_size = _timm(model, seed)
    for block in cast(nn.ModuleList, module.blocks):
        cast(nn.Module, block.attn).fused_attn = False  # type: ignore[assignment]
    refuse_non_finite(model, module)
    norm = norm_tokens(module)
    device = resolve_device(options.device if options else "cpu")
    module.eval().requires_grad_(False).to(device)
    precision = available_precision(options.precision if options else "float32", device)
    details = "" if model.known_answer else f"|backend:{backend_of(model)}|norm:{norm}"
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return Network(
        name=model.name,
        module=module,
        layout=layout_of(model, module, image_size),
        image_size=image_size,
        mean=mean,
        std=std,
        precision=precision,
        signature=f"{model.architecture or model.family}|weights:{model.weights or 'committed'}|"
        f"res:{image_size}|dtype:{precision}{details}|timm:{timm.__version__}|torch:{torch.__version__.split('+')[0]}",
    )


Triple = tuple[float, float, float]


def _known_answer(model: Model) -> tuple[nn.Module, Triple, Triple, int]:
    family, scale = cast(networks.Family, model.family), cast(networks.Scale, model.scale)
    module = networks.KnownAnswerViT(family, scale)
    committed = KNOWN_ANSWER_WEIGHTS / f"{family}_{scale.lower()}.safetensors"
    path = Path(model.weights) if model.weights else committed
    fill(module, read_checkpoint(path, model), path, model)
    return module, networks.MEAN, networks.STD, networks.IMAGE_SIZE


def _timm(model: Model, seed: int) -> tuple[nn.Module, Triple, Triple, int]:
    assert model.architecture is not None and model.weights is not None
    require_architecture(model)
    backend_of(model)  # which refuses one that the architecture does not have
    if model.weights == "hub" and not timm.is_model_pretrained(model.architecture):
        raise WeightsError(
            f"models.{model.name}.weights: timm {timm.__version__} knows of no weights of {model.architecture} on the "
            "hub. Set the key to the path of a checkpoint, or to random"
        )
    with torch.random.fork_rng():
        # Random weights are keyed by the model, so that no other model's presence can change them.
        torch.manual_seed(digest(seed, "weights", model.name) % 2**63)
        module = built(model)
    checkpoint: dict[str, Tensor] = {}
    if model.weights == "random":
        open_layer_scales(module)
    elif model.weights == "hub":
        module = downloaded(model)
    else:
        path = Path(model.weights)
        checkpoint = read_checkpoint(path, model)
        fill(module, converted(checkpoint, module, path, model), path, model)
    set_periods(module, model, checkpoint)
    data = cast(dict[str, Triple], module.pretrained_cfg)
    return module, data["mean"], data["std"], cast(int, model.image_size)
