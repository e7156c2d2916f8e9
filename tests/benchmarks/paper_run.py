"""What each part of a run costs, and hours for the whole: ``python -m tests.benchmarks.paper_run --help``.

Networks of the config's architectures with random weights pass generated images, part by part; each time is measured
on this machine. The work is counted from the config and the sizes of the public data sets. Hours are computed from
the two; the iterations of a probe depend on its features, so those of real ones may differ.
"""

import argparse
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import numpy as np
import torch
import yaml

from config.conditions import Condition
from config.resolve import resolve
from config.settings import Probe, Settings, settings
from extract.datasets.packs import VOID
from extract.features import clean_prefix, tokens_under, under
from extract.geometry import Spectra
from extract.measures import Reference, measuring
from extract.tasks.classification import probed
from extract.tasks.probes import LinearProbe, linear_probe
from extract.tasks.segmentation import class_logits, overlaps, pixel_classes
from extract.tokens import TokenLayout
from tests.benchmarks.extraction import Bench, bench, seconds

HOUR = 3600


@dataclass(frozen=True)
class Size:
    """Images of a data set: those that train a probe, and those scored, twins included."""

    train: int
    test: int
    pairs: int = 0
    classes: int = 0


# The validation set of ImageNet as config/paper.yaml splits it, Pascal VOC 2012, and the images of SPair-71k, of which
# the pairs of its test split use no more.
SIZES = {"imagenet": Size(35_000, 10_000, 2000, 1000), "voc": Size(1464, 1449, 0, 21), "spair": Size(0, 1800)}


@dataclass(frozen=True)
class Work:
    """What a config asks of one model.

    Attributes:
        passed: images passed by :mod:`extract.run`, by what such a pass costs (see :func:`kind`).
        calibration: images passed to calibrate.
        measured, attended: images × conditions of geometry, and of attention too, after every layer.
        probes: probes of classification.
        segmented: conditions under which a data set is segmented.
    """

    passed: Counter[str]
    calibration: int
    measured: int
    attended: int
    probes: int
    segmented: int


def kind(condition: Condition) -> str:
    """Return what a pass under a condition costs the same as, whichever registers are replaced."""
    if condition.by is None:
        return "full"
    return f"{condition.by} {re.sub(r'r[0-9]+.*', 'some registers', ' '.join(condition.tokens))}"


def work(chosen: Settings, layout: TokenLayout, depth: int) -> Work:
    """Count what a config asks of a model of that layout."""
    possible = [each for each in chosen.conditions.values() if not layout.missing(each.tokens)]
    passed: Counter[str] = Counter()
    segmented = probes = 0
    recorded = {dataset.name for dataset in chosen.recorded}
    for name, dataset in chosen.datasets.items():
        size = SIZES[name]
        for condition in possible:
            passed[kind(condition)] += (size.train + size.test + size.pairs) * (name in recorded)
        segmented += len(possible) * ("segmentation" in dataset.tasks)
        if "classification" in dataset.tasks:
            registers = tuple(f"r{k}" for k in range(1, len(layout.registers) + 1))
            for condition in possible:
                curve = condition.name in chosen.extraction.curves.conditions
                layers = tuple(range(depth)) if curve else (depth - 1,)
                found = SimpleNamespace(layers=layers, registers=registers, tokens=("cls", *registers, "patch_mean"))
                probes += len(probed(found, {depth - 1}, chosen.probe))  # type: ignore[arg-type]
    options = chosen.measures
    return Work(
        passed,
        chosen.datasets[chosen.calibrate_on].calibration,
        options.images * len(options.datasets) * len(possible),
        options.attention_images * len(options.datasets) * len(possible),
        probes,
        segmented,
    )


@dataclass(frozen=True)
class Part:
    """One measured part: seconds for one unit of work, and how many units a run asks for."""

    name: str
    unit: str
    each: float
    units: int
    forward: bool = False

    @property
    def hours(self) -> float:
        """Hours of the run that the part takes."""
        return self.each * self.units / HOUR


def timed(do: Callable[[], object], repeats: int) -> float:
    """Return the median time of ``do`` after a warm-up."""
    do()
    return median(seconds(lambda: (do(), None)[1]) for _ in range(repeats))


