"""Passes keep every tensor on the network's device, launch few operations, and wait for the device once per load.

PyTorch's fake tensors stand for CUDA tensors where there is no GPU, and refuse an operation on two devices as CUDA
does, and one that needs a value on the host. What they cannot show is what an operation computes; ``test_gpu.py`` does,
where there is a GPU. The networks are of a few narrow blocks: where a tensor is does not depend on its size, and what
is done after one block is done after all.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
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
from extract.features import Images
from extract.interventions import intervene
from extract.known_answer.networks import FAMILIES, IMAGE_SIZE, MEAN, STD, KnownAnswerViT
from extract.models import Network
from extract.passes import OnDevice, Passed, ShardExtraction, passed
from extract.reduction import Plan
from extract.replacements import Calibration
from extract.tokens import read_layout
from extract.transfer import on_host
from tests.extract.conftest import TIMM, made_up_moments

N = 8
DEPTH = 2
CUDA = torch.device("cuda", 0)
# Copies from the host in a pass, at most, however deep the network: image keys, donors, or which rows are kept.
COPIES = {"zero": 0, "mean": 0, "noise": 1, "resample": 1, "shuffle": 1, "shuffle_trajectory": 2}
FULL = Condition("full")
PATCHES = Condition("zero_random_patches", ("random_patches",), "zero", draw=1)
WARPS = np.array([[[1, 0, 0], [0, 1, 0]]] * 2)


def narrow(name: str, depth: int = DEPTH) -> Network:
    """Build a network of few blocks: of an architecture of timm, 32 wide, or of a known-answer family."""
    if name in FAMILIES:
        module, size = KnownAnswerViT(name, "S"), IMAGE_SIZE
        module.blocks = module.blocks[:depth]
    else:
        architecture, size = TIMM[name]
        shape = {"embed_dim": 32, "depth": depth, "num_heads": 2}
        module = timm.create_model(architecture, num_classes=0, img_size=size, **shape)
    module.eval().requires_grad_(False)
    for block in module.blocks:
        block.attn.fused_attn = False
    return Network(name, module, read_layout(module, size), size, MEAN, STD, "float32", "random weights")


@dataclass
class Seen:
    """Operations launched by name, copies from the host to the device, and from the device to the host."""

    launched: Counter[str] = field(default_factory=Counter)
    copies: int = 0
    read: int = 0

    @property
    def launches(self) -> int:
        return self.launched.total()


class Watch(TorchDispatchMode):
    """Counts what would be launched on the GPU; an operation that only makes a view launches nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = Seen()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        first = out[0] if isinstance(out, tuple) else out
        if isinstance(first, Tensor) and not func.is_view:
            source = args[0] if args and isinstance(args[0], Tensor) else first
            if (source.device.type, first.device.type) == ("cpu", "cuda"):
                self.seen.copies += 1
            elif (source.device.type, first.device.type) == ("cuda", "cpu"):
                self.seen.read += 1
            elif first.device.type == "cuda":
                self.seen.launched[str(func)] += 1
        return out


def put_on_fake_gpu(module: nn.Module) -> None:
    """Replace the parameters and buffers of a module by fake tensors of the GPU."""
    for part in module.modules():
        for held in (part._parameters, part._buffers):
            for name, value in held.items():
                if value is not None:
                    empty = torch.empty(value.shape, dtype=value.dtype, device=CUDA)
                    held[name] = nn.Parameter(empty, requires_grad=False) if held is part._parameters else empty


@contextmanager
def under_without_inference_mode(
    network: Network, images: Images, condition: Condition, calibration: Calibration
) -> Iterator[None]:
    """Do what `features.under` does, but for its inference mode, in which PyTorch moves constants to a real GPU."""
    with intervene(network.module, condition, network.layout, calibration, images.batch, images.clean):
        yield


def watched(
    network: Network,
    conditions: Sequence[Condition],
    monkeypatch: pytest.MonkeyPatch,
    pieces: int = 1,
    measured: int = 0,
    read: bool = False,
) -> Seen:
    """Pass a load of batches of eight images on the fake GPU under conditions, as an extraction does.

    Args:
        network: whose weights are replaced by fake ones.
        conditions: passed one after the other.
        monkeypatch: takes out the inference mode.
        pieces: batches of the load.
        measured: images whose geometry and attention are measured after every layer, of every batch.
        read: whether what is left is read on the host.
    """
    made_up = made_up_moments({network.name: network})[network.name]
    on_gpu = replace(network, module=deepcopy(network.module))
    layers = tuple(range(network.depth))
    rows = np.arange(pieces * N).reshape(pieces, N)
    monkeypatch.setattr("extract.passes.under", under_without_inference_mode)
    with FakeTensorMode():
        put_on_fake_gpu(on_gpu.module)
        moments = (torch.empty(each.shape, device=CUDA) for each in (made_up.mean, made_up.variance))
        assert made_up.factor is not None
        calibration = Calibration(*moments, made_up.rows, torch.empty(made_up.factor.shape, device=CUDA))
        plans = tuple(Plan(condition, layers[-1:], layers[-1:], layers[-1:]) for condition in conditions)
        some = rows[:, :measured].ravel()
        pack: Any = SimpleNamespace()
        extraction = ShardExtraction(on_gpu, calibration, pack, plans, some, some, layers, seed=0)
        images = []
        for part in rows:
            x = torch.empty(N, 3, network.image_size, network.image_size, device=CUDA)
            clean = torch.empty(network.depth, N, len(network.layout.prefix), network.dimension, device=CUDA)
            images.append(Images(part, x, Batch(tuple(map(str, part)), ("g",) * N, seed=0), clean))
        pairs = pd.DataFrame({"source": rows[0, :2], "twin": rows[0, 2:4], "warp": list(WARPS)})
        load = OnDevice.of(extraction, images, pairs)
        watch = Watch()
        with torch.no_grad(), watch:
            found: list[Passed] = passed.__wrapped__(extraction, load)
            if read:
                on_host([tensor for each in found for tensor in each.tensors()])
    return watch.seen


