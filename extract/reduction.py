"""Reduction of block outputs on the device: which layers are kept, and which features and counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from config.conditions import Condition
from config.settings import Settings
from config.vocabulary.replacements import REFERENCE
from extract.matching import KeyPoints, PairCounts, Truth, Warped
from extract.models import Network
from extract.observation import See
from extract.records import Planned
from extract.tokens import TokenLayout

PAIRS_AT_ONCE = 32  # matched side by side; a similarity matrix of all patches with all patches for each


@dataclass(frozen=True)
class Plan:
    """What is kept of one condition.

    Attributes:
        condition: what is replaced.
        layers: recorded layers, counted from 0, ascending.
        exact: those recorded in the config's precision; the others, of a layer curve, in half.
        matched: layers after which image pairs are matched.
        stored: float32 or float16: how the features of ``exact`` layers are recorded.
    """

    condition: Condition
    layers: tuple[int, ...]
    exact: tuple[int, ...]
    matched: tuple[int, ...]
    stored: str = "float32"


def plans(network: Network, settings: Settings) -> tuple[Plan, ...]:
    """Return what is kept of every condition that a model can be put under, ``full`` first.

    The unchanged pass comes first because the measures of every other one are taken against it.
    """
    options = settings.extraction
    exact = network.layers(options.layers)
    found = []
    for condition in sorted(settings.conditions.values(), key=lambda condition: condition.name != REFERENCE):
        if not network.layout.missing(condition.tokens):
            wanted = options.layers_of(condition)
            layers = network.layers(wanted)
            matched = layers if condition.name in options.curves.conditions else layers[-1:]
            found.append(Plan(condition, layers, exact, matched, options.record_precision))
    return tuple(found)


def recorded_tokens(layout: TokenLayout) -> dict[str, int]:
    """Return the row of every recorded prefix token by its name (cls, r1, r2, …)."""
    cls = {} if layout.cls is None else {"cls": layout.cls}
    return cls | {f"r{k}": row for k, row in enumerate(layout.registers, start=1)}


def planned_tensors(plan: Plan, network: Network, images: int, pairs: int) -> dict[str, Planned]:
    """Return the tensors of a record file (see :mod:`extract.records`) of so many images and pairs."""
    stored = np.float16 if plan.stored == "float16" else np.float32
    features = {
        f"{token}/{layer}": Planned((images, network.dimension), stored if layer in plan.exact else np.float16)
        for layer in plan.layers
        for token in (*recorded_tokens(network.layout), "patch_mean")
    }
    counts = {f"{what}/{layer}": Planned((pairs,), np.int64) for layer in plan.matched for what in ("hits", "cycles")}
    return {
        "rows": Planned((images,), np.int64),
        "pair_rows": Planned((pairs,), np.int64),
        "points": Planned((pairs,), np.int64),
        **features,
        **counts,
    }


@dataclass(frozen=True)
class LoadPairs:
    """The image pairs of a load on the device, where every condition matches them.

    Attributes:
        kept: for each pass over the load, the places in the batch of images whose patches are kept, if there are any.
        source, twin: for each pair, the place of its source and its twin among the images that are kept.
        truth: what is true of the pairs; None without pairs.
    """

    kept: tuple[Tensor | None, ...]
    source: Tensor
    twin: Tensor
    truth: Truth | None

    @classmethod
    def of(cls, network: Network, pairs: pd.DataFrame, passes: Sequence[NDArray[np.int64]]) -> "LoadPairs":
        """Put pairs onto a network's device.

        Args:
            network: whose patches are matched.
            pairs: rows of the pack's pairs.
            passes: rows of the pack, pass by pass; with both images of every pair.
        """
        device = network.device
        if pairs.empty:
            return cls((None,) * len(passes), torch.zeros(0), torch.zeros(0), None)
        paired = pairs[["source", "twin"]].to_numpy()
        chosen = [np.flatnonzero(np.isin(rows, paired)) for rows in passes]
        kept = np.concatenate([rows[places] for rows, places in zip(passes, chosen, strict=True)])
        place = pd.Series(np.arange(len(kept)), index=kept)
        source, twin = (torch.from_numpy(np.array(place[paired[:, half]])).to(device) for half in (0, 1))
        on_device = (torch.from_numpy(places).to(device) if len(places) else None for places in chosen)
        return cls(tuple(on_device), source, twin, _truth(pairs, network.layout.grid, device))


def _truth(pairs: pd.DataFrame, grid: tuple[int, int], device: torch.device) -> Truth:
    """Return what is true of pairs: their warps, or, where they have none, their annotated points."""
    if pairs["warp"].notna().all():
        return Warped.of(np.array(pairs["warp"].to_list(), dtype=np.float32).reshape(-1, 2, 3), grid, device)
    here, there = ([np.reshape(each, (-1, 2)) for each in pairs[key]] for key in ("source_points", "twin_points"))
    return KeyPoints.of(here, there, pairs[["radius_x", "radius_y"]].to_numpy(), grid, device)


class Reduction:
    """Reduces block outputs to features and counts, under one condition, over one load of images.

    Both stay on the device until the load is done: see :func:`extract.transfer.on_host`.
    """

    def __init__(self, network: Network, plan: Plan, pairs: LoadPairs) -> None:
        self._network, self._plan, self._pairs = network, plan, pairs
        self._features: dict[int, list[Tensor]] = {layer: [] for layer in plan.layers}
        self._patches: dict[int, list[Tensor]] = {layer: [] for layer in plan.matched}

    def observer(self, number: int) -> See:
        """Return the observer of the block outputs of a pass over the load, counted from 0."""
        layout, kept = self._network.layout, self._pairs.kept[number]

        def see(layer: int, output: Tensor) -> None:
            tokens = self._network.norm(output)
            patches = tokens[:, layout.patches.start : layout.patches.stop]
            prefix = (tokens[:, row : row + 1] for row in recorded_tokens(layout).values())
            # A copy: a view would hold the whole block output for the sake of a few of its rows.
            self._features[layer].append(torch.cat([*prefix, patches.mean(dim=1, keepdim=True)], dim=1))
            if layer in self._patches and kept is not None:
                self._patches[layer].append(patches.index_select(0, kept))

        return see

    def features(self) -> Tensor:
        """Return the features of all passes so far, layers × images × tokens × dimension, float32.

        Tokens are those of :func:`recorded_tokens` in their order, then the mean patch; see :func:`named_features`.
        """
        return torch.stack([torch.cat(parts) for parts in self._features.values()]).float()

    def counts(self) -> Tensor:
        """Match the pairs of the load, whose images have all passed.

        Returns:
            int64, matched layers × 3 × pairs: hits, points and cycles.
        """
        pairs = self._pairs
        if pairs.truth is None:
            return torch.zeros(len(self._patches), 3, 0, dtype=torch.int64)
        found = []
        for parts in self._patches.values():
            patches = torch.cat(parts)
            for start in range(0, len(pairs.source), PAIRS_AT_ONCE):
                some = slice(start, start + PAIRS_AT_ONCE)
                source, twin = (patches.index_select(0, half[some]) for half in (pairs.source, pairs.twin))
                found.append(pairs.truth.counts(source, twin, some))
        return torch.cat(found, dim=1).reshape(3, len(self._patches), -1).transpose(0, 1)


def named_features(plan: Plan, layout: TokenLayout, features: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return features (see :meth:`Reduction.features`) by ``<token>/<layer>``, images × dimension."""
    tokens = (*recorded_tokens(layout), "patch_mean")
    return {
        f"{token}/{layer}": features[place, :, number]
        for place, layer in enumerate(plan.layers)
        for number, token in enumerate(tokens)
    }


def named_counts(plan: Plan, counts: NDArray[np.int64]) -> dict[int, PairCounts]:
    """Return counts of pairs (see :meth:`Reduction.counts`) by layer."""
    return {layer: PairCounts(*found) for layer, found in zip(plan.matched, counts, strict=True)}
