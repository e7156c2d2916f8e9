"""Attention reduced to what is kept of it: its mass between token groups, and its divergence from ``full``."""

from collections.abc import Mapping

import torch
from torch import Tensor


def js_divergence(p: Tensor, q: Tensor) -> Tensor:
    """Return the Jensen–Shannon divergence in nats between distributions along the last dimension.

    0 for equal ones, ln 2 for disjoint ones, symmetric (Lin 1991). As the entropy of the mean less the mean entropy,
    which is exactly 0 for equal rows.
    """
    of_mixture, of_p, of_q = (entropy(each) for each in ((p + q) / 2, p, q))
    return (of_mixture - (of_p + of_q) / 2).clamp(min=0)


def entropy(p: Tensor) -> Tensor:
    """Return the entropy in nats of distributions along the last dimension."""
    values: Tensor = torch.special.entr(p).sum(dim=-1)
    return values


def group_divergence(p: Tensor, q: Tensor, groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the divergence between two passes' attention, by the group of the query token.

    Args:
        p, q: B × heads × queries × keys.
        groups: rows of the token sequence by name.

    Returns:
        B values a group: the mean over heads and the group's queries.
    """
    divergence = js_divergence(p, q).mean(dim=1)
    return {name: divergence[:, rows].mean(dim=1) for name, rows in groups.items()}


def group_mass(attention: Tensor, groups: Mapping[str, Tensor]) -> dict[tuple[str, str], Tensor]:
    """Return the attention mass that groups of queries give to groups of keys.

    Args:
        attention: B × heads × queries × keys, rows summing to 1.
        groups: rows of the token sequence by name.

    Returns:
        B values a pair (query group, key group): the sum over the group's keys, averaged over heads and queries. Over
        groups that part the sequence they sum to 1.
    """
    headless = attention.mean(dim=1)
    received = {name: headless[:, :, rows].sum(dim=2) for name, rows in groups.items()}
    return {
        (queries, keys): mass[:, rows].mean(dim=1)
        for queries, rows in groups.items()
        for keys, mass in received.items()
    }
