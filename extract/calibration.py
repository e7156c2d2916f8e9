"""Means and variances of every prefix token after every block: ``python -m extract.calibration --help``.

Taken over the calibration split, whose images no evaluation uses.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from config.errors import report_errors
from config.files import written_whole
from config.layout import Run
from config.settings import Settings, load_settings
from extract.datasets.packs import OpenPack, open_pack
from extract.interventions import Calibration
from extract.models import Network, load_network


@torch.inference_mode()
def calibrate(network: Network, pack: OpenPack, batch_size: int) -> Calibration:
    """Measure a network's prefix tokens on the calibration split of a pack, in the unchanged forward pass.

    The moments are those of each block's raw output, before any norm: what a condition replaces. Accumulated in
    float64 around the first batch's mean, so that variances far below the squared mean survive.

    Returns:
        Mean and population variance, layers × prefix tokens × dimension, float32, on the network's device.
    """
    rows = pack.rows("calibration")
    places = list(network.layout.prefix)
    outputs: list[Tensor] = []

    def keep(_block: torch.nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        outputs.append(output[:, places].double())

    blocks: list[torch.nn.Module] = list(network.module.blocks)  # type: ignore[arg-type]
    handles = [block.register_forward_hook(keep) for block in blocks]
    try:
        n, shift = 0, torch.zeros(0)
        first = second = torch.zeros(())
        for start in tqdm(range(0, len(rows), batch_size), desc=f"calibrate {network.name}", mininterval=5):
            part = rows[start : start + batch_size]
            outputs.clear()
            network.module.forward_features(network.input(np.asarray(pack.images[part])))  # type: ignore[operator]
            values = torch.stack(outputs, dim=1)  # images × layers × prefix tokens × dimension
            if n == 0:
                shift = values.mean(dim=0)
                first, second = torch.zeros_like(shift), torch.zeros_like(shift)
            centred = values - shift
            first += centred.sum(dim=0)
            second += centred.square().sum(dim=0)
            n += len(part)
    finally:
        for handle in handles:
            handle.remove()
    mean = first / n
    variance = (second / n - mean.square()).clamp(min=0)
    return Calibration((shift + mean).float(), variance.float(), network.layout.prefix)


def save_calibration(calibration: Calibration, path: Path, facts: dict[str, str]) -> None:
    """Write a calibration; ``facts`` say what it was computed from."""
    tensors = {
        "mean": calibration.mean.cpu().contiguous(),
        "variance": calibration.variance.cpu().contiguous(),
        "rows": torch.tensor(calibration.rows),
    }
    with written_whole(path) as partial:
        save_file(tensors, partial, metadata=facts)


def load_calibration(path: Path, device: torch.device) -> Calibration:
    """Read a calibration onto a device."""
    with safe_open(path, framework="pt") as file:
        return Calibration(
            file.get_tensor("mean").to(device),
            file.get_tensor("variance").to(device),
            tuple(file.get_tensor("rows").tolist()),
        )


def run(settings: Settings, folder: Run, model: str) -> None:
    """Calibrate one model of a run and write the result."""
    network = load_network(settings.models[model], settings.seed, settings.extraction.device)
    pack = open_pack(folder.pack(settings.calibrate_on))
    calibration = calibrate(network, pack, settings.extraction.batch_size)
    facts = {
        "model": network.signature,
        "dataset": settings.calibrate_on,
        "images": str(len(pack.rows("calibration"))),
    }
    save_calibration(calibration, folder.calibration(model), facts)


def main() -> None:
    """Command line: calibrate one model of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--model", required=True)
    arguments = parser.parse_args()
    run(load_settings(arguments.settings), Run(arguments.settings.parent), arguments.model)


if __name__ == "__main__":
    report_errors(main)
