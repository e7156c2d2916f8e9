"""Measures: geometry and attention of an image under a condition, after every layer, reduced on the device.

Gram matrices, cosines and neighbours are of tokens after the final norm, as every feature is; patch norms are of the
block's raw output, since the norm would level them. A pass keeps the tokens of the images that are measured, and they
are measured when it is done, all layers at once; Gram matrices wait for those of other passes (:class:`Spectra`), so
that the eigensolver is called a few times per load of images. Nothing here waits for the device.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations, product

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from config.settings import Measures
from extract import geometry
from extract.attention import entropy, group_divergence, group_mass, js_divergence, memberships
from extract.datasets.packs import OpenPack
from extract.geometry import Spectra
from extract.models import Network
from extract.observation import observe, observe_attention
from extract.tokens import TokenLayout

_GATHERED = 2**26  # bytes of tokens that a pass keeps of the images that are measured, before they are measured


@dataclass(frozen=True)
class Patches:
    """Patch tokens of measured images after blocks, n × patches × dimension, float32.

    Attributes:
        normed: after the final norm.
        reference: likewise under ``full``.
        norms: lengths of the block's raw output, n × patches.
    """

    normed: Tensor
    reference: Tensor
    norms: Tensor


@dataclass(frozen=True)
class OfPatches:
    """A measure of patches: from :class:`Patches` to n values."""

    measure: Callable[[Patches], Tensor]


@dataclass(frozen=True)
class OfSpectrum:
    """A measure of the spectrum: from spectra, n × eigenvalues, and the number of patches to n values."""

    measure: Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class OfAnotherGram:
    """Effective rank by another definition: from patches, n × patches × dimension, to Gram matrices of its own.

    It shows how much the definition matters. The report does so for ``full`` after the last layer, and elsewhere it is
    not measured.
    """

    gram: Callable[[Tensor], Tensor]


# In the order of the files.
GEOMETRY: Mapping[str, OfPatches | OfSpectrum | OfAnotherGram] = {
    "effective_rank": OfSpectrum(lambda spectrum, patches: geometry.effective_rank(spectrum)),
    "effective_rank_share": OfSpectrum(lambda spectrum, patches: geometry.effective_rank(spectrum) / patches),
    "effective_rank_centred": OfAnotherGram(lambda patches: geometry.gram(patches, centred=True)),
    "effective_rank_unnormalised": OfAnotherGram(lambda patches: geometry.gram(patches, unit_rows=False)),
    "participation_ratio": OfSpectrum(lambda spectrum, patches: geometry.participation_ratio(spectrum)),
    "patch_norm": OfPatches(lambda of: of.norms.mean(dim=-1)),
    "high_norm_share": OfPatches(lambda of: geometry.high_norm_share(of.norms)),
    "patch_cosine": OfPatches(lambda of: geometry.cosine_to(of.reference, of.normed)),
}

_OF_PATCHES = {name: column for name, column in GEOMETRY.items() if isinstance(column, OfPatches)}
_OF_SPECTRUM = {name: column for name, column in GEOMETRY.items() if isinstance(column, OfSpectrum)}
_OF_ANOTHER_GRAM = {name: column for name, column in GEOMETRY.items() if isinstance(column, OfAnotherGram)}


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


def token_groups(layout: TokenLayout) -> dict[str, tuple[int, ...]]:
    """Return the rows of cls, registers, patches and each register, of those that the model has."""
    groups = {
        "cls": () if layout.cls is None else (layout.cls,),
        "registers": layout.registers,
        "patches": tuple(layout.patches),
        **{f"r{k}": (row,) for k, row in enumerate(layout.registers, start=1)},
    }
    return {name: rows for name, rows in groups.items() if rows}


def register_columns(layout: TokenLayout) -> tuple[str, ...]:
    """Return the columns of a model's registers: the cosines between them, and the patch nearest to each."""
    registers = [f"r{k}" for k in range(1, len(layout.registers) + 1)]
    return (
        *(f"cosine_{one}_{other}" for one, other in combinations(registers, 2)),
        *(f"nearest_{register}{what}" for register in registers for what in ("", "_cosine")),
    )