def registers_or_cls(network: Network, by: str) -> Condition:
    return Condition(by, ("registers" if network.layout.registers else "cls",), by)


@pytest.mark.parametrize("name", ["dinov2_reg", "dinov3", "plain", "bottleneck"])
def test_no_operation_meets_tensors_of_two_devices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network = narrow(name)
    for condition in (FULL, PATCHES, *(registers_or_cls(network, by) for by in REPLACEMENTS)):
        seen = watched(network, [FULL, condition], monkeypatch)
        assert seen.launched["aten._softmax.default"] > network.depth, condition.name
    assert watched(network, [FULL], monkeypatch, measured=N).launched["aten._linalg_eigh.default"] > 0


def test_a_tensor_left_on_the_host_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = noise.keyed_normal
    monkeypatch.setattr("extract.replacements.keyed_normal", lambda keys, *rest: drawn(keys.cpu(), *rest))
    with pytest.raises(RuntimeError, match="same device"):
        watched(narrow("open"), [FULL, Condition("n", ("registers",), "noise")], monkeypatch)


@pytest.mark.parametrize("by", [*REPLACEMENTS, "random patches"])
def test_a_replacement_copies_nothing_after_a_block_and_launches_little(
    by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    launches, copies = {}, {}
    for depth in (2, 5):
        network = narrow("dinov2_reg", depth)
        condition = PATCHES if by == "random patches" else Condition(by, ("registers",), by)
        seen, plain = (watched(network, [FULL, each], monkeypatch) for each in (condition, FULL))
        launches[depth], copies[depth] = seen.launches - plain.launches, seen.copies - plain.copies
    assert copies[2] == copies[5] <= COPIES.get(by, 1)  # it was 4 of `noise` after every block
    # After a block: the rows are written, and of `shuffle` read; `zero` makes its zero. It was 202 of `noise`.
    assert launches[5] - launches[2] <= 3 * 2
    # Once in a pass: the draws of all layers, 80 of Philox among them. It was 2,425 of `noise` for twelve blocks.
    assert launches[2] <= 125


def test_the_eigensolver_is_called_once_for_a_load(monkeypatch: pytest.MonkeyPatch) -> None:
    network = narrow("dinov2_reg", 3)
    conditions = [FULL, *(Condition(by, ("registers",), by) for by in ("zero", "noise", "shuffle"))]
    seen = watched(network, conditions, monkeypatch, pieces=2, measured=3)
    # Three calls per layer, batch and condition would be 72.
    assert seen.launched["aten._linalg_eigh.default"] == 1


def test_measures_launch_little(monkeypatch: pytest.MonkeyPatch) -> None:
    zero, launches = Condition("zero", ("registers",), "zero"), {}
    for depth in (2, 5):
        network = narrow("dinov2_reg", depth)
        seen, plain = (watched(network, [FULL, zero], monkeypatch, measured=n) for n in (3, 0))
        launches[depth] = seen.launches - plain.launches
        assert seen.copies == plain.copies  # what is measured is told once per load, not once per pass
    # Under two conditions, and after a layer: tokens, weights, and the reductions of attention. It was 2 × 232.
    assert launches[5] - launches[2] <= 3 * 2 * 30
    assert launches[5] <= 450  # it was 2,320


@pytest.mark.parametrize("conditions", [1, 4])
def test_a_load_is_read_in_three_copies(conditions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [FULL, *(Condition(by, ("registers",), by) for by in ("zero", "noise", "shuffle"))][:conditions]
    network = narrow("dinov2_reg")
    assert watched(network, chosen, monkeypatch, pieces=2, measured=3).read == 0
    # Features and measures in float32, ranks and attention in float64, counts of pairs. A copy per token, column and
    # layer would be 8 + 123 for each condition.
    assert watched(network, chosen, monkeypatch, pieces=2, measured=3, read=True).read == 3
