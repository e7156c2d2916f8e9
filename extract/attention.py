"""Summaries of attention weights: mass between token groups, and divergence from the unchanged pass."""

from collections.abc import Sequence

import torch
from torch import Tensor


def js_divergence(p: Tensor, q: Tensor, entropy_of_p: Tensor | None = None) -> Tensor:
    """Return the Jensen–Shannon divergence in nats between distributions along the last dimension.

    It is symmetric, 0 for equal distributions and ln 2 for disjoint ones (Lin 1991). Computed as the entropy of the
    mean minus the mean entropy, which is exactly 0 for equal rows.

    Args:
        p, q: … × outcomes.
        entropy_of_p: …, where it is known.

    Examples:
        >>> p, q = torch.tensor([[0.5, 0.5], [1.0, 0.0]]), torch.tensor([[0.5, 0.5], [0.0, 1.0]])
        >>> js_divergence(p, q)
        tensor([0.0000, 0.6931])
    """
    of_mixture, of_q = entropy((p + q) / 2), entropy(q)
    of_p = entropy(p) if entropy_of_p is None else entropy_of_p
    return (of_mixture - (of_p + of_q) / 2).clamp(min=0)


def entropy(p: Tensor) -> Tensor:
    """Return the entropy in nats of distributions along the last dimension.

    Examples:
        >>> entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]]))
        tensor([0.6931, 0.0000])
    """
    values: Tensor = torch.special.entr(p).sum(dim=-1)
    return values


def memberships(groups: Sequence[Sequence[int]], tokens: int, device: torch.device | None = None) -> Tensor:
    """Return which tokens of a sequence are in which group, groups × tokens, float64, 0 or 1.

    Examples:
        >>> memberships([[0], range(1, 3)], tokens=3)
        tensor([[1., 0., 0.],
                [0., 1., 1.]], dtype=torch.float64)
    """
    table = torch.zeros(len(groups), tokens, dtype=torch.float64)
    for group, rows in zip(table, groups, strict=True):
        group[list(rows)] = 1
    return table.to(device)


def group_divergence(divergence: Tensor, groups: Tensor) -> Tensor:
    """Return the mean divergence between the attention weights of two passes, by group of query tokens.

    Args:
        divergence: of every query (:func:`js_divergence`), B × heads × queries.
        groups: which queries are in which group (:func:`memberships`), groups × queries.

    Returns:
        float64, B × groups: the mean over heads and the group's queries.

    Examples:
        >>> p = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]])  # one image, one head, two queries and keys
        >>> q = torch.tensor([[[[0.0, 1.0], [0.5, 0.5]]]])
        >>> group_divergence(js_divergence(p, q), memberships([[0], [1]], tokens=2))
        tensor([[0.6931, 0.0000]], dtype=torch.float64)
    """
    return divergence.double().mean(dim=1) @ _averaging(groups).mT


def group_mass(attention: Tensor, groups: Tensor) -> Tensor:
    """Return the attention mass from groups of query tokens to groups of key tokens.

    Args:
        attention: B × heads × queries × keys, rows summing to 1.
        groups: which tokens are in which group (:func:`memberships`), groups × tokens.

    Returns:
        float64, B × query groups × key groups: the sum over the group's keys, averaged over heads and queries. Over
        groups that partition the sequence they sum to 1.

    Examples:
        >>> weights = torch.tensor([[[[0.2, 0.8], [0.4, 0.6]]]])
        >>> group_mass(weights, memberships([[0], [1]], tokens=2))
        tensor([[[0.2000, 0.8000],
                 [0.4000, 0.6000]]], dtype=torch.float64)
    """
    return _averaging(groups) @ attention.mean(dim=1).double() @ groups.mT


def _averaging(groups: Tensor) -> Tensor:
    return groups / groups.sum(dim=1, keepdim=True)
