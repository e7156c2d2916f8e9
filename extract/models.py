"""Models as the extraction uses them: a network, its token layout, and how pixels enter it."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np
import timm
import torch
import torch.nn.functional as F
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from config.errors import InputError
from config.keys import digest
from config.layout import KNOWN_ANSWER_WEIGHTS
from config.settings import Extraction, Model
from extract.devices import resolve_device
from extract.known_answer import networks
from extract.tokens import TokenLayout, read_layout


class WeightsError(InputError):
    """Weights that cannot be had or do not fit, with what to do about it."""


@dataclass(frozen=True)
class Network:
    """A model, ready for features.

    Attributes:
        name: the model's name in every file.
        module: the timm network, in evaluation mode, eager attention.
        layout: rows of its token sequence.
        image_size: side of its square input in pixels.
        mean, std: pixels enter as (value − mean) / std, values from 0 to 1, per channel.
        precision: of the forward pass, float32 or bfloat16 (mixed: weights and residual stream stay in float32).
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
            ValueError: for a layer that the network does not have.
        """
        if wanted is None:
            return tuple(range(self.depth))
        if absent := [layer for layer in wanted if not -self.depth <= layer < self.depth]:
            raise ValueError(f"{absent} are not layers of {self.name}; allowed: {-self.depth} … {self.depth - 1}")
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
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return cast(Callable[[Tensor], Tensor], self.module.forward_features)(x)

    def norm(self, tokens: Tensor) -> Tensor:
        """Return tokens, … × dimension, after the final norm, in float32."""
        return cast(nn.Module, self.module.norm)(tokens.float())  # type: ignore[no-any-return]


def load_network(model: Model, seed: int, options: Extraction | None = None) -> Network:
    """Build a model and load its weights.

    Deviations from the official implementations, all of timm 1.0.31: DINOv2's position embeddings are resampled
    to other grids with antialiasing (official: without, with an offset of 0.1), and DINOv2 with registers folds
    the CLS position embedding into the CLS token when official weights are converted. Attention is eager in every
    model, because the fused kernels differ by rounding and hide the weights. DINOv3 pools by average by default;
    pooling is never used here, CLS is read as a token.

    Args:
        model: what to build.
        seed: seed of random weights, combined with the model's name.
        options: device and precision; the CPU and float32 where left out.

    Raises:
        WeightsError: where the weights cannot be found or do not fill every parameter.
    """
    if model.source == "known_answer":
        module, mean, std, image_size = _known_answer(model)
    else:
        module, mean, std, image_size = _timm(model, seed)
    for block in cast(nn.ModuleList, module.blocks):
        cast(nn.Module, block.attn).fused_attn = False  # type: ignore[assignment]
    _refuse_non_finite(model, module)
    module.eval().requires_grad_(False).to(resolve_device(options.device if options else "cpu"))
    precision = options.precision if options else "float32"
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return Network(
        name=model.name,
        module=module,
        layout=read_layout(module, image_size),
        image_size=image_size,
        mean=mean,
        std=std,
        precision=precision,
        signature=f"{model.architecture or model.family}|weights:{model.weights or 'committed'}|"
        f"res:{image_size}|dtype:{precision}|timm:{timm.__version__}|torch:{torch.__version__.split('+')[0]}",
    )


Triple = tuple[float, float, float]


def _known_answer(model: Model) -> tuple[nn.Module, Triple, Triple, int]:
    family, scale = cast(networks.Family, model.family), cast(networks.Scale, model.scale)
    module = networks.KnownAnswerViT(family, scale)
    committed = KNOWN_ANSWER_WEIGHTS / f"{family}_{scale.lower()}.safetensors"
    path = Path(model.weights) if model.weights else committed
    _fill(module, _read(path, model), path, model)
    return module, networks.MEAN, networks.STD, networks.IMAGE_SIZE


def _timm(model: Model, seed: int) -> tuple[nn.Module, Triple, Triple, int]:
    assert model.architecture is not None and model.weights is not None
    if not timm.is_model(model.architecture):
        close = timm.list_models(f"*{model.architecture.split('_')[-1]}*")[:8]
        raise WeightsError(
            f"models.{model.name}.architecture: timm {timm.__version__} has no {model.architecture!r}; "
            f"near it: {', '.join(close) or 'nothing'}"
        )
    if model.weights == "hub" and not timm.is_model_pretrained(model.architecture):
        raise WeightsError(
            f"models.{model.name}.weights: timm {timm.__version__} knows of no weights of {model.architecture} on the "
            "hub. Set the key to the path of a checkpoint, or to random"
        )
    with torch.random.fork_rng():
        # Random weights are keyed by the model, so that no other model's presence can change them.
        torch.manual_seed(digest(seed, "weights", model.name) % 2**63)
        try:
            module = timm.create_model(
                model.architecture,
                pretrained=model.weights == "hub",
                num_classes=0,
                img_size=model.image_size,
            )
        except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
            raise WeightsError(_where_to_get(model)) from error
    if model.weights == "random":
        _open_layer_scales(module)
    elif model.weights != "hub":
        path = Path(model.weights)
        state = _read(path, model)
        if (convert := _checkpoint_filter(module)) is not None:
            state = convert(state, module)
        _fill(module, state, path, model)
    data = cast(dict[str, Triple], module.pretrained_cfg)
    return module, data["mean"], data["std"], cast(int, model.image_size)


def _open_layer_scales(module: nn.Module) -> None:
    """Set every LayerScale of a network with random weights to 1.

    Architectures of the DINO line start it at 1e-5, where every block is the identity up to rounding: no image
    would reach CLS, and nothing that is done to a token would reach another one.
    """
    for name, parameter in module.named_parameters():
        if name.rpartition(".")[2] in ("gamma", "gamma_1", "gamma_2"):
            nn.init.ones_(parameter)


StateFilter = Callable[[dict[str, Tensor], nn.Module], dict[str, Tensor]]


def _checkpoint_filter(module: nn.Module) -> StateFilter | None:
    """Return timm's conversion of official checkpoints for this kind of network."""
    return getattr(import_module(type(module).__module__), "checkpoint_filter_fn", None)


