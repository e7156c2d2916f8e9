"""Passes keep every tensor on the network's device: found with tensors that have a device but no values.

PyTorch's fake tensors stand for CUDA tensors where there is no GPU, and refuse an operation on two devices as CUDA
does. What they cannot show is what an operation computes; ``test_gpu.py`` does, where there is a GPU.
"""

from collections import Counter
from copy import deepcopy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from config.settings import Condition
from extract.features import Images, run_under
from extract.interventions import Batch, Calibration
from extract.measures import Measured, Reference, measuring
from extract.models import Network
from extract.reduction import Plan, Reduction

N = 8
BY = ("zero", "mean", "noise", "resample", "shuffle", "shuffle_trajectory")
CUDA = torch.device("cuda", 0)


class Seen(NamedTuple):
    """Operations of a pass by name, and its copies from the host to the device."""

    launched: Counter[str]
    copies: int


class Watch(TorchDispatchMode):
    """Counts what would be launched on the GPU; an operation that only makes a view launches nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.launched: Counter[str] = Counter()
        self.copies = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        first = out[0] if isinstance(out, tuple) else out
        if isinstance(first, Tensor) and first.device.type == "cuda" and not func.is_view:
            source = args[0] if args and isinstance(args[0], Tensor) else first
            if source.device.type == "cpu":
                self.copies += 1
            else:
                self.launched[str(func)] += 1
        return out


def put_on_fake_gpu(module: nn.Module) -> None:
    """Replace the parameters and buffers of a module by fake tensors of the GPU."""
    for part in module.modules():
        for held in (part._parameters, part._buffers):
            for name, value in held.items():
                if value is not None:
                    empty = torch.empty(value.shape, dtype=value.dtype, device=CUDA)
                    held[name] = nn.Parameter(empty, requires_grad=False) if held is part._parameters else empty


def passed(network: Network, calibration: Calibration, condition: Condition, measured: bool) -> Seen:
    """Run a pass of a network on the fake GPU, reduced and measured as an extraction does."""
    layout, every = network.layout, np.arange(N)
    on_gpu = replace(network, module=deepcopy(network.module))
    with FakeTensorMode():
        put_on_fake_gpu(on_gpu.module)
        moments = (torch.empty(each.shape, device=CUDA) for each in (calibration.mean, calibration.variance))
        assert calibration.factor is not None
        moved = Calibration(*moments, calibration.rows, torch.empty(calibration.factor.shape, device=CUDA))
        side, shape = network.image_size, (network.depth, N, len(layout.prefix), network.dimension)
        clean = torch.empty(shape, device=CUDA)
        batch = Batch(tuple("abcdefgh"), ("g",) * N, seed=0)
        images = Images(every, torch.empty(N, 3, side, side, device=CUDA), batch, clean)
        layers = tuple(range(network.depth))
        reduction = Reduction(on_gpu, Plan(condition, layers[-1:], layers[-1:], layers[-1:]))
        observer = measuring(on_gpu, layers, every, every, Reference(), Measured()) if measured else None
        # Without its inference mode, in which PyTorch 2.15 would move constants to a real GPU.
        unwrapped: Any = run_under.__wrapped__  # type: ignore[attr-defined]
        with torch.no_grad(), Watch() as seen:
            unwrapped(on_gpu, images, condition, moved, layers[-1:], reduction.observer(every, every[:2]), observer)
    return Seen(seen.launched, seen.copies)


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3", "plain", "open"])
def test_no_operation_meets_tensors_of_two_devices(
    name: str, networks: dict[str, Network], calibrations: dict[str, Calibration]
) -> None:
    network = networks[name]
    tokens = "registers" if network.layout.registers else "cls"
    for condition in (
        Condition("full"),
        *(Condition(by, (tokens,), by) for by in BY),
        Condition("zero_random_patches", ("random_patches",), "zero", draw=1),
    ):
        # What is measured does not depend on the condition, and is slow without values.
        seen = passed(network, calibrations[name], condition, measured=condition.by is None)
        assert seen.launched["aten._softmax.default"] == network.depth, condition.name


def test_a_tensor_left_on_the_host_is_noticed(
    networks: dict[str, Network], calibrations: dict[str, Calibration], monkeypatch: pytest.MonkeyPatch
) -> None:
    from extract import noise

    drawn = noise.keyed_normal
    monkeypatch.setattr("extract.interventions.keyed_normal", lambda keys, *rest: drawn(keys.cpu(), *rest))
    with pytest.raises(RuntimeError, match="same device"):
        passed(networks["open"], calibrations["open"], Condition("n", ("registers",), "noise"), measured=False)
