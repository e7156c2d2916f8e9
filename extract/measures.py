"""Measures: geometry and attention of an image under a condition, after every layer, reduced on the device.

Gram matrices, cosines and neighbours are of tokens after the final norm, as every feature is; patch norms are of the
block's raw output, since the norm would level them. A file holds one row per image × condition × layer; beside it lie
the mean spectra, as sums over images that add up over shards.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from config.files import written_whole
from config.settings import Measures
from extract import attention as attending
from extract import geometry
from extract.datasets.packs import OpenPack
from extract.models import Network
from extract.observation import observe, observe_attention
from extract.tokens import TokenLayout


@dataclass(frozen=True)
class Patches:
    """Patch tokens of the measured images after a block, B × patches × dimension, float32.

    Attributes:
        normed: after the final norm.
        reference: likewise under ``full``.
        norms: lengths of the block's raw output, B × patches.
        spectrum: of ``normed`` (see :func:`extract.geometry.gram_spectrum`), B × eigenvalues.
    """

    normed: Tensor
    reference: Tensor
    norms: Tensor
    spectrum: Tensor


GEOMETRY: Mapping[str, Callable[[Patches], Tensor]] = {
    "effective_rank": lambda of: geometry.effective_rank(of.spectrum),
    "effective_rank_share": lambda of: geometry.effective_rank(of.spectrum) / of.normed.shape[1],
    "effective_rank_centred": lambda of: geometry.effective_rank(geometry.gram_spectrum(of.normed, centred=True)),
    "effective_rank_unnormalised": lambda of: geometry.effective_rank(
        geometry.gram_spectrum(of.normed, unit_rows=False)
    ),
    "participation_ratio": lambda of: geometry.participation_ratio(of.spectrum),
    "patch_norm": lambda of: of.norms.mean(dim=-1),
    "high_norm_share": lambda of: geometry.high_norm_share(of.norms),
    "patch_cosine": lambda of: geometry.cosine_to(of.reference, of.normed),
}


def measured_rows(pack: OpenPack, dataset: str, options: Measures) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the test images whose geometry is measured, and those whose attention is measured too.

    Spread evenly over the test split, whose order is keyed, so that no batch holds many of them: what is kept of them
    for comparison stays on the device until the batch is done.
    """

    def spread(rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
        n = min(n, len(rows))
        return rows[np.linspace(0, len(rows) - 1, n).round().astype(int)] if n else rows[:0]

    of_geometry = spread(pack.rows("test"), options.images if dataset in options.datasets else 0)
    return of_geometry, spread(of_geometry, options.attention_images)


def token_groups(layout: TokenLayout, device: torch.device) -> dict[str, Tensor]:
    """Return the rows of cls, registers, patches and each register, of those that the model has."""
    groups = {
        "cls": [] if layout.cls is None else [layout.cls],
        "registers": list(layout.registers),
        "patches": list(layout.patches),
        **{f"r{k}": [row] for k, row in enumerate(layout.registers, start=1)},
    }
    return {name: torch.tensor(rows, device=device) for name, rows in groups.items() if rows}


def columns(layout: TokenLayout) -> list[str]:
    """Return the columns of a model's measures, in order, after unit, condition and layer."""
    groups = list(token_groups(layout, torch.device("cpu")))
    registers = [f"r{k}" for k in range(1, len(layout.registers) + 1)]
    return [
        *GEOMETRY,
        *(f"cosine_{one}_{other}" for one, other in combinations(registers, 2)),
        *(f"nearest_{register}{what}" for register in registers for what in ("", "_cosine")),
        "js",
        *(f"js_{queries}" for queries in groups),
        *(f"mass_{queries}_to_{keys}" for queries in groups for keys in groups),
    ]


@dataclass(frozen=True)
class Reference:
    """Patches and attention of the unchanged pass, by layer, which other conditions are compared with."""

    patches: dict[int, Tensor] = field(default_factory=dict)
    attention: dict[int, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class PassMeasures:
    """Measures of one forward pass.

    Attributes:
        geometry: by layer and column, one value per measured image.
        attention: by layer and column, one value per image whose attention is measured.
        spectra: by layer, images × eigenvalues.
    """

    geometry: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    attention: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    spectra: dict[int, Tensor] = field(default_factory=dict)


@contextmanager
def measuring(
    network: Network,
    layers: tuple[int, ...],
    geometry_places: NDArray[np.int64],
    attention_places: NDArray[np.int64],
    reference: Reference,
) -> Iterator[PassMeasures]:
    """Measure the forward pass inside the ``with`` block; yields the measures, which the pass fills.

    Args:
        network: the model.
        layers: blocks that are measured.
        geometry_places: places in the batch of the images whose geometry is measured.
        attention_places: places of those whose attention is measured too.
        reference: of the unchanged pass over the same batch; an empty one is filled, which the unchanged pass does.
    """
    found = PassMeasures()
    device = network.device
    chosen, attended = (torch.from_numpy(places).to(device) for places in (geometry_places, attention_places))
    groups = token_groups(network.layout, device)

    def see(layer: int, output: Tensor) -> None:
        raw = output[chosen]
        normed = network.norm(raw)
        first = reference.patches.setdefault(layer, normed[:, groups["patches"]])
        found.geometry[layer], found.spectra[layer] = _geometry(raw, normed, first, groups)

    def see_attention(layer: int, weights: Tensor) -> None:
        rows = weights[attended].float()
        first = reference.attention.setdefault(layer, rows)
        found.attention[layer] = _attention(rows, first, groups)

    with ExitStack() as observing:
        if len(chosen):
            observing.enter_context(observe(network.module, layers, see))
        if len(attended):
            observing.enter_context(observe_attention(network.module, layers, see_attention))
        yield found


def _geometry(
    raw: Tensor, normed: Tensor, reference: Tensor, groups: dict[str, Tensor]
) -> tuple[dict[str, Tensor], Tensor]:
    """Return the geometry of images' tokens, raw and after the final norm (B × tokens × dimension), and spectra."""
    normed_patches = normed[:, groups["patches"]].float()
    norms = raw[:, groups["patches"]].float().norm(dim=-1)
    patches = Patches(normed_patches, reference.float(), norms, geometry.gram_spectrum(normed_patches))
    found = {name: measure(patches) for name, measure in GEOMETRY.items()}
    if "registers" in groups:
        registers = normed[:, groups["registers"]].float()
        unit = F.normalize(registers, dim=-1)
        cosines = unit @ unit.mT
        for one, other in combinations(range(registers.shape[1]), 2):
            found[f"cosine_r{one + 1}_r{other + 1}"] = cosines[:, one, other]
        nearest, cosine = geometry.nearest_patch(registers, patches.normed)
        for k in range(registers.shape[1]):
            found[f"nearest_r{k + 1}"], found[f"nearest_r{k + 1}_cosine"] = nearest[:, k], cosine[:, k]
    return found, patches.spectrum


def _attention(weights: Tensor, reference: Tensor, groups: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return divergences and masses of attention weights, B × heads × queries × keys."""
    everything = {"": torch.arange(weights.shape[2], device=weights.device)}
    divergences = attending.group_divergence(reference, weights, everything | groups)
    masses = attending.group_mass(weights, groups)
    return {f"js_{name}".rstrip("_"): value for name, value in divergences.items()} | {
        f"mass_{queries}_to_{keys}": value for (queries, keys), value in masses.items()
    }


class MeasuresTable:
    """The measures of a shard as they come in. Their number is that of the measured images, which config bounds."""

    def __init__(self, layout: TokenLayout) -> None:
        self._columns = columns(layout)
        self._frames: list[pd.DataFrame] = []
        self._spectra: dict[tuple[str, int], tuple[NDArray[np.float64], int]] = {}

    def add(self, measured: PassMeasures, condition: str, units: NDArray[np.str_], attended: NDArray[np.bool_]) -> None:
        """Add the measures of one pass.

        Args:
            measured: of the pass.
            condition: it was made under.
            units: identities of the measured images.
            attended: which of them have their attention measured.
        """
        for layer, found in measured.geometry.items():
            values = np.full((len(units), len(self._columns)), np.nan, np.float32)
            for name, value in found.items():
                values[:, self._columns.index(name)] = value.cpu().numpy()
            for name, value in measured.attention.get(layer, {}).items():
                values[attended, self._columns.index(name)] = value.cpu().numpy()
            keys = pd.DataFrame({"unit": units, "condition": condition, "layer": np.int64(layer)})
            self._frames.append(pd.concat([keys, pd.DataFrame(values, columns=self._columns)], axis=1))
            spectrum = measured.spectra[layer].cpu().numpy()
            total, n = self._spectra.get((condition, layer), (np.zeros(spectrum.shape[1]), 0))
            self._spectra[condition, layer] = (total + spectrum.sum(axis=0), n + len(spectrum))

    def measures(self) -> pa.Table:
        """Return one row per image × condition × layer."""
        keys = [("unit", pa.string()), ("condition", pa.string()), ("layer", pa.int64())]
        schema = pa.schema([*keys, *((name, pa.float32()) for name in self._columns)])
        if not self._frames:
            return schema.empty_table()
        return pa.Table.from_pandas(pd.concat(self._frames), schema, preserve_index=False)

    def spectra(self) -> pd.DataFrame:
        """Return the spectra: condition, layer, component (from 1), the sum of its share over images, and images."""
        rows = [
            (condition, layer, component, value, n)
            for (condition, layer), (total, n) in self._spectra.items()
            for component, value in enumerate(total, start=1)
        ]
        kinds = {"condition": str, "layer": np.int64, "component": np.int64, "share_sum": float, "images": np.int64}
        return pd.DataFrame(rows, columns=list(kinds)).astype(kinds)

    def save(self, measures: Path, spectra: Path) -> None:
        """Write both."""
        with written_whole(measures) as partial, written_whole(spectra) as partial_spectra:
            pq.write_table(self.measures(), partial)
            self.spectra().to_parquet(partial_spectra, index=False)