def parts(on: Bench, chosen: Settings, arguments: argparse.Namespace) -> Iterator[Part]:
    """Measure every part of one model's share of a run."""
    network, batch, repeats = on.network, len(on.images.rows), arguments.repeats
    asked = work(chosen, network.layout, network.depth)
    plain = timed(on.plain, repeats) / batch
    yield Part("plain forward pass", "image", plain, 0)
    by_kind = {kind(each): each for each in chosen.conditions.values() if not network.layout.missing(each.tokens)}
    for name, condition in by_kind.items():
        yield Part(name, "image", timed(on.under(condition), repeats) / batch, asked.passed[name], True)
    yield Part("calibration with covariances", "image", calibrated(on, repeats) / batch, asked.calibration)
    zero = next(each for each in by_kind.values() if each.by == "zero")
    for few, attended, name, units in (
        (arguments.measured, 0, "geometry, every layer", asked.measured),
        (arguments.measured, arguments.attended, "attention, every layer", asked.attended),
    ):
        base = timed(measured_pass(on, zero, few if attended else 0, 0), repeats)
        more = timed(measured_pass(on, zero, few, attended), repeats) - base
        yield Part(name, "image × condition", more / (attended or few), units)
    fit, iterations = probe_fit(arguments.probe_rows, network.dimension, SIZES["imagenet"].classes, chosen, arguments)
    scale = SIZES["imagenet"].train / arguments.probe_rows
    yield Part(f"probe of 1,000 classes ({iterations} iterations)", "probe", fit * scale, asked.probes)
    if asked.segmented:
        rows = arguments.segmentation_images * len(network.layout.patches)
        fit, iterations = probe_fit(rows, network.dimension, SIZES["voc"].classes, chosen, arguments)
        scale = SIZES["voc"].train / arguments.segmentation_images
        yield Part(f"segmentation probe ({iterations} iterations)", "condition", fit * scale, asked.segmented)
        images = asked.segmented * (SIZES["voc"].train + SIZES["voc"].test)
        yield Part("pass of segmentation", "image", plain, images, True)
        score = timed(lambda: scored(on, SIZES["voc"].classes), repeats) / batch
        yield Part("scoring of pixels", "image", max(score - plain, 0), asked.segmented * SIZES["voc"].test)


def measured_pass(on: Bench, condition: Condition, geometry: int, attention: int) -> Callable[[], None]:
    """Return a pass that measures so many images of the batch after every layer."""
    places, layers = np.arange(len(on.images.rows)), tuple(range(on.network.depth))
    reference, spectra = Reference.of(on.network, places[:geometry], places[:attention]), Spectra()

    @torch.inference_mode()
    def run() -> None:
        with (
            under(on.network, on.images, condition, on.calibration),
            measuring(on.network, layers, reference, spectra),
        ):
            on.network.run(on.images.x)
        spectra.solve()

    return run


def calibrated(on: Bench, repeats: int) -> float:
    """Return the time of a batch of calibration: moments and products in float64; not that of the factor, made once."""

    def do() -> None:
        values = clean_prefix(on.network, on.images.x).double().transpose(0, 1)
        centred = values - values.mean(dim=0)
        centred.sum(dim=0), centred.square().sum(dim=0), torch.einsum("nltd,nlte->ltde", centred, centred)

    return timed(do, repeats)


def probe_fit(
    rows: int, dimension: int, classes: int, chosen: Settings, arguments: argparse.Namespace
) -> tuple[float, int]:
    """Return the time of one probe, its penalties compared, on generated features, and iterations of the last fit."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % classes
    means = rng.normal(size=(classes, dimension)) * np.geomspace(1, 0.03, dimension)
    features = (means[labels] + rng.normal(size=(rows, dimension))).astype(np.float32)
    options: Probe = replace(chosen.probe, iterations=20 * chosen.probe.iterations)
    units = list(map(str, range(rows)))
    found = []
    each = seconds(lambda: found.append(linear_probe(features, labels, units, options, arguments.device)))
    return each, found[0].iterations


def scored(on: Bench, classes: int) -> None:
    """Pass a batch, and score a probe on its pixels, as the segmentation does."""
    network = on.network
    tokens = tokens_under(network, on.images, Condition("full"), None, (network.depth - 1,)).patches[:, 0]
    rng, n, side = np.random.default_rng(0), len(on.images.rows), network.image_size
    weights = rng.normal(size=(network.dimension, classes))
    ones = np.ones(network.dimension)
    probe = LinearProbe(0 * ones, ones, weights, np.zeros(classes), np.arange(classes), 1.0, 0.0, 1, 1)
    actual = torch.from_numpy(rng.integers(0, classes, (n, side, side)).astype(np.uint8)).to(tokens.device)
    actual[:, 0] = VOID
    predicted = pixel_classes(class_logits(probe, tokens, classes), network.layout.grid, (side, side))
    for each in overlaps(predicted, actual, classes):
        each.cpu().numpy()


def main() -> None:
    """Command line: measure, count, and print a table for every model and the sum."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("config/paper.yaml"))
    parser.add_argument("--models", nargs="+", help="of the config; all where left out")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--measured", type=int, default=6, help="images of a batch whose geometry is measured")
    parser.add_argument("--attended", type=int, default=3, help="images of a batch whose attention is measured")
    parser.add_argument("--probe-rows", type=int, default=35_000, help="times of fewer are scaled to 35,000")
    parser.add_argument("--segmentation-images", type=int, default=1464, help="times of fewer are scaled to 1,464")
    arguments = parser.parse_args()
    chosen = settings(resolve(yaml.safe_load(arguments.config.read_text())))
    total = forward = 0.0
    for model in chosen.models.values():
        if arguments.models and model.name not in arguments.models:
            continue
        assert model.architecture is not None and model.image_size is not None
        on = bench(model.architecture, arguments.batch, arguments.device, arguments.precision, model.image_size)
        print(f"{model.name}: {model.architecture}, batches of {arguments.batch}, {arguments.precision}")
        print("  measured: a second | counted: units | computed: hours | part")
        for part in parts(on, chosen, arguments):
            print(f"  {1 / part.each if part.each else 0:12.3f} | {part.units:9,} | {part.hours:8.3f} | {part.name}")
            total += part.hours
            forward += part.hours * part.forward
    print(f"computed: {total:.2f} hours, of which {forward:.2f} in passes of the networks; reading of images left out")


if __name__ == "__main__":
    main()
