"""Reduction of block outputs on the device: which layers are kept, and which features and counts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from config.conditions import Condition
from config.settings import Settings
from config.vocabulary.replacements import REFERENCE
from extract.matching import PairCounts, match, match_keypoints
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


class Reduction:
    """Reduces block outputs to features and counts, under one condition, over one load of images."""

    def __init__(self, network: Network, plan: Plan) -> None:
        self._network, self._plan = network, plan
        self._features: dict[str, list[Tensor]] = {}
        self._patches: dict[int, list[Tensor]] = {layer: [] for layer in plan.matched}
        self._rows: list[NDArray[np.int64]] = []

    def observer(self, rows: NDArray[np.int64], paired: NDArray[np.int64]) -> See:
        """Return the observer of the block outputs of the next pass, over pack ``rows``.

        ``paired`` are the rows of the pack whose patches are kept until the load's pairs are matched.
        """
        layout = self._network.layout
        chosen = np.flatnonzero(np.isin(rows, paired))
        on_device = torch.from_numpy(chosen).to(self._network.device)
        self._rows.append(rows[chosen])

        def see(layer: int, output: Tensor) -> None:
            tokens = self._network.norm(output)
            patches = tokens[:, layout.patches.start : layout.patches.stop]
            for name, row in recorded_tokens(layout).items():
                self._keep(name, layer, tokens[:, row])
            self._keep("patch_mean", layer, patches.mean(dim=1))
            if layer in self._patches and len(chosen):
                self._patches[layer].append(patches[on_device])

        return see

    def _keep(self, token: str, layer: int, values: Tensor) -> None:
        # A copy: a view would hold the whole block output for the sake of one of its rows.
        self._features.setdefault(f"{token}/{layer}", []).append(values.clone())

    def features(self) -> dict[str, NDArray[np.float32]]:
        """Return the features of all passes so far, by ``<token>/<layer>``, images × dimension."""
        return {name: torch.cat(parts).float().cpu().numpy() for name, parts in self._features.items()}

    def counts(self, pairs: pd.DataFrame) -> dict[int, PairCounts]:
        """Match image pairs, by layer.

        Args:
            pairs: rows of the pack's pairs, whose images have all passed.
        """
        if pairs.empty:
            none = PairCounts(*3 * [np.zeros(0, np.int64)])
            return dict.fromkeys(self._plan.matched, none)
        place = pd.Series(np.arange(sum(map(len, self._rows))), index=np.concatenate(self._rows))
        found = {}
        for layer, parts in self._patches.items():
            patches = torch.cat(parts)
            counted = []
            for start in range(0, len(pairs), PAIRS_AT_ONCE):
                some = pairs.iloc[start : start + PAIRS_AT_ONCE]
                source, twin = (
                    patches[torch.from_numpy(np.array(place[some[half]])).to(patches.device)]
                    for half in ("source", "twin")
                )
                counted.append(_match(source, twin, some, self._network.layout.grid))
            found[layer] = PairCounts(
                *(np.concatenate([getattr(each, name) for each in counted]) for name in ("hits", "points", "cycles"))
            )
        return found


def _match(source: Tensor, twin: Tensor, pairs: pd.DataFrame, grid: tuple[int, int]) -> PairCounts:
    """Match pairs by their warps, or, where they have none, by their annotated points."""
    if pairs["warp"].notna().all():
        return match(source, twin, np.array(pairs["warp"].to_list(), dtype=np.float32).reshape(-1, 2, 3), grid)
    here, there = ([np.reshape(each, (-1, 2)) for each in pairs[key]] for key in ("source_points", "twin_points"))
    return match_keypoints(source, twin, here, there, pairs[["radius_x", "radius_y"]].to_numpy(), grid)
