"""Small features of the six DINO architectures: ``python -m tests.extract.golden.measure`` writes features.csv anew.

Weights are random and keyed, as ``weights: random`` builds them, so nothing is downloaded; the values are meaningless
and must only stay what they are. Write them anew where a new torch draws other random weights or timm changes an
architecture on purpose, and say so in the change log.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from config.conditions import Condition
from config.settings import Model
from extract.draws import Batch
from extract.features import Images, tokens_under
from extract.models import Network, load_network

STORED = Path(__file__).with_name("features.csv")
SIZES = {14: 56, 16: 64}  # patch size to image size: a grid of 4 × 4
ARCHITECTURES = {
    f"{family}_{scale}": (f"vit_{name}_{patch}", SIZES[int(patch[5:7])])
    for family, patch in (
        ("dinov2", "patch14_dinov2"),
        ("dinov2_reg", "patch14_reg4_dinov2"),
        ("dinov3", "patch16_dinov3"),
    )
    for scale, name in (("s", "small"), ("b", "base"))
}
CONDITIONS = (
    Condition("full"),
    Condition("zero_cls", ("cls",), "zero"),
    Condition("zero_registers", ("registers",), "zero"),
)
LAYERS = (5, 11)
DIMENSIONS = 8  # the first ones
KEY = ["model", "condition", "layer", "token", "dimension"]


def images() -> np.ndarray:
    """Return two images of 64 pixels, made of sines: smooth, and the same on every machine."""
    y, x = np.meshgrid(np.arange(64), np.arange(64), indexing="ij")
    waves = [np.sin(x * (k + 1) / 9 + y * (3 - k) / 7 + shift) for shift in (0.0, 2.0) for k in range(3)]
    return np.rint(127.5 * (1 + np.array(waves).reshape(2, 3, 64, 64))).astype(np.uint8).transpose(0, 2, 3, 1)


def build(name: str) -> Network:
    """Return one architecture with random weights."""
    architecture, size = ARCHITECTURES[name]
    model = Model(
        name, "timm", name[:-2], name[-1].upper(), architecture=architecture, image_size=size, weights="random"
    )
    return load_network(model, seed=0)


def measure(network: Network) -> pd.DataFrame:
    """Return the features of a network: first image, normed tokens, one row a value."""
    return pd.DataFrame(_values(network), columns=[*KEY, "value"])


def _values(network: Network) -> Iterator[tuple[str, str, int, str, int, float]]:
    for condition in CONDITIONS:
        if network.layout.missing(condition.tokens):
            continue
        batch = Batch(("golden/0", "golden/1"), ("golden", "golden"), seed=0)
        passed = Images(np.arange(2), network.input(images()), batch)
        tokens = tokens_under(network, passed, condition, None, LAYERS)
        for k, layer in enumerate(LAYERS):
            rows = {"cls": tokens.prefix[0, k, 0], "patch_mean": tokens.patches[0, k].mean(dim=0)}
            if network.layout.registers:
                rows["r1"] = tokens.prefix[0, k, 1]
            for token, row in rows.items():
                for dimension, value in enumerate(row[:DIMENSIONS].tolist()):
                    yield network.name, condition.name, layer, token, dimension, value


def main() -> None:
    """Measure every architecture and store the values."""
    torch.set_num_threads(1)
    pd.concat(measure(build(name)) for name in ARCHITECTURES).to_csv(STORED, index=False, float_format="%.6f")


if __name__ == "__main__":
    main()
