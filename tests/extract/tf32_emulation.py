"""TF32 emulated on a CPU: where the mode of the process allows TF32, inputs of products are rounded to ten bits.

What a GPU would round is rounded, and nothing else, because the emulation looks at the very flags that a GPU looks at:
`torch.backends.cuda.matmul.allow_tf32` for matrix products, and that of cuDNN for convolutions.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import extract.precision

# Names of ATen's products; what is added to one afterwards, the first input of addmm and the bias, is not rounded.
PRODUCTS = {"mm", "bmm", "dot", "mv", "linear", "matmul", "addmm", "baddbmm", "addmv"}
CONVOLUTIONS = {"convolution", "conv2d", "_convolution", "mkldnn_convolution"}


def rounded(values: Tensor) -> Tensor:
    """Return float32 numbers to the nearest with ten bits of mantissa, ties to even; others as they are."""
    if values.dtype != torch.float32:
        return values
    bits = values.contiguous().view(torch.int32)
    kept = (bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF
    return kept.view(torch.float32)


class Tf32(TorchDispatchMode):
    """Rounds the inputs of products inside the ``with`` block wherever the flags allow TF32.

    Attributes:
        products: how many were rounded.
    """

    products = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        matrices = name in PRODUCTS and torch.backends.cuda.matmul.allow_tf32
        if matrices or (name in CONVOLUTIONS and torch.backends.cudnn.allow_tf32):
            first = 1 if name.startswith(("add", "badd")) else 0
            args = tuple(rounded(each) if first <= place < first + 2 else each for place, each in enumerate(args))
            self.products += 1
        return func(*args, **(kwargs or {}))


available_precision: Callable[[str, str], str] = lambda precision, _device: precision  # noqa: E731
_products_in = extract.precision.products_in


@contextmanager
def products_in(precision: str, device: torch.device) -> Iterator[None]:
    """Compute in a precision, TF32 among them, on a CPU."""
    with Tf32(), _products_in(precision, device):
        yield
