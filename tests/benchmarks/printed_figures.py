"""Which printed figures a precision changes: ``uv run python -m tests.benchmarks.printed_figures``.

A small run goes through the extraction, the tasks and the analysis in every precision, TF32 emulated where there is
no GPU, and every number of its tables is compared as the report prints it with that of float32.
"""

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import yaml

from analysis.__main__ import main as analyse
from analysis.rows.registry import TABLES, TESTS
from analysis.rows.schema import columns_of, read_cells
from config.layout import ROOT, Run
from config.resolve import resolve
from config.settings import settings
from extract import calibration, evaluate, run
from extract.datasets.prepare import prepare
from extract.tasks import dense
from extract.tasks.segmentation import Segmentation
from reports.numbers import p_value, percent, quantity
from tests.extract import tf32_emulation

CONDITIONS = ("full", "zero_cls", "zero_registers", "mean_registers", "noise_registers", "shuffle_registers", "zero_r1")
UNPRINTED = ("nulls",)  # histograms, which are drawn
VARIANTS: Mapping[str, Mapping[str, str]] = {
    "float32": {},
    "tf32": {"precision": "tf32"},
    "bfloat16": {"precision": "bfloat16"},
    "float16 records": {"record_precision": "float16"},
}


def config_of(extraction: Mapping[str, str], models: tuple[str, ...], images: int) -> dict[str, Any]:
    """Return the config of a run on scenes: so many test images, and as many to train on."""
    demo = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text())
    scenes = {**demo["datasets"]["scenes"], "calibration": images // 2, "train": images, "test": images}
    return {
        "run": "precision",
        "models": {name: demo["models"][name] for name in models},
        "datasets": {"scenes": {**scenes, "pairs": images // 2, "segmentation_train": 48}},
        "conditions": {name: demo["conditions"][name] for name in CONDITIONS},
        "extraction": dict(extraction),
        "probe": {"tokens": ["cls", "registers", "register_mean", "patch_mean"]},
        "measures": {"images": 30, "attention_images": 15},
    }


@contextmanager
def with_tf32() -> Iterator[None]:
    """Emulate TF32 where there is no GPU that has it."""
    if torch.cuda.is_available():
        yield
        return
    with (
        mock.patch("extract.models.available_precision", tf32_emulation.available_precision),
        mock.patch("extract.models.products_in", tf32_emulation.products_in),
    ):
        yield


def printed(config: Mapping[str, Any], folder: Path) -> dict[tuple[str, ...], str]:
    """Run a config up to its tables and return every number as the report prints it.

    Returns:
        (table, number of the row, column) → text. Fractions have one decimal of a percent, p-values four decimals, all
        else four significant digits; counts and words, such as conclusions, are as they are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen, place = settings(resolve(config)), Run(folder / "run")
    (dataset,) = chosen.datasets.values()
    prepare(dataset, chosen.seed, place.pack(dataset.name))
    for model in chosen.models:
        calibration.run(chosen, place, model)
        run.run(chosen, place, model, dataset, 0)
        evaluate.run(chosen, place, model, ("classification", "retrieval", "correspondence"))
        dense.run(Segmentation, chosen, place, model)
    for summary in (place.folder / "outcomes").rglob("*.probes.csv"):
        summary.unlink()  # no outcomes
    out = folder / "analysed"
    stated = folder / "settings.yaml"
    stated.write_text(yaml.safe_dump({"conditions": config["conditions"]}))
    given = [str(place.folder / "outcomes"), "--out", str(out), "--settings", str(stated), "--no-figures"]
    analyse([*given, "--measures", str(place.all_measures)])
    found = {}
    for kind, rows in (("tables", TABLES), ("tests", TESTS)):
        for name, row in rows.items():
            path = out / kind / f"{name}.csv"
            if name in UNPRINTED or not path.exists():
                continue
            declared = columns_of(row)
            for line, cells in enumerate(read_cells(row, path)):  # in an order that no result decides
                for each in declared:
                    shown = cells[each.name]
                    found[name, str(line), each.name] = (
                        _as_printed(each.name, each.unit, shown) if each.kind is float else shown
                    )
    return found


def _as_printed(name: str, unit: str, cell: str) -> str:
    if name == "p" or name.startswith("p_"):
        return p_value(cell)
    return percent(cell) if unit == "fraction" else quantity(cell)


@dataclass(frozen=True)
class Compared:
    """How many printed numbers there are, and how many another precision changes, by table."""

    numbers: dict[str, int]
    changed: dict[str, int]


def compared(one: Mapping[tuple[str, ...], str], other: Mapping[tuple[str, ...], str]) -> Compared:
    """Compare what two runs print; a row that only one has counts as changed."""
    keys = list(dict.fromkeys([*one, *other]))
    tables = dict.fromkeys(key[0] for key in keys)
    return Compared(
        {table: sum(key[0] == table for key in keys) for table in tables},
        {table: sum(key[0] == table and one.get(key) != other.get(key) for key in keys) for table in tables},
    )


def main() -> None:
    """Print how many figures each precision changes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["open_s", "sink_s"])
    parser.add_argument("--images", type=int, default=200, help="test images, and training images")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    given = parser.parse_args()
    found = {}
    for variant in dict.fromkeys(["float32", *given.variants]):
        with tempfile.TemporaryDirectory() as folder, with_tf32():
            found[variant] = printed(config_of(VARIANTS[variant], tuple(given.models), given.images), Path(folder))
        result = compared(found["float32"], found[variant])
        print(f"{variant}: {sum(result.changed.values())} of {sum(result.numbers.values())} printed figures change")
        for table, changed in result.changed.items():
            print(f"  {table}: {changed} of {result.numbers[table]}", flush=True)


if __name__ == "__main__":
    main()
