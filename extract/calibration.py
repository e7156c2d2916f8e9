"""Calibration moments of every prefix token after every block: ``python -m extract.calibration --help``.

Taken over the calibration split, whose images no evaluation uses.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor
from tqdm import tqdm

from config.errors import report_errors
from config.layout import Run
from config.settings import Settings, load_settings
from extract.datasets.packs import OpenPack, open_pack
from extract.features import clean_prefix
from extract.gpu_pool import take_gpu
from extract.models import Network, load_network
from extract.records import Planned, tensor_file
from extract.replacements import Calibration


@torch.inference_mode()
def calibrate(network: Network, pack: OpenPack, batch_size: int, covariances: bool = False) -> Calibration:
    """Return the moments of a network's prefix tokens over the calibration split of a pack, in the unchanged pass.

    The moments are those of each block's raw output, before any norm: what a condition replaces. Accumulated in
    float64 around the first batch's mean, so that variances far below the squared mean survive.

    Args:
        network: the model.
        pack: its calibration split is used, and nothing else.
        batch_size: images per pass.
        covariances: whether whole covariances are measured too; they take layers × tokens × dimension² numbers.

    Returns:
        Mean and population variance, layers × prefix tokens × dimension, float32, on the network's device; and, where
        asked for, a factor of the population covariance.
    """
    rows = pack.rows("calibration")
    shift = first = second = products = torch.zeros(())
    for start in tqdm(range(0, len(rows), batch_size), desc=f"calibrate {network.name}", mininterval=5):
        part = rows[start : start + batch_size]
        x = network.input(np.asarray(pack.images[part]))
        values = clean_prefix(network, x).double().transpose(0, 1)
        if start == 0:
            shift = values.mean(dim=0)
            first, second = torch.zeros_like(shift), torch.zeros_like(shift)
        centred = values - shift
        first += centred.sum(dim=0)
        second += centred.square().sum(dim=0)
        if covariances:
            products = products + torch.einsum("nltd,nlte->ltde", centred, centred)
    mean = first / len(rows)
    variance = (second / len(rows) - mean.square()).clamp(min=0)
    factor = None
    if covariances:
        factor = covariance_factor(products / len(rows) - torch.einsum("ltd,lte->ltde", mean, mean)).float()
    return Calibration((shift + mean).float(), variance.float(), network.layout.prefix, factor)


def covariance_factor(covariance: Tensor) -> Tensor:
    """Return the symmetric square root F of a covariance, F·F = F·Fᵀ = ``covariance``, also where that is singular.

    Of all factors only this one follows from the covariance alone. Signs of eigenvectors, and their rotation where
    eigenvalues are close, are the choice of each solver; with them in the factor, draws would differ between a CPU and
    a GPU. With fewer images than dimensions the covariance is singular, and has no Cholesky factor.

    Args:
        covariance: … × dimension × dimension, float64; eigenvalues below zero are taken as rounding.

    Returns:
        The factor, of the same shape.

    Examples:
        >>> singular = torch.ones(2, 2, dtype=torch.float64)
        >>> factor = covariance_factor(singular)
        >>> bool((factor @ factor.mT - singular).abs().max() < 1e-12)
        True
    """
    values, vectors = torch.linalg.eigh(covariance)
    factor: Tensor = (vectors * values.clamp(min=0).sqrt().unsqueeze(-2)) @ vectors.mT
    return factor


def save_calibration(calibration: Calibration, path: Path, facts: dict[str, str]) -> None:
    """Write a calibration, the same bytes every time; ``facts`` say what it was computed from."""
    # Not by safetensors, which writes the facts in an order that changes from one call to the next.
    tensors = {"rows": torch.tensor(calibration.rows), "mean": calibration.mean, "variance": calibration.variance}
    if calibration.factor is not None:
        tensors["factor"] = calibration.factor
    arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
    plan = {name: Planned(array.shape, array.dtype.type) for name, array in arrays.items()}
    with tensor_file(path, plan, facts) as file:
        for name, array in arrays.items():
            file.write(name, array)


def load_calibration(path: Path, device: torch.device) -> Calibration:
    """Read a calibration onto a device."""
    with safe_open(path, framework="pt") as file:
        names = file.keys()
        return Calibration(
            file.get_tensor("mean").to(device),
            file.get_tensor("variance").to(device),
            tuple(file.get_tensor("rows").tolist()),
            file.get_tensor("factor").to(device) if "factor" in names else None,
        )


def calibrated(network: Network, settings: Settings, folder: Run, model: str) -> Calibration:
    """Calibrate one model of a run, write the result and return it."""
    pack = open_pack(folder.pack(settings.calibrate_on))
    replacements = (condition.replacement for condition in settings.conditions.values())
    covariances = any(each is not None and each.covariance for each in replacements)
    calibration = calibrate(network, pack, settings.extraction.batch_size, covariances)
    facts = {
        "model": network.signature,
        "dataset": settings.calibrate_on,
        "images": str(len(pack.rows("calibration"))),
    }
    save_calibration(calibration, folder.calibration(model), facts)
    return calibration


def run(settings: Settings, folder: Run, model: str) -> None:
    """Load one model of a run, calibrate it and write the result."""
    network = load_network(settings.models[model], settings.seed, settings.extraction)
    calibrated(network, settings, folder, model)


def main() -> None:
    """Command line: calibrate one model of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--model", required=True)
    arguments = parser.parse_args()
    settings = load_settings(arguments.settings)
    take_gpu(settings.extraction.device)
    run(settings, Run(arguments.settings.parent), arguments.model)


if __name__ == "__main__":
    report_errors(main)
