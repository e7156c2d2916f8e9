"""What a run reads and does not make: which of it is present, missing or damaged."""

import hashlib
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from config.inputs import missing_data, missing_weights
from config.layout import Run
from config.settings import Dataset, Model, Settings
from extract.preflight.catalogue import Terms, catalogue, public_dataset, terms_of_dataset, terms_of_model
from extract.preflight.layouts import class_counts, faults, image_count, lines

PRESENT, MISSING, DAMAGED = "present", "MISSING", "DAMAGED"
CHECKPOINT = "model.safetensors"


@dataclass(frozen=True)
class Size:
    """Images of a data set by what they are for, without those that calibrate; twins are images too."""

    calibration: int
    train: int
    test: int
    pairs: int
    twins: int
    classes: int

    @property
    def images(self) -> int:
        """All images of its pack."""
        return self.calibration + self.evaluated

    @property
    def evaluated(self) -> int:
        """Images that pass under every condition."""
        return self.train + self.test + self.twins


@dataclass(frozen=True)
class Item:
    """A model or data set of a run.

    Attributes:
        key: of the config.
        state: PRESENT, MISSING or DAMAGED.
        what: what was found, or what is wrong and where it belongs.
        terms: how to get it, where the catalogue knows.
    """

    key: str
    state: str
    what: str
    terms: Terms | None = None


def inventory(settings: Settings, run: Run) -> tuple[Item, ...]:
    """Return every model and data set of a run, in the order of the config."""
    models = (_model(model) for model in settings.models.values())
    return (*models, *(_dataset(dataset, run) for dataset in settings.datasets.values()))


def _model(model: Model) -> Item:
    key, terms = f"models.{model.name}", terms_of_model(model)
    if model.weights is None:
        return Item(key, PRESENT, "weights of this project, in the checkout")
    if model.random:
        return Item(key, PRESENT, "random weights: nothing is read")
    if model.weights != "hub":
        if complaint := missing_weights(model):
            return Item(key, MISSING, complaint, terms)
        return _checked(key, Path(model.weights), model, terms)
    if (cached := _cached(model)) is not None:
        return _checked(key, cached, model, terms)
    where = "timm downloads it when the run starts; without a network, set the key weights to the path of the file"
    return Item(key, MISSING, f"{model.architecture} is not in the cache of the Hugging Face hub; {where}", terms)


def _cached(model: Model) -> Path | None:
    """Return the file that an earlier download left in the cache of the hub."""
    facts = catalogue()["models"].get((model.architecture or "").split(".")[0])
    if facts is None:
        return None
    # Its import takes half a second, and a run without hub weights needs none of it.
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(facts["hub"], CHECKPOINT)
    return Path(found) if isinstance(found, str) else None


def _checked(key: str, path: Path, model: Model, terms: Terms | None) -> Item:
    """Return a checkpoint's item: its hash where the config gives one, otherwise whether it is whole."""
    if model.sha256 is not None:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != model.sha256:
            return Item(key, DAMAGED, f"{path} has the SHA-256 {digest}, not that of models.{model.name}.sha256", terms)
        return Item(key, PRESENT, f"{path}, SHA-256 as the config says", terms)
    if fault := _fault(path):
        return Item(key, DAMAGED, f"{path} {fault}; fetch it again", terms)
    return Item(key, PRESENT, f"{path}, {path.stat().st_size / 1e6:,.0f} MB", terms)


def _fault(path: Path) -> str:
    """Return what is wrong with the outside of a checkpoint: cut short, or no checkpoint; empty where nothing is."""
    if path.suffix != ".safetensors":
        return "" if zipfile.is_zipfile(path) or path.stat().st_size > 1e6 else "is cut short or no checkpoint"
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if 0 < length < size else {}
        ends = [each["data_offsets"][1] for name, each in header.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError):
        return "is no safetensors file"
    whole = 8 + length + max(ends, default=0)
    return "" if ends and size == whole else f"has {size:,} bytes and should have {whole:,}"


