"""The catalogue of public models and data sets: where to get them, on which terms, their shapes and sizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from config.settings import Dataset, Model

CATALOGUE = Path(__file__).with_name("catalogue.yaml")
KNOWN_ANSWER_SIZE = 64  # side of the input of this project's networks


@dataclass(frozen=True)
class Terms:
    """How something is got: from where, on which licence, behind which gate, and where that was read."""

    get: str
    licence: str
    gate: str
    source: str


@dataclass(frozen=True)
class Shape:
    """What a forward pass of a network costs, without the network.

    Attributes:
        depth: blocks.
        dimension: width of a token.
        registers: register tokens.
        grid: patches along a side.
        patch: side of a patch in pixels.
        cls: whether there is a CLS token.

    Examples:
        >>> round(Shape(12, 384, 4, 16, 14).flops / 1e9, 1)  # DINOv2+reg S at 224 px
        12.5
    """

    depth: int
    dimension: int
    registers: int
    grid: int
    patch: int
    cls: bool = True

    @property
    def prefix(self) -> int:
        """Tokens that are no patches."""
        return self.registers + self.cls

    @property
    def tokens(self) -> int:
        """Tokens of an image."""
        return self.grid**2 + self.prefix

    @property
    def flops(self) -> float:
        """Operations of the forward pass of one image: an MLP four times as wide as a token is assumed."""
        block = 24 * self.tokens * self.dimension**2 + 4 * self.tokens**2 * self.dimension
        return self.depth * block + 2 * self.grid**2 * 3 * self.patch**2 * self.dimension

    def has(self, tokens: tuple[str, ...]) -> bool:
        """Tell whether the network can be put under a condition on these tokens."""
        return all(self._has(token) for token in tokens)

    def _has(self, token: str) -> bool:
        if token == "cls":
            return self.cls
        if token == "registers":
            return self.registers > 0
        return not token[1:].isdigit() or int(token[1:]) <= self.registers


@cache
def catalogue() -> Mapping[str, Any]:
    """Return the whole catalogue, as plain values."""
    loaded: Mapping[str, Any] = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    return loaded


def shape_of(model: Model) -> Shape:
    """Return the shape of a model's network: from the catalogue, or, where that lacks it, as timm builds it.

    The second takes seconds, for timm and torch are imported.

    Raises:
        ArchitectureError: where timm has no such architecture, or it cannot be used.
    """
    if model.known_answer:
        facts = dict(catalogue()["known_answer"][model.scale])
        return _shape({**facts, "registers": 0 if model.family == "plain" else facts["registers"]}, KNOWN_ANSWER_SIZE)
    name, size = (model.architecture or "").split(".")[0], model.image_size or 0
    if name in catalogue()["models"]:
        return _shape(catalogue()["models"][name], size)
    return _built_shape(model)


def _shape(facts: Mapping[str, Any], image_size: int) -> Shape:
    patch = facts["patch"]
    return Shape(facts["depth"], facts["dimension"], facts["registers"], image_size // patch, patch)


def _built_shape(model: Model) -> Shape:
    import torch

    from extract.architectures import built, require_architecture

    require_architecture(model)
    with torch.device("meta"):  # shapes without weights
        network: Any = built(model)
    cls = int(getattr(network, "cls_token", None) is not None)
    patch = max(network.patch_embed.patch_size)
    registers = network.num_prefix_tokens - cls
    return Shape(len(network.blocks), network.embed_dim, registers, (model.image_size or 0) // patch, patch, bool(cls))


def terms_of_model(model: Model) -> Terms | None:
    """Return how the weights of a model are got; None where the catalogue does not know its architecture."""
    facts = catalogue()["models"].get((model.architecture or "").split(".")[0])
    if facts is None:
        return None
    get = f"https://huggingface.co/{facts['hub']}, model.safetensors, {facts['megabytes']} MB"
    return Terms(get, facts["licence"], facts["gate"], facts["source"])


def public_dataset(dataset: Dataset) -> Mapping[str, Any] | None:
    """Return the public data set that a data set of the config seems to be; None for one's own."""
    place = f"{dataset.name} {dataset.path}".lower()
    for facts in catalogue()["datasets"].values():
        named = dataset.source != "class_folders" or any(word in place for word in facts.get("words", ()))
        if dataset.source in facts["from_source"] and named and dataset.classes is None:
            found: Mapping[str, Any] = facts
            return found
    return None


def terms_of_dataset(dataset: Dataset) -> Terms | None:
    """Return how a data set is got; None for one's own."""
    facts = public_dataset(dataset)
    return None if facts is None else terms_of_public(facts)


def terms_of_public(facts: Mapping[str, Any]) -> Terms:
    """Return how a data set of the catalogue is got: by which command, where it can be downloaded."""
    return Terms(facts.get("get") or _command(facts), facts["licence"], facts["gate"], facts["source"])


def _command(facts: Mapping[str, Any]) -> str:
    name = next(name for name, each in catalogue()["datasets"].items() if each is facts)
    files = facts["download"]["files"]
    accept = " --accept-licence" if facts["download"]["accept"] else ""
    megabytes = sum(file.get("bytes", 0) for file in files) / 1e6
    return (
        f"`uv run python -m extract.datasets.download {name}{accept}`, {megabytes:,.0f} MB from "
        f"{' and '.join(file['url'] for file in files)}, into data/{facts['download']['folder']}"
    )


def mask_classes(dataset: Dataset) -> int:
    """Return how many values the masks of a data set have; of one's own in the layout of VOC, as the config says."""
    public = public_dataset(dataset) or {}
    return len(dataset.classes or ()) or int(public.get("mask_classes", 21))
