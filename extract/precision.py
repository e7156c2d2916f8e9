"""How precisely matrix products are computed: float32, TF32 or bfloat16 in forward passes, and float32 elsewhere.

TF32 rounds the inputs of a product to ten bits of mantissa, and adds up in float32. It is a mode of the whole process
and not of a tensor, so it is on inside :func:`products_in` alone, and off again inside :func:`full_precision`, which
surrounds all that hooks compute during a pass: replacements, measures and records. Probes never see it.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

AMPERE = 8  # major compute capability of the first GPUs that have TF32


def available_precision(precision: str, device: str) -> str:
    """Return the precision that forward passes on a device have where ``precision`` is asked for.

    TF32 exists on NVIDIA's GPUs from Ampere on. Elsewhere passes are computed in float32, which is the more precise,
    with a warning. (A config that asks for TF32 and for the CPU is refused before it gets here.)

    Args:
        precision: float32, tf32 or bfloat16.
        device: cpu or cuda, as :func:`extract.devices.resolve_device` returns it.

    Examples:
        >>> available_precision("bfloat16", "cpu")
        'bfloat16'
    """
    if precision != "tf32":
        return precision
    if device == "cuda" and torch.cuda.get_device_capability()[0] >= AMPERE:
        return precision
    where = "no GPU is here" if device != "cuda" else f"{torch.cuda.get_device_name()} has none"
    warnings.warn(
        f"extraction.precision: tf32 is of NVIDIA GPUs from Ampere on, and {where}; forward passes are computed in "
        "float32",
        stacklevel=2,
    )
    return "float32"


@contextmanager
def products_in(precision: str, device: torch.device) -> Iterator[None]:
    """Compute matrix products and convolutions inside the ``with`` block in a precision.

    Args:
        precision: float32, tf32, or bfloat16 (mixed: weights and residual stream stay in float32).
        device: where they are computed.
    """
    with (
        _tf32(precision == "tf32"),
        torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"),
    ):
        yield


@contextmanager
def full_precision(tokens: Tensor) -> Iterator[None]:
    """Compute what is derived from ``tokens`` inside the ``with`` block in their own precision, also in a pass."""
    with _tf32(allowed=False), torch.autocast(tokens.device.type, enabled=False):
        yield


@contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