def _dataset(dataset: Dataset, run: Run) -> Item:
    key, terms = f"datasets.{dataset.name}", terms_of_dataset(dataset)
    if dataset.path is None:
        return Item(key, PRESENT, "drawn by this project: nothing is read")
    if run.pack(dataset.name).facts.exists():
        return Item(key, PRESENT, f"packed already in {run.pack(dataset.name).folder}; its folder is not read again")
    if complaint := missing_data(dataset):
        return Item(key, MISSING, complaint, terms)
    if found := list(faults(dataset)):
        return Item(key, DAMAGED, "; ".join(found), terms)
    size = size_of(dataset, run)
    return Item(key, PRESENT, f"{dataset.path}" + (f", {size.images - size.twins:,} images" if size else ""), terms)


def size_of(dataset: Dataset, run: Run) -> Size | None:
    """Return the size of a data set: of its pack, of the config, of its folder, or of the public one; else None."""
    facts = run.pack(dataset.name).facts
    if facts.exists():
        splits = yaml.safe_load(facts.read_text(encoding="utf-8"))
        counts = {name: int(each["images"]) for name, each in splits["splits"].items()}
        pairs = int(splits["pairs"])
        twins = 0 if dataset.source == "spair" else pairs
        calibration, train, test = (counts.get(name, 0) for name in ("calibration", "train", "test"))
        return Size(calibration, train, test, pairs, twins, int(splits["classes"]))
    if dataset.source == "scenes":
        train = dataset.train + dataset.calibration * dataset.calibration_trains
        return Size(dataset.calibration, train, dataset.test, dataset.pairs, dataset.pairs, 10)
    public = public_dataset(dataset) or {}
    there = missing_data(dataset) is None
    if dataset.source == "spair":
        pairs = len(lines(dataset.path / "Layout/large/test.txt")) if there and dataset.path else public["pairs"]
        return Size(0, 0, public["images"], pairs, 0, 0)
    if dataset.source in ("voc", "ade20k", "nyu"):
        if there and dataset.path is not None and dataset.source == "voc":
            lists = dataset.path / "ImageSets" / "Segmentation"
            train, test = (len(lines(lists / f"{name}.txt")) for name in ("train", "val"))
        elif there and dataset.path is not None and dataset.source == "ade20k":
            train, test = (image_count(dataset.path / "images" / name) for name in ("training", "validation"))
        elif public:
            train, test = public["train"], public["test"]
        else:
            return None
        return _split(dataset, train, test, 0)
    if dataset.source not in ("class_folders", "imagenet"):
        return None
    return _class_folder_size(dataset, there and dataset.source == "class_folders")


def _class_folder_size(dataset: Dataset, there: bool) -> Size | None:
    """Return the size of class folders, which may not be there yet."""
    public = public_dataset(dataset) or {}
    if there:
        counted = class_counts(dataset)
        if not counted.whole and "per_class" not in public and dataset.per_class is None:
            return None
        counts = counted.found if counted.whole else dict.fromkeys(counted.found, public.get("per_class", 0))
    elif "classes" in public and ("per_class" in public or dataset.per_class is not None):
        counts = dict.fromkeys(map(str, range(public["classes"])), public.get("per_class", dataset.per_class or 0))
    else:
        return None
    if dataset.per_class is not None:
        counts = {name: min(n, dataset.per_class) or dataset.per_class for name, n in counts.items()}
    if dataset.test_share is not None:
        test = sum(round(n * dataset.test_share) for n in counts.values())
        return _split(dataset, sum(counts.values()) - test, test, len(counts))
    test = sum(n for name, n in counts.items() if name.startswith(("test", "val")))
    return _split(dataset, sum(counts.values()) - test, test, len(counts) // 2)


def _split(dataset: Dataset, train: int, test: int, classes: int) -> Size:
    twins = min(dataset.pairs, test)
    apart = 0 if dataset.calibration_trains else dataset.calibration
    return Size(dataset.calibration, max(train - apart, 0), test, twins, twins, classes)
