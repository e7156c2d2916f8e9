"""Files that a run needs and does not make: folders of data sets, and checkpoints."""

from pathlib import Path

from config.layout import Run
from config.resolve import ConfigError
from config.settings import Dataset, Model, Settings
from config.vocabulary.sources import SOURCES


def missing_data(dataset: Dataset) -> str | None:
    """Say what of a data set is not there, naming the key to set; None where all is."""
    if dataset.path is None:
        return None
    key = f"datasets.{dataset.name}.path"
    # With a share, the classes lie in the folder itself, without a folder for each split.
    split = dataset.source != "class_folders" or dataset.test_share is None
    expected = SOURCES[dataset.source].layout if split else ()
    wanted = f"the folder that holds {', '.join(expected)}" if expected else "the folder of the images"
    if not dataset.path.is_dir():
        return f"{key}: there is no folder {dataset.path}; set the key to {wanted}"
    if absent := [name for name in expected if not any((dataset.path / one).exists() for one in name.split(" or "))]:
        return f"{key}: {dataset.path} lacks {', '.join(absent)}; set the key to {wanted}"
    return None


def folder_of_tests(root: Path) -> Path:
    """Return the folder of the images that class folders are tested on: test, or val where there is none."""
    return root / "test" if (root / "test").is_dir() or not (root / "val").is_dir() else root / "val"


def missing_weights(model: Model) -> str | None:
    """Say that a model's checkpoint is not there, naming the key to set; None where it is, or is no path."""
    if model.weights in (None, "hub", "random") or Path(model.weights).is_file():
        return None
    hub = ", or to hub to download it" if model.source == "timm" else ""
    key = f"models.{model.name}.weights"
    return f"{key}: there is no file {model.weights}; set the key to a .safetensors or .pth file{hub}"


def require_inputs(settings: Settings, run: Run) -> None:
    """Check that every data set and checkpoint of a run is there; data sets that are packed already are not needed.

    Raises:
        ConfigError: naming everything that is missing at once.
    """
    unpacked = [dataset for name, dataset in settings.datasets.items() if not run.pack(name).facts.exists()]
    found = [*map(missing_data, unpacked), *map(missing_weights, settings.models.values())]
    if missing := [line for line in found if line is not None]:
        raise ConfigError("\n  ".join([f"Run {settings.run!r} needs files that are not there:", *missing]))
