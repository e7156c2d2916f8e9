"""Features of small DINO networks by other implementations: ``python -m tests.extract.parity.measure --help``.

Weights are random, keyed by their names, and named as Hugging Face releases them; the networks have the architecture of
DINOv2, DINOv2 with registers and DINOv3 with two blocks of 64 dimensions. What Transformers and the official code make
of them at 224 pixels is stored in features.csv, which the tests hold this project to where neither is installed.
"""

import argparse
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor

from config.settings import Model
from extract.conversion import official_names
from extract.models import Network, load_network

STORED = Path(__file__).with_name("features.csv")
FAMILIES = {
    "dinov2": "vit_small_patch14_dinov2",
    "dinov2_reg": "vit_small_patch14_reg4_dinov2",
    "dinov3": "vit_small_patch16_dinov3",
}
DIMENSION, HEADS, BLOCKS, REGISTERS = 64, 2, 2, 4
TRAINED_AT, IMAGE_SIZE = 518, 224  # pixels
DIMENSIONS = 8  # the first ones are stored
KEY = ["implementation", "family", "token", "dimension"]


def released(family: str) -> dict[str, Tensor]:
    """Return the weights of a family under the names of Hugging Face's released checkpoints."""
    third, patch, width = family == "dinov3", 16 if family == "dinov3" else 14, DIMENSION
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.cls_token": (1, 1, width),
        "embeddings.mask_token": (1, 1, width) if third else (1, width),
    }
    if family != "dinov2":
        shapes["embeddings.register_tokens"] = (1, REGISTERS, width)
    if not third:
        shapes["embeddings.position_embeddings"] = (1, 1 + (TRAINED_AT // patch) ** 2, width)
    projection = "embeddings.patch_embeddings" + ("" if third else ".projection")
    parts = {projection: (width, 3, patch, patch)}
    for block in range(BLOCKS):
        name = f"layer.{block}" if third else f"encoder.layer.{block}"
        attention = (
            ("attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.o_proj")
            if third
            else (*(f"attention.attention.{part}" for part in ("query", "key", "value")), "attention.output.dense")
        )
        parts |= {f"{name}.{part}": (width, width) for part in attention}
        up, down = ("up_proj", "down_proj") if third else ("fc1", "fc2")
        parts |= {f"{name}.mlp.{up}": (4 * width, width), f"{name}.mlp.{down}": (width, 4 * width)}
        for k in (1, 2):
            parts[f"{name}.norm{k}"] = (width,)
            shapes[f"{name}.layer_scale{k}.lambda1"] = (width,)
    parts["norm" if third else "layernorm"] = (width,)
    for name, shape in parts.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    if third:  # the keys of DINOv3 have no bias
        shapes = {name: shape for name, shape in shapes.items() if not name.endswith("k_proj.bias")}
    return {name: _values(name, shape) for name, shape in shapes.items()}


def _values(name: str, shape: tuple[int, ...]) -> Tensor:
    normal = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith(("q_proj.bias", "v_proj.bias")):
        normal *= 0  # as in the released weights of DINOv3 S and B
    if ("norm" in name and name.endswith("weight")) or "lambda" in name:
        normal = 1 + 0.1 * normal
    elif len(shape) in (2, 4) and "token" not in name:
        normal *= 1.5 / np.sqrt(np.prod(shape[1:]))
    elif len(shape) == 1:
        normal *= 0.1
    return torch.from_numpy(normal.astype(np.float32))


def pixels() -> Tensor:
    """Return one image as a network's input, 1×3×224×224: sines, the same on every machine."""
    y, x = np.meshgrid(np.arange(IMAGE_SIZE), np.arange(IMAGE_SIZE), indexing="ij")
    waves = [np.sin(x * (k + 1) / 19 + y * (3 - k) / 13) + 0.3 * np.sin(x * y / (700 + 90 * k)) for k in range(3)]
    return torch.from_numpy(np.array(waves, dtype=np.float32))[None]


def ours(family: str, path: Path, backend: str | None = None, **state: Any) -> Network:
    """Return the network that this project builds of a checkpoint."""
    create = timm.create_model

    def small(architecture: str, **options: Any) -> Any:
        return create(architecture, embed_dim=DIMENSION, depth=BLOCKS, num_heads=HEADS, **options)

    model = Model(family, "timm", family, "S", FAMILIES[family], IMAGE_SIZE, str(path), backend=backend, **state)
    with mock.patch.object(timm, "create_model", small):
        return load_network(model, seed=0)


def of_transformers(family: str, folder: Path) -> Tensor:
    """Return the tokens that Transformers computes after the final norm, 1 × tokens × dimension."""
    import transformers

    common = {
        "hidden_size": DIMENSION,
        "num_hidden_layers": BLOCKS,
        "num_attention_heads": HEADS,
        "image_size": TRAINED_AT,
        "attn_implementation": "eager",
    }
    kinds: Mapping[str, tuple[str, str, dict[str, Any]]] = {
        "dinov2": ("Dinov2Config", "Dinov2Model", {"patch_size": 14}),
        "dinov2_reg": (
            "Dinov2WithRegistersConfig",
            "Dinov2WithRegistersModel",
            {"patch_size": 14, "num_register_tokens": REGISTERS},
        ),
        "dinov3": (
            "DINOv3ViTConfig",
            "DINOv3ViTModel",
            {"patch_size": 16, "num_register_tokens": REGISTERS, "intermediate_size": 4 * DIMENSION},
        ),
    }
    config, model, options = kinds[family]
    getattr(transformers, config)(**common, **options).save_pretrained(folder)
    save_file(released(family), folder / "model.safetensors", {"format": "pt"})
    network, told = getattr(transformers, model).from_pretrained(folder, output_loading_info=True)
    assert not any(told[what] for what in ("missing_keys", "unexpected_keys", "mismatched_keys")), told
    with torch.inference_mode():
        tokens: Tensor = network.eval()(pixels()).last_hidden_state
    return tokens


def official_state(family: str) -> dict[str, Tensor]:
    """Return the weights as facebookresearch released them: their names, and what only training or RoPE needs."""
    state = official_names(released(family))
    if family == "dinov3":
        state["mask_token"] = state["mask_token"][0]
        exponents = 2 * torch.arange(DIMENSION // HEADS // 4) / (DIMENSION // HEADS // 2)
        state["rope_embed.periods"] = (100**exponents).bfloat16()
        mask = torch.ones(3 * DIMENSION)
        mask[DIMENSION : 2 * DIMENSION] = 0
        state |= {f"blocks.{block}.attn.qkv.bias_mask": mask.clone() for block in range(BLOCKS)}
    return state


def of_official(family: str, repositories: Mapping[str, Path]) -> Tensor:
    """Return the tokens that the official code computes after the final norm, 1 × tokens × dimension."""
    generation = family.removesuffix("_reg")
    sys.path.insert(0, str(repositories[generation]))
    common = {"embed_dim": DIMENSION, "depth": BLOCKS, "num_heads": HEADS}
    if generation == "dinov2":
        from dinov2.models.vision_transformer import DinoVisionTransformer

        reg = {"num_register_tokens": REGISTERS, "interpolate_antialias": True, "interpolate_offset": 0.0}
        options = {"img_size": TRAINED_AT, "patch_size": 14, "init_values": 1.0, "block_chunks": 0}
        network = DinoVisionTransformer(**common, **options, **(reg if family == "dinov2_reg" else {}))
    else:
        from dinov3.models.vision_transformer import DinoVisionTransformer as ThirdTransformer

        network = ThirdTransformer(
            **common,
            patch_size=16,
            layerscale_init=1.0,
            n_storage_tokens=REGISTERS,
            mask_k_bias=True,
            norm_layer="layernormbf16",
            pos_embed_rope_dtype="fp32",
        )
    network.load_state_dict(official_state(family))
    with torch.inference_mode():
        found = network.eval().forward_features(pixels())
        return torch.cat([found["x_norm_clstoken"][:, None], *_registers(found), found["x_norm_patchtokens"]], dim=1)


def _registers(found: Mapping[str, Any]) -> list[Tensor]:
    return [found[name] for name in ("x_norm_regtokens", "x_storage_tokens") if name in found]


def table(implementation: str, family: str, tokens: Tensor) -> pd.DataFrame:
    """Return the features that are stored of a network's tokens, one row a value."""
    registers = 0 if family == "dinov2" else REGISTERS
    first, last = 1 + registers, tokens.shape[1] - 1
    rows = {"cls": 0, **({"r1": 1, "r4": 4} if registers else {})}
    rows |= {f"patch {row - first}": row for row in (first, first + 17, (first + last) // 2, last)}
    return pd.DataFrame(
        [
            (implementation, family, token, k, value)
            for token, row in rows.items()
            for k, value in enumerate(tokens[0, row, :DIMENSIONS].tolist())
        ],
        columns=[*KEY, "value"],
    )


def main() -> None:
    """Command line: measure both implementations and store the features."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dinov2", type=Path, required=True, help="checkout of facebookresearch/dinov2")
    parser.add_argument("--dinov3", type=Path, required=True, help="checkout of facebookresearch/dinov3")
    parser.add_argument("--scratch", type=Path, required=True, help="folder for checkpoints")
    given = parser.parse_args()
    found = []
    for family in FAMILIES:
        official = of_official(family, {"dinov2": given.dinov2, "dinov3": given.dinov3})
        found.append(table("official", family, official))
        (given.scratch / family).mkdir(parents=True, exist_ok=True)
        found.append(table("transformers", family, of_transformers(family, given.scratch / family)))
    pd.concat(found).to_csv(STORED, index=False, float_format="%.7g")


if __name__ == "__main__":
    main()
