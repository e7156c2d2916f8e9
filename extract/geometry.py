"""The geometry of an image's patch tokens: spectrum and effective rank of their Gram matrix, norms, cosines."""

import torch
import torch.nn.functional as F
from torch import Tensor

from extract.attention import entropy

# A patch is an outlier where its norm exceeds this many times the median patch norm of its image. The artifacts that
# registers were introduced against stand out tenfold (Darcet, Oquab, Mairal and Bojanowski 2024, "Vision
# transformers need registers", figure 3); a factor, unlike their cut-off of 150, holds for models of any size.
HIGH_NORM = 3.0


def gram_spectrum(patches: Tensor, centred: bool = False, unit_rows: bool = True) -> Tensor:
    """Return the eigenvalues of the patches' Gram matrix, divided by their sum.

    Args:
        patches: … × patches × dimension.
        centred: whether the mean patch of the image is subtracted first.
        unit_rows: whether every patch is divided by its norm.

    Returns:
        float64, … × min(patches, dimension), descending, sum 1; further eigenvalues are 0. Where all patches are 0
        there is no spectrum: NaN.

    Examples:
        >>> gram_spectrum(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 2.0], [0.0, 3.0]]))
        tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    rows = patches.double()
    if unit_rows:
        rows = F.normalize(rows, dim=-1)
    if centred:
        rows = rows - rows.mean(dim=-2, keepdim=True)
    # X·Xᵀ and Xᵀ·X share their eigenvalues up to zeros: the smaller one is cheaper.
    wide = rows.shape[-2] > rows.shape[-1]
    gram = rows.mT @ rows if wide else rows @ rows.mT
    values: Tensor = torch.linalg.eigvalsh(gram).flip(-1).clamp(min=0)  # below 0 is rounding
    return values / values.sum(dim=-1, keepdim=True)


def effective_rank(spectrum: Tensor) -> Tensor:
    """Return exp of the entropy of a spectrum (… × values, sum 1): n for n equal values, 1 for a single one.

    Roy and Vetterli (2007), "The effective rank: a measure of effective dimensionality".

    Examples:
        >>> effective_rank(torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]))
        tensor([2., 1.])
    """
    return entropy(spectrum).exp()


def participation_ratio(spectrum: Tensor) -> Tensor:
    """Return 1 / Σ p² of a spectrum (… × values, sum 1); between 1 and the number of values, like the rank.

    Examples:
        >>> participation_ratio(torch.tensor([0.5, 0.5, 0.0]))
        tensor(2.)
    """
    return 1 / spectrum.square().sum(dim=-1)


def high_norm_share(norms: Tensor) -> Tensor:
    """Return the share of patches whose norm exceeds :data:`HIGH_NORM` times their image's median.

    Args:
        norms: … × patches.

    Examples:
        >>> high_norm_share(torch.tensor([1.0, 1.0, 1.0, 10.0]))
        tensor(0.2500)
    """
    return (norms > HIGH_NORM * norms.median(dim=-1, keepdim=True).values).float().mean(dim=-1)


def cosine_to(reference: Tensor, patches: Tensor) -> Tensor:
    """Return the mean cosine between each patch and the same patch of ``reference``, both … × patches × dimension.

    Examples:
        >>> cosine_to(torch.eye(2), torch.tensor([[2.0, 0.0], [1.0, 0.0]]))
        tensor(0.5000)
    """
    return F.cosine_similarity(reference, patches, dim=-1).mean(dim=-1)


def nearest_patch(tokens: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
    """Return for each token the patch (raster index) of the same image with the largest cosine, and that cosine.

    Args:
        tokens: B × tokens × dimension.
        patches: B × patches × dimension.

    Returns:
        Two tensors B × tokens.

    Examples:
        >>> nearest_patch(torch.tensor([[[0.0, 2.0]]]), torch.eye(2)[None])
        (tensor([[1]]), tensor([[1.]]))
    """
    similarity = F.normalize(tokens, dim=-1) @ F.normalize(patches, dim=-1).mT
    cosine, index = similarity.max(dim=-1)
    return index, cosine
