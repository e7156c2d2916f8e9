"""Segmentation: a linear probe on patch tokens, scored in pixels; ``python -m extract.tasks.segmentation --help``.

Patch tokens are not recorded, so this task runs the model itself: over training images to fit a probe, then over
test images, which are reduced to intersections and unions as they come.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from torch import Tensor
from tqdm import tqdm

from config.errors import report_errors
from config.layout import Run
from config.settings import Condition, Settings, load_settings
from extract.calibration import load_calibration
from extract.datasets.packs import OpenPack, open_pack
from extract.features import passes
from extract.interventions import Calibration
from extract.models import Network, load_network
from extract.outcomes import Counts, save_outcomes
from extract.tasks.probes import linear_probe

TASK = "segmentation"


def patch_classes(masks: NDArray[np.uint8], grid: tuple[int, int], classes: int) -> NDArray[np.int64]:
    """Return the class that covers most of every patch, n × patches, from masks n×H×W."""
    one_hot = F.one_hot(torch.from_numpy(masks).long(), classes).permute(0, 3, 1, 2).float()
    covered = F.interpolate(one_hot, size=grid, mode="area")
    labels: NDArray[np.int64] = covered.argmax(dim=1).flatten(1).numpy()
    return labels


def pixel_classes(logits: Tensor, grid: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Return the class of every pixel, B×H×W, from patch logits B × patches × classes.

    The logits are interpolated bilinearly, then the largest wins.
    """
    maps = logits.transpose(1, 2).reshape(len(logits), -1, *grid)
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False).argmax(dim=1)


def overlaps(
    predicted: NDArray[np.int64], actual: NDArray[np.uint8], classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return intersection and union in pixels, n × classes each, of class maps n×H×W."""
    n = len(actual)
    pairs = (predicted * classes + actual).reshape(n, -1) + (np.arange(n) * classes**2)[:, None]
    confusion = np.bincount(pairs.ravel(), minlength=n * classes**2).reshape(n, classes, classes)
    intersection = np.diagonal(confusion, axis1=1, axis2=2)
    return intersection, confusion.sum(axis=1) + confusion.sum(axis=2) - intersection


def segment(
    network: Network,
    calibration: Calibration,
    pack: OpenPack,
    condition: Condition,
    names: list[str],
    settings: Settings,
    dataset: str,
) -> Counts:
    """Train a probe on the last layer's patches under a condition, and score it under the same one (matched)."""
    assert pack.masks is not None
    classes = len(names)
    grid = network.layout.grid
    layers = (network.depth - 1,)
    batch_size, seed = settings.extraction.batch_size, settings.seed
    train = pack.rows("train")[: settings.datasets[dataset].segmentation_train]

    def patches(rows: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        for part, tokens in passes(network, pack, rows, condition, calibration, layers, batch_size, seed):
            yield part, tokens.patches[:, 0].float().cpu().numpy()

    seen = list(patches(train))
    features = np.concatenate([tokens for _, tokens in seen])
    order = np.concatenate([part for part, _ in seen])
    labels = patch_classes(np.asarray(pack.masks[order]), grid, classes)
    probe = linear_probe(
        features.reshape(-1, features.shape[-1]),
        labels.ravel(),
        settings.probe.c,
        settings.probe.iterations,
    )

    rows, parts = [], []
    for part, tokens in patches(pack.rows("test")):
        actual = np.asarray(pack.masks[part])
        logits = _logits(probe, tokens, classes)
        predicted = pixel_classes(logits, grid, actual.shape[1:]).numpy()
        parts.append(overlaps(predicted, actual, classes))
        rows.append(part)
    units = pack.index["unit"].to_numpy(dtype=str)[np.concatenate(rows)]
    intersection, union = (np.concatenate(each) for each in zip(*parts, strict=True))
    unit, category = np.nonzero(union)
    return Counts(
        dataset,
        condition.name,
        "matched",
        units=units[unit],
        categories=np.array(names)[category],
        numerator=intersection[unit, category].astype(np.float64),
        denominator=union[unit, category].astype(np.float64),
    )


def _logits(probe: Pipeline, tokens: NDArray[np.float32], classes: int) -> Tensor:
    """Return logits for every class; one that the probe never saw in training can never win."""
    n, patches, dimension = tokens.shape
    decision = probe.decision_function(tokens.reshape(-1, dimension).astype(np.float64))
    logits = np.full((n * patches, classes), -np.inf)
    if decision.ndim == 1:  # two classes: scikit-learn gives the second one's margin over the first
        decision = np.stack([-decision / 2, decision / 2], axis=1)
    logits[:, probe.classes_] = decision
    # Interpolation turns −inf into NaN, so a very low finite value stands for it.
    return torch.from_numpy(np.maximum(logits, -1e6)).view(n, patches, classes)


def run(settings: Settings, folder: Run, model: str) -> None:
    """Segment every data set of a run that asks for it, through one model, and write the outcomes."""
    network = load_network(settings.models[model], settings.seed, settings.extraction)
    calibration = load_calibration(folder.calibration(model), network.device)
    counts = []
    for dataset in settings.datasets_with(TASK):
        pack = open_pack(folder.pack(dataset.name))
        names = ["background", *_class_names(pack)]
        for condition in tqdm(settings.conditions.values(), desc=f"segment {model}", mininterval=5):
            if not network.layout.missing(condition.tokens):
                counts.append(segment(network, calibration, pack, condition, names, settings, dataset.name))
    save_outcomes(counts, TASK, settings.models[model], folder.outcomes(TASK, model))


def _class_names(pack: OpenPack) -> list[str]:
    named = pack.index.drop_duplicates("label").sort_values("label")
    return named["class_name"].tolist()


def main() -> None:
    """Command line: segment through one model of a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="settings.yaml of the run")
    parser.add_argument("--model", required=True)
    arguments = parser.parse_args()
    run(load_settings(arguments.settings), Run(arguments.settings.parent), arguments.model)


if __name__ == "__main__":
    report_errors(main)
