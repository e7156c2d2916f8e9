"""What interventions and measures cost: throughput as a share of the plain forward pass.

``uv run python -m tests.benchmarks.extraction`` prints a table; docs/performance.md holds one. Every row's passes
alternate with plain ones, so that whatever else a machine does meets both, and the median of the ratios is taken.
With ``--project config/paper.yaml`` it prints instead how long the extraction of that run would take on this machine.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
import yaml

from config.conditions import Condition
from config.resolve import resolve
from config.settings import Curves, Extraction, Model, settings
from extract.calibration import covariance_factor
from extract.draws import Batch
from extract.features import Images, clean_prefix, under
from extract.geometry import Spectra
from extract.measures import Reference, measuring
from extract.models import Network, load_network
from extract.replacements import Calibration

CONDITIONS = (
    Condition("full"),
    Condition("zero_registers", ("registers",), "zero"),
    Condition("mean_registers", ("registers",), "mean"),
    Condition("noise_registers", ("registers",), "noise"),
    Condition("resample_registers", ("registers",), "resample"),
    Condition("shuffle_registers", ("registers",), "shuffle"),
    Condition("shuffle_trajectory_registers", ("registers",), "shuffle_trajectory"),
    Condition("zero_random_patches", ("random_patches",), "zero", draw=1),
)


@dataclass(frozen=True)
class Bench:
    """A network and a batch, and what a pass over it may need."""

    network: Network
    calibration: Calibration
    images: Images

    def plain(self) -> None:
        """The forward pass and nothing else."""
        with torch.inference_mode():
            self.network.run(self.images.x)

    def under(self, condition: Condition, layers: tuple[int, ...] = (), attention: bool = False) -> Callable[[], None]:
        """A pass under a condition, with measures after ``layers`` of every image."""
        all_ = np.arange(len(self.images.rows)) if layers else np.zeros(0, np.int64)
        attended = all_ if attention else all_[:0]
        reference, spectra = Reference.of(self.network, all_, attended), Spectra()

        @torch.inference_mode()
        def run() -> None:
            with (
                under(self.network, self.images, condition, self.calibration),
                measuring(self.network, layers, reference, spectra),
            ):
                self.network.run(self.images.x)
            spectra.solve()

        return run


def bench(architecture: str, batch: int, device: str, precision: str, image_size: int = 224) -> Bench:
    """Build a network with random weights and a batch of random images."""
    model = Model("bench", "timm", "bench", "S", architecture, image_size, "random")
    options = Extraction(device, batch, (-1,), precision, Curves((), ()))
    network = load_network(model, 0, options)
    images = np.random.default_rng(0).integers(0, 256, (batch, image_size, image_size, 3), dtype=np.uint8)
    x = network.input(images)
    clean = clean_prefix(network, x)
    values = clean.double()  # stands in for a calibration split; what the numbers are does not matter here
    mean, variance = values.mean(dim=1), values.var(dim=1)
    centred = values - mean[:, None]
    factor = covariance_factor(torch.einsum("lntd,lnte->ltde", centred, centred) / batch).float()
    calibration = Calibration(mean.float(), variance.float(), network.layout.prefix, factor)
    identities = Batch(tuple(map(str, range(batch))), ("group",) * batch, seed=0)
    return Bench(network, calibration, Images(np.arange(batch), x, identities, clean))


def ratio(one: Callable[[], None], other: Callable[[], None], repeats: int) -> float:
    """Return the median of time of ``one`` / time of ``other``, after a warm-up of each."""
    one(), other()
    return median(seconds(one) / seconds(other) for _ in range(repeats))


def seconds(work: Callable[[], None]) -> float:
    """Return how long a pass takes."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def table(on: Bench, repeats: int) -> Iterator[tuple[str, float]]:
    """Yield what is done besides the plain pass, and the throughput as a share of the plain one's."""
    for condition in CONDITIONS:
        if not on.network.layout.missing(condition.tokens):
            yield condition.name, ratio(on.plain, on.under(condition), repeats)
    zero = CONDITIONS[1] if on.network.layout.registers else Condition("zero_cls", ("cls",), "zero")
    every, last = tuple(range(on.network.depth)), (on.network.depth - 1,)
    yield f"{zero.name}, geometry of the last layer", ratio(on.plain, on.under(zero, last), repeats)
    yield f"{zero.name}, geometry of every layer", ratio(on.plain, on.under(zero, every), repeats)
    yield f"{zero.name}, geometry and attention of every layer", ratio(on.plain, on.under(zero, every, True), repeats)


def projected_hours(on: Bench, conditions: Iterable[Condition], images: int, repeats: int) -> float:
    """Return how long a model takes for so many images under every condition that it can be put under."""
    batch = len(on.images.rows)
    each = sum(
        median(seconds(on.under(condition)) for _ in range(repeats))
        for condition in conditions
        if not on.network.layout.missing(condition.tokens)
    )
    return each * images / batch / 3600


def project(config: Path, images: int, batch: int, device: str, precision: str, repeats: int) -> None:
    """Print the projected hours of every timm model of a config, and their sum."""
    chosen = settings(resolve(yaml.safe_load(config.read_text())))
    total = 0.0
    for model in chosen.models.values():
        if model.architecture is not None and model.image_size is not None:
            on = bench(model.architecture, batch, device, precision, model.image_size)
            hours = projected_hours(on, chosen.conditions.values(), images, repeats)
            print(f"{hours:8.2f} h  {model.name}")
            total += hours
    print(f"{total:8.2f} h  {images} images, {len(chosen.conditions)} conditions")


def main() -> None:
    """Command line: print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--architecture", default="vit_small_patch14_reg4_dinov2")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--project", type=Path, metavar="CONFIG", help="a config whose timm models are timed")
    parser.add_argument("--images", type=int, default=50_000, help="images of the projection")
    arguments = parser.parse_args()
    if arguments.project:
        options = (arguments.batch, arguments.device, arguments.precision, arguments.repeats)
        project(arguments.project, arguments.images, *options)
        return
    on = bench(arguments.architecture, arguments.batch, arguments.device, arguments.precision)
    each = median(seconds(on.plain) for _ in range(arguments.repeats))
    print(f"plain forward pass: {arguments.batch / each:.1f} images/s")
    for what, share in table(on, arguments.repeats):
        print(f"{share:6.3f}  {what}")


if __name__ == "__main__":
    main()
