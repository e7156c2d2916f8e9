"""What a run costs, computed from its config: passes, hours, disk and memory.

Work is counted exactly: images × conditions, probes, bytes of every tensor. Hours follow from it by the rates of the
catalogue, and are rough; `tests/extract/test_preflight.py` compares disk with the files of an extraction, and
`tests/benchmarks/test_preflight_time.py` hours and memory with measured ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from config.conditions import Condition
from config.settings import Dataset, Layers, Model, Settings
from config.vocabulary.sources import SOURCES
from extract.preflight.catalogue import Shape, catalogue, mask_classes
from extract.preflight.inventory import Size

# Bytes of a recorded feature, of one of a layer curve (and of a depth in millimetres), and of a count.
SINGLE, HALF, COUNT = 4, 2, 8
MEASURE_BYTES = 40  # of one measured image, condition and layer, compressed
TEMPORARY = ("packs", "records")  # kinds of files that a config may not keep
BASE_MEMORY = 0.9e9  # of a process with torch and timm imported


@dataclass(frozen=True)
class Cost:
    """What one model, or a whole run, costs.

    Attributes:
        passes: images × conditions.
        flops: operations of all forward passes, and of what is counted in forward passes.
        probe_flops: operations of probes.
        seconds: of what no operation is counted for: decoding, start of jobs.
        disk: bytes by kind of file.
        memory: most bytes that one process holds, on the host.
        device_memory: most bytes that one pass holds on the device.
    """

    passes: int = 0
    flops: float = 0.0
    probe_flops: float = 0.0
    seconds: float = 0.0
    disk: Mapping[str, float] = field(default_factory=dict)
    memory: float = 0.0
    device_memory: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        """Return the sum; of memory, the larger one, since jobs of one device follow each other."""
        kinds = dict.fromkeys((*self.disk, *other.disk))
        return Cost(
            self.passes + other.passes,
            self.flops + other.flops,
            self.probe_flops + other.probe_flops,
            self.seconds + other.seconds,
            {kind: self.disk.get(kind, 0.0) + other.disk.get(kind, 0.0) for kind in kinds},
            max(self.memory, other.memory),
            max(self.device_memory, other.device_memory),
        )

    def hours(self, flops: float) -> float:
        """Return the hours on a device that reaches so many operations a second."""
        return ((self.flops + self.probe_flops) / flops + self.seconds) / 3600

    @property
    def bytes(self) -> float:
        """All bytes that a run writes; on disk at one time they are fewer where files are deleted on the way."""
        return sum(self.disk.values())

    def left(self, keep: Sequence[str]) -> float:
        """Return the bytes on disk after a run that keeps some kinds of large files (``keep`` of the config)."""
        return sum(size for kind, size in self.disk.items() if kind in keep or kind not in TEMPORARY)


def cost_of(settings: Settings, shapes: Mapping[str, Shape], sizes: Mapping[str, Size]) -> Cost:
    """Return the cost of a run.

    Args:
        settings: of the run.
        shapes: model → shape of its network.
        sizes: data set → its size; a data set that is left out is not counted.
    """
    total = Cost()
    for name, size in sizes.items():
        total += _of_pack(settings.datasets[name], size)
    for name, shape in shapes.items():
        total += of_model(settings, settings.models[name], shape, sizes)
    return total


def _of_pack(dataset: Dataset, size: Size) -> Cost:
    rates, pixels = catalogue()["rates"], dataset.image_size**2
    has = SOURCES[dataset.source].has
    by_pixel = pixels * size.images * (("masks" in has) + HALF * ("depths" in has))
    seconds = size.images * rates["decode_ms"] / 1000 / 2 + rates["process_s"]
    return Cost(seconds=seconds, disk={"packs": 3 * pixels * size.images + by_pixel}, memory=BASE_MEMORY / 2)


def of_model(settings: Settings, model: Model, shape: Shape, sizes: Mapping[str, Size]) -> Cost:
    """Return what one model of a run costs."""
    possible = [each for each in settings.conditions.values() if shape.has(each.tokens)]
    rates, options = catalogue()["rates"], settings.extraction
    recorded = [sizes[dataset.name] for dataset in settings.recorded if dataset.name in sizes]
    passes = sum(size.evaluated for size in recorded) * len(possible)
    # Of forward passes: block 0 is run once for all conditions.
    extra = -sum(size.evaluated for size in recorded) * (len(possible) - 1) / shape.depth
    if settings.calibrate_on in sizes:
        extra += sizes[settings.calibrate_on].calibration
    measured = [name for name in settings.measures.datasets if name in sizes]
    layers = shape.depth if settings.measures.layers is None else len(settings.measures.layers)
    geometry = len(measured) * settings.measures.images * len(possible)
    attention = len(measured) * settings.measures.attention_images * len(possible)
    part = layers / shape.depth
    extra += part * (geometry * rates["geometry"] + attention * rates["attention"]) + rates["condition"] * passes
    records = sum(_records(settings, each, shape, size) for each in possible for size in recorded)
    disk = {"records": records, "calibration": _calibration(settings, shape)}
    disk["measures"] = float(MEASURE_BYTES * geometry * layers)
    jobs = 2 + sum(dataset.shards for dataset in settings.recorded if dataset.name in sizes)
    cost = Cost(
        passes,
        (passes + extra) * shape.flops,
        0.0,
        jobs * rates["process_s"],
        disk,
        BASE_MEMORY + _weights(shape) + _evaluated(settings, shape, sizes),
        _weights(shape) + _held_in_a_pass(options.batch_size, shape),
    )
    return cost + _probes(settings, shape, sizes, possible)


def recorded_bytes(settings: Settings, condition: Condition, shape: Shape, images: int, pairs: int) -> int:
    """Return the bytes of a record's tensors: of so many images and pairs under a condition, without the header."""
    exact = _resolved(settings.extraction.layers, shape.depth)
    layers = _resolved(settings.extraction.layers_of(condition), shape.depth)
    matched = layers if condition.name in settings.extraction.curves.conditions else {max(layers)}
    numbers = (shape.prefix + 1) * shape.dimension  # every prefix token, and the mean of the patches
    stored = HALF if settings.extraction.record_precision == "float16" else SINGLE
    features = images * numbers * sum(stored if layer in exact else HALF for layer in layers)
    return features + COUNT * (images + pairs * (2 + 2 * len(matched)))


