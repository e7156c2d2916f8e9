"""Summaries of attention weights: mass between token groups, and divergence from the unchanged pass."""

from collections.abc import Mapping

import torch
from torch import Tensor


def js_divergence(p: Tensor, q: Tensor) -> Tensor:
    """Return the Jensen–Shannon divergence in nats between distributions along the last dimension.

    It is symmetric, 0 for equal distributions and ln 2 for disjoint ones (Lin 1991). Computed as the entropy of the
    mean minus the mean entropy, which is exactly 0 for equal rows.

    Examples:
        >>> p, q = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.5, 0.5], [0.0, 1.0]])
        >>> js_divergence(p, q)
        tensor([0.0000, 0.6931])
    """
    of_mixture, of_p, of_q = (entropy(each) for each in ((p + q) / 2, p, q))
    return (of_mixture - (of_p + of_q) / 2).clamp(min=0)


def entropy(p: Tensor) -> Tensor:
    """Return the entropy in nats of distributions along the last dimension.

    Examples:
        >>> entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))
        tensor([0.6931, 0.0000])
    """
    values: Tensor = torch.special.entr(p).sum(dim=-1)
    return values


def group_divergence(p: Tensor, q: Tensor, groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the Jensen–Shannon divergence between the attention weights of two passes, by group of query tokens.

    Args:
        p, q: B × heads × queries × keys.
        groups: rows of the token sequence by name.

    Returns:
        B values per group: the mean over heads and the group's queries.

    Examples:
        >>> p = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]])  # one image, one head, two queries and keys
        >>> q = torch.tensor([[[[0.0, 1.0], [0.5, 0.5]]]])
        >>> group_divergence(p, q, {"cls": torch.tensor([0]), "patches": torch.tensor([1])})
        {'cls': tensor([0.6931]), 'patches': tensor([0.])}
    """
    divergence = js_divergence(p, q).mean(dim=1)
    return {name: divergence[:, rows].mean(dim=1) for name, rows in groups.items()}


def group_mass(attention: Tensor, groups: Mapping[str, Tensor]) -> dict[tuple[str, str], Tensor]:
    """Return the attention mass from groups of query tokens to groups of key tokens.

    Args:
        attention: B × heads × queries × keys, rows summing to 1.
        groups: rows of the token sequence by name.

    Returns:
        B values per pair (query group, key group): the sum over the group's keys, averaged over heads and queries.
        Over groups that partition the sequence they sum to 1.

    Examples:
        >>> weights = torch.tensor([[[[0.2, 0.8], [0.4, 0.6]]]])
        >>> mass = group_mass(weights, {"cls": torch.tensor([0]), "patches": torch.tensor([1])})
        >>> mass["cls", "patches"], mass["patches", "cls"]
        (tensor([0.8000]), tensor([0.4000]))
    """
    headless = attention.mean(dim=1)
    received = {name: headless[:, :, rows].sum(dim=2) for name, rows in groups.items()}
    return {
        (queries, keys): mass[:, rows].mean(dim=1)
        for queries, rows in groups.items()
        for keys, mass in received.items()
    }
