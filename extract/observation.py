"""Reading a forward pass as it goes: what blocks put out, and how they attend.

Both context managers leave no hook behind, also after an exception. Block outputs are seen after a condition has
replaced its rows if :func:`extract.interventions.intervene` was entered first.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from config.errors import InputError
from extract.precision import full_precision

See = Callable[[int, Tensor], None]  # called with a block's index and a tensor of that block


class AttentionError(InputError):
    """Attention weights that a network does not show."""


@contextmanager
def observe(network: nn.Module, layers: Iterable[int], see: See) -> Iterator[None]:
    """Call ``see`` with the output of every block of ``layers``, B × tokens × dimension, before the final norm."""

    def hook(layer: int) -> Any:
        def show(_block: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
            with full_precision(output):
                see(layer, output)

        return show

    blocks: list[nn.Module] = list(network.blocks)  # type: ignore[arg-type]
    handles = [blocks[layer].register_forward_hook(hook(layer)) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def observe_attention(network: nn.Module, layers: Iterable[int], see: See) -> Iterator[None]:
    """Call ``see`` with the attention weights of every block of ``layers``, B × heads × queries × keys.

    The weights are what enters the block's attention dropout, which timm's eager attention applies right after the
    softmax, in all of its Vision Transformers.

    Raises:
        AttentionError: where a block has no such step, or passes it by.
    """
    missed = set(layers)

    def hook(layer: int) -> Any:
        def pass_on(_dropout: nn.Module, inputs: tuple[Tensor]) -> None:
            missed.discard(layer)
            with full_precision(inputs[0]):
                see(layer, inputs[0])

        return pass_on

    handles = []
    try:
        for layer in sorted(missed):
            attention: Any = getattr(network.blocks[layer], "attn", None)  # type: ignore[index]
            dropout = getattr(attention, "attn_drop", None)
            if not isinstance(dropout, nn.Module) or getattr(attention, "fused_attn", False):
                raise AttentionError(_HIDDEN)
            handles.append(dropout.register_forward_pre_hook(hook(layer)))
        yield
        if missed:
            raise AttentionError(_HIDDEN)
    finally:
        for handle in handles:
            handle.remove()


_HIDDEN = (
    "measures.attention_images: the network does not show its attention weights (no attention dropout after an eager "
    "softmax). Set the key to 0 to leave attention out"
)