def _records(settings: Settings, condition: Condition, shape: Shape, size: Size) -> float:
    return float(recorded_bytes(settings, condition, shape, size.evaluated, size.pairs))


def _resolved(layers: Layers, depth: int) -> set[int]:
    return set(range(depth)) if layers is None else {layer % depth for layer in layers}


def calibration_bytes(shape: Shape, covariances: bool) -> int:
    """Return the bytes of a calibration's tensors: mean, variance and, where asked for, the factor of a covariance."""
    moments = shape.depth * shape.prefix * shape.dimension
    return SINGLE * moments * (2 + shape.dimension * covariances) + COUNT * shape.prefix


def _calibration(settings: Settings, shape: Shape) -> float:
    replacements = (condition.replacement for condition in settings.conditions.values())
    return float(calibration_bytes(shape, any(each is not None and each.covariance for each in replacements)))


def _probes(settings: Settings, shape: Shape, sizes: Mapping[str, Size], possible: list[Condition]) -> Cost:
    """Return the cost of the probes, and of the passes of the dense tasks."""
    rates, options = catalogue()["rates"], settings.probe
    fits = len(options.strengths) * (1 - options.held_out) + 1 if len(options.strengths) > 1 else 1.0
    each = 4 * (shape.dimension + 1) * rates["probe_iterations"] * fits  # forward and backward
    probe_flops = flops = 0.0
    passes = 0
    for name, size in sizes.items():
        tasks = settings.datasets[name].tasks
        if "classification" in tasks:
            probe_flops += sum(_probed(settings, one, shape) for one in possible) * size.train * size.classes * each
            refits = options.refits * len(possible) * size.train * size.classes * each / fits
            probe_flops += refits
        if "segmentation" in tasks:
            images = min(settings.datasets[name].segmentation_train, size.train)
            classes = mask_classes(settings.datasets[name])
            probe_flops += len(possible) * images * shape.grid**2 * classes * each
            passes += len(possible) * (images + size.test)
            flops += len(possible) * (images + size.test) * shape.flops
        if "metric_depth" in tasks:  # fitted in closed form, from products of features
            probe_flops += 2 * len(possible) * size.train * shape.grid**2 * (shape.dimension + 2) ** 2
            passes += len(possible) * (size.train + size.test)
            flops += len(possible) * (size.train + size.test) * shape.flops
    return Cost(passes, flops, probe_flops)


def _probed(settings: Settings, condition: Condition, shape: Shape) -> int:
    """Count the probes of classification under a condition, as `extract.tasks.classification.probed` does."""
    every = shape.prefix + 1 + (shape.registers > 0)
    there = {"cls": int(shape.cls), "registers": shape.registers, "register_mean": int(shape.registers > 0)}
    asked = sum(there.get(token, 1) for token in settings.probe.tokens)
    curve = condition.name in settings.extraction.curves.conditions
    layers = len(_resolved(settings.extraction.layers_of(condition), shape.depth))
    return (every if curve and layers > len(settings.extraction.layers) else asked) * layers


def _weights(shape: Shape) -> float:
    return SINGLE * 12.0 * shape.depth * shape.dimension**2


def _held_in_a_pass(batch: int, shape: Shape) -> float:
    """Return the bytes that a pass holds: an MLP's hidden layer, and the attention of every head, written out."""
    heads = max(1, shape.dimension // 64)
    return SINGLE * batch * (12.0 * shape.tokens * shape.dimension + 2.0 * heads * shape.tokens**2)


def _evaluated(settings: Settings, shape: Shape, sizes: Mapping[str, Size]) -> float:
    """Return the bytes that the largest probe holds, or, where it is more, a pass on the host."""
    largest = _held_in_a_pass(settings.extraction.batch_size, shape)
    for name, size in sizes.items():
        tasks, rows = settings.datasets[name].tasks, 0
        if "classification" in tasks:
            rows, classes = size.train, size.classes
        if "segmentation" in tasks:
            rows = min(settings.datasets[name].segmentation_train, size.train) * shape.grid**2
            classes = mask_classes(settings.datasets[name])
        if rows:
            largest = max(largest, SINGLE * rows * (3.0 * shape.dimension + 4.0 * classes))
    return largest
