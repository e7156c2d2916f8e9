"""Passes keep every tensor on the network's device: found with tensors that have a device but no values.

PyTorch's fake tensors stand for CUDA tensors where there is no GPU, and refuse an operation on two devices as CUDA
does. What they cannot show is what an operation computes; ``test_gpu.py`` does, where there is a GPU. The networks are
of two narrow blocks: where a tensor is does not depend on its size, and what is done after one block is done after all.
"""

from collections import Counter
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from config.conditions import Condition
from config.vocabulary.replacements import REPLACEMENTS
from extract import noise
from extract.draws import Batch
from extract.interventions import intervene
from extract.known_answer.networks import FAMILIES, IMAGE_SIZE, MEAN, STD, KnownAnswerViT
from extract.measures import Reference, measuring
from extract.models import Network
from extract.observation import observe
from extract.reduction import Plan, Reduction
from extract.replacements import Calibration
from extract.tokens import read_layout
from tests.extract.conftest import TIMM, made_up_moments

N = 8
DEPTH = 2
CUDA = torch.device("cuda", 0)
# Copies from the host after every block, as docs/performance.md states them; the places of the rows are one more.
COPIES = {"zero": 0, "mean": 1, "noise": 4, "resample": 4, "shuffle": 1, "shuffle_trajectory": 2}
FULL = Condition("full")
PATCHES = Condition("zero_random_patches", ("random_patches",), "zero", draw=1)


def narrow(name: str) -> Network:
    """Build a network of two blocks: of an architecture of timm, 32 wide, or of a known-answer family."""
    if name in FAMILIES:
        module, size = KnownAnswerViT(name, "S"), IMAGE_SIZE
        module.blocks = module.blocks[:DEPTH]
    else:
        architecture, size = TIMM[name]
        shape = {"embed_dim": 32, "depth": DEPTH, "num_heads": 2}
        module = timm.create_model(architecture, num_classes=0, img_size=size, **shape)
    module.eval().requires_grad_(False)
    for block in module.blocks:
        block.attn.fused_attn = False
    return Network(name, module, read_layout(module, size), size, MEAN, STD, "float32", "random weights")


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


def passed(network: Network, condition: Condition, measured: bool = False) -> Seen:
    """Run a pass of a network on the fake GPU, reduced and, where asked, measured as an extraction does."""
    layout, every = network.layout, np.arange(N)
    made_up = made_up_moments({network.name: network})[network.name]
    on_gpu = replace(network, module=deepcopy(network.module))
    with FakeTensorMode():
        put_on_fake_gpu(on_gpu.module)
        moments = (torch.empty(each.shape, device=CUDA) for each in (made_up.mean, made_up.variance))
        assert made_up.factor is not None
        calibration = Calibration(*moments, made_up.rows, torch.empty(made_up.factor.shape, device=CUDA))
        x = torch.empty(N, 3, network.image_size, network.image_size, device=CUDA)
        clean = torch.empty(network.depth, N, len(layout.prefix), network.dimension, device=CUDA)
        batch = Batch(tuple("abcdefgh"), ("g",) * N, seed=0)
        layers = tuple(range(network.depth))
        reduction = Reduction(on_gpu, Plan(condition, layers[-1:], layers[-1:], layers[-1:]))
        # What `features.under` does, without its inference mode, in which PyTorch moves constants to a real GPU.
        with ExitStack() as entered:
            entered.enter_context(torch.no_grad())
            seen = entered.enter_context(Watch())
            entered.enter_context(intervene(on_gpu.module, condition, layout, calibration, batch, clean))
            entered.enter_context(observe(on_gpu.module, layers[-1:], reduction.observer(every, every[:2])))
            if measured:
                entered.enter_context(measuring(on_gpu, layers, every, every, Reference()))
            on_gpu.run(x)
    return Seen(seen.launched, seen.copies)


def registers_or_cls(network: Network, by: str) -> Condition:
    return Condition(by, ("registers" if network.layout.registers else "cls",), by)


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3", "plain", "bottleneck"])
def test_no_operation_meets_tensors_of_two_devices(name: str) -> None:
    network = narrow(name)
    unchanged = passed(network, FULL)
    for condition in (PATCHES, *(registers_or_cls(network, by) for by in REPLACEMENTS)):
        seen = passed(network, condition)
        assert seen.launched["aten._softmax.default"] == network.depth, condition.name
        if condition.by in COPIES:
            assert seen.copies == unchanged.copies + 1 + COPIES[condition.by] * network.depth, condition.name
    # What is measured does not depend on the condition.
    assert passed(network, FULL, measured=True).launched["aten._linalg_eigh.default"] > 0


def test_a_tensor_left_on_the_host_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = noise.keyed_normal
    monkeypatch.setattr("extract.replacements.keyed_normal", lambda keys, *rest: drawn(keys.cpu(), *rest))
    with pytest.raises(RuntimeError, match="same device"):
        passed(narrow("open"), Condition("n", ("registers",), "noise"))
