"""Memory that runs out halves the batch, and nothing that was computed before is lost or counted twice."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from extract.datasets.packs import OpenPack
from extract.models import Network
from extract.passes import DeviceMemoryError
from extract.replacements import Calibration
from tests.extract.small_extraction import assert_same, extracted, run_settings

UNMIXED = {"full": {}, "zero_registers": {"tokens": ["registers"], "by": "zero"}}


def limit(network: Network, monkeypatch: pytest.MonkeyPatch, most: int, error: RuntimeError) -> list[int]:
    """Let the network fail on more than ``most`` images; return the sizes of the passes that were tried."""
    tried: list[int] = []
    plain = network.module.forward_features

    def forward(x: Tensor) -> Tensor:
        tried.append(len(x))
        if len(x) > most:
            raise error
        return plain(x)

    monkeypatch.setattr(network.module, "forward_features", forward)
    return tried


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")],
    ids=["gpu", "cpu"],
)
def test_the_batch_is_halved_until_it_fits(
    networks: dict[str, Network],
    pack: OpenPack,
    calibration: Calibration,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: RuntimeError,
) -> None:
    network = networks["open"]
    chosen = run_settings(batch_size=100, conditions=UNMIXED)
    whole = extracted(network, pack, calibration, chosen, tmp_path / "whole")
    tried = limit(network, monkeypatch, 30, error)
    with pytest.warns(ResourceWarning, match="going on with (50|25) images per pass"):
        halved = extracted(network, pack, calibration, chosen, tmp_path / "halved")
    assert_same(whole, halved)
    assert tried[-1] <= 25 and sum(size > 30 for size in tried) == 2  # the smaller size is kept


def test_a_group_that_does_not_fit_is_an_error_with_a_remedy(
    networks: dict[str, Network],
    pack: OpenPack,
    calibration: Calibration,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit(networks["open"], monkeypatch, 30, torch.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(DeviceMemoryError, match=r"even with 64 images per pass.*extraction\.precision"):
        extracted(networks["open"], pack, calibration, run_settings(), tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_another_error_is_not_taken_for_memory(
    networks: dict[str, Network],
    pack: OpenPack,
    calibration: Calibration,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit(networks["open"], monkeypatch, 30, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        extracted(networks["open"], pack, calibration, run_settings(), tmp_path)