def attention_columns(layout: TokenLayout) -> tuple[str, ...]:
    """Return the columns of a model's attention: divergences from ``full``, and masses between token groups."""
    groups = token_groups(layout)
    masses = (f"mass_{queries}_to_{keys}" for queries, keys in product(groups, groups))
    return ("js", *(f"js_{queries}" for queries in groups), *masses)


def columns(layout: TokenLayout) -> list[str]:
    """Return the columns of a model's measures, in order, after unit, condition and layer."""
    return [*GEOMETRY, *register_columns(layout), *attention_columns(layout)]


@dataclass(frozen=True)
class Reference:
    """The images of a batch that are measured, and what the unchanged pass over it leaves for the other ones.

    Attributes:
        places: places in the batch of the images whose geometry is measured.
        images: likewise, on the device.
        attended: places of those whose attention is measured too.
        groups: which tokens are in which group, after one group of all, groups × tokens; see :func:`memberships`.
        patches: by layers measured together, their patches after the final norm, layers · images × patches × dimension.
        attention: by layer, the attention weights and their entropies.
    """

    places: NDArray[np.int64]
    images: Tensor
    attended: Tensor
    groups: Tensor
    patches: dict[tuple[int, ...], Tensor] = field(default_factory=dict)
    attention: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    @classmethod
    def of(cls, network: Network, images: NDArray[np.int64], attended: NDArray[np.int64]) -> "Reference":
        """Put the places of the measured images, and of those with their attention, onto the network's device."""
        layout = network.layout
        tokens = len(layout.prefix) + len(layout.patches)
        groups = memberships([range(tokens), *token_groups(layout).values()], tokens)
        chosen, among = (_placed(torch.from_numpy(each), network.device) for each in (images, attended))
        return cls(images, chosen, among, groups.to(network.device) if len(attended) else groups)


