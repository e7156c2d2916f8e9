"""What replaced token rows hold: one function per replacement, registered by its name.

What a replacement needs (calibration, whole groups, the clean pass) is declared in
:mod:`config.vocabulary.replacements`; this module computes it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
        return cls(torch.arange(images, device=device)[:, None], torch.tensor([tokens], device=device), tokens)


@dataclass(frozen=True)
class Given:
    """What the new rows of a pass can be made of, besides the block's own output.

    Attributes:
        at: the replaced rows.
        batch: identity of the images.
        calibration: there where the replacement's record is ``calibrated``.
        clean: prefix tokens of the unchanged pass, there where the record says ``clean_pass``.
    """

    at: Places
    batch: Batch
    calibration: Calibration | None = None
    clean: Clean | None = None

    def moments(self, which: str, layer: int) -> Tensor:
        """Return the calibration mean, variance or factor of the replaced rows after a block, one entry per row."""
        assert self.calibration is not None
        places = [self.calibration.rows.index(row) for row in self.at.tokens]
        found: Tensor = getattr(self.calibration, which)[layer, places]
        return found

    def normal(self, layer: int, output: Tensor) -> Tensor:
        """Draw standard normal values keyed by (seed, image, layer, token), B × rows × dimension, float64."""
        return keyed_normal(self.batch.image_keys.to(output.device), layer, self.at.tokens, output.shape[-1])


# From the output of a block (B × tokens × dimension), its index, and what is given, to the content of the replaced
# rows: B × rows × dimension, or what broadcasts to it.
NewRows = Callable[[Tensor, int, Given], Tensor]


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
        >>> mean(torch.ones(1, 3, 2), 0, given)
        tensor([[2., 3.]])
    """
    return given.moments("mean", layer).to(output)


def noise(output: Tensor, layer: int, given: Given) -> Tensor:
    """Draw from a Gaussian with the calibration mean and variance of that layer and token, per dimension.

    Examples:
        >>> calibration = Calibration(torch.full((1, 1, 4), 5.0), torch.full((1, 1, 4), 0.01), rows=(0,))
        >>> given = Given(Places.everywhere((0,), images=1), Batch(("a",), ("g",), seed=0), calibration)
        >>> (noise(torch.ones(1, 3, 4), 0, given) - 5).abs().max() < 0.5
        tensor(True)
    """
    mean, variance = given.moments("mean", layer), given.moments("variance", layer)
    return (mean + variance.sqrt() * given.normal(layer, output)).to(output.dtype)


def resample(output: Tensor, layer: int, given: Given) -> Tensor:
    """Draw from a Gaussian with the calibration mean and the whole covariance of that layer and token.

    The normal values are those of :func:`noise`, multiplied by the factor of the covariance.

    Examples:
        >>> moments = torch.zeros(1, 1, 2)
        >>> factor = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]]])  # both dimensions are one
        >>> given = Given(
        ...     Places.everywhere((0,), images=1), Batch(("a",), ("g",), 0), Calibration(moments, moments, (0,), factor)
        ... )
        >>> one, other = resample(torch.ones(1, 3, 2), 0, given).flatten()
        >>> bool(one == other != 0)
        True
    """
    mean, factor = given.moments("mean", layer), given.moments("factor", layer)
    return (mean + torch.einsum("kde,bke->bkd", factor, given.normal(layer, output).to(factor.dtype))).to(output.dtype)


def shuffle(output: Tensor, layer: int, given: Given) -> Tensor:
    """Return the same row of another image in the same pass, drawn per layer within fixed groups.

    Examples:
        >>> given = Given(Places.everywhere((1,), images=2), Batch(("a", "b"), ("g", "g"), seed=0))
        >>> shuffle(torch.tensor([[[0.0], [1.0]], [[0.0], [2.0]]]), 0, given).flatten()
        tensor([2., 1.])
    """
    donors = given.batch.donors("shuffle", layer).to(output.device)
    return output[donors[:, None], given.at.rows]


def shuffle_trajectory(output: Tensor, layer: int, given: Given) -> Tensor:
    """Return the same row of another image's unchanged pass, one donor for all layers.

    Examples:
        >>> clean = Clean(tokens=torch.tensor([[[[1.0]], [[2.0]]]]), rows=(1,))  # one layer, two images, one token
        >>> given = Given(Places.everywhere((1,), images=2), Batch(("a", "b"), ("g", "g"), seed=0), clean=clean)
        >>> shuffle_trajectory(torch.zeros(2, 3, 1), 0, given).flatten()
        tensor([2., 1.])
    """
    assert given.clean is not None
    donors = given.batch.donors("shuffle_trajectory").to(output.device)
    rows = [given.clean.rows.index(row) for row in given.at.tokens]
    return given.clean.tokens[layer][donors][:, rows].to(output.dtype)


NEW_ROWS: Mapping[str, NewRows] = {
    "zero": zero,
    "mean": mean,
    "noise": noise,
    "resample": resample,
    "shuffle": shuffle,
    "shuffle_trajectory": shuffle_trajectory,
}
