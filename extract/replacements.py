"""What replaced token rows hold: one function per replacement, registered by its name.

What a replacement needs (calibration, whole groups, the clean pass) is declared in
:mod:`config.vocabulary.replacements`; this module computes it. What can be computed before the pass is computed then,
for all layers at once (:data:`PREPARED`): a pass of a network waits for nothing that comes from the host.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from extract.draws import Batch
from extract.noise import keyed_normal


@dataclass(frozen=True)
class Calibration:
    """Moments of prefix tokens over images that no evaluation uses.

    Attributes:
        mean: layers × prefix tokens × dimension, the mean of each block's output.
        variance: likewise the variance.
        rows: row of the token sequence of each prefix token.
        factor: layers × prefix tokens × dimension × dimension, a matrix F for each token whose F·Fᵀ is its whole
            covariance; None where no condition draws from it.
    """

    mean: Tensor
    variance: Tensor
    rows: tuple[int, ...]
    factor: Tensor | None = None


@dataclass(frozen=True)
class Clean:
    """Token rows of the unchanged pass over a batch.

    Attributes:
        tokens: layers × B × rows × dimension, after every block.
        rows: which rows of the token sequence they are.
    """

    tokens: Tensor
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Places:
    """The rows that a condition replaces in the output of a block, B × tokens × dimension.

    Attributes:
        images: B × 1, and rows: B × k or 1 × k; together they index the block's output.
        tokens: the rows where they are the same for every image, else empty.
    """

    images: Tensor
    rows: Tensor
    tokens: tuple[int, ...] = ()

    @classmethod
    def everywhere(cls, tokens: tuple[int, ...], images: int, device: torch.device | None = None) -> "Places":
        """Return the places of rows that are the same for every image."""
        rows = torch.cat([torch.arange(row, row + 1, device=device) for row in tokens])  # made there, not copied
        return cls(torch.arange(images, device=device)[:, None], rows[None], tokens)


@dataclass(frozen=True)
class Given:
    """What the new rows of a pass can be made of, besides the block's own output.

    Attributes:
        at: the replaced rows.
        batch: identity of the images.
        calibration: there where the replacement's record is ``calibrated``.
        clean: prefix tokens of the unchanged pass, there where the record says ``clean_pass``.
        prepared: what the replacement has in :data:`PREPARED`, one entry per layer.
    """

    at: Places
    batch: Batch
    calibration: Calibration | None = None
    clean: Clean | None = None
    prepared: Tensor | None = None

    def after(self, layer: int) -> Tensor:
        """Return what was prepared for a layer."""
        assert self.prepared is not None
        return self.prepared[layer]

    def moments(self, which: str) -> Tensor:
        """Return the calibration mean, variance or factor of the replaced rows, layers × rows × …."""
        assert self.calibration is not None
        return _of_tokens(getattr(self.calibration, which), self.calibration.rows, self.at.tokens, dim=1)

    def normal(self) -> Tensor:
        """Draw standard normal values keyed by (seed, image, layer, token), layers × B × rows × dimension, float64."""
        mean, device = self.moments("mean"), self.at.rows.device
        layers = torch.arange(len(mean), device=device)
        return keyed_normal(self.batch.image_keys.to(device), layers, self.at.rows[0], mean.shape[-1])


def _of_tokens(tensor: Tensor, has: Sequence[int], wanted: Sequence[int], dim: int) -> Tensor:
    """Return the entries of ``wanted`` rows of the sequence along a dimension that holds the rows ``has``."""
    places = [has.index(row) for row in wanted]
    if places == list(range(places[0], places[0] + len(places))):
        return tensor.narrow(dim, places[0], len(places))  # as all registers are: nothing is copied
    return tensor.index_select(dim, torch.tensor(places, device=tensor.device))


# From what is given, and the number of blocks, to what the replacement needs of every layer.
Prepare = Callable[[Given, int], Tensor]
# From the output of a block (B × tokens × dimension), its index, and what is given, to the content of the replaced
# rows: B × rows × dimension, or what broadcasts to it.
NewRows = Callable[[Tensor, int, Given], Tensor]


def prepared(by: str, given: Given, depth: int) -> Given:
    """Return what is given, with what a replacement can compute before the pass of a network of so many blocks.

    Examples:
        >>> moments = torch.arange(4.0).view(1, 2, 2)  # one layer, CLS and a register, two dimensions
        >>> calibration = Calibration(mean=moments, variance=moments, rows=(0, 1))
        >>> given = Given(Places.everywhere((1,), images=1), Batch(("a",), ("g",), seed=0), calibration)
        >>> prepared("mean", given, depth=1).after(0)
        tensor([[2., 3.]])
    """
    return replace(given, prepared=PREPARED[by](given, depth)) if by in PREPARED else given


def zero(output: Tensor, layer: int, given: Given) -> Tensor:
    """Return the zero vector.

    Examples:
        >>> given = Given(Places.everywhere((1,), images=2), Batch(("a", "b"), ("g", "g"), seed=0))
        >>> zero(torch.ones(2, 3, 4), 0, given)
        tensor(0.)
    """
    return output.new_zeros(())


def mean(output: Tensor, layer: int, given: Given) -> Tensor:
    """Return the calibration mean of that layer and token, the same for every image.

    Examples:
        >>> moments = torch.arange(4.0).view(1, 2, 2)  # one layer, CLS and a register, two dimensions
        >>> calibration = Calibration(mean=moments, variance=moments, rows=(0, 1))
        >>> given = Given(Places.everywhere((1,), images=1), Batch(("a",), ("g",), seed=0), calibration)
        >>> mean(torch.ones(1, 3, 2), 0, prepared("mean", given, depth=1))
        tensor([[2., 3.]])
    """
    return given.after(layer).to(output)


def noise(output: Tensor, layer: int, given: Given) -> Tensor:
    """Return a draw from a Gaussian with the calibration mean and variance of that layer and token, per dimension.

    Examples:
        >>> calibration = Calibration(torch.full((1, 1, 4), 5.0), torch.full((1, 1, 4), 0.01), rows=(0,))
        >>> given = Given(Places.everywhere((0,), images=1), Batch(("a",), ("g",), seed=0), calibration)
        >>> (noise(torch.ones(1, 3, 4), 0, prepared("noise", given, depth=1)) - 5).abs().max() < 0.5
        tensor(True)
    """
    return given.after(layer).to(output)


def noise_by_layer(given: Given, depth: int) -> Tensor:
    """Draw the rows of :func:`noise`, layers × B × rows × dimension, in the precision of the calibration."""
    mean, variance = given.moments("mean"), given.moments("variance")
    return (mean[:, None] + variance.sqrt()[:, None] * given.normal()).to(mean.dtype)


def resample(output: Tensor, layer: int, given: Given) -> Tensor:
    """Return a draw from a Gaussian with the calibration mean and the whole covariance of that layer and token.

    The normal values are those of :func:`noise`, multiplied by the factor of the covariance.

    Examples:
        >>> moments = torch.zeros(1, 1, 2)
        >>> factor = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])  # both dimensions are one
        >>> given = Given(
        ...     Places.everywhere((0,), images=1), Batch(("a",), ("g",), 0), Calibration(moments, moments, (0,), factor)
        ... )
        >>> one, other = resample(torch.ones(1, 3, 2), 0, prepared("resample", given, depth=1)).flatten()
        >>> bool(one == other != 0)
        True
    """
    return given.after(layer).to(output)


def resampled_by_layer(given: Given, depth: int) -> Tensor:
    """Draw the rows of :func:`resample`, layers × B × rows × dimension, in the precision of the calibration."""
    mean, factor = given.moments("mean"), given.moments("factor")
    return mean[:, None] + torch.einsum("lkde,lbke->lbkd", factor, given.normal().to(factor.dtype))


def shuffle(output: Tensor, layer: int, given: Given) -> Tensor:
    """Return the same row of another image in the same pass, drawn per layer within fixed groups.

    Examples:
        >>> given = Given(Places.everywhere((1,), images=2), Batch(("a", "b"), ("g", "g"), seed=0))
        >>> shuffle(torch.tensor([[[0.0], [1.0]], [[0.0], [2.0]]]), 0, prepared("shuffle", given, depth=1)).flatten()
        tensor([2., 1.])
    """
    return output[given.after(layer)[:, None], given.at.rows]


def donors_by_layer(given: Given, depth: int) -> Tensor:
    """Draw the donors of :func:`shuffle`, layers × B."""
    return given.batch.donors_by_layer("shuffle", depth).to(given.at.rows.device)


def shuffle_trajectory(output: Tensor, layer: int, given: Given) -> Tensor:
    """Return the same row of another image's unchanged pass, one donor for all layers.

    Examples:
        >>> clean = Clean(tokens=torch.tensor([[[[1.0]], [[2.0]]]]), rows=(1,))  # one layer, two images, one token
        >>> given = Given(Places.everywhere((1,), images=2), Batch(("a", "b"), ("g", "g"), seed=0), clean=clean)
        >>> shuffle_trajectory(torch.zeros(2, 3, 1), 0, prepared("shuffle_trajectory", given, depth=1)).flatten()
        tensor([2., 1.])
    """
    return given.after(layer).to(output)


def trajectories(given: Given, depth: int) -> Tensor:
    """Return the rows of :func:`shuffle_trajectory`, layers × B × rows × dimension."""
    assert given.clean is not None
    tokens = _of_tokens(given.clean.tokens, given.clean.rows, given.at.tokens, dim=2)
    return tokens.index_select(1, given.batch.donors("shuffle_trajectory").to(tokens.device))


# What is drawn or gathered for all layers before a pass; replacements that read the block's own output alone lack it.
PREPARED: Mapping[str, Prepare] = {
    "mean": lambda given, depth: given.moments("mean"),
    "noise": noise_by_layer,
    "resample": resampled_by_layer,
    "shuffle": donors_by_layer,
    "shuffle_trajectory": trajectories,
}
NEW_ROWS: Mapping[str, NewRows] = {
    "zero": zero,
    "mean": mean,
    "noise": noise,
    "resample": resample,
    "shuffle": shuffle,
    "shuffle_trajectory": shuffle_trajectory,
}