def _placed(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.to(device) if len(tensor) else tensor  # most batches have no image that is measured


@dataclass(frozen=True)
class Block:
    """Values of some measures after some layers.

    Attributes:
        columns: names of the measures.
        layers: that were measured.
        values: layers × images × columns; the images are those measured, or, of attention, those attended.
    """

    columns: tuple[str, ...]
    layers: tuple[int, ...]
    values: Tensor


@dataclass(frozen=True)
class PassMeasures:
    """Measures of one forward pass, complete when the spectra that wait for each other are solved.

    Attributes:
        geometry: of the images whose geometry is measured.
        attention: of those whose attention is measured.
        spectra: by layers, layers × images × eigenvalues.
    """

    geometry: list[Block] = field(default_factory=list)
    attention: list[Block] = field(default_factory=list)
    spectra: list[tuple[tuple[int, ...], Tensor]] = field(default_factory=list)

    def of(self, column: str, layer: int) -> Tensor:
        """Return the values of a measure after a layer, one per image.

        Raises:
            KeyError: where it was not measured.
        """
        for block in (*self.geometry, *self.attention):
            if column in block.columns and layer in block.layers:
                return block.values[block.layers.index(layer), :, block.columns.index(column)]
        raise KeyError(f"{column} was not measured after layer {layer}")

    def spectra_after(self, layer: int) -> Tensor:
        """Return the spectra after a layer, images × eigenvalues."""
        return next(found[layers.index(layer)] for layers, found in self.spectra if layer in layers)

    def tensors(self) -> list[Tensor]:
        """Return everything that was measured, in an order that :meth:`filled` knows."""
        blocks = (block.values for block in (*self.geometry, *self.attention))
        return [*blocks, *(found for _, found in self.spectra)]

    def filled(self, tensors: Iterator[Tensor]) -> "PassMeasures":
        """Return the same measures made of the next of ``tensors``, such as copies of :meth:`tensors` on the host."""
        geometry, attention = (
            [replace(block, values=next(tensors)) for block in of] for of in (self.geometry, self.attention)
        )
        return PassMeasures(geometry, attention, [(layers, next(tensors)) for layers, _ in self.spectra])


@contextmanager
def measuring(
    network: Network, layers: tuple[int, ...], reference: Reference, spectra: Spectra
) -> Iterator[PassMeasures]:
    """Measure the forward pass inside the ``with`` block; yields the measures, which the pass and ``spectra`` fill.

    Args:
        network: the model.
        layers: blocks that are measured, ascending.
        reference: the measured images of the batch. The first pass with it must be the unchanged one, which fills it.
        spectra: solves Gram matrices, of other passes too; measures of rank are there when it has.
    """
    found = PassMeasures()
    if not len(reference.images):
        yield found
        return
    unchanged = not reference.patches
    gathered: dict[int, Tensor] = {}

    def measure() -> None:
        if gathered:
            raw = torch.stack(list(gathered.values()))
            last = layers[-1] if unchanged else None
            _measure_geometry(network, tuple(gathered), raw, last, reference, spectra, found)
            gathered.clear()

    def see(layer: int, output: Tensor) -> None:
        gathered[layer] = output.index_select(0, reference.images)
        if sum(each.nbytes for each in gathered.values()) >= _GATHERED:
            measure()

    def see_attention(layer: int, weights: Tensor) -> None:
        values = _attention(weights.index_select(0, reference.attended).float(), layer, reference)
        found.attention.append(Block(attention_columns(network.layout), (layer,), values[None]))

    with ExitStack() as observing:
        observing.enter_context(observe(network.module, layers, see))
        if len(reference.attended):
            observing.enter_context(observe_attention(network.module, layers, see_attention))
        yield found
    measure()


def _measure_geometry(
    network: Network,
    layers: tuple[int, ...],
    raw: Tensor,
    last: int | None,
    reference: Reference,
    spectra: Spectra,
    found: PassMeasures,
) -> None:
    """Measure tokens of blocks, layers × images × tokens × dimension, before the final norm.

    ``last`` is the layer after which effective rank is measured by the other definitions too, where it is.
    """
    layout, images = network.layout, raw.shape[1]
    rows = slice(layout.patches.start, layout.patches.stop)
    tokens = raw.flatten(0, 1)
    normed = network.norm(tokens)
    patches = normed[:, rows].float()
    of = Patches(patches, reference.patches.setdefault(layers, patches), tokens[:, rows].float().norm(dim=-1))
    values = {name: column.measure(of) for name, column in _OF_PATCHES.items()}
    if layout.registers:
        registers = torch.cat([normed[:, row : row + 1] for row in layout.registers], dim=1).float()
        values |= zip(register_columns(layout), _of_registers(registers, patches), strict=True)
    found.geometry.append(_block(values, layers))

    def tell(spectrum: Tensor) -> None:
        values = {name: column.measure(spectrum, len(layout.patches)) for name, column in _OF_SPECTRUM.items()}
        found.geometry.append(_block(values, layers))
        found.spectra.append((layers, spectrum.reshape(len(layers), images, -1)))

    spectra.add(geometry.gram(patches), tell)
    if last in layers:
        after_last = patches[layers.index(last) * images :][:images]
        for name, column in _OF_ANOTHER_GRAM.items():
            spectra.add(column.gram(after_last), partial(_tell_rank, found, name, last))


def _tell_rank(found: PassMeasures, name: str, layer: int, spectrum: Tensor) -> None:
    found.geometry.append(_block({name: geometry.effective_rank(spectrum)}, (layer,)))


def _block(values: Mapping[str, Tensor], layers: tuple[int, ...]) -> Block:
    """Return columns of layers · images values each as a block."""
    stacked = torch.stack(list(values.values()), dim=-1)
    return Block(tuple(values), layers, stacked.reshape(len(layers), -1, len(values)))


def _of_registers(registers: Tensor, patches: Tensor) -> Iterator[Tensor]:
    """Yield the columns of registers, n × registers × dimension, in the order of :func:`register_columns`."""
    unit = F.normalize(registers, dim=-1)
    cosines = unit @ unit.mT
    for one, other in combinations(range(registers.shape[1]), 2):
        yield cosines[:, one, other]
    nearest, cosine = geometry.nearest_patch(registers, patches)
    for k in range(registers.shape[1]):
        yield from (nearest[:, k].to(cosine), cosine[:, k])


def _attention(weights: Tensor, layer: int, reference: Reference) -> Tensor:
    """Return the columns of attention weights, B × columns, in the order of :func:`attention_columns`."""
    if layer not in reference.attention:
        reference.attention[layer] = weights, entropy(weights)
    first, entropies = reference.attention[layer]
    divergences = group_divergence(js_divergence(first, weights, entropies), reference.groups)
    return torch.cat([divergences, group_mass(weights, reference.groups[1:]).flatten(1)], dim=1)
