"""The geometry of an image's patch tokens: spectrum and effective rank of their Gram matrix, norms, cosines."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F
from torch import Tensor

from extract.attention import entropy

# A patch is an outlier where its norm exceeds this many times the median patch norm of its image. The artifacts that
# registers were introduced against stand out tenfold (Darcet, Oquab, Mairal and Bojanowski 2024, "Vision
# transformers need registers", figure 3); a factor, unlike their cut-off of 150, holds for models of any size.
HIGH_NORM = 3.0
_BUDGET = {False: 2**26, True: 2**29}  # bytes of Gram matrices gathered on a CPU, and on a GPU


def gram(patches: Tensor, centred: bool = False, unit_rows: bool = True) -> Tensor:
    """Return the patches' Gram matrix, or the one of their dimensions where that is smaller.

    X·Xᵀ and Xᵀ·X share their eigenvalues up to zeros, and those of the smaller one cost less.

    Args:
        patches: … × patches × dimension.
        centred: whether the mean patch of the image is subtracted first.
        unit_rows: whether every patch is divided by its norm.

    Returns:
        float64, … × k × k, k = min(patches, dimension).

    Examples:
        >>> gram(torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 2.0]]))
        tensor([[1., 0.],
                [0., 1.]], dtype=torch.float64)
    """
    rows = patches.double()
    if unit_rows:
        rows = F.normalize(rows, dim=-1)
    if centred:
        rows = rows - rows.mean(dim=-2, keepdim=True)
    return rows.mT @ rows if rows.shape[-2] > rows.shape[-1] else rows @ rows.mT


def spectrum(grams: Tensor) -> Tensor:
    """Return the eigenvalues of Gram matrices, … × k × k, divided by their sum.

    One call of the eigensolver for all of them. On a CPU, where that solves one after the other, every thread solves
    its share by itself: within a matrix of this size, a second thread costs more than it helps.

    Returns:
        float64, … × k, descending, sum 1. Where all patches are 0 there is no spectrum: NaN.

    Examples:
        >>> spectrum(torch.diag(torch.tensor([1.0, 3.0], dtype=torch.float64)))
        tensor([0.7500, 0.2500], dtype=torch.float64)
    """
    alone = grams.ndim < 3 or grams.device.type != "cpu" or torch.get_num_threads() == 1
    values: Tensor = torch.linalg.eigvalsh(grams) if alone else _each_in_a_thread(grams)
    values = values.flip(-1).clamp(min=0)  # below 0 is rounding
    return values / values.sum(dim=-1, keepdim=True)


def _each_in_a_thread(grams: Tensor) -> Tensor:
    """Return the eigenvalues of matrices on a CPU, … × k × k, as many at a time as torch has threads."""
    threads, inference = torch.get_num_threads(), torch.is_inference_mode_enabled()

    def solve(share: Tensor) -> Tensor:
        with torch.inference_mode(inference):  # which a thread does not take over from the one that starts it
            values: Tensor = torch.linalg.eigvalsh(share)
        return values

    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            found: Tensor = torch.cat(list(pool.map(solve, grams.tensor_split(threads))))
        return found
    finally:
        torch.set_num_threads(threads)


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
    return spectrum(gram(patches, centred, unit_rows))


class Spectra:
    """Spectra of Gram matrices, gathered over passes until they fill a budget of memory, and then solved in one call.

    What each is wanted for is told when it is known.

    Args:
        budget: bytes of matrices that are gathered, at least those of one call of :meth:`add`. By default half a
            gigabyte on a GPU, 1,024 images and layers of 256 patches; on a CPU, where more at once is not faster, an
            eighth of that.

    Examples:
        >>> spectra, ranks = Spectra(), []
        >>> spectra.add(gram(torch.eye(3)[None]), lambda found: ranks.append(effective_rank(found)))
        >>> spectra.add(gram(torch.ones(1, 3, 3)), lambda found: ranks.append(effective_rank(found)))
        >>> spectra.solve()
        >>> torch.cat(ranks)
        tensor([3.0000, 1.0000], dtype=torch.float64)
    """

    def __init__(self, budget: int | None = None) -> None:
        self._budget = budget
        self._waiting: list[tuple[Tensor, Callable[[Tensor], None]]] = []

    def add(self, grams: Tensor, tell: Callable[[Tensor], None]) -> None:
        """Gather Gram matrices, n × k × k; ``tell`` is called with their spectra, n × k, at the latest by ``solve``."""
        budget = self._budget or _BUDGET[grams.device.type == "cuda"]
        if self._waiting and sum(each.nbytes for each, _ in self._waiting) + grams.nbytes > budget:
            self.solve()
        self._waiting.append((grams, tell))

    def solve(self) -> None:
        """Find the spectra of all matrices that were gathered."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            found = spectrum(torch.cat([grams for grams, _ in waiting]))
            start = 0
            for grams, tell in waiting:
                tell(found[start : start + len(grams)])
                start += len(grams)


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