def _where_to_get(model: Model) -> str:
    known = timm.get_pretrained_cfg(cast(str, model.architecture))
    repository = (known and known.hf_hub_id) or "the model's page"
    return (
        f"models.{model.name}.weights: the weights of {model.architecture} could not be downloaded from "
        f"{repository} on the Hugging Face hub. Without a network: download model.safetensors of "
        f"{repository} where there is one, put it into weights/, and set "
        f"models.{model.name}.weights to its path, for example weights/{model.architecture}.safetensors"
    )


def _read(path: Path, model: Model) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(
            f"models.{model.name}.weights: there is no file {path}. Set the key to a .safetensors or .pth "
            "file" + (", or to hub to download it" if model.source == "timm" else "")
        )
    if path.suffix == ".safetensors":
        return load_file(path)
    state = torch.load(path, map_location="cpu", weights_only=True)
    return cast(dict[str, Tensor], state.get("model", state.get("state_dict", state)))


def _fill(module: nn.Module, state: dict[str, Tensor], path: Path, model: Model) -> None:
    """Load weights, refusing any that leave a parameter unfilled or a weight unused."""
    own = module.state_dict()
    missing = sorted(set(own) - set(state))
    misshapen = sorted(
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in set(own) & set(state)
        if own[name].shape != state[name].shape
    )
    # Heads and masked-image tokens of the original training have no place in a feature extractor.
    unused = sorted(name for name in set(state) - set(own) if not name.startswith(("head.", "mask_token")))
    for what, names in (("lacks", missing), ("misshapes", misshapen), ("does not use", unused)):
        if names:
            raise WeightsError(
                f"models.{model.name}: {path} does not fit {model.architecture or model.family}: the network "
                f"{'gets no value for' if what == 'lacks' else what} {', '.join(names[:5])}"
                f"{f' and {len(names) - 5} more' if len(names) > 5 else ''}. Is it the checkpoint of another "
                "architecture or size?"
            )
    module.load_state_dict({name: state[name].to(own[name].dtype) for name in own})


def _refuse_non_finite(model: Model, module: nn.Module) -> None:
    for name, value in module.state_dict().items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise WeightsError(
                f"models.{model.name}: parameter {name} holds NaN or infinite values; the checkpoint is damaged"
            )
