"""What the passes over a batch under all conditions share: whatever no condition can change.

Conditions replace rows of the *outputs* of blocks, so that the patch embedding and block 0 compute the same under every
condition. The unchanged pass, which comes first, leaves both here, and later passes over the batch take them from here
instead of computing them again. It also leaves the prefix tokens that other images take from it under
``shuffle_trajectory``.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from extract.models import Network
from extract.observation import observe


@dataclass(frozen=True)
class Unchanged:
    """What the unchanged pass over one batch leaves for the passes under other conditions; filled by that pass.

    Attributes:
        attended: places in the batch of the images whose attention is measured, on any device.
        trajectories: whether a condition takes rows of the unchanged pass.
        found: by name, the output of the patch embedding and that of block 0, block 0's attention weights of the
            attended images, and the prefix tokens after every block, layers × B × tokens × dimension.
    """

    attended: Tensor
    trajectories: bool
    found: dict[str, Tensor] = field(default_factory=dict)

    @property
    def clean(self) -> Tensor | None:
        """The prefix tokens, where a condition takes rows of the unchanged pass; None before that pass."""
        return self.found.get("prefix")


@contextmanager
def sharing(network: Network, unchanged: Unchanged) -> Iterator[None]:
    """Share what no condition changes between the forward passes over one batch.

    The first pass inside such a ``with`` block must be the unchanged one, and fills ``unchanged``; each later one, in
    a ``with`` block of its own, runs neither the patch embedding nor block 0. Hooks on these modules see what they see
    in any pass; of attention weights, those of the attended images.

    Args:
        network: the model.
        unchanged: of the batch.
    """
    module: Any = network.module
    first, found = module.blocks[0], unchanged.found
    dropout = getattr(first.attn, "attn_drop", None)
    shows = dropout if isinstance(dropout, nn.Module) and len(unchanged.attended) else None
    with ExitStack() as stack:
        if found:
            stack.enter_context(_forward(module.patch_embed, lambda *_, **__: found["embedding"].clone()))
            stack.enter_context(_forward(first, partial(_again, unchanged, shows)))
            yield
            return
        for name, part in (("embedding", module.patch_embed), ("block", first)):
            stack.enter_context(_forward(part, _remembering(part.forward, found, name)))
        if shows is not None:

            def remember(_dropout: nn.Module, inputs: tuple[Tensor]) -> None:
                found["attention"] = inputs[0][unchanged.attended.to(inputs[0].device)]

            stack.callback(shows.register_forward_pre_hook(remember).remove)
        prefix: list[Tensor] = []
        if unchanged.trajectories:
            # On the device beforehand: a list would be copied there by every block.
            rows = torch.tensor(network.layout.prefix, dtype=torch.int64, device=network.device)

            def keep(_layer: int, output: Tensor) -> None:
                prefix.append(output.index_select(1, rows))

            stack.enter_context(observe(network.module, range(network.depth), keep))
        yield
        if prefix:
            found["prefix"] = torch.stack(prefix)


def _again(unchanged: Unchanged, shows: nn.Module | None, *_: Any, **__: Any) -> Tensor:
    """Return the output of block 0 again, and show its attention weights where they are shown."""
    output = unchanged.found["block"]
    if shows is not None and "attention" in unchanged.found:
        attended = unchanged.found["attention"]
        # Of the whole batch, as what observes them expects; those of other images are never read.
        weights = attended.new_zeros(len(output), *attended.shape[1:])
        weights[unchanged.attended.to(attended.device)] = attended
        shows(weights)
    return output.clone()  # a copy, since conditions replace rows in place


def _remembering(forward: Callable[..., Tensor], found: dict[str, Tensor], name: str) -> Callable[..., Tensor]:
    def run(*inputs: Any, **options: Any) -> Tensor:
        output = forward(*inputs, **options)
        found[name] = output.clone()
        return output

    return run


@contextmanager
def _forward(module: nn.Module, forward: Callable[..., Tensor]) -> Iterator[None]:
    """Let a module compute by another function; its hooks are called as ever."""
    before = vars(module).get("forward")
    module.forward = forward
    try:
        yield
    finally:
        if before is None:
            del module.forward
        else:
            module.forward = before
